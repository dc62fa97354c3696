//! The sessions that are open in this process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{
    id::SessionId,
    limits::SESSIONS_PER_INSTANCE,
    name::InstanceId,
    refusal::{Reason, Refusal},
    require_some,
};

use super::door::Session;
use crate::{
    channel::{Holder, Seat, Seats},
    domain::Domain,
    limits::SESSIONS_MAX,
};

/// Every session from its decision to its end.
#[derive(Debug)]
pub(in crate::mediation) struct Sessions {
    seats: Arc<Seats>,
    open: Arc<Mutex<BTreeMap<SessionId, Arc<Session>>>>,
}

impl Sessions {
    pub(in crate::mediation) fn new() -> Self {
        Self { seats: Seats::new(SESSIONS_MAX, SESSIONS_PER_INSTANCE), open: Arc::default() }
    }

    /// A seat for one more session of that caller.
    pub(super) fn seat(&self, caller: &InstanceId) -> Result<Seat, Refusal> {
        let seat = self.seats.take(Holder::Instance(caller.clone()));
        Ok(require_some!("SES-017", seat, Reason::Overloaded, "It has too many sessions open."))
    }

    /// Lists a session; called where it is decided, so that whoever revokes later finds it.
    pub(super) fn insert(&self, session: &Arc<Session>) {
        table(&self.open).insert(session.id(), Arc::clone(session));
    }

    /// Takes a session off the list when the guard is dropped.
    pub(super) fn until_ended(&self, session: &Arc<Session>) -> Listed {
        Listed { open: Arc::clone(&self.open), session: Arc::clone(session) }
    }

    /// Shuts all of them, because the broker stops.
    pub(in crate::mediation) fn stop(&self) {
        let open: Vec<_> = table(&self.open).values().cloned().collect();
        let stops = || Refusal::new("SES-109", Reason::SessionOver, "The broker stops.");
        open.iter().for_each(|session| session.shut(stops()));
    }

    /// Shuts the sessions in which nothing may be forwarded any longer. When it returns, nothing that a
    /// revocation decided before voids can be.
    pub(in crate::mediation) fn enforce(&self, domain: &Domain) {
        let open: Vec<_> = table(&self.open).values().cloned().collect();
        let void: Vec<_> = domain.peek(|state, context| {
            let check = |session: &Arc<Session>| session.check(state, context);
            open.into_iter().filter_map(|session| Some((check(&session).err()?, session))).collect()
        });
        // Waits for whoever is forwarding something in one of them at this moment.
        void.into_iter().for_each(|(refusal, session)| session.shut(refusal));
    }
}

type Table = BTreeMap<SessionId, Arc<Session>>;

fn table(open: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // Each change under the lock is one step.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See [`Sessions::until_ended`].
#[derive(Debug)]
pub(super) struct Listed {
    open: Arc<Mutex<Table>>,
    session: Arc<Session>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut table = table(&self.open);
        if table.get(&self.session.id()).is_some_and(|listed| Arc::ptr_eq(listed, &self.session)) {
            table.remove(&self.session.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_forge::instance;

    use super::*;

    #[test]
    fn one_caller_has_only_so_many_seats() {
        let (sessions, greedy) = (Sessions::new(), instance("planner"));
        let mut seats: Vec<_> = (0..SESSIONS_PER_INSTANCE).map(|_| sessions.seat(&greedy).unwrap()).collect();
        let refused = sessions.seat(&greedy).unwrap_err();
        assert_eq!((refused.rule(), refused.reason()), ("SES-017", Reason::Overloaded));
        assert!(sessions.seat(&instance("files")).is_ok(), "somebody else");
        seats.pop();
        assert!(sessions.seat(&greedy).is_ok(), "the twin: one that has ended makes room");
    }
}

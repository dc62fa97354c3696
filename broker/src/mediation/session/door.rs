//! What callee, caller and revocations share of a session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_protocol::{
    digest::ChainId,
    domain::{Context, State},
    id::SessionId,
    name::InstanceId,
    refusal::{Reason, Refusal},
    require,
};
use countersign_wire::v1::{OfferedSession, ServeResponse, ServedSession};
use tokio::sync::mpsc;

use super::super::callee::Room;
use crate::domain::Domain;

/// What a session's task hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// The callee said something. Nothing of it is verified yet.
    Said(ServedSession),
    /// Nothing more can be forwarded, for that reason.
    Shut(Refusal),
}

/// Something for a callee, and the room that it takes until it is forwarded.
#[derive(Debug)]
pub(in crate::mediation) struct Parcel {
    message: OfferedSession,
    /// The request's number, if it is one.
    seq: Option<u64>,
    _room: Option<Room>,
}

impl Parcel {
    /// Anything but a request.
    pub(super) fn word(message: OfferedSession) -> Self {
        Self { message, seq: None, _room: None }
    }

    /// A request.
    pub(super) fn call(message: OfferedSession, seq: u64, room: Room) -> Self {
        Self { message, seq: Some(seq), _room: Some(room) }
    }

    /// The last word.
    pub(in crate::mediation) fn over(id: SessionId) -> Self {
        Self::word(OfferedSession { session_id: id.to_string(), over: true, ..Default::default() })
    }
}

/// A session that is open. Whatever is forwarded in it is forwarded under the lock of its door, where
/// the newest state is looked at; once the door is shut, nothing is.
#[derive(Debug)]
pub(in crate::mediation) struct Session {
    id: SessionId,
    chain: Vec<ChainId>,
    callee: InstanceId,
    door: Mutex<Door>,
    heard: mpsc::Sender<Heard>,
}

#[derive(Debug)]
struct Door {
    /// The number of the last request that was forwarded.
    forwarded: u64,
    /// Why nothing is any more.
    shut: Option<Refusal>,
    /// Tells the session's task, once, whatever else waits for it.
    tell: Option<mpsc::OwnedPermit<Heard>>,
}

impl Session {
    /// A session that nobody knows of, and what its task will hear: so many words, and its end.
    pub(super) fn new(
        id: SessionId,
        chain: Vec<ChainId>,
        callee: InstanceId,
        words: usize,
    ) -> (Arc<Self>, mpsc::Receiver<Heard>) {
        let (heard, hears) = mpsc::channel(words + 1);
        let tell = heard.clone().try_reserve_owned().ok();
        let door = Mutex::new(Door { forwarded: 0, shut: None, tell });
        (Arc::new(Self { id, chain, callee, door, heard }), hears)
    }

    pub(in crate::mediation) fn id(&self) -> SessionId {
        self.id
    }

    /// The number of the last request that was forwarded.
    pub(super) fn forwarded(&self) -> u64 {
        self.door().forwarded
    }

    /// Something that the callee says. More than it was asked for ends the session.
    pub(in crate::mediation) fn hear(&self, said: ServedSession) {
        if self.heard.try_send(Heard::Said(said)).is_err() {
            let fault = Reason::CalleeFault;
            self.shut(Refusal::new("SES-061", fault, "It says more in the session than it was asked for."));
        }
    }

    /// Lets nothing through any more, and tells the session's task so.
    pub(in crate::mediation) fn shut(&self, why: Refusal) {
        let mut door = self.door();
        if door.shut.is_some() {
            return;
        }
        door.shut = Some(why.clone());
        if let Some(tell) = door.tell.take() {
            tell.send(Heard::Shut(why));
        }
    }

    /// Gives what the callee gets, if it may still get it. A revocation that was decided before is seen,
    /// and one that is decided later finds it forwarded. The last word is always let through.
    pub(in crate::mediation) fn forward(&self, parcel: Parcel, domain: &Domain) -> Option<ServeResponse> {
        let mut door = self.door();
        if !parcel.message.over {
            if door.shut.is_some() {
                return None;
            }
            if let Err(refusal) = domain.peek(|state, context| self.check(state, context)) {
                drop(door);
                self.shut(refusal);
                return None;
            }
        }
        door.forwarded = parcel.seq.unwrap_or(door.forwarded);
        Some(ServeResponse { session: Some(parcel.message), ..Default::default() })
    }

    /// Whether anything may be forwarded now.
    pub(super) fn check(&self, state: &State, context: &Context<'_>) -> Result<(), Refusal> {
        state.check_in_force(context, &self.chain)?;
        require!("SES-036", state.is_live(&self.callee, context.now), Reason::CalleeUnavailable);
        Ok(())
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        // Each change under the lock is one step.
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use countersign_forge::{START_MS, instance};
    use countersign_protocol::time::Timestamp;
    use rand::rngs::OsRng;

    use super::*;

    #[test]
    fn a_callee_says_no_more_than_it_was_asked_for() {
        let id = SessionId::new(Timestamp::new(START_MS).unwrap(), &mut OsRng);
        let (session, mut hears) = Session::new(id, Vec::new(), instance("files"), 3);
        for _ in 0..3 {
            session.hear(ServedSession::default());
        }
        assert!(session.door().shut.is_none());
        session.hear(ServedSession::default());
        assert!(session.door().shut.is_some());
        session.hear(ServedSession::default());
        for _ in 0..3 {
            assert!(matches!(hears.try_recv(), Ok(Heard::Said(_))));
        }
        let end = hears.try_recv();
        assert!(matches!(&end, Ok(Heard::Shut(why)) if why.reason() == Reason::CalleeFault), "{end:?}");
        assert!(hears.try_recv().is_err(), "it is told once");
    }
}

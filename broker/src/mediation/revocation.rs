//! Enforcing revocations on what is under way.

use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{Mediator, pending::Pending};
use crate::domain::{Domain, Durable};

impl Mediator {
    /// The domain that it mediates for.
    pub(crate) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// Cancels what is not forwarded and may not be any longer, and ends the streams of instances
    /// that may not act. When it returns, nothing that a revocation decided before voids can be
    /// forwarded: what is open beneath it was forwarded earlier, is cancelled, or has ended.
    pub(crate) fn enforce_revocations(&self) {
        let open = self.open.all();
        // One look at the state for all of them.
        let void: Vec<_> = self.domain.peek(|state, context| {
            let check = |pending: &Arc<Pending>| pending.check(state, context);
            open.iter().filter_map(|pending| Some((check(pending).err()?, Arc::clone(pending)))).collect()
        });
        let cut: Vec<_> = self.domain.peek(|state, context| {
            let check = |pending: &Arc<Pending>| pending.check_going_on(state, context);
            open.into_iter().filter_map(|pending| Some((check(&pending).err()?, pending))).collect()
        });
        self.sessions.enforce(&self.domain);
        // Waits for whoever is forwarding one of them at this moment.
        void.into_iter().for_each(|(refusal, pending)| pending.cancel(refusal));
        // A stream that is under way ends here, though its callee has begun.
        cut.into_iter().for_each(|(refusal, pending)| pending.cut(refusal));
        self.callees.end_unadmitted(&self.domain);
    }

    /// How many invocations could still be forwarded.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.open.all().iter().filter(|pending| pending.is_waiting()).count()
    }

    /// How many invocations wait for their callees to take them.
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.open.all().iter().filter(|pending| pending.is_queued()).count()
    }

    /// Tells whenever there are more revocations.
    pub(crate) fn epoch(&self) -> watch::Receiver<u64> {
        self.epoch.subscribe()
    }

    /// Enforces whatever is revoked, by whichever way it came about, until the mediator is gone.
    pub(super) async fn watch_epoch(mediator: Weak<Self>, mut durable: watch::Receiver<Durable>) {
        while durable.changed().await.is_ok() {
            let Some(mediator) = mediator.upgrade() else { return };
            let epoch = mediator.domain.peek(|state, _| state.epoch());
            if *mediator.epoch.borrow() != epoch {
                mediator.enforce_revocations();
                mediator.epoch.send_replace(epoch);
            }
        }
    }
}

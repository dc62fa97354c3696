//! What the broker has told, and can never take back.

use countersign_protocol::{
    domain::{Event, State},
    ledger::LeafIndex,
    revocation::RevokeRequest,
};
use countersign_store::Head;

use super::Witness;
use crate::{
    invariant::Invariant::{Record, Revocation},
    model::{Standing, Status},
    stop::{Flow, hold},
};

impl Witness {
    /// A revocation is acknowledged: from here on, what it ended works for nobody.
    pub fn acknowledged(&mut self, leaf: LeafIndex) {
        let Some(Event::Revoked(event)) = self.entries.get(leaf.get() as usize).map(|entry| &entry.event)
        else {
            return;
        };
        let Ok(request) = event.request.peek_unverified::<RevokeRequest>() else { return };
        let mut ended = self.model.links.clone();
        ended.retain(|_, link| link.status == Status::Revoked);
        self.void.extend(ended.into_keys());
        self.void_members.extend(request.instance);
    }

    /// A checkpoint may have been seen.
    pub fn released(&mut self, head: Head) {
        if self.promised.last() != Some(&head) {
            self.promised.push(head);
        }
    }

    /// After a restart: every promise is kept.
    pub fn check_released(&self, state: &State) -> Flow {
        for head in &self.promised {
            let held = state.tree().root_at(head.size) == Some(head.root);
            hold(Record, held, || format!("the log was {head}, and does not begin with that any more"))?;
        }
        for chain in &self.void {
            let revoked = state
                .chain(chain)
                .is_some_and(|it| it.state == countersign_protocol::contract::State::Revoked);
            hold(Revocation, revoked, || format!("chain {chain} was revoked, and is back"))?;
        }
        for instance in &self.void_members {
            let standing = self.model.members.get(instance).map(|it| it.standing);
            hold(Revocation, standing == Some(Standing::Revoked), || {
                format!("{instance} was revoked, and is back")
            })?;
        }
        Ok(())
    }
}

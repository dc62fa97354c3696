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
    model::Standing,
    stop::{Flow, hold},
};

impl Witness {
    /// A revocation is acknowledged: from here on, what it ended works for nobody.
    pub fn acknowledged(&mut self, leaf: LeafIndex) {
        let signed = match self.entries.get(leaf.get() as usize).map(|entry| &entry.event) {
            Some(Event::Revoked(event)) => &event.request,
            Some(Event::Changed(event)) => &event.request,
            Some(Event::ChainRebound(event)) => &event.request,
            Some(Event::RebindAsked(event)) => &event.request,
            _ => return,
        };
        let instance = signed.peek_unverified::<RevokeRequest>().ok().and_then(|it| it.instance);
        self.void_members.extend(instance);
        self.told.push((leaf, signed.digest()));
        let ended = self.model.links.iter().filter(|(_, link)| link.status.was_ended());
        self.void.extend(ended.map(|(id, link)| (*id, link.status.name())));
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
        for (chain, ended) in &self.void {
            let same = state.chain(chain).is_some_and(|it| it.state.name() == *ended);
            hold(Revocation, same, || format!("chain {chain} was {ended}, and is back"))?;
        }
        for (leaf, digest) in &self.told {
            let there = match self.entries.get(leaf.get() as usize).map(|entry| &entry.event) {
                Some(Event::Revoked(event)) => event.request.digest() == *digest,
                Some(Event::Changed(event)) => event.request.digest() == *digest,
                Some(Event::ChainRebound(event)) => event.request.digest() == *digest,
                Some(Event::RebindAsked(event)) => event.request.digest() == *digest,
                _ => false,
            };
            hold(Revocation, there, || format!("leaf {leaf} was acknowledged, and is gone"))?;
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

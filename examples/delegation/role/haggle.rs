//! How the agents of this story negotiate. The protocol limits messages, not tactics: these are two
//! simple ones, out of sight of each other.

use countersign::{Delegator, Held, Offer, OfferReply, RequestReply, Terms, Wanted};
use countersign_protocol::{
    capability::{Amount, Rights},
    time::{Lifetime, Timestamp},
};

use crate::{
    scope::Scope,
    script::{Outcome, note},
};

/// Offers a fifth of what it is ready to give, then three fifths, then all of it.
pub(crate) struct Rising {
    pub(crate) held: Held,
    pub(crate) most: Scope,
    pub(crate) now: fn() -> Timestamp,
}

impl Delegator for Rising {
    async fn answer(&mut self, wanted: &Wanted) -> RequestReply {
        let asked = wanted.rights.budget.ceiling.get();
        let ready = match wanted.round {
            1 => self.most.calls / 5,
            2 => self.most.calls * 3 / 5,
            _ => self.most.calls,
        };
        let scope = Scope { calls: asked.min(ready), ..self.most.clone() };
        note(format!(
            "round {}: offers to {}: {}",
            wanted.round,
            wanted.delegatee.principal().short(),
            scope.words()
        ));
        match offer(&scope, self.held.rights(), (self.now)()) {
            Ok(terms) => RequestReply::Offer(Box::new(terms)),
            Err(_) => RequestReply::Reject,
        }
    }
}

/// Terms for a scope, within the times of what the delegator holds.
pub(crate) fn offer(scope: &Scope, held: &Rights, now: Timestamp) -> Outcome<Terms> {
    let mut rights = scope.rights(now.max(held.not_before))?;
    rights.not_after = rights.not_after.min(held.not_after);
    Ok(Terms::new(rights, Lifetime::from_millis(1_000), Lifetime::from_millis(30_000)))
}

/// Accepts from `enough` calls on; until then it asks for a third of what it asked before.
pub(crate) fn come_down(enough: u64) -> impl FnMut(&Offer) -> OfferReply + Send {
    move |offer| {
        let offered = offer.contract.rights.budget.ceiling.get();
        if offered >= enough {
            note(format!("round {}: signs for {offered} calls", offer.round));
            return OfferReply::Accept;
        }
        let mut rights = offer.asked.clone();
        let next = (rights.budget.ceiling.get() / 3).max(enough);
        let Some(next) = Amount::new(next) else { return OfferReply::Reject };
        note(format!("round {}: {offered} calls are too few, asks for {next}", offer.round));
        rights.budget.ceiling = next;
        OfferReply::Counter(rights)
    }
}

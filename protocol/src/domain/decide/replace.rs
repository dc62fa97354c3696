//! A contract that takes the place of another one.

use std::collections::BTreeMap;

use crate::{
    capability::Amount,
    contract::{Cell, ContractBody, Input, next},
    digest::ChainId,
    domain::State,
    refusal::{Reason, Refusal},
    require, require_some,
};

impl State {
    /// What the parent's account gets back when the contract that `body` replaces ends; nothing where
    /// it replaces none. Refuses where it may not be replaced.
    pub(super) fn check_replaced(&self, body: &ContractBody) -> Result<Amount, Refusal> {
        let Some(id) = body.replaces else { return Ok(Amount::ZERO) };
        let found = self.contract(&id).and_then(|id| Some((id, self.chain(&id)?)));
        let (id, old) =
            require_some!("CTR-038", found, Reason::OfferMismatch, "There is no contract {id} to replace.");
        let same_two = old.grantor == body.grantor.instance && old.holder == body.grantee.instance;
        require!(
            "CTR-038",
            same_two && old.parent == Some(body.parent),
            Reason::OfferMismatch,
            "What it replaces is between others, or beneath another chain."
        );
        if let Cell::Refuse(reason) = next(old.state, Input::BrokerSupersede) {
            let detail = format!("What it replaces is {}.", old.state.name());
            return Err(Refusal::new("CTR-039", reason, detail));
        }
        Ok(self.freed_by_ending(id))
    }

    /// What ending a chain, with all beneath it, gives back to its parent.
    fn freed_by_ending(&self, id: ChainId) -> Amount {
        let mut freed: BTreeMap<ChainId, Amount> = BTreeMap::new();
        // Children first: what they give back is no longer delegated. It goes up through what has ended.
        for id in self.subtree(id).into_iter().rev() {
            let Some(chain) = self.chain(&id) else { continue };
            let mut back = chain.children.iter().filter_map(|child| freed.get(child));
            let back = back.try_fold(Amount::ZERO, |sum, amount| sum.plus(*amount)).unwrap_or_default();
            freed.insert(id, chain.account.would_give_up(back));
        }
        freed.get(&id).copied().unwrap_or_default()
    }
}

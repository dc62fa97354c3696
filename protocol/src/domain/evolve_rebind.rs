//! What a rebind does to a chain: one link ends, and another one stands in its place.

use super::{
    event::ChainRebound,
    state::{Chain, State},
};
use crate::{
    contract::{self, RebindConsent, RebindRequest},
    ledger::LeafIndex,
    signed::Signed,
    time::Timestamp,
    token::{ActivatedBy, Stated, UnverifiedToken},
};

impl State {
    /// The newest instance that asks is the one that is heard.
    pub(super) fn ask_to_rebind(&mut self, signed: &Signed, leaf: LeafIndex) -> Option<()> {
        let request: RebindRequest = signed.peek_unverified().ok()?;
        let chain = self.chains.get_mut(&request.chain).filter(|chain| !chain.state.is_terminal())?;
        chain.asked = Some(signed.clone());
        // Whoever watches the link is told.
        self.turns.insert((leaf, request.chain));
        self.remember_request(request.request_id, (signed.digest(), leaf), request.issued);
        Some(())
    }

    /// The consent stands in the token, where everyone reads it.
    fn remember_consent(&mut self, token: &[u8], leaf: LeafIndex) -> Option<()> {
        let token = UnverifiedToken::from_bytes(token.to_vec());
        let Some((_, Stated::Rebind(terms))) = token.peek_unverified().ok()?.1.pop() else { return None };
        let signed = terms.consent?;
        let consent: RebindConsent = signed.peek_unverified().ok()?;
        self.remember_request(consent.request_id, (signed.digest(), leaf), consent.issued);
        Some(())
    }

    /// The old link ends with all beneath it, and the new one begins with what the old one had left.
    pub(super) fn rebind(&mut self, event: &ChainRebound, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let request: RebindRequest = event.request.peek_unverified().ok()?;
        self.check_new(event.chain_id)?;
        self.instance(&request.sender)?;
        let old = self.chain(&request.chain).filter(|chain| !chain.state.is_terminal())?;
        let ((contract, _), parent) = (old.contract?, old.parent?);
        self.remember_request(request.request_id, (event.request.digest(), leaf), request.issued);
        self.remember_consent(&event.token, leaf);
        self.end(request.chain, contract::State::Rebound, leaf);
        let old = self.chain(&request.chain)?;
        let account = old.account.succeeded(leaf);
        let chain = Chain {
            children: Default::default(),
            holder: request.sender,
            activated_by: ActivatedBy::Rebind,
            leaf,
            at: now,
            rebound: Some(old.hop(request.chain)),
            token: event.token.clone(),
            state: contract::State::Active,
            turns: Vec::new(),
            live: 0,
            account,
            ..old.clone()
        };
        let above = self.chains.get_mut(&parent)?;
        above.children.insert(event.chain_id);
        above.account.delegate(chain.account.held(), leaf);
        self.contracts.insert(contract, event.chain_id);
        self.add_chain(event.chain_id, chain);
        Some(())
    }
}

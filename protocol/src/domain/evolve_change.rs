//! What a change does to a chain: it is held up, taken up again, or ends.

use super::state::State;
use crate::{
    contract::{self, ChangeKind, ChangeRequest, Side},
    digest::ChainId,
    ledger::LeafIndex,
    signed::Signed,
};

impl State {
    pub(super) fn change(&mut self, signed: &Signed, leaf: LeafIndex) -> Option<()> {
        let request: ChangeRequest = signed.peek_unverified().ok()?;
        self.chain(&request.chain)?;
        self.remember_request(request.request_id, (signed.digest(), leaf), request.issued);
        match request.kind {
            ChangeKind::Suspend => self.suspend(request.chain, request.side, leaf)?,
            ChangeKind::Resume => self.resume(request.chain, request.side, leaf)?,
            ChangeKind::Retire => self.end(request.chain, contract::State::Retired, leaf),
            ChangeKind::Breach => self.end(request.chain, contract::State::Breached, leaf),
        }
        Some(())
    }

    pub(super) fn suspend(&mut self, id: ChainId, side: Side, leaf: LeafIndex) -> Option<()> {
        let chain = self.chains.get_mut(&id).filter(|chain| !chain.state.is_terminal())?;
        chain.suspended_by.insert(side);
        self.turn(id, contract::State::Suspended, leaf);
        // What is under way beneath it is looked at again, as after a revocation.
        self.epoch += 1;
        Some(())
    }

    /// It is taken up again only when nobody's suspension stands.
    fn resume(&mut self, id: ChainId, side: Side, leaf: LeafIndex) -> Option<()> {
        let chain = self.chains.get_mut(&id).filter(|chain| !chain.state.is_terminal())?;
        chain.suspended_by.remove(&side);
        if chain.suspended_by.is_empty() {
            self.turn(id, contract::State::Active, leaf);
        }
        Some(())
    }
}

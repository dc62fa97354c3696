//! What becomes of a domain whose ledger goes on from a backup.

use super::state::{Standing, State};
use crate::{contract::Side, digest::ChainId, ledger::LeafIndex};

impl State {
    /// Nothing that could act may act by itself any more, because nobody knows what was taken back since
    /// the backup: no instance, no token to join with; and every link waits for an admin's word.
    pub(super) fn restore(&mut self, leaf: LeafIndex) {
        self.join_tokens.clear();
        for instance in self.instances.values_mut().filter(|it| it.standing == Standing::Live) {
            (instance.standing, instance.stopped) = (Standing::Revoked, Some(leaf));
        }
        let links = self.chains.iter().filter(|(_, chain)| !chain.state.is_terminal());
        let links: Vec<ChainId> = links.map(|(id, _)| *id).collect();
        for link in links {
            self.suspend(link, Side::Admin, leaf);
        }
        self.epoch += 1;
    }
}

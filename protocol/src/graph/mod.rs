//! Who delegated what to whom: the delegation graph, now and at any earlier size of the ledger.
//!
//! The graph is no store of its own. Its edges are the links of the [`State`], each with the leaf that
//! began it and the leaves of its later turns; so every moment of the past is answered as fast as the
//! present, without replaying anything, and there is nothing that could differ from what decisions
//! are made on.
//!
//! Every question walks links downwards from the grants, or from what one instance may see, and leaves
//! out whatever is beneath a link that cannot matter: a child is within its parent, so what a link does
//! not allow, nothing beneath it does.

mod verdict;
mod walk;
mod wish;

pub use verdict::{fault, nearest, others};
pub use walk::{Step, Walk};
pub use wish::{Covers, Wish};

use crate::{
    contract,
    digest::ChainId,
    domain::{Chain, State},
    ledger::TreeSize,
    time::Timestamp,
};

/// A size of the ledger, and the time that was told then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// So many entries.
    pub size: TreeSize,
    /// The time of the last of them; of the present, the broker's.
    pub time: Timestamp,
}

impl Moment {
    /// Whether a link was in force: signed, activated, not ended, and within its times.
    pub fn has_in_force(&self, link: &Chain) -> bool {
        let within = link.rights.not_before <= self.time && self.time < link.rights.not_after;
        within && link.state_at(self.size) == Some(contract::State::Active)
    }

    /// Whether a link, or anything beneath it, could be in force then or later: it had begun, and had
    /// neither ended nor passed its end.
    pub fn may_be_in_force(&self, link: &Chain) -> bool {
        let open = link.state_at(self.size).is_some_and(|state| !state.is_terminal());
        open && self.time < link.rights.not_after
    }

    /// Whether a link and all above it were in force, so that it could be used.
    pub fn has_usable(&self, state: &State, id: ChainId) -> bool {
        state.chain(&id).is_some() && state.path(id).all(|(_, link)| self.has_in_force(link))
    }
}

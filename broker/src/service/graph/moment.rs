//! The moment that a question is about.

use countersign_protocol::{
    domain::{Context, State},
    graph::Moment,
    ledger::TreeSize,
    refusal::{Reason, Refusal},
    require,
};

use crate::{
    domain::Domain,
    service::{convert, entries},
};

/// Now, or a size of the ledger and its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Now,
    Then(Moment),
}

impl When {
    /// What `as_of` says. Of the past, one entry is read: the last that there was, for its time.
    pub(super) async fn of(domain: &Domain, as_of: u64) -> Result<Self, Refusal> {
        if as_of == 0 {
            return Ok(Self::Now);
        }
        let size: TreeSize = convert::size(as_of)?;
        let end = domain.read(|state, _| Ok(state.tree().size())).await?;
        require!("GRA-001", size <= end, Reason::NotFound, "The ledger has {end} entries.");
        Ok(Self::Then(Moment { size, time: entries::time(domain, size.last_leaf()).await? }))
    }

    pub(super) fn moment(self, state: &State, context: &Context<'_>) -> Moment {
        match self {
            Self::Now => Moment { size: state.tree().size(), time: context.now },
            Self::Then(moment) => moment,
        }
    }
}

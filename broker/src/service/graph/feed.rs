//! What a watcher of edges is told.
//!
//! As with the other feeds nothing is queued: each look takes from the state the turns since the last
//! one, and stops wherever it has enough, if need be within a leaf that turned many.

use std::sync::Arc;

use countersign_protocol::{
    digest::ChainId,
    domain::State,
    graph::Moment,
    ledger::{LeafIndex, TreeSize},
    refusal::{Reason, Refusal},
    require,
};
use countersign_wire::v1;
use prost::Message as _;
use tokio::time::{Instant, sleep_until};

use super::edge::edge;
use crate::{
    domain::Domain,
    limits::{PAGE_BYTES, PAGE_SCAN_MAX, WATCH_HEARTBEAT, WATCH_PAUSE},
    service::{
        caller::Caller,
        convert,
        feed::{End, Teller},
    },
};

/// One watcher, and what it knows already.
pub(super) struct EdgeFeed {
    domain: Arc<Domain>,
    caller: Caller,
    /// Everything before this place has been told.
    next: Place,
}

/// A leaf, and in it the chain after which to go on; none for its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) leaf: LeafIndex,
    pub(super) after: Option<ChainId>,
}

/// How much one look takes in.
#[derive(Clone, Copy)]
pub(super) struct Enough {
    /// Turns that were looked at.
    pub(super) looked_at: usize,
    /// Bytes that the watcher is told.
    pub(super) bytes: usize,
}

/// What was found at one look.
pub(super) struct Look {
    pub(super) changes: Vec<v1::EdgeChange>,
    /// Everything before this place has been looked at.
    pub(super) next: Place,
    /// Whether that is all there is.
    pub(super) all: bool,
}

impl EdgeFeed {
    /// Begins at the place that is asked for.
    pub(super) async fn begin(
        domain: &Arc<Domain>,
        caller: Caller,
        request: v1::WatchEdgesRequest,
    ) -> Result<Self, Refusal> {
        domain.check_named(&request.trust_domain)?;
        let after = match request.after_chain.as_slice() {
            [] => None,
            bytes => Some(convert::chain_id(bytes)?),
        };
        let next = Place { leaf: convert::leaf(request.from_leaf)?, after };
        let end = domain.read(|state, _| Ok(state.tree().size().next_leaf())).await?;
        require!("GRA-004", next.leaf <= end, Reason::NotFound, "The ledger has {end} entries.");
        Ok(Self { domain: Arc::clone(domain), caller, next })
    }

    /// Tells of every turn until the watcher may not be told any more.
    pub(super) async fn tell(mut self, teller: Teller<v1::WatchEdgesResponse>) -> End {
        match self.tell_on(&teller).await {
            Ok(()) => End::Gone,
            Err(refusal) => End::Refused(self.caller.told(&refusal)),
        }
    }

    async fn tell_on(&mut self, teller: &Teller<v1::WatchEdgesResponse>) -> Result<(), Refusal> {
        let mut durable = self.domain.durable();
        // The first heartbeat says that the watcher is up to date.
        let mut heartbeat = Instant::now();
        loop {
            durable.mark_unchanged();
            let looked = Instant::now();
            let look = self.look().await?;
            self.next = look.next;
            if !look.changes.is_empty() || (look.all && Instant::now() >= heartbeat) {
                heartbeat = Instant::now() + WATCH_HEARTBEAT;
                teller.tell(self.message(look.changes)).await?;
            }
            if !look.all {
                continue;
            }
            tokio::select! {
                more = durable.changed() => if more.is_err() { return Ok(()) },
                () = sleep_until(heartbeat) => {}
            }
            // What follows one another closely is told together.
            sleep_until(looked + WATCH_PAUSE).await;
        }
    }

    fn message(&self, changes: Vec<v1::EdgeChange>) -> v1::WatchEdgesResponse {
        let Place { leaf, after } = self.next;
        let after_chain = after.map(|chain| chain.as_bytes().to_vec()).unwrap_or_default();
        v1::WatchEdgesResponse { changes, next_leaf: leaf.get(), after_chain }
    }

    /// Looks at what has turned and is durable.
    async fn look(&self) -> Result<Look, Refusal> {
        let most = Enough { looked_at: PAGE_SCAN_MAX, bytes: PAGE_BYTES };
        self.domain
            .read(|state, _| {
                state.admitted(self.caller.actor())?;
                Ok(look_at(&self.caller, state, self.next, most))
            })
            .await
    }
}

/// Looks from one place on, until it is enough.
pub(super) fn look_at(caller: &Caller, state: &State, from: Place, most: Enough) -> Look {
    let end = Place { leaf: state.tree().size().next_leaf(), after: None };
    let (mut changes, mut bytes, mut last) = (Vec::new(), 0, from);
    for (looked_at, (leaf, chain)) in state.turned_after(from.leaf, from.after).enumerate() {
        if looked_at >= most.looked_at || bytes >= most.bytes {
            return Look { changes, next: last, all: false };
        }
        last = Place { leaf, after: Some(chain) };
        if caller.is_admin() || caller.is_party_to_chain(state, chain) {
            let change = change(state, leaf, chain);
            bytes += change.as_ref().map_or(0, v1::EdgeChange::encoded_len);
            changes.extend(change);
        }
    }
    Look { changes, next: end, all: true }
}

fn change(state: &State, leaf: LeafIndex, id: ChainId) -> Option<v1::EdgeChange> {
    let link = state.chain(&id)?;
    let size = TreeSize::new(leaf.get() + 1)?;
    let moment = Moment { size, time: link.at };
    Some(v1::EdgeChange {
        leaf: leaf.get(),
        chain_id: id.as_bytes().to_vec(),
        state: link.state_at(size)?.name().into(),
        edge: (link.leaf == leaf).then(|| edge(id, link, moment)),
    })
}

//! What a watcher of negotiations is told.
//!
//! The feed does not queue changes: it looks at the state for what has changed since its last word,
//! and shows each negotiation as it is now, with all its moves. So nothing is ever missed, however
//! slowly a watcher listens, and nothing has to be kept for it.

use std::sync::Arc;

use countersign_protocol::{
    domain::State,
    ledger::LeafIndex,
    refusal::{Reason, Refusal},
    require,
};
use countersign_wire::v1;
use tokio::time::{Instant, sleep_until};

use super::{
    caller::Caller,
    convert, entries,
    feed::{End, Teller},
    negotiations::shown,
};
use crate::{
    domain::Domain,
    limits::{PAGE_SCAN_MAX, WATCH_HEARTBEAT, WATCH_LOOK_MAX, WATCH_PAUSE},
};

/// One watcher, and what it knows already.
pub(super) struct NegotiationFeed {
    domain: Arc<Domain>,
    caller: Caller,
    /// Everything before this leaf has been told.
    next: LeafIndex,
}

/// What was found at one look.
struct Look {
    /// Negotiations that changed, with the leaf of each last change and those of the moves.
    changed: Vec<(LeafIndex, v1::Negotiation, Vec<LeafIndex>)>,
    /// Everything before this leaf has been looked at.
    next: LeafIndex,
    /// Whether that is all there is.
    all: bool,
}

impl NegotiationFeed {
    /// Begins at the leaf that is asked for.
    pub(super) async fn begin(
        domain: &Arc<Domain>,
        caller: Caller,
        request: v1::WatchNegotiationsRequest,
    ) -> Result<Self, Refusal> {
        domain.check_named(&request.trust_domain)?;
        let next = convert::leaf(request.from_leaf)?;
        let end = domain.read(|state, _| Ok(state.tree().size().next_leaf())).await?;
        require!("API-067", next <= end, Reason::NotFound, "The ledger has {end} entries.");
        Ok(Self { domain: Arc::clone(domain), caller, next })
    }

    /// Tells of every change until the watcher may not be told any more.
    pub(super) async fn tell(mut self, teller: Teller<v1::WatchNegotiationsResponse>) -> End {
        match self.tell_on(&teller).await {
            Ok(()) => End::Gone,
            Err(refusal) => End::Refused(self.caller.told(&refusal)),
        }
    }

    async fn tell_on(&mut self, teller: &Teller<v1::WatchNegotiationsResponse>) -> Result<(), Refusal> {
        let mut durable = self.domain.durable();
        // The first heartbeat says that the watcher is up to date.
        let mut heartbeat = Instant::now();
        loop {
            durable.mark_unchanged();
            let looked = Instant::now();
            let look = self.look().await?;
            for (leaf, negotiation, moves) in look.changed {
                let negotiation = entries::with_moves(&self.domain, negotiation, moves).await?;
                self.next = leaf.plus(1).unwrap_or(leaf);
                teller.tell(self.message(Some(negotiation))).await?;
            }
            self.next = look.next;
            if !look.all {
                continue;
            }
            if Instant::now() >= heartbeat {
                heartbeat = Instant::now() + WATCH_HEARTBEAT;
                teller.tell(self.message(None)).await?;
            }
            tokio::select! {
                more = durable.changed() => if more.is_err() { return Ok(()) },
                () = sleep_until(heartbeat) => {}
            }
            // What follows one another closely is looked at together.
            sleep_until(looked + WATCH_PAUSE).await;
        }
    }

    fn message(&self, negotiation: Option<v1::Negotiation>) -> v1::WatchNegotiationsResponse {
        v1::WatchNegotiationsResponse { negotiation, next_leaf: self.next.get() }
    }

    /// Looks at what has changed and is durable.
    async fn look(&self) -> Result<Look, Refusal> {
        self.domain
            .read(|state, _| {
                state.admitted(self.caller.actor())?;
                Ok(self.look_at(state))
            })
            .await
    }

    fn look_at(&self, state: &State) -> Look {
        let end = state.tree().size().next_leaf();
        let mut look = Look { changed: Vec::new(), next: end, all: true };
        for (looked_at, (id, negotiation)) in state.negotiations_changed_from(self.next).enumerate() {
            if looked_at == PAGE_SCAN_MAX || look.changed.len() == WATCH_LOOK_MAX {
                (look.next, look.all) = (negotiation.changed, false);
                break;
            }
            if self.caller.is_party_to_negotiation(negotiation) {
                let (talk, moves) = shown(*id, negotiation);
                look.changed.push((negotiation.changed, talk, moves));
            }
        }
        look
    }
}

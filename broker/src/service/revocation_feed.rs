//! What a watcher of revocations is told.
//!
//! As with negotiations, nothing is queued: each look takes from the state what was revoked since the
//! last one. So a watcher that was away misses nothing, and nothing is kept for it.

use std::sync::Arc;

use countersign_protocol::{
    digest::ChainId,
    domain::State,
    ledger::LeafIndex,
    refusal::{Reason, Refusal},
    require,
};
use countersign_wire::v1;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    caller::Caller,
    convert,
    feed::{End, Teller},
};
use crate::{
    domain::Domain,
    limits::{PAGE_SCAN_MAX, REVOCATION_HEARTBEAT, REVOKED_TOLD_MAX},
    mediation::Mediator,
};

/// One watcher, and what it knows already.
pub(super) struct RevocationFeed {
    domain: Arc<Domain>,
    /// Changes whenever more is revoked.
    more: watch::Receiver<u64>,
    caller: Caller,
    /// Everything before this leaf has been told.
    next: LeafIndex,
}

/// How much one look takes in before it ends between two leaves.
#[derive(Clone, Copy)]
struct Enough {
    /// Chains that were looked at.
    looked_at: usize,
    /// Chains that the watcher is told of.
    told: usize,
}

/// What was found at one look.
struct Look {
    revoked: Vec<ChainId>,
    epoch: u64,
    /// Everything before this leaf has been looked at.
    next: LeafIndex,
    /// Whether that is all there is.
    all: bool,
}

impl RevocationFeed {
    /// Begins at the leaf that is asked for.
    pub(super) async fn begin(
        mediator: &Mediator,
        caller: Caller,
        request: v1::WatchRevocationsRequest,
    ) -> Result<Self, Refusal> {
        let domain = Arc::clone(mediator.domain());
        domain.check_named(&request.trust_domain)?;
        let next = convert::leaf(request.from_leaf)?;
        let more = mediator.epoch();
        let end = domain.read(|state, _| Ok(state.tree().size().next_leaf())).await?;
        require!("CHN-052", next <= end, Reason::NotFound, "The ledger has {end} entries.");
        Ok(Self { domain, more, caller, next })
    }

    /// Tells of every revocation until the watcher may not be told any more.
    pub(super) async fn tell(mut self, teller: Teller<v1::WatchRevocationsResponse>) -> End {
        match self.tell_on(&teller).await {
            Ok(()) => End::Gone,
            Err(refusal) => End::Refused(self.caller.told(&refusal)),
        }
    }

    async fn tell_on(&mut self, teller: &Teller<v1::WatchRevocationsResponse>) -> Result<(), Refusal> {
        // The first heartbeat says that the watcher is up to date.
        let mut heartbeat = Instant::now();
        loop {
            self.more.mark_unchanged();
            let look = self.look().await?;
            self.next = look.next;
            if !look.revoked.is_empty() || (look.all && Instant::now() >= heartbeat) {
                heartbeat = Instant::now() + REVOCATION_HEARTBEAT;
                teller.tell(self.message(&look)).await?;
            }
            if !look.all {
                continue;
            }
            tokio::select! {
                more = self.more.changed() => if more.is_err() { return Ok(()) },
                () = sleep_until(heartbeat) => {}
            }
        }
    }

    fn message(&self, look: &Look) -> v1::WatchRevocationsResponse {
        v1::WatchRevocationsResponse {
            revoked: look.revoked.iter().map(|chain| chain.as_bytes().to_vec()).collect(),
            epoch: look.epoch,
            next_leaf: look.next.get(),
            server_time_ms: self.domain.clock().now().as_millis(),
        }
    }

    /// Looks at what was revoked and is durable.
    async fn look(&self) -> Result<Look, Refusal> {
        self.domain
            .read(|state, _| {
                state.admitted(self.caller.actor())?;
                Ok(self.look_at(state, Enough { looked_at: PAGE_SCAN_MAX, told: REVOKED_TOLD_MAX }))
            })
            .await
    }

    /// A look ends early between two leaves, never within one: a watcher that resumes at a leaf must
    /// not have heard half of it.
    fn look_at(&self, state: &State, most: Enough) -> Look {
        let end = state.tree().size().next_leaf();
        let mut look = Look { revoked: Vec::new(), epoch: state.epoch(), next: end, all: true };
        let mut last = self.next;
        for (looked_at, (leaf, chain)) in state.revoked_since(self.next).enumerate() {
            let enough = looked_at >= most.looked_at || look.revoked.len() >= most.told;
            if enough && leaf > last {
                (look.next, look.all) = (leaf, false);
                break;
            }
            last = leaf;
            if self.caller.is_party_to_chain(state, chain) {
                look.revoked.push(chain);
            }
        }
        look
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediation::tests::world::{World, rights};

    /// Of mallory's chains, two end at one leaf, one at the next, and two at the one after it.
    #[tokio::test]
    async fn one_word_holds_so_many_chains_but_whole_leaves() {
        let (world, [grant, first, _]) = World::with_chain().await;
        let second = world.contract(grant, "planner", "researcher", rights(50, 4)).await.unwrap();
        let alone = world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
        for parent in [first, first, second, second] {
            world.contract(parent, "researcher", "mallory", rights(1, 1)).await.unwrap();
        }
        let planner = world.agent("planner").actor();
        for (chain, chains) in [(first, 4), (alone, 1), (second, 3)] {
            let signed = world.revocation("planner", chain, chains);
            world.decide(|state, context| state.decide_revoke(context, &planner, &signed)).await.unwrap();
        }

        let told = |most: Enough| {
            let mut request = tonic::Request::new(());
            request.extensions_mut().insert(world.agent("mallory").actor());
            let caller = Caller::of(&request, &world.domain).unwrap();
            let more = world.mediation.mediator().epoch();
            let domain = Arc::clone(&world.domain);
            let mut feed = RevocationFeed { domain, more, caller, next: LeafIndex::ZERO };
            let mut told = Vec::new();
            loop {
                let look = world.look(|state| feed.look_at(state, most));
                told.push(look.revoked.len());
                feed.next = look.next;
                if look.all {
                    return told;
                }
            }
        };
        let chains = |told| Enough { looked_at: 100, told };
        let (first, second, third, whole) = (vec![2, 1, 2], vec![2, 3], vec![3, 2], vec![5]);
        assert_eq!(
            [1, 2, 3, 4].map(|most| told(chains(most))),
            [first, second.clone(), third.clone(), whole.clone()]
        );
        // Two more end at the first leaf, which are not mallory's to hear of, and one at the last.
        let looks = |looked_at| Enough { looked_at, told: 100 };
        assert_eq!([4, 5, 6].map(|most| told(looks(most))), [second, third, whole]);
    }
}

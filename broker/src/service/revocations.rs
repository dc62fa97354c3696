//! Revocations: rights that end before their time.

use std::{fmt, str::FromStr, sync::Arc};

use countersign_protocol::{
    digest::ChainId,
    domain::{Context, State},
    name::InstanceId,
    refusal::{Reason, Refusal},
    revocation::RevokeRequest,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{
    caller::Caller,
    convert,
    feed::{Feed, Watchers},
    page::Page,
    revocation_feed::RevocationFeed,
};
use crate::{
    domain::{Domain, recorded},
    mediation::{Mediation, Mediator},
};

/// The service of that name.
#[derive(Debug)]
pub struct Revocations {
    domain: Arc<Domain>,
    mediator: Arc<Mediator>,
    watchers: Watchers,
}

/// What might be revoked.
enum Target {
    Chain(ChainId),
    Instance(InstanceId),
}

/// A link's place in a preview: the upper come before the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    depth: u32,
    chain: ChainId,
}

impl Revocations {
    /// Revocations in the domain of that mediation, which enforces them on what is under way.
    pub fn new(mediation: &Mediation) -> Self {
        let mediator = Arc::clone(mediation.mediator());
        Self { domain: Arc::clone(mediator.domain()), mediator, watchers: Watchers::default() }
    }

    async fn preview(
        &self,
        caller: &Caller,
        request: v1::PreviewRevocationRequest,
    ) -> Result<v1::PreviewRevocationResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let target = Target::of(&request)?;
        let [by, instance] = [caller.instance().as_str(), &request.instance].map(str::as_bytes);
        let listing = [b"revocation".as_slice(), by, &request.chain_id, instance];
        let page: Page<Place> = Page::of(&listing, request.page_size, &request.page_token)?;
        let filled = self.domain.read(|state, context| {
            let chains = target.ending(state, context, caller.instance())?;
            let total = chains.len() as u64;
            let mut places: Vec<Place> = chains.into_iter().filter_map(|id| Place::of(state, id)).collect();
            places.sort();
            let after = page.after();
            let rest = places.into_iter().filter(|place| after.is_none_or(|after| *place > after));
            let (links, next_page_token) = page.fill(rest.map(|place| (place, ())), |place, ()| {
                state.chain(&place.chain).map(|chain| convert::link(place.chain, chain))
            });
            Ok(v1::PreviewRevocationResponse { links, chains: total, next_page_token })
        });
        filled.await
    }

    /// Records the revocation, and answers once it is in force.
    async fn put_in_force(
        &self,
        caller: &Caller,
        request: v1::RevokeRequest,
    ) -> Result<v1::RevokeResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let signed = convert::signed(&request.revoke_request)?;
        let claimed: RevokeRequest = convert::claimed(&signed)?;
        let decided = self.domain.decide(
            |state, context| state.decide_revoke(context, caller.actor(), &signed),
            |state| {
                let (_, leaf) = recorded(state.revocation(&claimed.request_id))?;
                Ok(v1::RevokeResponse { leaf: leaf.get(), epoch: state.epoch() })
            },
        );
        let decided = decided.await?;
        // Only now may the revoker be told: nothing beneath is forwarded from here on.
        self.mediator.enforce_revocations();
        Ok(decided)
    }

    async fn watch(
        &self,
        caller: &Caller,
        request: v1::WatchRevocationsRequest,
    ) -> Result<Feed<v1::WatchRevocationsResponse>, Refusal> {
        let feed = RevocationFeed::begin(&self.mediator, caller.clone(), request).await?;
        self.watchers.admit(caller.instance(), |teller| feed.tell(teller))
    }
}

impl Target {
    fn of(request: &v1::PreviewRevocationRequest) -> Result<Self, Refusal> {
        match (request.chain_id.as_slice(), request.instance.as_str()) {
            (bytes, "") => Ok(Self::Chain(convert::chain_id(bytes)?)),
            ([], text) => Ok(Self::Instance(convert::text("instance", text)?)),
            _ => Err(Refusal::new(
                "CHN-046",
                Reason::PayloadMalformed,
                "It names a chain and an instance; one of them can be revoked.",
            )),
        }
    }

    fn ending(&self, state: &State, context: &Context<'_>, by: &InstanceId) -> Result<Vec<ChainId>, Refusal> {
        match self {
            Self::Chain(chain) => state.revocable_chains(context, by, *chain),
            Self::Instance(instance) => state.revocable_instance(context, by, instance),
        }
    }
}

impl Place {
    fn of(state: &State, chain: ChainId) -> Option<Self> {
        state.chain(&chain).map(|link| Self { depth: link.depth, chain })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.depth, self.chain)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (depth, chain) = text.split_once('/').ok_or(())?;
        Ok(Self { depth: depth.parse().map_err(drop)?, chain: chain.parse().map_err(drop)? })
    }
}

#[tonic::async_trait]
impl v1::revocations_server::Revocations for Revocations {
    async fn preview_revocation(
        &self,
        request: Request<v1::PreviewRevocationRequest>,
    ) -> Result<Response<v1::PreviewRevocationResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.preview(&caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| caller.told_about_chain(&refusal))
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.put_in_force(&caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| caller.told_about_chain(&refusal))
    }

    type WatchRevocationsStream = Feed<v1::WatchRevocationsResponse>;

    async fn watch_revocations(
        &self,
        request: Request<v1::WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.watch(&caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| caller.told_about_chain(&refusal))
    }
}

#[cfg(test)]
mod tests;

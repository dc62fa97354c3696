//! Revocations: rights that end before their time.

use std::sync::Arc;

use countersign_protocol::{
    digest::ChainId,
    domain::{Context, State},
    graph::Walk,
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
        let page: Page<ChainId> = Page::of(&listing, request.page_size, &request.page_token)?;
        let filled = self.domain.read(|state, context| {
            let ending = target.ending(state, context, caller.instance())?;
            let chains = ending.live();
            let steps = ending.after(page.after(), |link| link.live > 0).map(|step| (step.id, step));
            let (links, next_page_token) = page.fill(steps, |id, step| {
                (!step.link.state.is_terminal()).then(|| convert::link(*id, step.link))
            });
            Ok(v1::PreviewRevocationResponse { links, chains, next_page_token })
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

    fn ending<'s>(
        &self,
        state: &'s State,
        context: &Context<'_>,
        by: &InstanceId,
    ) -> Result<Walk<'s>, Refusal> {
        match self {
            Self::Chain(chain) => state.revocable_chain(context, by, *chain),
            Self::Instance(instance) => state.revocable_instance(context, by, instance),
        }
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

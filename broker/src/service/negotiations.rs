//! Negotiations: how two instances come to a contract.

use std::sync::Arc;

use countersign_protocol::{
    domain::{EndCause, Negotiation, State},
    id::NegotiationId,
    ledger::LeafIndex,
    negotiation::Move,
    refusal::{Reason, Refusal},
    require,
    signed::Signed,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{
    caller::Caller,
    convert, entries,
    feed::{Feed, Watchers},
    negotiation_feed::NegotiationFeed,
    page::Page,
};
use crate::domain::{Domain, recorded};

/// The service of that name.
#[derive(Debug)]
pub struct Negotiations {
    domain: Arc<Domain>,
    watchers: Watchers,
}

impl Negotiations {
    /// Negotiations of that domain.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self { domain, watchers: Watchers::default() }
    }

    async fn submit(
        &self,
        caller: &mut Caller,
        request: v1::SubmitMoveRequest,
    ) -> Result<v1::Negotiation, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let signed = convert::signed(&request.signed_move)?;
        let claimed: Move = convert::claimed(&signed)?;
        let id = claimed.negotiation_id;
        let moved = self.domain.decide(
            |state, context| {
                caller.stands_to_move(state.negotiation(&id), claimed.request.is_some());
                state.decide_move(context, caller.actor(), &signed)
            },
            |state| after_move(state, id, &signed),
        );
        let (negotiation, leaves) = moved.await?;
        entries::with_moves(&self.domain, negotiation, leaves).await
    }

    async fn get(
        &self,
        caller: &mut Caller,
        request: v1::GetNegotiationRequest,
    ) -> Result<v1::Negotiation, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let id = convert::text("negotiation_id", &request.negotiation_id)?;
        let found = self.domain.read(|state, _| Ok(shown(id, caller.negotiation(state, id)?)));
        let (negotiation, leaves) = found.await?;
        entries::with_moves(&self.domain, negotiation, leaves).await
    }

    async fn list(
        &self,
        caller: &Caller,
        request: v1::ListNegotiationsRequest,
    ) -> Result<v1::ListNegotiationsResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let listing = [b"negotiations".as_slice(), caller.instance().as_str().as_bytes()];
        let page: Page<NegotiationId> = Page::of(&listing, request.page_size, &request.page_token)?;
        let filled = self.domain.read(|state, _| {
            let negotiations = state.negotiations_after(page.after()).map(|(id, talk)| (*id, talk));
            Ok(page.fill(negotiations, |id, negotiation| {
                let party = caller.is_party_to_negotiation(negotiation);
                party.then(|| convert::negotiation(*id, negotiation))
            }))
        });
        let (negotiations, next_page_token) = filled.await?;
        Ok(v1::ListNegotiationsResponse { negotiations, next_page_token })
    }
}

/// A negotiation as it is shown, and where its moves are.
pub(super) fn shown(id: NegotiationId, negotiation: &Negotiation) -> (v1::Negotiation, Vec<LeafIndex>) {
    let leaves = negotiation.moves.iter().map(|made| made.leaf).collect();
    (convert::negotiation(id, negotiation), leaves)
}

/// The negotiation that a move is now part of. One that the ledger holds as proof of an equivocation
/// is no part of it.
fn after_move(
    state: &State,
    id: NegotiationId,
    signed: &Signed,
) -> Result<(v1::Negotiation, Vec<LeafIndex>), Refusal> {
    let negotiation = recorded(state.negotiation(&id))?;
    let ordered = negotiation.moves.iter().any(|made| made.digest == signed.digest());
    let convicted = !ordered && negotiation.ended == Some(EndCause::Equivocation);
    require!("NEG-021", !convicted, Reason::Equivocation);
    Ok(shown(id, negotiation))
}

#[tonic::async_trait]
impl v1::negotiations_server::Negotiations for Negotiations {
    type WatchNegotiationsStream = Feed<v1::WatchNegotiationsResponse>;

    async fn submit_move(
        &self,
        request: Request<v1::SubmitMoveRequest>,
    ) -> Result<Response<v1::SubmitMoveResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let negotiation = self.submit(&mut caller, request.into_inner()).await;
        caller.reply(negotiation.map(|it| v1::SubmitMoveResponse { negotiation: Some(it) }))
    }

    async fn get_negotiation(
        &self,
        request: Request<v1::GetNegotiationRequest>,
    ) -> Result<Response<v1::GetNegotiationResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let negotiation = self.get(&mut caller, request.into_inner()).await;
        caller.reply(negotiation.map(|it| v1::GetNegotiationResponse { negotiation: Some(it) }))
    }

    async fn list_negotiations(
        &self,
        request: Request<v1::ListNegotiationsRequest>,
    ) -> Result<Response<v1::ListNegotiationsResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.list(&caller, request.into_inner()).await)
    }

    async fn watch_negotiations(
        &self,
        request: Request<v1::WatchNegotiationsRequest>,
    ) -> Result<Response<Self::WatchNegotiationsStream>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let feed = NegotiationFeed::begin(&self.domain, caller.clone(), request.into_inner()).await;
        // The size of the ledger, which may be what is wrong, is known to all.
        let caller = caller.author();
        caller.reply(feed.and_then(|feed| self.watchers.admit(caller.instance(), |teller| feed.tell(teller))))
    }
}

//! Grants: how chains begin.

use std::sync::Arc;

use countersign_protocol::{grant::GrantRequest, id::GrantId, refusal::Refusal};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{activations::usable, caller::Caller, convert, page::Page};
use crate::{
    activation::Activator,
    domain::{Domain, recorded},
};

/// The service of that name.
#[derive(Debug)]
pub struct Grants {
    domain: Arc<Domain>,
    activator: Arc<Activator>,
}

impl Grants {
    /// Grants of that domain.
    pub fn new(domain: Arc<Domain>, activator: Arc<Activator>) -> Self {
        Self { domain, activator }
    }

    async fn issue(
        &self,
        caller: &Caller,
        request: v1::IssueGrantRequest,
    ) -> Result<v1::ActiveChain, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let signed = convert::signed(&request.grant_request)?;
        let claimed: GrantRequest = convert::claimed(&signed)?;
        let chain = self.domain.decide(
            |state, context| state.decide_grant(context, caller.actor(), &signed),
            |state| {
                let id = recorded(state.grant(&claimed.grant_id))?;
                usable(state, &self.domain, id, recorded(state.chain(&id))?)
            },
        );
        Ok(chain.await?.activate(&self.activator))
    }

    async fn list(
        &self,
        caller: &Caller,
        request: v1::ListGrantsRequest,
    ) -> Result<v1::ListGrantsResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let listing = [b"grants".as_slice(), caller.instance().as_str().as_bytes()];
        let page: Page<GrantId> = Page::of(&listing, request.page_size, &request.page_token)?;
        let filled = self.domain.read(|state, _| {
            let grants = state.grants_after(page.after()).map(|(grant, chain)| (*grant, *chain));
            Ok(page.fill(grants, |_, id| {
                let seen = caller.is_admin() || caller.is_party_to_chain(state, id);
                state.chain(&id).filter(|_| seen).map(|chain| convert::link(id, chain))
            }))
        });
        let (grants, next_page_token) = filled.await?;
        Ok(v1::ListGrantsResponse { grants, next_page_token })
    }
}

#[tonic::async_trait]
impl v1::grants_server::Grants for Grants {
    async fn issue_grant(
        &self,
        request: Request<v1::IssueGrantRequest>,
    ) -> Result<Response<v1::IssueGrantResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?.author();
        let issued = self.issue(&caller, request.into_inner()).await;
        caller.reply(issued.map(|chain| v1::IssueGrantResponse { chain: Some(chain) }))
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.list(&caller, request.into_inner()).await)
    }
}

//! Contracts: what was agreed, and what becomes of it.

use std::sync::Arc;

use countersign_protocol::{
    contract::{ChangeRequest, RebindConsent, RebindRequest},
    digest::ChainId,
    domain::State,
    id::ContractId,
    payload::Payload,
    refusal::{Reason, Refusal},
    require_some,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

mod rebindable;

use super::{caller::Caller, convert, entries, page::Page};
use crate::{
    domain::{Domain, recorded},
    mediation::{Mediation, Mediator},
};

/// The service of that name.
#[derive(Debug)]
pub struct Contracts {
    domain: Arc<Domain>,
    mediator: Arc<Mediator>,
}

impl Contracts {
    /// Contracts in the domain of that mediation, which enforces what becomes of them on what is under
    /// way.
    pub fn new(mediation: &Mediation) -> Self {
        let mediator = Arc::clone(mediation.mediator());
        Self { domain: Arc::clone(mediator.domain()), mediator }
    }

    async fn get(
        &self,
        caller: &mut Caller,
        request: v1::GetContractRequest,
    ) -> Result<v1::GetContractResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let id: ContractId = convert::text("contract_id", &request.contract_id)?;
        let found = self.domain.read(|state, _| {
            let chain_id = require_some!("API-060", state.contract(&id), Reason::NotFound);
            let chain = caller.chain(state, chain_id)?;
            let signed = chain.rebound.and_then(|hop| state.chain(&hop)).map_or(chain.leaf, |hop| hop.leaf);
            Ok((convert::link(chain_id, chain), signed, chain.leaf))
        });
        let (link, signed, leaf) = found.await?;
        let contract = entries::contract(&self.domain, signed).await?.to_bytes();
        let rebind_request = match signed == leaf {
            true => Vec::new(),
            false => entries::rebind_request(&self.domain, leaf).await?.to_bytes(),
        };
        Ok(v1::GetContractResponse { link: Some(link), contract, rebind_request })
    }

    async fn list(
        &self,
        caller: &mut Caller,
        request: v1::ListContractsRequest,
    ) -> Result<v1::ListContractsResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let top = match request.beneath.as_slice() {
            [] => None,
            bytes => Some(convert::chain_id(bytes)?),
        };
        let listing = [b"contracts".as_slice(), caller.instance().as_str().as_bytes(), &request.beneath];
        let page: Page<ContractId> = Page::of(&listing, request.page_size, &request.page_token)?;
        let filled = self.domain.read(|state, _| {
            if let Some(top) = top {
                caller.chain(state, top)?;
            }
            let contracts = state.contracts_after(page.after()).map(|(contract, chain)| (*contract, *chain));
            Ok(page.fill(contracts, |_, id| {
                let seen = caller.is_admin() || caller.is_party_to_chain(state, id);
                let listed = seen && top.is_none_or(|top| is_beneath(state, id, top));
                state.chain(&id).filter(|_| listed).map(|chain| convert::link(id, chain))
            }))
        });
        let (links, next_page_token) = filled.await?;
        Ok(v1::ListContractsResponse { links, next_page_token })
    }

    /// Records a change, and answers once it is in force.
    async fn put_in_force(
        &self,
        caller: &mut Caller,
        request: v1::ChangeContractRequest,
    ) -> Result<v1::ChangeContractResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let signed = convert::signed(&request.change_request)?;
        let claimed: ChangeRequest = convert::claimed(&signed)?;
        let decided = self.domain.decide(
            |state, context| {
                caller.stands_by(state, claimed.chain);
                state.decide_change(context, caller.actor(), &signed)
            },
            |state| {
                let (_, leaf) = recorded(state.revocation(&claimed.request_id))?;
                let link = convert::link(claimed.chain, recorded(state.chain(&claimed.chain))?);
                let (leaf, epoch) = (leaf.get(), state.epoch());
                Ok(v1::ChangeContractResponse { leaf, epoch, link: Some(link) })
            },
        );
        let decided = decided.await?;
        // Only now may anyone be told: nothing that it forbids is forwarded from here on.
        self.mediator.enforce_revocations();
        Ok(decided)
    }

    async fn list_rebindable(
        &self,
        caller: &Caller,
        request: v1::ListRebindableRequest,
    ) -> Result<v1::ListRebindableResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let listing = [b"rebindable".as_slice(), caller.instance().as_str().as_bytes()];
        let page: Page<rebindable::Place> = Page::of(&listing, request.page_size, &request.page_token)?;
        let filled = self.domain.read(|state, context| {
            let new = state.admitted(caller.actor())?;
            let places = rebindable::places(state, caller.instance().principal(), page.after());
            Ok(page.fill(places.map(|place| (place, ())), |place, ()| {
                let chain = state.chain(&place.chain)?;
                state.may_rebind(context, new, place.chain).then(|| convert::link(place.chain, chain))
            }))
        });
        let (links, next_page_token) = filled.await?;
        Ok(v1::ListRebindableResponse { links, next_page_token })
    }

    /// Records who has taken a chain over, or wants to, and answers once nothing of the old holder goes on.
    async fn rebind(
        &self,
        caller: &mut Caller,
        request: v1::RebindContractRequest,
    ) -> Result<v1::RebindContractResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let signed = convert::signed(&request.rebind_request)?;
        let claimed: RebindRequest = convert::claimed(&signed)?;
        let decided = self.domain.decide(
            |state, context| {
                caller.stands_to_take_over(state, claimed.chain);
                state.decide_rebind(context, caller.actor(), &signed)
            },
            |state| rebindable::outcome(state, &claimed.request_id, claimed.chain),
        );
        let (leaf, epoch, link) = decided.await?;
        self.mediator.enforce_revocations();
        Ok(v1::RebindContractResponse { leaf, epoch, link: Some(link) })
    }

    /// The same by the grantor's consent.
    async fn consent(
        &self,
        caller: &mut Caller,
        request: v1::ConsentToRebindRequest,
    ) -> Result<v1::ConsentToRebindResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let signed = convert::signed(&request.rebind_consent)?;
        let claimed: RebindConsent = convert::claimed(&signed)?;
        let decided = self.domain.decide(
            |state, context| {
                caller.stands_by(state, claimed.hop);
                state.decide_rebind_consent(context, caller.actor(), &signed)
            },
            |state| rebindable::outcome(state, &claimed.request_id, claimed.hop),
        );
        let (leaf, epoch, link) = decided.await?;
        self.mediator.enforce_revocations();
        Ok(v1::ConsentToRebindResponse { leaf, epoch, link: Some(link) })
    }
}

fn is_beneath(state: &State, id: ChainId, top: ChainId) -> bool {
    state.path(id).any(|(link, _)| link == top)
}

#[tonic::async_trait]
impl v1::contracts_server::Contracts for Contracts {
    async fn get_contract(
        &self,
        request: Request<v1::GetContractRequest>,
    ) -> Result<Response<v1::GetContractResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.get(&mut caller, request.into_inner()).await;
        caller.reply(answer)
    }

    async fn list_contracts(
        &self,
        request: Request<v1::ListContractsRequest>,
    ) -> Result<Response<v1::ListContractsResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.list(&mut caller, request.into_inner()).await;
        caller.reply(answer)
    }

    async fn change_contract(
        &self,
        request: Request<v1::ChangeContractRequest>,
    ) -> Result<Response<v1::ChangeContractResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.put_in_force(&mut caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| caller.told_about_chain(&refusal))
    }

    async fn list_rebindable(
        &self,
        request: Request<v1::ListRebindableRequest>,
    ) -> Result<Response<v1::ListRebindableResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        let answer = self.list_rebindable(&caller, request.into_inner()).await;
        caller.reply(answer)
    }

    async fn rebind_contract(
        &self,
        request: Request<v1::RebindContractRequest>,
    ) -> Result<Response<v1::RebindContractResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.rebind(&mut caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| caller.told_about_chain(&refusal))
    }

    async fn consent_to_rebind(
        &self,
        request: Request<v1::ConsentToRebindRequest>,
    ) -> Result<Response<v1::ConsentToRebindResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let answer = self.consent(&mut caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| caller.told_about_chain(&refusal))
    }
}

#[cfg(test)]
mod tests;

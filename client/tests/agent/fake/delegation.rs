//! Grants, activations and contracts.

use countersign_protocol::{
    capability::Amount,
    contract::{ChangeRequest, ContractBody, Rebind, RebindConsent, RebindRequest},
    digest::ChainId,
    domain::{Chain, Entry, Event, State},
    grant::GrantRequest,
    key::SigningKey,
    name::InstanceId,
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::{Signed, Statement},
    token::{Evidence, EvidenceKind, GrantTerms, Holder, mint_grant},
};
use countersign_wire::v1;
use rand_core::OsRng;
use tonic::{Request, Response, Status};

use super::{Lie, Services, Shared, domain, malformed, status};

pub(super) fn chain_id(bytes: &[u8]) -> Result<ChainId, Status> {
    bytes.try_into().map_err(malformed)
}

pub(super) fn absent() -> Status {
    status(&Refusal::new("API-060", Reason::NotAvailable, ""))
}

pub(super) fn link(id: ChainId, chain: &Chain) -> v1::Link {
    let balance = chain.account.balance();
    v1::Link {
        chain_id: id.as_bytes().to_vec(),
        parent: chain.parent.map(|parent| parent.as_bytes().to_vec()).unwrap_or_default(),
        grant_id: chain.grant_id.to_string(),
        contract_id: chain.contract.map(|(id, _)| id.to_string()).unwrap_or_default(),
        holder: chain.holder.to_string(),
        originator: chain.originator.to_string(),
        state: chain.state.name().into(),
        rights: chain.rights.to_bytes(),
        leaf: chain.leaf.get(),
        settled: balance.settled.get(),
        open: balance.open.get(),
        delegated: balance.delegated.get(),
        leaf_time_ms: chain.at.as_millis(),
        rebind: match chain.rebind {
            Rebind::Never => "NEVER",
            Rebind::GrantorConsent => "GRANTOR_CONSENT",
            Rebind::Domain => "DOMAIN",
        }
        .into(),
        chains: chain.live,
        hop: chain.rebound.map(|hop| hop.as_bytes().to_vec()).unwrap_or_default(),
        rebind_asked: chain.asked.as_ref().map(Payload::to_bytes).unwrap_or_default(),
    }
}

/// Another chain than that one.
pub(super) fn other(state: &State, id: ChainId) -> ChainId {
    let mut chains = state.grants().chain_ids(state);
    chains.retain(|other| *other != id);
    chains[0]
}

trait ChainIds {
    fn chain_ids(self, state: &State) -> Vec<ChainId>;
}

impl<'a, I: Iterator<Item = (&'a countersign_protocol::id::GrantId, &'a ChainId)>> ChainIds for I {
    fn chain_ids(self, state: &State) -> Vec<ChainId> {
        self.map(|(_, id)| *id).chain(state.contracts().map(|(_, id)| *id)).collect()
    }
}

impl Shared {
    pub(super) fn active(&self, state: &State, id: ChainId) -> v1::ActiveChain {
        let shown = if self.lying(Lie::TokenOfAnother) { other(state, id) } else { id };
        let mut token = state.chain(&shown).unwrap().token.clone();
        if self.lying(Lie::TokenAltered) {
            let middle = token.len() / 2;
            token[middle] ^= 1;
        }
        let mut activation = match self.lying(Lie::ActivationOfAnother) {
            false => self.activation(state, shown),
            true => self.activation(state, other(state, id)),
        };
        if self.lying(Lie::ActivationForged) {
            activation.signatures.clear();
            activation.add_signature(&SigningKey::generate(&mut OsRng));
        }
        let activation = if self.lying(Lie::ActivationMissing) { Vec::new() } else { activation.to_bytes() };
        v1::ActiveChain { chain_id: shown.as_bytes().to_vec(), token, activation }
    }

    /// A grant of the domain's own making, in place of the one that was signed.
    fn altered_grant(
        &self,
        state: &State,
        id: ChainId,
        asked: &GrantRequest,
        signed: &Signed,
    ) -> v1::ActiveChain {
        let mut rights = asked.rights.clone();
        rights.budget.ceiling = Amount::new(rights.budget.ceiling.get() + 1).unwrap();
        let terms = GrantTerms {
            domain: domain(),
            grant_id: asked.grant_id,
            originator: asked.originator.principal().clone(),
            evidence: Evidence { kind: EvidenceKind::Signed, digest: signed.digest() },
            holder: Holder {
                instance: asked.holder.clone(),
                key: state.instance(&asked.holder).unwrap().statement.key,
            },
            rights,
            extensions: countersign_protocol::extension::Extensions::none(),
        };
        let token = mint_grant(&terms, 1, &self.keys.capability);
        let chain_id = token.verify(&self.keys.set).unwrap().chain_id();
        let mut activation: countersign_protocol::token::Activation =
            self.activation(state, id).peek_unverified().unwrap();
        activation.chain_id = chain_id;
        v1::ActiveChain {
            chain_id: chain_id.as_bytes().to_vec(),
            token: token.as_bytes().to_vec(),
            activation: activation.sign(&self.keys.activation).to_bytes(),
        }
    }

    fn contract(&self, state: &State, id: ChainId) -> Vec<u8> {
        let id = if self.lying(Lie::ContractOfAnother) { other(state, id) } else { id };
        let entries = self.entries.lock().unwrap();
        let hop = state.chain(&id).unwrap().hop(id);
        let leaf = state.chain(&hop).unwrap().leaf.get() as usize;
        let Some(mut contract) = super::mediation::contract(&entries[leaf]) else { return Vec::new() };
        if self.lying(Lie::ContractAltered) {
            let mut body: ContractBody = contract.peek_unverified().unwrap();
            body.max_staleness = countersign_protocol::time::Lifetime::from_millis(1 << 30);
            contract.payload = body.to_bytes();
        }
        if self.lying(Lie::ContractSignedByOne) {
            contract.signatures.pop();
        }
        contract.to_bytes()
    }

    /// What the holder of a chain signed that took it over; nothing of another chain.
    fn rebind_request(&self, state: &State, id: ChainId) -> Vec<u8> {
        let chain = state.chain(&id).unwrap();
        let entries = self.entries.lock().unwrap();
        match Entry::from_bytes(&entries[chain.leaf.get() as usize]).unwrap().event {
            Event::ChainRebound(rebound) if !self.lying(Lie::RebindKeptBack) => rebound.request.to_bytes(),
            _ => Vec::new(),
        }
    }

    /// The link that a chain's contract has now.
    fn rebound(&self, about: ChainId) -> v1::Link {
        let state = self.state();
        let (contract, _) = state.chain(&about).unwrap().contract.unwrap();
        let id = match self.lying(Lie::RebindOfAnother) {
            true => *state.contracts().find(|(other, _)| **other != contract).unwrap().1,
            false => state.contract(&contract).unwrap(),
        };
        link(id, state.chain(&id).unwrap())
    }
}

#[tonic::async_trait]
impl v1::grants_server::Grants for Services {
    async fn issue_grant(
        &self,
        request: Request<v1::IssueGrantRequest>,
    ) -> Result<Response<v1::IssueGrantResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let signed = Signed::from_bytes(&request.into_inner().grant_request).map_err(malformed)?;
        broker.decide(|state, context| state.decide_grant(context, &actor, &signed))?;
        let grant: GrantRequest = signed.peek_unverified().map_err(malformed)?;
        let chain = {
            let state = broker.state();
            let id = state.grant(&grant.grant_id).unwrap();
            match broker.lying(Lie::GrantAltered) {
                false => broker.active(&state, id),
                true => broker.altered_grant(&state, id, &grant, &signed),
            }
        };
        broker.reply(v1::IssueGrantResponse { chain: Some(chain) })
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let state = broker.state();
        let chains = state.grants().map(|(_, id)| (*id, state.chain(id).unwrap()));
        let own = chains.filter(|(_, chain)| concerns(chain, &actor.instance));
        let grants = own.map(|(id, chain)| link(id, chain)).collect();
        Ok(Response::new(v1::ListGrantsResponse { grants, next_page_token: String::new() }))
    }
}

pub(super) fn concerns(chain: &Chain, instance: &InstanceId) -> bool {
    chain.holder == *instance || chain.originator == *instance.principal()
}

#[tonic::async_trait]
impl v1::activations_server::Activations for Services {
    async fn get_activation(
        &self,
        request: Request<v1::GetActivationRequest>,
    ) -> Result<Response<v1::GetActivationResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let id = chain_id(&request.into_inner().chain_id)?;
        let state = broker.state();
        state.chain(&id).ok_or_else(absent)?;
        let chain = Some(broker.active(&state, id));
        Ok(Response::new(v1::GetActivationResponse { chain }))
    }
}

#[tonic::async_trait]
impl v1::contracts_server::Contracts for Services {
    async fn get_contract(
        &self,
        request: Request<v1::GetContractRequest>,
    ) -> Result<Response<v1::GetContractResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let contract = request.into_inner().contract_id.parse().map_err(malformed)?;
        let state = broker.state();
        let id = state.contract(&contract).ok_or_else(absent)?;
        let link = Some(link(id, state.chain(&id).unwrap()));
        let (contract, rebind_request) = (broker.contract(&state, id), broker.rebind_request(&state, id));
        Ok(Response::new(v1::GetContractResponse { link, contract, rebind_request }))
    }

    async fn list_contracts(
        &self,
        request: Request<v1::ListContractsRequest>,
    ) -> Result<Response<v1::ListContractsResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let beneath = request.into_inner().beneath;
        let state = broker.state();
        let chains = state.contracts().map(|(_, id)| (*id, state.chain(id).unwrap()));
        let links = chains.filter(|(id, chain)| {
            let under = beneath.is_empty() || state.path(*id).any(|(id, _)| id.as_bytes() == beneath);
            under && (concerns(chain, &actor.instance) || chain.grantor == actor.instance)
        });
        let links = links.map(|(id, chain)| link(id, chain)).collect();
        Ok(Response::new(v1::ListContractsResponse { links, next_page_token: String::new() }))
    }

    async fn change_contract(
        &self,
        request: Request<v1::ChangeContractRequest>,
    ) -> Result<Response<v1::ChangeContractResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let signed = Signed::from_bytes(&request.into_inner().change_request).map_err(malformed)?;
        let claimed: ChangeRequest = signed.peek_unverified().map_err(malformed)?;
        broker.decide(|state, context| state.decide_change(context, &actor, &signed))?;
        let told = {
            let state = broker.state();
            let other = broker.lying(Lie::ChangeOfAnother);
            let id = if other { *state.grants().next().unwrap().1 } else { claimed.chain };
            let link = Some(link(id, state.chain(&id).unwrap()));
            let (leaf, epoch) = (state.tree().size().get() - 1, state.epoch());
            v1::ChangeContractResponse { leaf, epoch, link }
        };
        broker.reply(told)
    }

    async fn list_rebindable(
        &self,
        request: Request<v1::ListRebindableRequest>,
    ) -> Result<Response<v1::ListRebindableResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let state = broker.state();
        let new = state.admitted(&actor).map_err(|refusal| super::status(&refusal))?;
        let domain = domain();
        let may = |id: &ChainId| state.may_rebind(&broker.context(&domain), new, *id);
        let chains = state.contracts().map(|(_, id)| *id).filter(may);
        let links = chains.map(|id| link(id, state.chain(&id).unwrap())).collect();
        Ok(Response::new(v1::ListRebindableResponse { links, next_page_token: String::new() }))
    }

    async fn rebind_contract(
        &self,
        request: Request<v1::RebindContractRequest>,
    ) -> Result<Response<v1::RebindContractResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let signed = Signed::from_bytes(&request.into_inner().rebind_request).map_err(malformed)?;
        let claimed: RebindRequest = signed.peek_unverified().map_err(malformed)?;
        broker.decide(|state, context| state.decide_rebind(context, &actor, &signed))?;
        let link = Some(broker.rebound(claimed.chain));
        broker.reply(v1::RebindContractResponse { leaf: 0, epoch: 0, link })
    }

    async fn consent_to_rebind(
        &self,
        request: Request<v1::ConsentToRebindRequest>,
    ) -> Result<Response<v1::ConsentToRebindResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let signed = Signed::from_bytes(&request.into_inner().rebind_consent).map_err(malformed)?;
        let claimed: RebindConsent = signed.peek_unverified().map_err(malformed)?;
        broker.decide(|state, context| state.decide_rebind_consent(context, &actor, &signed))?;
        let link = Some(broker.rebound(claimed.hop));
        broker.reply(v1::ConsentToRebindResponse { leaf: 0, epoch: 0, link })
    }
}

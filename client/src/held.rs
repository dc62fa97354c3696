//! A chain that has been verified, with what makes it usable and the contract behind it.

use countersign_protocol::{
    capability::Rights,
    contract::{ContractBody, State, hash_of},
    digest::ChainId,
    domain::{ChainRebound, ContractFinalized, Entry, Event},
    extension::Extensions,
    grant::GrantRequest,
    id::{ContractId, GrantId},
    name::{InstanceId, PrincipalId},
    payload::Payload,
    refusal::Reason,
    signed::Signed,
    token::{ActiveToken, EvidenceKind, Holder, Token, UnverifiedToken},
};
use countersign_wire::v1::{
    self, activations_client::ActivationsClient, contracts_client::ContractsClient,
    grants_client::GrantsClient,
};

use crate::{
    agent::Agent,
    clock::entropy,
    error::{About, Error, deceived},
    link::Link,
};

/// A verified chain: its token back to the domain's key, its activation, and the contract that its
/// last hop stands for, signed by both parties. A grant has no contract.
#[derive(Clone, Debug)]
pub struct Held {
    active: ActiveToken,
    contract: Option<(ContractBody, Signed)>,
}

impl Held {
    /// Names the chain.
    pub fn chain_id(&self) -> ChainId {
        self.token().chain_id()
    }

    /// What it allows.
    pub fn rights(&self) -> &Rights {
        &self.token().leaf().rights
    }

    /// Who may use it.
    pub fn holder(&self) -> &Holder {
        &self.token().leaf().holder
    }

    /// Who everything under it answers to.
    pub fn originator(&self) -> &PrincipalId {
        &self.token().grant().originator
    }

    /// The verified token.
    pub fn token(&self) -> &Token {
        self.active.token()
    }

    /// The verified token and its activation.
    pub fn active(&self) -> &ActiveToken {
        &self.active
    }

    /// The contract; none for a grant.
    pub fn contract(&self) -> Option<&ContractBody> {
        self.contract.as_ref().map(|(body, _)| body)
    }

    /// The contract as the grantor and then the grantee signed it; none for a grant.
    pub fn signed_contract(&self) -> Option<&Signed> {
        self.contract.as_ref().map(|(_, signed)| signed)
    }
}

impl Agent {
    /// Grants rights to an instance: this agent is the originator, signs, and answers for it.
    pub async fn grant(&self, holder: &InstanceId, rights: Rights) -> Result<Held, Error> {
        let now = self.now();
        let grant = GrantRequest {
            domain: self.domain().clone(),
            grant_id: GrantId::new(now, &mut entropy()),
            originator: self.instance().clone(),
            holder: holder.clone(),
            rights,
            issued: now,
            extensions: Extensions::none(),
        };
        let signed = self.sign(&grant);
        let request = v1::IssueGrantRequest {
            trust_domain: self.domain().to_string(),
            grant_request: signed.to_bytes(),
        };
        let reply = self.call("issue the grant", request, async |channel, request| {
            GrantsClient::new(channel).issue_grant(request).await
        });
        let active = self.activate(reply.await?.chain)?;
        let terms = active.token().grant();
        let asked = active.token().depth() == 0
            && terms.grant_id == grant.grant_id
            && terms.originator == *self.instance().principal()
            && terms.holder.instance == *holder
            && terms.rights == grant.rights
            && (terms.evidence.kind, terms.evidence.digest) == (EvidenceKind::Signed, signed.digest());
        if !asked {
            return Err(deceived(About::Chain, "the grant is not the one that was signed"));
        }
        if terms.holder.key != self.known(holder).await?.key {
            return Err(deceived(About::Chain, format!("its key is not that of {holder}")));
        }
        Ok(Held { active, contract: None })
    }

    /// The chains in force that this instance holds.
    pub async fn holdings(&self) -> Result<Vec<Held>, Error> {
        let mut links = self.grants().await?;
        links.extend(self.contracts(None).await?);
        links.retain(|link| link.holder == *self.instance() && link.state == State::Active);
        let mut held = Vec::with_capacity(links.len());
        for link in links {
            match self.hold(link.chain_id, link.contract).await {
                Ok(it) => held.push(it),
                // It ended since it was listed.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// One chain that this agent is a party to.
    pub async fn held(&self, chain: ChainId) -> Result<Held, Error> {
        let active = self.activation(chain).await?;
        let id = match active.token().leaf().contract {
            None => return Ok(Held { active, contract: None }),
            Some(_) => {
                let links = self.contracts(Some(chain)).await?;
                let link = links.into_iter().find(|link| link.chain_id == chain);
                link.and_then(|link| link.contract)
            }
        };
        let id = id.ok_or_else(|| deceived(About::Contract, "the chain has one that is not told of"))?;
        self.with_contract(active, id).await
    }

    /// A chain whose contract is known by its id; a grant has none.
    pub(crate) async fn hold(&self, chain: ChainId, contract: Option<ContractId>) -> Result<Held, Error> {
        let active = self.activation(chain).await?;
        match contract {
            None if active.token().leaf().contract.is_none() => Ok(Held { active, contract: None }),
            None => Err(deceived(About::Contract, "the chain has one that is not told of")),
            Some(id) => self.with_contract(active, id).await,
        }
    }

    /// A contract and its link, the signatures verified with the keys of the instances that it names.
    pub async fn contract(&self, id: ContractId) -> Result<(Link, ContractBody, Signed), Error> {
        let Fetched { link, signed, .. } = self.fetch_contract(id).await?;
        let bad = |why: &dyn std::fmt::Display| deceived(About::Contract, why);
        let claimed: ContractBody = signed.peek_unverified().map_err(|error| bad(&error))?;
        for party in [&claimed.grantor, &claimed.grantee] {
            let known = self.known(&party.instance).await?;
            if (known.key, known.configuration) != (party.key, party.configuration) {
                return Err(bad(&format!("{} has another key or configuration", party.instance)));
            }
        }
        let signers = [claimed.grantor.key, claimed.grantee.key];
        let body: ContractBody = signed.open(&signers).map_err(|error| bad(&error))?;
        if body.contract_id != id || link.contract != Some(id) || link.rights != body.rights {
            return Err(bad(&"it is another one than was asked for"));
        }
        Ok((link, body, signed))
    }

    async fn activation(&self, chain: ChainId) -> Result<ActiveToken, Error> {
        let request = v1::GetActivationRequest {
            trust_domain: self.domain().to_string(),
            chain_id: chain.as_bytes().to_vec(),
        };
        let reply = self.call("get the chain", request, async |channel, request| {
            ActivationsClient::new(channel).get_activation(request).await
        });
        let active = self.activate(reply.await?.chain)?;
        if active.token().chain_id() != chain {
            return Err(deceived(About::Chain, "it is another chain than was asked for"));
        }
        Ok(active)
    }

    /// Verifies a token and its activation, from the bytes on.
    fn activate(&self, chain: Option<v1::ActiveChain>) -> Result<ActiveToken, Error> {
        let chain = chain.ok_or_else(|| deceived(About::Answer, "it has no chain"))?;
        let active = self.open_chain(chain.token, &chain.activation)?;
        if chain.chain_id != active.token().chain_id().as_bytes() {
            return Err(deceived(About::Chain, "the id beside it is another one"));
        }
        Ok(active)
    }

    /// Verifies a token and its activation, from the bytes on.
    pub(crate) fn open_chain(&self, token: Vec<u8>, activation: &[u8]) -> Result<ActiveToken, Error> {
        let bad = |refusal| deceived(About::Chain, refusal);
        let token = UnverifiedToken::from_bytes(token);
        let (token, activation) = self.inner.chains.open(&token, activation, &self.keys())?;
        if activation.origin != self.keys().origin() {
            return Err(deceived(About::Chain, format!("it was activated by {}", activation.origin)));
        }
        ActiveToken::new(token, activation).map_err(bad)
    }

    async fn with_contract(&self, active: ActiveToken, id: ContractId) -> Result<Held, Error> {
        let Fetched { link, signed, rebind } = self.fetch_contract(id).await?;
        let body = check_contract(active.token(), &signed)?;
        if body.contract_id != id {
            return Err(deceived(About::Contract, "it is another one than was asked for"));
        }
        // The activation says so; a checkpoint that this agent holds shows it.
        let (chain_id, token) = (active.token().chain_id(), active.token().as_bytes().to_vec());
        let event = match rebind {
            Some(request) => Event::ChainRebound(ChainRebound { request, chain_id, token }),
            None => Event::ContractFinalized(ContractFinalized {
                negotiation_id: body.negotiation_id,
                contract: signed.clone(),
                chain_id,
                token,
            }),
        };
        let entry = Entry { time: link.at, event };
        self.ledger().prove_inclusion(active.activation().leaf, &entry.to_bytes()).await?;
        Ok(Held { active, contract: Some((body, signed)) })
    }

    async fn fetch_contract(&self, id: ContractId) -> Result<Fetched, Error> {
        let request =
            v1::GetContractRequest { trust_domain: self.domain().to_string(), contract_id: id.to_string() };
        let reply = self.call("get the contract", request, async |channel, request| {
            ContractsClient::new(channel).get_contract(request).await
        });
        let v1::GetContractResponse { link, contract, rebind_request } = reply.await?;
        let link = Link::read(link.ok_or_else(|| deceived(About::Answer, "it has no link"))?)?;
        let read = |bytes: &[u8]| Signed::from_bytes(bytes).map_err(|error| deceived(About::Contract, error));
        let rebind = (!rebind_request.is_empty()).then(|| read(&rebind_request)).transpose()?;
        Ok(Fetched { link, signed: read(&contract)?, rebind })
    }
}

/// A contract as it came.
struct Fetched {
    link: Link,
    signed: Signed,
    /// What the holder signed, where it has taken over from another one.
    rebind: Option<Signed>,
}

/// Verifies a contract against the token whose last hop stands for it: the same contract, signed by
/// whoever held the chain before and by whom the hop names, and about that chain.
fn check_contract(token: &Token, signed: &Signed) -> Result<ContractBody, Error> {
    let bad = |why: &dyn std::fmt::Display| deceived(About::Contract, why);
    let mut links = token.links().rev();
    let (Some(leaf), Some(parent)) = (links.next(), links.next()) else {
        return Err(bad(&"a grant has none"));
    };
    if leaf.contract != Some(hash_of(&signed.payload)) {
        return Err(bad(&"it is not the one that the token was made for"));
    }
    let grantee = leaf.rebound.as_ref().map_or(&leaf.holder, |rebound| &rebound.named);
    let signers = [parent.holder.key, grantee.key];
    let body: ContractBody = signed.open(&signers).map_err(|error| bad(&error))?;
    let grant = token.grant();
    let fits = [
        (body.domain == grant.domain, "domain"),
        (body.grantor.instance == parent.holder.instance && body.grantor.key == parent.holder.key, "grantor"),
        (body.grantee.instance == grantee.instance && body.grantee.key == grantee.key, "grantee"),
        (body.originator == grant.originator, "originator"),
        (body.grant_id == grant.grant_id, "grant"),
        (body.parent == parent.chain_id, "parent chain"),
        (u64::from(body.depth) == token.depth() as u64, "depth"),
        (body.rights == leaf.rights, "rights"),
        (body.rebind == leaf.rebind, "rebind rule"),
    ];
    match fits.iter().find(|(fits, _)| !fits) {
        Some((_, what)) => Err(bad(&format!("its {what} is not the token's"))),
        None => Ok(body),
    }
}

/// Whether a chain that was listed has ended since.
fn is_gone(error: &Error) -> bool {
    let gone = [
        Reason::Revoked,
        Reason::ContractNotActive,
        Reason::ContractSuspended,
        Reason::NotFound,
        Reason::NotAvailable,
    ];
    error.reason().is_some_and(|reason| gone.contains(&reason))
}

//! Taking over, after a restart, what another instance of the same principal held.

use countersign_protocol::{
    contract::{Rebind, RebindConsent, RebindRequest},
    digest::ChainId,
    extension::Extensions,
    id::RequestId,
    identity::InstanceStatement,
    payload::Payload,
    token::Holder,
};
use countersign_wire::v1::{self, contracts_client::ContractsClient};

use crate::{
    agent::Agent,
    clock::entropy,
    error::{About, Error, deceived},
    held::Held,
    link::Link,
};

/// What came of asking for a chain.
#[derive(Clone, Debug)]
pub enum TakenOver {
    /// This agent holds it now.
    Held(Box<Held>),
    /// Its grantor has to consent, and was asked. Until then the old instance holds it;
    /// [`Agent::taken_over`] tells whether it came.
    Asked,
}

/// What a fresh instance asks of its grantor.
#[derive(Clone, Debug)]
pub struct RebindAsked {
    /// The link, as its old holder has it.
    pub link: Link,
    /// The domain's record of the instance that asks.
    pub by: InstanceStatement,
}

impl Agent {
    /// The chains that other instances of this agent's principal hold and that this one may take over, or
    /// ask for: it joined later than they were made, with the same configuration, and their contracts
    /// allow it.
    pub async fn rebindable(&self) -> Result<Vec<Link>, Error> {
        let pages = self.pages("list what can be taken over", async |page_token| {
            let trust_domain = self.domain().to_string();
            let request = v1::ListRebindableRequest { trust_domain, page_size: 0, page_token };
            let reply = self.call("list what can be taken over", request, async |channel, request| {
                ContractsClient::new(channel).list_rebindable(request).await
            });
            let reply = reply.await?;
            Ok((reply.links, reply.next_page_token))
        });
        pages.await?.into_iter().map(Link::read).collect()
    }

    /// Takes a chain over that [`rebindable`](Self::rebindable) tells of, or asks for it. The old instance
    /// can do nothing more under it, what it had handed on has ended, and what was left of the budget is
    /// what there is. If the number of chains that this ends is no longer the link's, nothing is done.
    pub async fn take_over(&self, link: &Link) -> Result<TakenOver, Error> {
        let now = self.now();
        let signed = self.sign(&RebindRequest {
            domain: self.domain().clone(),
            sender: self.instance().clone(),
            chain: link.chain_id,
            chains: link.chains,
            request_id: RequestId::new(now, &mut entropy()),
            issued: now,
            extensions: Extensions::none(),
        });
        let (trust_domain, rebind_request) = (self.domain().to_string(), signed.to_bytes());
        let request = v1::RebindContractRequest { trust_domain, rebind_request };
        let reply = self.call("take the chain over", request, async |channel, request| {
            ContractsClient::new(channel).rebind_contract(request).await
        });
        let told = reply.await?.link.ok_or_else(|| deceived(About::Answer, "it has no link"))?;
        let told = Link::read(told)?;
        if told.chain_id == link.chain_id && told.asked.as_ref() == Some(&signed) {
            return Ok(TakenOver::Asked);
        }
        self.verify_taken(link, told.chain_id).await.map(|held| TakenOver::Held(Box::new(held)))
    }

    /// The chain that this agent has asked for, once its grantor has consented.
    pub async fn taken_over(&self, link: &Link) -> Result<Option<Held>, Error> {
        let held = self.contracts(None).await?;
        let held = held.into_iter().find(|it| it.contract == link.contract && it.holder == *self.instance());
        match held {
            Some(held) => self.verify_taken(link, held.chain_id).await.map(Some),
            None => Ok(None),
        }
    }

    /// What fresh instances of those to whom this agent has delegated ask of it.
    pub async fn rebinds_asked(&self) -> Result<Vec<RebindAsked>, Error> {
        let mut asked = Vec::new();
        for link in self.contracts(None).await? {
            let Some(signed) = link.asked.clone().filter(|_| link.rebind == Rebind::GrantorConsent) else {
                continue;
            };
            let bad = |why: &dyn std::fmt::Display| deceived(About::Contract, why);
            let claimed: RebindRequest = signed.peek_unverified().map_err(|error| bad(&error))?;
            let by = self.lookup(&claimed.sender).await?;
            let request: RebindRequest = signed.open(&[by.key]).map_err(|error| bad(&error))?;
            let of_this = request.domain == *self.domain() && request.chain == link.chain_id;
            if !of_this || by.instance.principal() != link.holder.principal() {
                return Err(bad(&"it asks for something else"));
            }
            let Some(id) = link.contract else { return Err(bad(&"a grant is never rebound")) };
            let (_, body, _) = self.contract(id).await?;
            if body.grantor.instance != *self.instance() {
                continue;
            }
            if by.configuration != body.grantee.configuration {
                return Err(bad(&"it runs something else than was agreed with"));
            }
            asked.push(RebindAsked { link, by });
        }
        Ok(asked)
    }

    /// Consents, as the grantor: that instance holds the chain from here on, and the old one nothing of
    /// it. Gives the link that it has.
    pub async fn consent_to_rebind(&self, asked: &RebindAsked) -> Result<Link, Error> {
        let (now, RebindAsked { link, by }) = (self.now(), asked);
        let signed = self.sign(&RebindConsent {
            domain: self.domain().clone(),
            sender: self.instance().clone(),
            hop: link.hop.unwrap_or(link.chain_id),
            from: link.holder.clone(),
            holder: Holder { instance: by.instance.clone(), key: by.key },
            evidence: by.evidence,
            request_id: RequestId::new(now, &mut entropy()),
            issued: now,
            extensions: Extensions::none(),
        });
        let (trust_domain, rebind_consent) = (self.domain().to_string(), signed.to_bytes());
        let request = v1::ConsentToRebindRequest { trust_domain, rebind_consent };
        let reply = self.call("consent to the rebind", request, async |channel, request| {
            ContractsClient::new(channel).consent_to_rebind(request).await
        });
        let told = reply.await?.link.ok_or_else(|| deceived(About::Answer, "it has no link"))?;
        let told = Link::read(told)?;
        let is_it =
            told.contract == link.contract && told.holder == by.instance && told.rights == link.rights;
        if is_it { Ok(told) } else { Err(deceived(About::Answer, "it is about something else")) }
    }

    /// The chain is this agent's, came of that one, and allows the same.
    async fn verify_taken(&self, link: &Link, chain: ChainId) -> Result<Held, Error> {
        let held = self.hold(chain, link.contract).await?;
        let leaf = held.token().leaf();
        let of_it = leaf.rebound.as_ref().is_some_and(|it| it.hop == link.hop.unwrap_or(link.chain_id));
        let own = leaf.holder.instance == *self.instance() && leaf.holder.key == self.public_key();
        let same = held.contract().is_some_and(|body| body.grantee.configuration == self.configuration());
        if of_it && own && same && leaf.rights == link.rights {
            return Ok(held);
        }
        Err(deceived(About::Chain, "it is not what this agent has taken over"))
    }
}

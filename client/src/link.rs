//! The links of chains, as the broker tells of them: an inventory. Whoever relies on one gets it as
//! [`Held`](crate::Held), which is verified.

use countersign_protocol::{
    capability::{Amount, Rights},
    contract::{Rebind, State},
    digest::ChainId,
    id::{ContractId, GrantId},
    ledger::LeafIndex,
    name::{InstanceId, PrincipalId},
    payload::Payload,
    signed::Signed,
    time::Timestamp,
};
use countersign_wire::v1::{self, contracts_client::ContractsClient, grants_client::GrantsClient};

use crate::{
    agent::Agent,
    error::{About, Error, deceived},
};

/// One link of a chain, well-formed but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The chain up to this link.
    pub chain_id: ChainId,
    /// The chain before it; none for a grant.
    pub parent: Option<ChainId>,
    /// The grant at the root.
    pub grant: GrantId,
    /// The contract; none for a grant.
    pub contract: Option<ContractId>,
    /// Who holds it.
    pub holder: InstanceId,
    /// Who everything answers to.
    pub originator: PrincipalId,
    /// Whether it is in force.
    pub state: State,
    /// What it allows.
    pub rights: Rights,
    /// The leaf that activated it.
    pub leaf: LeafIndex,
    /// What is spent.
    pub settled: Amount,
    /// What is reserved for open invocations.
    pub open: Amount,
    /// What is held for contracts beneath.
    pub delegated: Amount,
    /// When the leaf was ordered.
    pub at: Timestamp,
    /// Whether a fresh instance of its holder may take it over.
    pub rebind: Rebind,
    /// How many links have not ended at and beneath it.
    pub chains: u64,
    /// The chain of the hop that was rebound; none where its holder is the one whom the hop names.
    pub hop: Option<ChainId>,
    /// What a fresh instance asks of the grantor.
    pub asked: Option<Signed>,
}

impl Link {
    pub(crate) fn read(link: v1::Link) -> Result<Self, Error> {
        Self::parse(link).ok_or_else(|| deceived(About::Answer, "it tells of a malformed link"))
    }

    fn parse(link: v1::Link) -> Option<Self> {
        let optional = |bytes: &[u8]| match bytes {
            [] => Some(None),
            bytes => ChainId::try_from(bytes).ok().map(Some),
        };
        Some(Self {
            chain_id: link.chain_id.as_slice().try_into().ok()?,
            parent: optional(&link.parent)?,
            grant: link.grant_id.parse().ok()?,
            contract: match link.contract_id.as_str() {
                "" => None,
                id => Some(id.parse().ok()?),
            },
            holder: link.holder.parse().ok()?,
            originator: link.originator.parse().ok()?,
            state: State::ALL.iter().copied().find(|state| state.name() == link.state)?,
            rights: Rights::from_bytes(&link.rights).ok()?,
            leaf: LeafIndex::new(link.leaf)?,
            settled: Amount::new(link.settled)?,
            open: Amount::new(link.open)?,
            delegated: Amount::new(link.delegated)?,
            at: Timestamp::new(link.leaf_time_ms)?,
            rebind: match link.rebind.as_str() {
                "NEVER" => Rebind::Never,
                "GRANTOR_CONSENT" => Rebind::GrantorConsent,
                "DOMAIN" => Rebind::Domain,
                _ => return None,
            },
            chains: link.chains,
            hop: optional(&link.hop)?,
            asked: match link.rebind_asked.as_slice() {
                [] => None,
                bytes => Some(Signed::from_bytes(bytes).ok()?),
            },
        })
    }
}

impl Agent {
    /// The grants that this agent is a party to; all of them for an admin.
    pub async fn grants(&self) -> Result<Vec<Link>, Error> {
        let pages = self.pages("list the grants", async |page_token| {
            let request =
                v1::ListGrantsRequest { trust_domain: self.domain().to_string(), page_size: 0, page_token };
            let reply = self.call("list the grants", request, async |channel, request| {
                GrantsClient::new(channel).list_grants(request).await
            });
            let reply = reply.await?;
            Ok((reply.grants, reply.next_page_token))
        });
        pages.await?.into_iter().map(Link::read).collect()
    }

    /// The contracts that this agent is a party to, or all of them for an admin; where a chain is
    /// given, only those at or beneath it.
    pub async fn contracts(&self, beneath: Option<ChainId>) -> Result<Vec<Link>, Error> {
        let beneath = beneath.map(|chain| chain.as_bytes().to_vec()).unwrap_or_default();
        let pages = self.pages("list the contracts", async |page_token| {
            let request = v1::ListContractsRequest {
                trust_domain: self.domain().to_string(),
                page_size: 0,
                page_token,
                beneath: beneath.clone(),
            };
            let reply = self.call("list the contracts", request, async |channel, request| {
                ContractsClient::new(channel).list_contracts(request).await
            });
            let reply = reply.await?;
            Ok((reply.links, reply.next_page_token))
        });
        pages.await?.into_iter().map(Link::read).collect()
    }
}

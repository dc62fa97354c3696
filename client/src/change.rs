//! Holding a contract up, and ending it by one side's word.

use countersign_protocol::{
    contract::{ChangeKind, ChangeRequest, Side},
    digest::{ChainId, Digest},
    extension::Extensions,
    id::{InvocationId, RequestId},
    ledger::LeafIndex,
    payload::Payload,
};
use countersign_wire::v1::{self, contracts_client::ContractsClient};

use crate::{
    agent::Agent,
    clock::entropy,
    error::{About, Error, deceived},
    link::Link,
};

/// What shows a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// An invocation under the contract, or under one beneath it.
    Invocation(InvocationId),
    /// The digest of something else, which stays with the one who has it.
    Evidence(Digest),
}

/// A change that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The leaf that records it.
    pub leaf: LeafIndex,
    /// How often a right has ended before its time or was suspended so far.
    pub epoch: u64,
    /// The link after it, as the broker tells it.
    pub link: Link,
}

/// A change without what every request has.
struct Wanted {
    side: Side,
    kind: ChangeKind,
    shown: Option<Shown>,
}

impl Agent {
    /// Suspends a grant or contract, as its grantor or as an admin. `confirmed` is the number that
    /// [`preview_revocation`](Self::preview_revocation) gives: if it is no longer true, nothing is
    /// done. Once this returns, nothing at or beneath it is forwarded until the same side resumes it.
    pub async fn suspend(&self, chain: ChainId, side: Side, confirmed: u64) -> Result<Changed, Error> {
        let wanted = Wanted { side, kind: ChangeKind::Suspend, shown: None };
        self.change(chain, confirmed, wanted).await
    }

    /// Takes a suspension back that the same side made.
    pub async fn resume(&self, chain: ChainId, side: Side, confirmed: u64) -> Result<Changed, Error> {
        let wanted = Wanted { side, kind: ChangeKind::Resume, shown: None };
        self.change(chain, confirmed, wanted).await
    }

    /// Gives back what this agent holds, with all beneath it.
    pub async fn retire(&self, chain: ChainId, confirmed: u64) -> Result<Changed, Error> {
        let wanted = Wanted { side: Side::Holder, kind: ChangeKind::Retire, shown: None };
        self.change(chain, confirmed, wanted).await
    }

    /// Ends a grant or contract, as its grantor or its holder, and says that the other side broke it.
    pub async fn declare_breach(
        &self,
        chain: ChainId,
        side: Side,
        shown: Shown,
        confirmed: u64,
    ) -> Result<Changed, Error> {
        self.change(chain, confirmed, Wanted { side, kind: ChangeKind::Breach, shown: Some(shown) }).await
    }

    async fn change(&self, chain: ChainId, confirmed: u64, wanted: Wanted) -> Result<Changed, Error> {
        let now = self.now();
        let (invocation, evidence) = match wanted.shown {
            Some(Shown::Invocation(invocation)) => (Some(invocation), None),
            Some(Shown::Evidence(evidence)) => (None, Some(evidence)),
            None => (None, None),
        };
        let signed = self.sign(&ChangeRequest {
            domain: self.domain().clone(),
            sender: self.instance().clone(),
            side: wanted.side,
            chain,
            kind: wanted.kind,
            invocation,
            evidence,
            chains: confirmed,
            request_id: RequestId::new(now, &mut entropy()),
            issued: now,
            extensions: Extensions::none(),
        });
        let (trust_domain, change_request) = (self.domain().to_string(), signed.to_bytes());
        let request = v1::ChangeContractRequest { trust_domain, change_request };
        let reply = self.call("change the contract", request, async |channel, request| {
            ContractsClient::new(channel).change_contract(request).await
        });
        let v1::ChangeContractResponse { leaf, epoch, link } = reply.await?;
        let leaf = LeafIndex::new(leaf).ok_or_else(|| deceived(About::Answer, "it names no leaf"))?;
        let link = Link::read(link.ok_or_else(|| deceived(About::Answer, "it has no link"))?)?;
        if link.chain_id != chain {
            return Err(deceived(About::Answer, "it is about another chain"));
        }
        Ok(Changed { leaf, epoch, link })
    }
}

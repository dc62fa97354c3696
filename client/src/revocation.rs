//! Ending rights before their time.

use countersign_protocol::{
    digest::ChainId,
    extension::Extensions,
    id::RequestId,
    ledger::LeafIndex,
    name::InstanceId,
    payload::Payload,
    revocation::RevokeRequest,
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1::{self, revocations_client::RevocationsClient};

use crate::{
    agent::Agent,
    clock::entropy,
    connection::unavailable,
    error::{About, Error, deceived},
    feed::{Feed, opening},
    limits::SILENCE_MAX,
    link::Link,
};

/// What is revoked, with everything beneath it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A chain.
    Chain(ChainId),
    /// An instance, with all that it holds.
    Instance(InstanceId),
}

/// What a revocation would end.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The links in force, the upper before the lower, as the broker tells them.
    pub links: Vec<Link>,
    /// How many they are: the number to confirm.
    pub chains: u64,
}

/// A revocation that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The leaf that records it.
    pub leaf: LeafIndex,
    /// The number of revocations so far.
    pub epoch: u64,
}

impl Agent {
    /// What revoking `target` would end.
    pub async fn preview_revocation(&self, target: &Target) -> Result<Preview, Error> {
        let (chain, instance) = target.parts();
        let pages = self.pages("preview the revocation", async |page_token| {
            let request = v1::PreviewRevocationRequest {
                trust_domain: self.domain().to_string(),
                chain_id: chain.map(|chain| chain.as_bytes().to_vec()).unwrap_or_default(),
                instance: instance.map(ToString::to_string).unwrap_or_default(),
                page_size: 0,
                page_token,
            };
            let reply = self.call("preview the revocation", request, async |channel, request| {
                RevocationsClient::new(channel).preview_revocation(request).await
            });
            let reply = reply.await?;
            Ok((reply.links, reply.next_page_token))
        });
        let links: Vec<Link> = pages.await?.into_iter().map(Link::read).collect::<Result<_, _>>()?;
        // Counted here: what is confirmed is what was shown.
        let chains = links.len() as u64;
        Ok(Preview { links, chains })
    }

    /// Revokes. `confirmed` is the number that a preview gave; if it is no longer true, nothing is
    /// revoked. Once this returns, nothing beneath is forwarded any more.
    pub async fn revoke(&self, target: &Target, confirmed: u64) -> Result<Revoked, Error> {
        let (chain, instance) = target.parts();
        let now = self.now();
        let signed = self.sign(&RevokeRequest {
            domain: self.domain().clone(),
            sender: self.instance().clone(),
            chain: chain.copied(),
            instance: instance.cloned(),
            chains: confirmed,
            request_id: RequestId::new(now, &mut entropy()),
            issued: now,
            extensions: Extensions::none(),
        });
        let request =
            v1::RevokeRequest { trust_domain: self.domain().to_string(), revoke_request: signed.to_bytes() };
        let reply = self.call("revoke", request, async |channel, request| {
            RevocationsClient::new(channel).revoke(request).await
        });
        let v1::RevokeResponse { leaf, epoch } = reply.await?;
        let leaf = LeafIndex::new(leaf).ok_or_else(|| deceived(About::Answer, "it names no leaf"))?;
        Ok(Revoked { leaf, epoch })
    }

    /// Tells of every revocation of a chain that this agent is a party to, from now on.
    pub async fn watch_revocations(&self) -> Result<Revocations, Error> {
        let (checkpoint, _) = self.ledger().checkpoint().await?;
        Ok(Revocations {
            agent: self.clone(),
            feed: Feed::new(self, "watch the revocations"),
            next_leaf: checkpoint.size.get(),
            epoch: 0,
            heard: self.now(),
        })
    }
}

impl Target {
    fn parts(&self) -> (Option<&ChainId>, Option<&InstanceId>) {
        match self {
            Self::Chain(chain) => (Some(chain), None),
            Self::Instance(instance) => (None, Some(instance)),
        }
    }
}

/// The feed of revocations that concern this agent. It connects again and goes on where it was.
#[derive(Debug)]
pub struct Revocations {
    agent: Agent,
    feed: Feed<v1::WatchRevocationsResponse>,
    next_leaf: u64,
    epoch: u64,
    heard: Timestamp,
}

impl Revocations {
    /// The next chains that ended by revocation.
    ///
    /// [`Error::Unavailable`] says that the feed has been silent for too long: until it is heard
    /// again, nobody knows what was revoked. Calling again goes on.
    pub async fn next(&mut self) -> Result<Vec<ChainId>, Error> {
        loop {
            let silent = self.agent.now().since(self.heard);
            if silent > Lifetime::from_millis(SILENCE_MAX.as_millis() as u64) {
                self.heard = self.agent.now();
                return Err(unavailable("hear of revocations", "the broker is silent"));
            }
            let request = v1::WatchRevocationsRequest {
                trust_domain: self.agent.domain().to_string(),
                from_leaf: self.next_leaf,
            };
            let open =
                async |channel| RevocationsClient::new(channel).watch_revocations(opening(request)).await;
            let Some(message) = self.feed.next(&self.agent, open).await? else { continue };
            self.heard = self.agent.now();
            if message.next_leaf < self.next_leaf || message.epoch < self.epoch {
                return Err(deceived(About::Revocations, "it went back to an earlier state"));
            }
            (self.next_leaf, self.epoch) = (message.next_leaf, message.epoch);
            let chains = message.revoked.iter().map(|id| ChainId::try_from(id.as_slice()));
            let chains: Vec<_> = chains
                .collect::<Result<_, _>>()
                .map_err(|_| deceived(About::Revocations, "it names something that is no chain"))?;
            if !chains.is_empty() {
                return Ok(chains);
            }
        }
    }
}

//! The delegation graph, as the broker tells of it: who delegated what to whom, now or as of any size
//! of the ledger. An inventory like a [`Link`](crate::Link); whoever relies on a chain gets it as
//! [`Held`](crate::Held), which is verified.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_protocol::{
    capability::{Arguments, Request, Rights},
    contract::State,
    digest::ChainId,
    id::{ContractId, GrantId},
    ledger::{LeafIndex, TreeSize},
    name::{InstanceId, PrincipalId},
    payload::Payload,
    refusal::Reason,
    time::Timestamp,
};
use countersign_wire::v1::{self, graph_client::GraphClient};

use crate::{
    agent::Agent,
    error::{About, Error, deceived},
    feed::{Feed, opening},
};

/// One delegation, well-formed but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The chain up to this link.
    pub chain_id: ChainId,
    /// The chain before it; none for a grant.
    pub parent: Option<ChainId>,
    /// The grant at the root.
    pub grant: GrantId,
    /// The contract. None for a grant, and none of one that this agent is no party to.
    pub contract: Option<ContractId>,
    /// Who signed it.
    pub grantor: InstanceId,
    /// Who holds it.
    pub holder: InstanceId,
    /// Who everything answers to.
    pub originator: PrincipalId,
    /// What it allows.
    pub rights: Rights,
    /// The leaf that began it, and when that was. None of one that this agent is no party to.
    pub began: Option<(LeafIndex, Timestamp)>,
    /// Its state at the size that was asked for.
    pub state: State,
    /// The leaf that had ended it by then.
    pub ended: Option<LeafIndex>,
}

/// That the holder of an edge can have something done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ability {
    /// The edge.
    pub edge: Edge,
    /// Whether it depends on arguments that the question did not say.
    pub some_arguments: bool,
}

/// What was found, and the size of the ledger that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// All of it.
    pub items: Vec<T>,
    /// As of this many entries.
    pub size: TreeSize,
}

/// A use that is asked about. Without arguments, those under which it would be allowed are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Who is to do it.
    pub callee: PrincipalId,
    /// The action.
    pub action: countersign_protocol::name::Word,
    /// The resource.
    pub resource: countersign_protocol::capability::ResourceName,
    /// The arguments.
    pub arguments: Option<Arguments>,
}

/// Whose chains are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One chain.
    Chain(ChainId),
    /// Any that a principal, or one instance of it, holds.
    Holder(Holding),
}

/// Who holds: a principal with all its instances, or one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// All instances.
    Principal(PrincipalId),
    /// One.
    Instance(InstanceId),
}

/// What would be decided of a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The edge whose chain was judged.
    pub edge: Edge,
    /// Why it would be refused; none where it would be allowed.
    pub denial: Option<Denial>,
    /// As of this many entries.
    pub size: TreeSize,
}

/// Why a use would be refused, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The reason.
    pub reason: Reason,
    /// The reason in a sentence.
    pub message: String,
    /// The rule that refuses; told to operators only.
    pub rule: Option<String>,
    /// The link at fault.
    pub fault: Option<Edge>,
    /// The lowest link above whose holder has the right and may delegate it.
    pub nearest: Option<Edge>,
    /// Other chains of the same holder that would do.
    pub instead: Vec<Edge>,
}

/// The delegation graph, now or as it was.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    agent: &'a Agent,
    as_of: u64,
}

impl Agent {
    /// The delegation graph as it is now, as far as this agent may see it.
    pub fn graph(&self) -> Graph<'_> {
        Graph { agent: self, as_of: 0 }
    }
}

impl Graph<'_> {
    /// The same as it was when the ledger had so many entries.
    pub fn as_of(self, size: TreeSize) -> Self {
        Self { as_of: size.get(), ..self }
    }

    /// The edges, parents before their children: all, or those at and beneath one chain; with those
    /// that had ended, or without.
    pub async fn edges(&self, beneath: Option<ChainId>, ended: bool) -> Result<Found<Edge>, Error> {
        let beneath = beneath.map(|chain| chain.as_bytes().to_vec()).unwrap_or_default();
        let page = async |as_of, page_token| {
            let trust_domain = self.agent.domain().to_string();
            let beneath = beneath.clone();
            let request =
                v1::ListEdgesRequest { trust_domain, as_of, beneath, ended, page_size: 0, page_token };
            let reply = self.agent.call("list the edges", request, async |channel, request| {
                GraphClient::new(channel).list_edges(request).await
            });
            let v1::ListEdgesResponse { edges, size, next_page_token } = reply.await?;
            Ok((edges, size, next_page_token))
        };
        self.found("list the edges", page, Edge::read).await
    }

    /// Who can have something done.
    pub async fn who_can(&self, wanted: &Use) -> Result<Found<Ability>, Error> {
        let page = async |as_of, page_token| {
            let request = v1::WhoCanRequest {
                trust_domain: self.agent.domain().to_string(),
                as_of,
                callee: wanted.callee.to_string(),
                action: wanted.action.to_string(),
                resource: wanted.resource.to_string(),
                arguments: wanted.arguments.as_ref().map(Payload::to_bytes),
                page_size: 0,
                page_token,
            };
            let reply = self.agent.call("ask who can", request, async |channel, request| {
                GraphClient::new(channel).who_can(request).await
            });
            let v1::WhoCanResponse { abilities, size, next_page_token } = reply.await?;
            Ok((abilities, size, next_page_token))
        };
        let read = |ability: v1::Ability| {
            let edge = Edge::read(ability.edge.unwrap_or_default())?;
            Ok(Ability { edge, some_arguments: ability.some_arguments })
        };
        self.found("ask who can", page, read).await
    }

    /// What a holder can have done: its edges in force.
    pub async fn what_can(&self, holder: &Holding) -> Result<Found<Edge>, Error> {
        let page = async |as_of, page_token| {
            let (trust_domain, holder) = (self.agent.domain().to_string(), holder.to_string());
            let request = v1::WhatCanRequest { trust_domain, as_of, holder, page_size: 0, page_token };
            let reply = self.agent.call("ask what it can", request, async |channel, request| {
                GraphClient::new(channel).what_can(request).await
            });
            let v1::WhatCanResponse { edges, size, next_page_token } = reply.await?;
            Ok((edges, size, next_page_token))
        };
        self.found("ask what it can", page, Edge::read).await
    }

    /// The chains that lead to a holder, each from the first link that this agent may see; only those
    /// of one originator, or all.
    pub async fn paths(
        &self,
        originator: Option<&PrincipalId>,
        holder: &Holding,
        ended: bool,
    ) -> Result<Found<Vec<Edge>>, Error> {
        let originator = originator.map(ToString::to_string).unwrap_or_default();
        let page = async |as_of, page_token| {
            let request = v1::ListPathsRequest {
                trust_domain: self.agent.domain().to_string(),
                as_of,
                originator: originator.clone(),
                holder: holder.to_string(),
                ended,
                page_size: 0,
                page_token,
            };
            let reply = self.agent.call("list the paths", request, async |channel, request| {
                GraphClient::new(channel).list_paths(request).await
            });
            let v1::ListPathsResponse { paths, size, next_page_token } = reply.await?;
            Ok((paths, size, next_page_token))
        };
        let read = |path: v1::Path| path.edges.into_iter().map(Edge::read).collect();
        self.found("list the paths", page, read).await
    }

    /// Whether a use would be allowed now, and if not, why and what would help. A use without arguments
    /// is one with none.
    pub async fn can(&self, asked: &Asked, wanted: &Use) -> Result<Judgement, Error> {
        let (chain_id, holder) = match asked {
            Asked::Chain(chain) => (chain.as_bytes().to_vec(), String::new()),
            Asked::Holder(holder) => (Vec::new(), holder.to_string()),
        };
        let request = v1::CanRequest {
            trust_domain: self.agent.domain().to_string(),
            chain_id,
            holder,
            callee: wanted.callee.to_string(),
            action: wanted.action.to_string(),
            resource: wanted.resource.to_string(),
            arguments: wanted.arguments.as_ref().map(Payload::to_bytes).unwrap_or_default(),
        };
        let reply = self.agent.call("ask whether it can", request, async |channel, request| {
            GraphClient::new(channel).can(request).await
        });
        Judgement::read(reply.await?)
    }

    /// Tells of every edge that begins or turns from that place on.
    pub fn watch(&self, from: Place) -> Edges {
        Edges { agent: self.agent.clone(), feed: Feed::new(self.agent, "watch the edges"), place: from }
    }

    /// Reads a whole list, all pages as of the size that the first was of.
    async fn found<P, T>(
        &self,
        what: &str,
        page: impl AsyncFn(u64, String) -> Result<(Vec<P>, u64, String), Error>,
        read: impl Fn(P) -> Result<T, Error>,
    ) -> Result<Found<T>, Error> {
        let as_of = AtomicU64::new(self.as_of);
        let list = self.agent.pages(what, async |token| {
            let wanted = as_of.load(Ordering::Relaxed);
            let (items, size, next) = page(wanted, token).await?;
            if wanted != 0 && size != wanted {
                return Err(deceived(About::Answer, format!("it is of {size} entries, not of {wanted}")));
            }
            as_of.store(size, Ordering::Relaxed);
            Ok((items, next))
        });
        let items = list.await?.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Found { items, size: size(as_of.load(Ordering::Relaxed))? })
    }
}

/// The feed of edges. It connects again and goes on where it was, without a gap or a repetition.
#[derive(Debug)]
pub struct Edges {
    agent: Agent,
    feed: Feed<v1::WatchEdgesResponse>,
    place: Place,
}

/// Where a watch goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    leaf: u64,
    /// Of that leaf, only chains after this one; empty for all.
    after: Vec<u8>,
}

impl From<TreeSize> for Place {
    /// From what came after so many entries.
    fn from(size: TreeSize) -> Self {
        Self { leaf: size.get(), after: Vec::new() }
    }
}

/// An edge that began or turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeChange {
    /// The leaf that did it.
    pub leaf: LeafIndex,
    /// The chain.
    pub chain_id: ChainId,
    /// Its state from then on.
    pub state: State,
    /// The edge, where it began with that leaf.
    pub edge: Option<Edge>,
}

impl Edges {
    /// Where another watch goes on from what this one has told.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// The next changes, in order of leaves.
    pub async fn next(&mut self) -> Result<Vec<EdgeChange>, Error> {
        loop {
            let request = v1::WatchEdgesRequest {
                trust_domain: self.agent.domain().to_string(),
                from_leaf: self.place.leaf,
                after_chain: self.place.after.clone(),
            };
            let open = async |channel| GraphClient::new(channel).watch_edges(opening(request)).await;
            let Some(message) = self.feed.next(&self.agent, open).await? else { continue };
            if message.next_leaf < self.place.leaf {
                return Err(deceived(About::Answer, "the watch went back to an earlier leaf"));
            }
            self.place = Place { leaf: message.next_leaf, after: message.after_chain };
            let changes: Option<Vec<_>> = message.changes.into_iter().map(EdgeChange::parse).collect();
            let changes = changes.ok_or_else(|| deceived(About::Answer, "it tells of a malformed edge"))?;
            if !changes.is_empty() {
                return Ok(changes);
            }
        }
    }
}

impl Edge {
    fn read(edge: v1::Edge) -> Result<Self, Error> {
        Self::parse(edge).ok_or_else(|| deceived(About::Answer, "it tells of a malformed edge"))
    }

    fn parse(edge: v1::Edge) -> Option<Self> {
        Some(Self {
            chain_id: edge.chain_id.as_slice().try_into().ok()?,
            parent: match edge.parent.as_slice() {
                [] => None,
                bytes => Some(bytes.try_into().ok()?),
            },
            grant: edge.grant_id.parse().ok()?,
            contract: match edge.contract_id.as_str() {
                "" => None,
                id => Some(id.parse().ok()?),
            },
            grantor: edge.grantor.parse().ok()?,
            holder: edge.holder.parse().ok()?,
            originator: edge.originator.parse().ok()?,
            rights: Rights::from_bytes(&edge.rights).ok()?,
            began: match edge.leaf_time_ms {
                0 => None,
                at => Some((LeafIndex::new(edge.leaf)?, Timestamp::new(at)?)),
            },
            state: state(&edge.state)?,
            ended: match edge.ended_leaf {
                None => None,
                Some(leaf) => Some(LeafIndex::new(leaf)?),
            },
        })
    }
}

impl EdgeChange {
    fn parse(change: v1::EdgeChange) -> Option<Self> {
        Some(Self {
            leaf: LeafIndex::new(change.leaf)?,
            chain_id: change.chain_id.as_slice().try_into().ok()?,
            state: state(&change.state)?,
            edge: match change.edge {
                None => None,
                Some(edge) => Some(Edge::parse(edge)?),
            },
        })
    }
}

impl Judgement {
    fn read(answer: v1::CanResponse) -> Result<Self, Error> {
        let optional = |edge: Option<v1::Edge>| edge.map(Edge::read).transpose();
        let edge = Edge::read(answer.edge.unwrap_or_default())?;
        let size = size(answer.size)?;
        if answer.allowed {
            return Ok(Self { edge, denial: None, size });
        }
        let reason = Reason::from_name(&answer.reason);
        let denial = Denial {
            reason: reason.ok_or_else(|| deceived(About::Answer, "it gives a reason that there is not"))?,
            message: answer.message,
            rule: Some(answer.rule).filter(|rule| !rule.is_empty()),
            fault: optional(answer.fault)?,
            nearest: optional(answer.nearest)?,
            instead: answer.instead.into_iter().map(Edge::read).collect::<Result<_, _>>()?,
        };
        Ok(Self { edge, denial: Some(denial), size })
    }
}

impl Use {
    /// The same question about a request as it would be made.
    pub fn of(request: &Request) -> Self {
        let Request { callee, action, resource, arguments } = request.clone();
        Self { callee, action, resource, arguments: Some(arguments) }
    }
}

impl std::str::FromStr for Holding {
    type Err = countersign_protocol::name::NotName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::Instance).or_else(|_| text.parse().map(Self::Principal))
    }
}

impl std::fmt::Display for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Principal(principal) => principal.fmt(f),
            Self::Instance(instance) => instance.fmt(f),
        }
    }
}

fn state(name: &str) -> Option<State> {
    State::ALL.iter().copied().find(|state| state.name() == name)
}

fn size(number: u64) -> Result<TreeSize, Error> {
    TreeSize::new(number).ok_or_else(|| deceived(About::Answer, "no ledger has that size"))
}

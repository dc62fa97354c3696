//! The principals: little state machines that retry with the same ids, and believe nothing that they
//! have not verified.

mod chain;
mod change;
mod conversation;
mod hear;
mod join;
mod negotiate;
mod rebind;
mod serve;
mod session;
mod usage;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use countersign_forge::Agent;
use countersign_protocol::{
    capability::Request as Wanted,
    digest::{ChainId, Digest},
    id::{AwardId, InvocationId, NegotiationId},
    time::Timestamp,
};

pub use chain::Holding;
pub use conversation::Conversation;
pub use serve::{Swindle, critical};
pub use view::View;

use crate::{
    network::{Address, Answer, Packet, Request},
    world::World,
};

/// Who there is.
pub const CAST: [&str; 9] =
    ["planner", "dealer", "researcher", "fetcher", "mallory", "alice", "root", "files", "archive"];

/// Where somebody stands in the cast.
pub fn seat(name: &str) -> usize {
    CAST.iter().position(|it| *it == name).unwrap()
}

/// A principal and the process that acts for it now.
#[derive(Clone)]
pub struct Party {
    /// Its name.
    pub name: &'static str,
    /// Its process: id and keys.
    pub agent: Agent,
    /// The number of its certificate,
    pub generation: u32,
    /// and when that expires.
    pub certified_until: Timestamp,
    /// Whether it was told that it is not admitted any more.
    pub out: bool,
    /// The ledger as it has seen it.
    pub view: View,
    /// Negotiations as it has verified them.
    pub conversations: BTreeMap<NegotiationId, Conversation>,
    /// Chains that it holds and has verified.
    pub holdings: Vec<Holding>,
    /// What it has asked and not been told.
    pub calls: BTreeMap<u64, Call>,
    /// The award under which it asked last.
    pub award: Option<AwardId>,
    /// What it had done.
    pub answered: Vec<InvocationId>,
    /// As a callee: what it did, and answered.
    pub served: BTreeMap<InvocationId, Option<Answer>>,
}

/// A request without an answer.
#[derive(Clone)]
pub struct Call {
    /// As it was sent.
    pub request: Request,
    /// What it was for.
    pub purpose: Purpose,
    /// Whether it was meant honestly.
    pub honest: bool,
}

/// What a request is for.
#[derive(Clone)]
pub enum Purpose {
    /// A new process wants in.
    Join(Box<Agent>),
    /// A certificate.
    Renewal,
    /// A grant, for that party.
    Grant(usize),
    /// A move.
    Move(NegotiationId),
    /// A revocation.
    Revocation,
    /// A chain of another process.
    Rebind(ChainId),
    /// A use, under one of these proofs.
    Use(Box<Usage>),
    /// Whatever hostile principals want.
    Mischief,
}

/// A use under way.
#[derive(Clone)]
pub struct Usage {
    /// The invocation.
    pub id: InvocationId,
    /// The chain.
    pub chain: ChainId,
    /// What is wanted.
    pub wanted: Wanted,
    /// The digests of the proofs that were sent.
    pub proofs: BTreeSet<Digest>,
    /// Whether it is a stream.
    pub streams: bool,
}

impl Party {
    /// A party with a process that was just certified.
    pub fn new(name: &'static str, agent: Agent, generation: u32, certified_until: Timestamp) -> Self {
        Self {
            name,
            agent,
            generation,
            certified_until,
            out: false,
            view: View::default(),
            conversations: BTreeMap::new(),
            holdings: Vec::new(),
            calls: BTreeMap::new(),
            award: None,
            answered: Vec::new(),
            served: BTreeMap::new(),
        }
    }
}

impl World {
    /// Where somebody is reached, and as whom it acts.
    pub fn address(&self, who: usize) -> Address {
        let party = &self.parties[who];
        Address { party: who, actor: party.agent.actor(), certified_until: party.certified_until }
    }

    /// Sends a request and remembers it until it is answered.
    pub fn ask(&mut self, who: usize, request: Request, purpose: Purpose, honest: bool) {
        self.calls += 1;
        let call = self.calls;
        let from = self.address(who);
        let known = Call { request: request.clone(), purpose, honest };
        self.parties[who].calls.insert(call, known);
        self.send(Packet::Request { from, call, request, honest });
    }

    /// Somebody who can act: whoever cannot comes back first, and whoever soon could not renews.
    pub fn ready(&mut self, who: usize) -> crate::stop::Flow<bool> {
        let party = &self.parties[who];
        if party.out || party.certified_until <= self.now {
            self.rejoin(who, 0)?;
            return Ok(false);
        }
        Ok(true)
    }
}

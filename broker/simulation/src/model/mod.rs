//! The reference model: what a trust domain is, said a second time and simply. Plain maps, sums made
//! anew each time, and the tables of the specification as data; nothing of the core's decisions.
//!
//! [`Model::judge`] says whether an event may happen, which is asked both ways: nothing else is
//! accepted, and nothing of it is refused to an honest party. [`Model::apply`] lets it happen.

mod apply;
mod budget;
mod change;
mod compare;
mod judge;
mod moves;
mod rebind;
mod session;
mod standing;
pub mod table;
mod using;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::{
    capability::Rights,
    contract::{Party, Rebind, Side},
    digest::{ChainId, ContractHash, Digest, SpkiHash, TranscriptHash, TreeHash},
    domain::InvocationOutcome,
    id::{AwardId, ContractId, GrantId, InvocationId, NegotiationId, RequestId, SessionId},
    key::PublicKey,
    ledger::{EMPTY_ROOT, Frontier, LeafIndex},
    name::{InstanceId, PrincipalId},
    negotiation::Move,
    signed::Signed,
    time::Timestamp,
    token::{Nonce, Via},
};

pub use moves::input;
pub use session::Sitting;
pub use verdict::Verdict;

/// What is so.
#[derive(Clone, Debug)]
pub struct Model {
    /// The time of the last event.
    pub now: Option<Timestamp>,
    /// Join tokens, by the digest of their secret.
    pub tokens: BTreeMap<Digest, Invitation>,
    /// Who joined.
    pub members: BTreeMap<InstanceId, Member>,
    /// Grants and contracts.
    pub links: BTreeMap<ChainId, Link>,
    /// Negotiations that are remembered.
    pub talks: BTreeMap<NegotiationId, Talk>,
    /// Invocations that are remembered, and those that are not.
    pub uses: BTreeMap<InvocationId, Use>,
    /// Sessions, whether they are remembered or not.
    pub sessions: BTreeMap<SessionId, Sitting>,
    /// Proofs that cannot be used again, and until when that has to be known.
    pub nonces: BTreeMap<(InstanceId, Nonce), Timestamp>,
    /// Revocations, and until when they are remembered.
    pub revocations: BTreeMap<RequestId, (Digest, Timestamp)>,
    /// What was revoked or locked, so many times.
    pub epoch: u64,
    /// The root of the log at each size.
    pub roots: Vec<TreeHash>,
    frontier: Frontier,
    /// The move that a contract has to follow.
    accepted: Option<NegotiationId>,
    /// The negotiations that have to end, since another one was accepted.
    awarded: BTreeSet<NegotiationId>,
    /// The chain that has to be closed, since its budget is used up.
    exhausted: Option<ChainId>,
}

/// A join token.
#[derive(Clone, Debug)]
pub struct Invitation {
    principal: PrincipalId,
    expires: Timestamp,
    /// The statement that used it.
    used_by: Option<Digest>,
}

/// Whether somebody may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Live,
    /// It was revoked.
    Revoked,
    /// It was found to run twice.
    Forked,
}

/// A running copy.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its key,
    pub key: PublicKey,
    /// and that of its channel.
    pub spki: SpkiHash,
    /// What configures it.
    pub configuration: Digest,
    /// The number of its certificate,
    pub generation: u32,
    /// and when that expires.
    pub expires: Timestamp,
    /// Whether it may act.
    pub standing: Standing,
    /// The leaf that let it in, and on what evidence.
    pub admitted: (LeafIndex, Digest),
    /// The statement that led to the newest record.
    request: Digest,
}

/// Whether a link is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Active,
    /// Its budget is used up.
    Fulfilled,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// It is held up.
    Suspended,
    /// It was given back.
    Retired,
    /// Another one took its place.
    Superseded,
    /// One side said that the other broke it.
    Breached,
    /// Another instance of its holder has it now.
    Rebound,
}

impl Status {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Fulfilled => "FULFILLED",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::Suspended => "SUSPENDED",
            Self::Retired => "RETIRED",
            Self::Superseded => "SUPERSEDED",
            Self::Breached => "BREACHED",
            Self::Rebound => "REBOUND",
        }
    }

    /// Whether it is over with it.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Active | Self::Suspended)
    }

    /// Whether somebody ended it before its time.
    pub fn was_ended(self) -> bool {
        matches!(self, Self::Revoked | Self::Retired | Self::Superseded | Self::Breached | Self::Rebound)
    }
}

/// A grant or a contract.
#[derive(Clone, Debug)]
pub struct Link {
    /// The link above.
    pub parent: Option<ChainId>,
    /// Who gave it,
    pub grantor: InstanceId,
    /// and who has it.
    pub holder: InstanceId,
    /// What it allows.
    pub rights: Rights,
    /// Who answers for it.
    pub originator: PrincipalId,
    /// The grant at the root.
    pub grant_id: GrantId,
    /// The contract and its hash; a grant has none.
    pub contract: Option<(ContractId, ContractHash)>,
    /// Whether it is in force.
    pub status: Status,
    /// Whether it may be used in sessions.
    pub sessions: bool,
    /// Who holds it up.
    pub held_up_by: BTreeSet<Side>,
    /// How many hops follow the grant.
    pub depth: u32,
    /// The leaf that made it.
    pub leaf: LeafIndex,
    /// All that it may use: of one that was taken over, what was left.
    pub ceiling: u64,
    /// Whether a newer process of its holder may take it over.
    pub rebind: Rebind,
    /// The hop that both signed, where another process than theirs has it.
    pub hop: Option<ChainId>,
    /// The link that it was taken over from.
    pub before: Option<ChainId>,
    /// Who asks for it, and in which words.
    pub wanted: Option<Signed>,
    /// The statement that asked for it.
    asked: Digest,
}

impl Link {
    /// It is over, whoever held it up.
    fn end(&mut self, status: Status) {
        self.status = status;
        self.held_up_by.clear();
        self.wanted = None;
    }
}

/// A negotiation.
#[derive(Clone, Debug)]
pub struct Talk {
    /// Its state in the table.
    pub state: String,
    /// Who asks,
    pub delegatee: InstanceId,
    /// who is asked,
    pub delegator: PrincipalId,
    /// and which copy of it answered.
    pub answering: Option<InstanceId>,
    /// The round,
    pub round: u32,
    /// and the last one.
    pub max_rounds: u32,
    /// When it ends by itself.
    pub deadline: Timestamp,
    purpose: Digest,
    /// The award that it is one of several for.
    pub award: Option<AwardId>,
    /// What was said.
    pub transcript: TranscriptHash,
    /// Who said what after what, in order.
    pub said: Vec<Said>,
    /// What is on offer.
    pub offer: Option<Offer>,
    /// Whether somebody said two things in one place.
    pub equivocated: bool,
    /// Until when it is remembered, once it has ended.
    forget: Option<Timestamp>,
}

/// One move.
#[derive(Clone, Debug)]
pub struct Said {
    by: InstanceId,
    seq: u32,
    after: TranscriptHash,
    digest: Digest,
}

impl Talk {
    /// The contract that is on offer.
    pub fn offered(&self) -> Option<ContractId> {
        self.offer.as_ref().map(|offer| offer.contract)
    }
}

impl Said {
    /// Whether a move is for the same place.
    pub fn stands_where(&self, made: &Move) -> bool {
        (&self.by, self.seq, self.after) == (&made.sender, made.seq, made.transcript)
    }

    /// Whether it is that move.
    pub fn is(&self, signed: &Signed) -> bool {
        self.digest == signed.digest()
    }
}

/// What is on offer.
#[derive(Clone, Debug)]
pub struct Offer {
    hash: ContractHash,
    contract: ContractId,
    parent: ChainId,
    rights: Rights,
    grantor: InstanceId,
    replaces: Option<ContractId>,
    expires: Timestamp,
}

/// An invocation.
#[derive(Clone, Debug)]
pub struct Use {
    /// Who called,
    pub caller: InstanceId,
    /// whom,
    pub callee: InstanceId,
    /// and under which chain.
    pub chain: ChainId,
    /// What was asked for.
    pub asked: Asked,
    /// Reserved for it.
    pub reserved: u64,
    /// When.
    pub at: Timestamp,
    /// How it ended, and what that cost.
    pub end: Option<(InvocationOutcome, u64)>,
    /// Until when a retry is answered, once it has ended.
    pub forget: Option<Timestamp>,
}

/// What makes two requests the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    callee: PrincipalId,
    action: String,
    resource: String,
    arguments: Digest,
    /// At once, or as a stream.
    pub via: Via,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            now: None,
            tokens: BTreeMap::new(),
            members: BTreeMap::new(),
            links: BTreeMap::new(),
            talks: BTreeMap::new(),
            uses: BTreeMap::new(),
            sessions: BTreeMap::new(),
            nonces: BTreeMap::new(),
            revocations: BTreeMap::new(),
            epoch: 0,
            roots: vec![EMPTY_ROOT],
            frontier: Frontier::default(),
            accepted: None,
            awarded: BTreeSet::new(),
            exhausted: None,
        }
    }
}

impl Model {
    /// Whether somebody may act, its certificate included.
    pub fn is_live(&self, instance: &InstanceId, now: Timestamp) -> bool {
        self.members.get(instance).is_some_and(|it| it.standing == Standing::Live && now < it.expires)
    }

    /// The links from that one up to its grant.
    pub fn path(&self, id: ChainId) -> impl Iterator<Item = (ChainId, &Link)> {
        let link = |id: ChainId| self.links.get(&id).map(|link| (id, link));
        std::iter::successors(link(id), move |(_, above)| above.parent.and_then(link))
    }

    /// Whether every link from that one up is in force.
    pub fn in_force(&self, id: ChainId, now: Timestamp) -> bool {
        self.links.contains_key(&id)
            && self.path(id).all(|(_, link)| link.status == Status::Active && now < link.rights.not_after)
    }

    /// That link and all beneath it.
    pub fn beneath(&self, id: ChainId) -> BTreeSet<ChainId> {
        self.links.keys().filter(|it| self.path(**it).any(|(above, _)| above == id)).copied().collect()
    }

    /// Those of them that have not ended.
    pub fn living_beneath(&self, id: ChainId) -> BTreeSet<ChainId> {
        let lives = |id: &ChainId| self.links.get(id).is_some_and(|link| !link.status.has_ended());
        self.beneath(id).into_iter().filter(lives).collect()
    }

    /// Whom an instance asked under an award, as far as that is remembered.
    fn asked_for(&self, by: &InstanceId, award: AwardId) -> impl Iterator<Item = (&NegotiationId, &Talk)> {
        let under = move |talk: &Talk| talk.award == Some(award);
        self.talks.iter().filter(move |(_, talk)| talk.delegatee == *by && under(talk))
    }

    fn contract_exists(&self, id: ContractId) -> bool {
        self.links.values().any(|link| link.contract.is_some_and(|(contract, _)| contract == id))
    }

    fn grant_exists(&self, id: GrantId) -> bool {
        self.links.values().any(|link| link.parent.is_none() && link.grant_id == id)
    }

    fn party(&self, instance: &InstanceId) -> Option<Party> {
        let member = self.members.get(instance)?;
        Some(Party { instance: instance.clone(), key: member.key, configuration: member.configuration })
    }
}

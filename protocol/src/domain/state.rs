//! The state of a trust domain: the fold of its ledger, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use super::{
    account::Account,
    event::EndCause,
    session::{Said, Session},
};
use crate::{
    capability::Rights,
    code_enum, contract,
    digest::{ChainId, ContractHash, Digest, SessionLink, TranscriptHash},
    id::{AwardId, ContractId, GrantId, InstanceUuid, InvocationId, NegotiationId, RequestId, SessionId},
    identity::InstanceStatement,
    ledger::{LeafIndex, Tree, TreeSize},
    name::{InstanceId, PrincipalId},
    negotiation,
    session::Side,
    signed::Signed,
    time::Timestamp,
    token::{ActivatedBy, Activation, Nonce, Via},
    trust::KeySet,
};

/// Everything that has happened in a trust domain, as far as it matters for what may happen next.
///
/// A negative answer (not revoked, not used, unknown) comes from here and from nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(super) tree: Tree,
    pub(super) now: Option<Timestamp>,
    pub(super) keys: Option<(KeySet, LeafIndex)>,
    pub(super) join_tokens: BTreeMap<Digest, JoinToken>,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) chains: BTreeMap<ChainId, Chain>,
    /// The leaf that each link began with, and those of its later turns.
    pub(super) turns: BTreeSet<(LeafIndex, ChainId)>,
    pub(super) grants: BTreeMap<GrantId, ChainId>,
    /// The grants that each originator answers for.
    pub(super) originated: BTreeMap<PrincipalId, BTreeSet<ChainId>>,
    pub(super) contracts: BTreeMap<ContractId, ChainId>,
    pub(super) negotiations: BTreeMap<NegotiationId, Negotiation>,
    /// The negotiations that are remembered of each award, with who asked.
    pub(super) awards: BTreeMap<(InstanceId, AwardId), BTreeSet<NegotiationId>>,
    /// The leaf that last changed each negotiation, in order of leaves.
    pub(super) changes: BTreeMap<LeafIndex, NegotiationId>,
    pub(super) invocations: BTreeMap<InvocationId, Invocation>,
    pub(super) traces: BTreeMap<InvocationId, Trace>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// Where the ledger holds what was said in sessions, and what was signed for it. Never forgotten.
    pub(super) session_leaves: BTreeMap<(SessionId, Said), LeafIndex>,
    pub(super) nonces: BTreeMap<(InstanceId, Nonce), Timestamp>,
    pub(super) revocations: BTreeMap<RequestId, (Digest, LeafIndex)>,
    /// The chains that ended before their time, each at the leaf that did it.
    pub(super) revoked: BTreeSet<(LeafIndex, ChainId)>,
    pub(super) epoch: u64,
    /// What ends by itself, in order of time.
    pub(super) due: BTreeSet<(Timestamp, Due)>,
    /// What is forgotten by itself, in order of time.
    pub(super) forget: BTreeSet<(Timestamp, Forget)>,
}

/// Something that a deadline ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Negotiation(NegotiationId),
    Chain(ChainId),
}

/// Something that need not be remembered any longer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forget {
    Nonce(InstanceId, Nonce),
    Invocation(InvocationId),
    JoinToken(Digest),
    Negotiation(NegotiationId),
    Revocation(RequestId),
    Session(SessionId),
}

/// A join token that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Who may join with it.
    pub principal: PrincipalId,
    /// Until when.
    pub expires: Timestamp,
    /// Digest of the statement that did, so that a retry is known.
    pub used_by: Option<Digest>,
}

/// A running copy of a principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The domain's newest record of it.
    pub statement: InstanceStatement,
    /// The leaf that holds the record.
    pub leaf: LeafIndex,
    /// The leaf that holds what it signed to join.
    pub admitted: LeafIndex,
    /// Digest of the statement that led to the record, so that a retry is known.
    pub request: Digest,
    /// Whether it may act.
    pub standing: Standing,
    /// The leaf from which on it may not.
    pub stopped: Option<LeafIndex>,
    /// The chains that it holds.
    pub holds: BTreeSet<ChainId>,
    /// The negotiations that it asked for and that have not ended,
    pub negotiating: usize,
    /// and those that are remembered, which is all that are negotiating and the ended ones for a while.
    pub negotiated: usize,
    /// Its invocations that have not ended.
    pub invoking: usize,
    /// Its sessions that have not ended.
    pub sessions: usize,
}

code_enum! {
    /// Whether an instance may act.
    pub enum Standing {
        /// It may.
        Live = 1,
        /// It was revoked.
        Revoked = 2,
        /// It runs twice.
        Forked = 3,
    }
}

/// One link of a chain: a grant, or a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The link above; a grant has none.
    pub parent: Option<ChainId>,
    /// The links beneath.
    pub children: BTreeSet<ChainId>,
    /// Who signed it: the originator's instance, or the grantor.
    pub grantor: InstanceId,
    /// Who holds it.
    pub holder: InstanceId,
    /// What it allows.
    pub rights: Rights,
    /// Who everything answers to.
    pub originator: PrincipalId,
    /// The grant at the root.
    pub grant_id: GrantId,
    /// The contract, where it is not the grant itself.
    pub contract: Option<(ContractId, ContractHash)>,
    /// What the activation states: the kind of link,
    pub activated_by: ActivatedBy,
    /// its subject,
    pub subject: Digest,
    /// the leaf that made it usable,
    pub leaf: LeafIndex,
    /// and when that was.
    pub at: Timestamp,
    /// How many hops follow the grant.
    pub depth: u32,
    /// Whether its contract takes a result in a session for a completed invocation; a grant does.
    pub sessions: bool,
    /// Whether a fresh instance of the holder may take it over; a grant never.
    pub rebind: contract::Rebind,
    /// The chain of the hop that both signed, where another instance than theirs holds this one.
    pub rebound: Option<ChainId>,
    /// What a fresh instance has asked, for the grantor to consent to.
    pub asked: Option<Signed>,
    /// The token.
    pub token: Vec<u8>,
    /// Whether it is in force.
    pub state: contract::State,
    /// Each state after the first, and the leaf that led to it: what it was at any size of the ledger.
    pub turns: Vec<(LeafIndex, contract::State)>,
    /// How many links have not ended from this one downwards, itself included: what its revocation
    /// would end.
    pub live: u64,
    /// Whose suspensions stand; none where it is not suspended, or has ended.
    pub suspended_by: BTreeSet<contract::Side>,
    /// Its budget.
    pub account: Account,
}

impl Chain {
    /// Its state when the ledger had so many entries; none before it began.
    pub fn state_at(&self, size: TreeSize) -> Option<contract::State> {
        let before = |leaf: LeafIndex| leaf < size.next_leaf();
        let last = self.turns.iter().rev().find(|(leaf, _)| before(*leaf));
        before(self.leaf).then(|| last.map_or(contract::State::Active, |(_, state)| *state))
    }

    /// Names the chain up to the hop that grantor and first holder signed; this one's own id is `id`.
    pub fn hop(&self, id: ChainId) -> ChainId {
        self.rebound.unwrap_or(id)
    }

    /// The leaf that ended it, if one did.
    pub fn ended(&self) -> Option<LeafIndex> {
        self.turns.last().filter(|(_, state)| state.is_terminal()).map(|(leaf, _)| *leaf)
    }
}

/// A negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiation {
    /// Its state in the table.
    pub state: negotiation::State,
    /// Who asks.
    pub delegatee: InstanceId,
    /// Who is asked,
    pub delegator: PrincipalId,
    /// and which copy of it answered first.
    pub delegator_instance: Option<InstanceId>,
    /// The current round.
    pub round: u32,
    /// The last round.
    pub max_rounds: u32,
    /// When it ends by itself.
    pub deadline: Timestamp,
    /// Digest of what it is for.
    pub purpose: Digest,
    /// The award that it is one of several for.
    pub award: Option<AwardId>,
    /// Everything that was said so far.
    pub transcript: TranscriptHash,
    /// The offer that stands.
    pub offer: Option<StandingOffer>,
    /// Every move, in order: sender, the sender's number, the transcript before, digest and leaf.
    pub moves: Vec<MadeMove>,
    /// The leaf that last changed it.
    pub changed: LeafIndex,
    /// The chain that it led to.
    pub outcome: Option<ChainId>,
    /// Why the broker ended it.
    pub ended: Option<EndCause>,
}

/// A move that was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeMove {
    /// Who moved.
    pub sender: InstanceId,
    /// Its number among the sender's moves.
    pub seq: u32,
    /// What stood before.
    pub transcript: TranscriptHash,
    /// Digest of the move.
    pub digest: Digest,
    /// Where the ledger holds it.
    pub leaf: LeafIndex,
}

/// An offer that can be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingOffer {
    /// The contract, with the delegator's signature.
    pub contract: Signed,
    /// Its hash.
    pub hash: ContractHash,
    /// The contract's id.
    pub contract_id: ContractId,
    /// The delegator's chain.
    pub parent: ChainId,
    /// The delegator's signature over the hop.
    pub hop_signature: crate::key::Signature,
    /// Until when.
    pub expires: Timestamp,
}

/// An invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What makes a retry the same: chain, callee, action, resource, arguments.
    pub fingerprint: Digest,
    /// Digest of the proof under which it was permitted.
    pub proof: Digest,
    /// Whether body and result come as a stream, or at once.
    pub via: Via,
    /// Who called.
    pub caller: InstanceId,
    /// Whom.
    pub callee: InstanceId,
    /// Under which chain.
    pub chain: ChainId,
    /// What was reserved.
    pub reserved: crate::capability::Amount,
    /// The leaf of its INTENT.
    pub intent: LeafIndex,
    /// The leaf of its end.
    pub ended: Option<LeafIndex>,
    /// Its outcome and the callee's receipt.
    pub outcome: Option<(super::event::InvocationOutcome, Option<Signed>)>,
    /// The session that it is a request of, and the link that the request is; none where it has a proof.
    pub session: Option<(SessionId, SessionLink)>,
}

/// Where the ledger holds an invocation. Unlike the rest of it, this is never forgotten, so that
/// whatever was done can be explained for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The leaf of its INTENT.
    pub intent: LeafIndex,
    /// The leaf of its end; none while it is open.
    pub ended: Option<LeafIndex>,
    /// Under which chain it was permitted.
    pub chain: ChainId,
    /// The leaf that admitted the callee: a few bytes in place of a name.
    pub callee: LeafIndex,
    /// The session that it is a request of, and the request's number.
    pub session: Option<(SessionId, u64)>,
    /// The number of the session's result for it, however late.
    pub told: Option<u64>,
}

impl State {
    /// The Merkle tree over all entries.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The time of the last entry.
    pub fn last_time(&self) -> Option<Timestamp> {
        self.now
    }

    /// The domain's keys; none before the first entry.
    pub fn keys(&self) -> Option<&KeySet> {
        self.keys.as_ref().map(|(keys, _)| keys)
    }

    /// The leaf that holds them.
    pub fn keys_leaf(&self) -> Option<LeafIndex> {
        self.keys.as_ref().map(|(_, leaf)| *leaf)
    }

    /// How often a right ended before its time, or was suspended: whatever was allowed under an earlier
    /// epoch has to be looked at again.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What a revocation or a change was, by its id, and the leaf that records it; until it is too old
    /// to be sent again.
    pub fn revocation(&self, id: &RequestId) -> Option<(Digest, LeafIndex)> {
        self.revocations.get(id).copied()
    }

    /// The chains that ended before their time from that leaf on, in order of leaves.
    pub fn revoked_since(&self, leaf: LeafIndex) -> impl Iterator<Item = (LeafIndex, ChainId)> {
        let first = (leaf, ChainId::from_bytes([0; 32]));
        self.revoked.range(first..).copied()
    }

    /// An instance.
    pub fn instance(&self, id: &InstanceId) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// Every instance, in order of ids.
    pub fn instances(&self) -> impl Iterator<Item = (&InstanceId, &Instance)> {
        self.instances.iter()
    }

    /// The instances that come after that one; all of them after `None`.
    pub fn instances_after(
        &self,
        last: Option<InstanceId>,
    ) -> impl Iterator<Item = (&InstanceId, &Instance)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.instances.range((last.map_or(Unbounded, Excluded), Unbounded))
    }

    /// The instances of a principal, in order of ids.
    pub fn instances_of(&self, principal: &PrincipalId) -> impl Iterator<Item = (&InstanceId, &Instance)> {
        let first = principal.instance(InstanceUuid::first());
        self.instances.range(first..).take_while(move |(id, _)| id.principal() == principal)
    }

    /// When the next thing ends by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A join token, by the digest of its secret.
    pub fn join_token(&self, secret: &Digest) -> Option<&JoinToken> {
        self.join_tokens.get(secret)
    }

    /// A link, by the id of the chain that ends with it.
    pub fn chain(&self, id: &ChainId) -> Option<&Chain> {
        self.chains.get(id)
    }

    /// The chain of a grant.
    pub fn grant(&self, id: &GrantId) -> Option<ChainId> {
        self.grants.get(id).copied()
    }

    /// Every grant, in order of ids.
    pub fn grants(&self) -> impl Iterator<Item = (&GrantId, &ChainId)> {
        self.grants.iter()
    }

    /// The grants that come after that one; all of them after `None`.
    pub fn grants_after(&self, last: Option<GrantId>) -> impl Iterator<Item = (&GrantId, &ChainId)> {
        self.grants.range(after(last))
    }

    /// The grants that a principal answers for.
    pub fn originated_by(&self, principal: &PrincipalId) -> Option<&BTreeSet<ChainId>> {
        self.originated.get(principal)
    }

    /// The links that began or changed after that place, in order of leaves and then of chains.
    pub fn turned_after(
        &self,
        leaf: LeafIndex,
        chain: Option<ChainId>,
    ) -> impl Iterator<Item = (LeafIndex, ChainId)> {
        let first = chain.map_or(Bound::Included((leaf, ChainId::from_bytes([0; 32]))), |chain| {
            Bound::Excluded((leaf, chain))
        });
        self.turns.range((first, Bound::Unbounded)).copied()
    }

    /// The chain of a contract.
    pub fn contract(&self, id: &ContractId) -> Option<ChainId> {
        self.contracts.get(id).copied()
    }

    /// Every contract, in order of ids.
    pub fn contracts(&self) -> impl Iterator<Item = (&ContractId, &ChainId)> {
        self.contracts.iter()
    }

    /// The contracts that come after that one; all of them after `None`.
    pub fn contracts_after(&self, last: Option<ContractId>) -> impl Iterator<Item = (&ContractId, &ChainId)> {
        self.contracts.range(after(last))
    }

    /// A negotiation that is remembered: one that is open, or ended not long ago.
    pub fn negotiation(&self, id: &NegotiationId) -> Option<&Negotiation> {
        self.negotiations.get(id)
    }

    /// Every negotiation, in order of ids.
    pub fn negotiations(&self) -> impl Iterator<Item = (&NegotiationId, &Negotiation)> {
        self.negotiations.iter()
    }

    /// The negotiations that come after that one; all of them after `None`.
    pub fn negotiations_after(
        &self,
        last: Option<NegotiationId>,
    ) -> impl Iterator<Item = (&NegotiationId, &Negotiation)> {
        self.negotiations.range(after(last))
    }

    /// The negotiations that an instance asked for under that award and that are remembered.
    pub fn asked_for(
        &self,
        delegatee: &InstanceId,
        award: AwardId,
    ) -> impl Iterator<Item = (NegotiationId, &Negotiation)> {
        let asked = self.awards.get(&(delegatee.clone(), award));
        asked.into_iter().flatten().filter_map(|id| Some((*id, self.negotiations.get(id)?)))
    }

    /// The negotiations that changed at that leaf or later, each once, in order of their last change.
    /// One that ended and is forgotten is not among them.
    pub fn negotiations_changed_from(
        &self,
        leaf: LeafIndex,
    ) -> impl Iterator<Item = (&NegotiationId, &Negotiation)> {
        self.changes.range(leaf..).filter_map(|(_, id)| self.negotiations.get_key_value(id))
    }

    /// An invocation that is remembered.
    pub fn invocation(&self, id: &InvocationId) -> Option<&Invocation> {
        self.invocations.get(id)
    }

    /// Where the ledger holds an invocation, however long ago it was.
    pub fn trace(&self, id: &InvocationId) -> Option<&Trace> {
        self.traces.get(id)
    }

    /// Invocations without an end: after a restart, their outcome is unknown.
    pub fn open_invocations(&self) -> impl Iterator<Item = (&InvocationId, &Invocation)> {
        self.invocations.iter().filter(|(_, invocation)| invocation.ended.is_none())
    }

    /// A session that is remembered.
    pub fn session(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// Sessions without an end: after a restart, nobody is in them.
    pub fn open_sessions(&self) -> impl Iterator<Item = (&SessionId, &Session)> {
        self.sessions.iter().filter(|(_, session)| session.ended.is_none())
    }

    /// Where the ledger holds something that was said in a session, however long ago it was.
    pub fn session_leaf(&self, id: SessionId, said: Said) -> Option<LeafIndex> {
        self.session_leaves.get(&(id, said)).copied()
    }

    /// A side's first head that covers its link of that number: the last link that it covers, and its leaf.
    pub fn session_head(&self, id: SessionId, side: Side, number: u64) -> Option<(u64, LeafIndex)> {
        let heads = (id, Said::Head(side, number))..=(id, Said::Head(side, u64::MAX));
        let ((_, said), leaf) = self.session_leaves.range(heads).next()?;
        match said {
            Said::Head(_, count) => Some((*count, *leaf)),
            _ => None,
        }
    }

    /// What the home ledger signs to make a chain usable.
    pub fn activation(&self, id: ChainId) -> Option<Activation> {
        let (chain, keys) = (self.chain(&id)?, self.keys()?);
        Some(Activation {
            domain: keys.domain().clone(),
            chain_id: id,
            activated_by: chain.activated_by,
            subject: chain.subject,
            leaf: chain.leaf,
            origin: keys.origin(),
        })
    }

    /// The links from `id` up to its grant, `id` first.
    pub fn path(&self, id: ChainId) -> impl Iterator<Item = (ChainId, &Chain)> {
        let link = |id: ChainId| self.chains.get(&id).map(|chain| (id, chain));
        std::iter::successors(link(id), move |(_, chain)| chain.parent.and_then(link))
    }

    /// The links from `id` downwards that have not ended, `id` first: what its revocation would end.
    pub fn live_subtree(&self, id: ChainId) -> Vec<ChainId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(id) = open.pop() {
            let Some(chain) = self.chains.get(&id) else { continue };
            // What is beneath an ended link is not always ended, and is counted with it.
            if chain.live > 0 {
                open.extend(&chain.children);
            }
            if !chain.state.is_terminal() {
                found.push(id);
            }
        }
        found
    }

    /// All links from `id` downwards, each before those beneath it.
    pub(super) fn subtree(&self, id: ChainId) -> Vec<ChainId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(id) = open.pop() {
            let Some(chain) = self.chains.get(&id) else { continue };
            open.extend(&chain.children);
            found.push(id);
        }
        found
    }
}

/// The part of an order that comes after `last`.
fn after<T>(last: Option<T>) -> (Bound<T>, Bound<T>) {
    (last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

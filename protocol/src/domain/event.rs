//! What can happen in a trust domain. The ledger's leaves are these events; the state is their fold.

use crate::{
    capability::Amount,
    code_enum, contract,
    digest::{ChainId, Digest, SessionLink, TreeHash},
    id::{InvocationId, NegotiationId, SessionId},
    identity::InstanceStatement,
    ledger::{LeafIndex, TreeSize},
    name::{InstanceId, PrincipalId, Word},
    payload,
    payload::{Code, Malformed, Payload},
    session::{SessionRequest, SessionResult},
    signed::Signed,
    time::Timestamp,
    trust::KeySet,
};

payload! {
    /// The domain's keys, from this leaf on.
    pub struct KeysPublished {
        /// The keys.
        1 => pub keys: KeySet,
    }
}

payload! {
    /// The domain has other keys, from this leaf on.
    pub struct KeysRotated {
        /// What the keys before say of them.
        1 => pub rotation: Signed,
    }
}

payload! {
    /// A join token exists. Its secret is not here.
    pub struct JoinTokenIssued {
        /// SHA-256 of the secret.
        1 => pub secret: Digest,
        /// Who may join with it, once.
        2 => pub principal: PrincipalId,
        /// Until when.
        3 => pub expires: Timestamp,
        /// The admin who issued it; absent for the one that `init` prints.
        4 => pub issued_by: Option<InstanceId>,
    }
}

payload! {
    /// A process was attested and is now an instance.
    pub struct InstanceAdmitted {
        /// The domain's record.
        1 => pub statement: InstanceStatement,
        /// What the process signed.
        2 => pub join: Signed,
    }
}

payload! {
    /// An instance stays.
    pub struct InstanceRenewed {
        /// The domain's new record.
        1 => pub statement: InstanceStatement,
        /// What the instance signed.
        2 => pub renewal: Signed,
    }
}

payload! {
    /// An instance was found to run twice, and is locked.
    pub struct InstanceForked {
        /// The instance.
        1 => pub instance: InstanceId,
        /// A renewal signed over a generation that had been used already.
        2 => pub renewal: Signed,
    }
}

payload! {
    /// A grant was issued and is active.
    pub struct GrantIssued {
        /// What the originator signed.
        1 => pub request: Signed,
        /// The token, with the grant as its only block.
        2 => pub token: Vec<u8>,
        /// Its name.
        3 => pub chain_id: ChainId,
        /// Digest of the rule that allowed it.
        4 => pub rule: Digest,
    }
}

payload! {
    /// A move was ordered.
    pub struct Moved {
        /// The move.
        1 => pub signed_move: Signed,
    }
}

payload! {
    /// A contract was countersigned by being recorded: it is active from this leaf on.
    pub struct ContractFinalized {
        /// The negotiation.
        1 => pub negotiation_id: NegotiationId,
        /// The contract, signed by the grantor and then the grantee.
        2 => pub contract: Signed,
        /// The chain that it made.
        3 => pub chain_id: ChainId,
        /// The token of that chain.
        4 => pub token: Vec<u8>,
    }
}

code_enum! {
    /// Why the broker ended a negotiation.
    pub enum EndCause {
        /// Its deadline passed.
        Deadline = 1,
        /// A party signed two moves for the same place.
        Equivocation = 2,
        /// The delegatee accepted another offer under the same award.
        Awarded = 3,
    }
}

payload! {
    /// A negotiation ended without a contract, and not by a move.
    pub struct NegotiationEnded {
        /// The negotiation.
        1 => pub negotiation_id: NegotiationId,
        /// Why.
        2 => pub cause: EndCause,
        /// The second of two contradictory moves; the first is in the ledger.
        3 => pub evidence: Option<Signed>,
    }
}

payload! {
    /// A grant or contract ended by itself.
    pub struct ChainClosed {
        /// The chain.
        1 => pub chain_id: ChainId,
        /// Its final state: expired or fulfilled.
        2 => pub state: contract::State,
    }
}

payload! {
    /// A chain and everything beneath it, or an instance and everything it holds, is void.
    pub struct Revoked {
        /// What the revoker signed.
        1 => pub request: Signed,
    }
}

payload! {
    /// A chain was suspended, resumed, retired, or ended by a breach.
    pub struct Changed {
        /// What the one who did it signed.
        1 => pub request: Signed,
    }
}

payload! {
    /// A fresh instance asks for a chain, and its grantor has to consent.
    pub struct RebindAsked {
        /// What it signed.
        1 => pub request: Signed,
    }
}

payload! {
    /// A fresh instance has taken a chain over: it goes on under another name, from this leaf on.
    pub struct ChainRebound {
        /// What the instance signed.
        1 => pub request: Signed,
        /// The chain that it holds.
        2 => pub chain_id: ChainId,
        /// The token of that chain.
        3 => pub token: Vec<u8>,
    }
}

payload! {
    /// What an account held at one moment.
    pub struct Balance {
        /// Spent for good.
        1 => pub settled: Amount,
        /// Reserved for invocations without a result.
        2 => pub open: Amount,
        /// Reserved for contracts beneath.
        3 => pub delegated: Amount,
    }
}

payload! {
    /// An invocation was permitted. It is durable before anything is forwarded.
    pub struct Intent {
        /// The invocation.
        1 => pub invocation_id: InvocationId,
        /// The holder's proof.
        2 => pub proof: Signed,
        /// The chain from the grant to the leaf.
        3 => pub chain: Vec<ChainId>,
        /// Who everything answers to.
        4 => pub originator: PrincipalId,
        /// The instance that it is forwarded to.
        5 => pub callee: InstanceId,
        /// The ledger on which it was decided: its size
        6 => pub seen_size: TreeSize,
        /// and root.
        7 => pub seen_root: TreeHash,
        /// Digest of the policy that allowed it.
        8 => pub policy: Digest,
        /// The state's epoch: how often a right had ended before its time, or was suspended.
        9 => pub epoch: u64,
        /// What is reserved.
        10 => pub reserved: Amount,
        /// The leaf's account before
        11 => pub before: Balance,
        /// and after.
        12 => pub after: Balance,
        /// The last leaf that changed the account.
        13 => pub previous: LeafIndex,
        /// Digests of approvals; none are asked for yet.
        14 => pub approvals: Vec<Digest>,
    }
}

code_enum! {
    /// How an invocation ended, as the ledger knows it.
    pub enum InvocationOutcome {
        /// A valid receipt arrived.
        Receipted = 1,
        /// It was never forwarded.
        Cancelled = 2,
        /// It was forwarded, and no valid receipt arrived: it may have been done.
        Unknown = 3,
        /// Its result came in a session; no `InvocationEnded` says so.
        InSession = 4,
    }
}

payload! {
    /// An invocation ended. It is durable before anything is answered.
    pub struct InvocationEnded {
        /// The invocation.
        1 => pub invocation_id: InvocationId,
        /// How.
        2 => pub outcome: InvocationOutcome,
        /// The callee's receipt, where there is one.
        3 => pub receipt: Option<Signed>,
        /// What it cost.
        4 => pub settled: Amount,
        /// Of a stream with a receipt: the caller's head of what the callee received, if it received any,
        5 => pub asked: Option<Signed>,
        /// and the callee's last one.
        6 => pub told: Option<Signed>,
    }
}

payload! {
    /// A session may begin: its one proof is used up. It is durable before the callee hears of it.
    pub struct SessionOpened {
        /// What the caller signed.
        1 => pub opening: Signed,
        /// The chain from the grant to the leaf.
        2 => pub chain: Vec<ChainId>,
        /// Who everything answers to.
        3 => pub originator: PrincipalId,
        /// The instance that it is offered to.
        4 => pub callee: InstanceId,
        /// Digest of the policy that allowed it.
        5 => pub policy: Digest,
        /// The number of revocations that the decision had seen.
        6 => pub epoch: u64,
    }
}

payload! {
    /// A callee took the session. It is durable before the caller hears of it.
    pub struct SessionAnswered {
        /// The session.
        1 => pub session_id: SessionId,
        /// What the callee signed.
        2 => pub answer: Signed,
    }
}

payload! {
    /// A request within a session was permitted. It is durable before anything is forwarded.
    pub struct SessionIntent {
        /// The session.
        1 => pub session_id: SessionId,
        /// What is to be done.
        2 => pub request: SessionRequest,
        /// The link before it.
        3 => pub before_link: SessionLink,
        /// The ledger on which it was decided: its size
        4 => pub seen_size: TreeSize,
        /// and root.
        5 => pub seen_root: TreeHash,
        /// Digest of the policy that allowed it.
        6 => pub policy: Digest,
        /// The number of revocations that the decision had seen.
        7 => pub epoch: u64,
        /// What is reserved.
        8 => pub reserved: Amount,
        /// The leaf's account before
        9 => pub before: Balance,
        /// and after.
        10 => pub after: Balance,
        /// The last leaf that changed the account.
        11 => pub previous: LeafIndex,
    }
}

payload! {
    /// A request within a session was refused: it is a link all the same, and nothing else.
    pub struct SessionPassed {
        /// The session.
        1 => pub session_id: SessionId,
        /// What was wanted.
        2 => pub request: SessionRequest,
        /// The reason.
        3 => pub reason: Word,
        /// The sentence of the specification.
        4 => pub rule: Word,
    }
}

payload! {
    /// A callee's result came within a session. It is durable before the caller hears of it.
    pub struct SessionResulted {
        /// The session.
        1 => pub session_id: SessionId,
        /// The callee's word.
        2 => pub result: SessionResult,
        /// The link before it.
        3 => pub before_link: SessionLink,
        /// What is settled by it; nothing where the invocation had ended without it.
        4 => pub settled: Amount,
    }
}

payload! {
    /// One side of a session signed for all that it had said.
    pub struct SessionSigned {
        /// What it signed.
        1 => pub head: Signed,
    }
}

code_enum! {
    /// Why a session ended.
    pub enum SessionCause {
        /// Its caller closed it, and both sides signed for all of it.
        Closed = 1,
        /// Its caller left.
        CallerLeft = 2,
        /// Its callee left, or did not take it.
        CalleeLeft = 3,
        /// Its chain or a side of it may not be used any more.
        Void = 4,
        /// Its caller broke the rules.
        CallerFault = 5,
        /// Its callee did.
        CalleeFault = 6,
        /// The broker stopped.
        Stopped = 7,
    }
}

payload! {
    /// A session ended. Nothing is decided within it any more.
    pub struct SessionEnded {
        /// The session.
        1 => pub session_id: SessionId,
        /// Why.
        2 => pub cause: SessionCause,
    }
}

payload! {
    /// An authenticated caller was refused.
    pub struct Denied {
        /// Who.
        1 => pub caller: InstanceId,
        /// The reason.
        2 => pub reason: Word,
        /// The sentence of the specification.
        3 => pub rule: Word,
        /// The invocation that was wanted.
        4 => pub invocation_id: Option<InvocationId>,
        /// The chain that was presented, if it could be read.
        5 => pub chain_id: Option<ChainId>,
        /// Denials of this caller that were only counted since its last entry.
        6 => pub uncounted: u64,
    }
}

/// Declares the closed set of events with their codes.
macro_rules! events {
    ($($(#[$meta:meta])* $name:ident = $code:literal),* $(,)?) => {
        /// One event.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Event { $($(#[$meta])* $name($name),)* }

        code_enum! {
            /// The kind of an event, as an entry states it.
            pub enum EventKind { $($(#[$meta])* $name = $code,)* }
        }

        impl EventKind {
            /// The name of the kind.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        impl Event {
            /// Its kind.
            pub fn kind(&self) -> EventKind {
                match self { $(Self::$name(_) => EventKind::$name,)* }
            }

            fn body(&self) -> Vec<u8> {
                match self { $(Self::$name(event) => event.to_bytes(),)* }
            }

            fn decode(kind: EventKind, body: &[u8]) -> Result<Self, Malformed> {
                Ok(match kind { $(EventKind::$name => Self::$name($name::from_bytes(body)?),)* })
            }
        }
    };
}

events! {
    /// See [`KeysPublished`].
    KeysPublished = 1,
    /// See [`JoinTokenIssued`].
    JoinTokenIssued = 2,
    /// See [`InstanceAdmitted`].
    InstanceAdmitted = 3,
    /// See [`InstanceRenewed`].
    InstanceRenewed = 4,
    /// See [`InstanceForked`].
    InstanceForked = 5,
    /// See [`GrantIssued`].
    GrantIssued = 6,
    /// See [`Moved`].
    Moved = 7,
    /// See [`ContractFinalized`].
    ContractFinalized = 8,
    /// See [`NegotiationEnded`].
    NegotiationEnded = 9,
    /// See [`ChainClosed`].
    ChainClosed = 10,
    /// See [`Revoked`].
    Revoked = 11,
    /// See [`Intent`].
    Intent = 12,
    /// See [`InvocationEnded`].
    InvocationEnded = 13,
    /// See [`Denied`].
    Denied = 14,
    /// See [`KeysRotated`].
    KeysRotated = 15,
    /// See [`Changed`].
    Changed = 16,
    /// See [`SessionOpened`].
    SessionOpened = 17,
    /// See [`SessionAnswered`].
    SessionAnswered = 18,
    /// See [`SessionIntent`].
    SessionIntent = 19,
    /// See [`SessionPassed`].
    SessionPassed = 20,
    /// See [`SessionResulted`].
    SessionResulted = 21,
    /// See [`SessionSigned`].
    SessionSigned = 22,
    /// See [`SessionEnded`].
    SessionEnded = 23,
    /// See [`ChainRebound`].
    ChainRebound = 28,
    /// See [`RebindAsked`].
    RebindAsked = 29,
}

payload! {
    /// A leaf of the ledger.
    struct EntryFields {
        1 => time: Timestamp,
        2 => kind: EventKind,
        3 => body: Vec<u8>,
    }
}

/// A leaf of the ledger: an event and when it was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The broker's time. It never goes back.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

impl Payload for Entry {
    fn encode_fields(&self, writer: &mut crate::payload::Writer) {
        EntryFields { time: self.time, kind: self.event.kind(), body: self.event.body() }
            .encode_fields(writer);
    }

    fn decode_fields(reader: &mut crate::payload::Reader<'_>) -> Result<Self, Malformed> {
        let fields = EntryFields::decode_fields(reader)?;
        let event = Event::decode(fields.kind, &fields.body)?;
        Ok(Self { time: fields.time, event })
    }
}

impl EventKind {
    /// Every kind, in order of the codes.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=u64::from(u8::MAX)).filter_map(Self::from_code)
    }
}

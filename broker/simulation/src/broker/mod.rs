//! A model of the broker's shell: the core over a ledger, with the commit points of the real one.
//!
//! Decisions are made on the newest state, which may be ahead of the disk; nobody hears of anything
//! before it is durable; INTENT is durable before anything is forwarded and RESULT before anything is
//! answered. At each point where one of these could be broken, the power can go.

mod checkpoints;
mod commit;
mod handle;
mod mediation;
mod point;
mod read;
mod start;

use std::collections::BTreeMap;

use bytes::Bytes;
use countersign_protocol::{
    digest::ChainId,
    domain::State,
    id::{InvocationId, NegotiationId},
    ledger::{LeafIndex, SignedCheckpoint, TreeSize},
    name::InstanceId,
    refusal::Refusal,
    signed::Signed,
    time::Timestamp,
};
use countersign_store::Head;

pub use checkpoints::sign as sign_checkpoint;
pub use point::Point;
pub use read::Concluded;

use crate::network::{Address, Answer, Job, Reply};

/// What is gone when the power goes.
#[derive(Debug)]
pub struct Process {
    /// The fold of everything that was decided.
    pub state: State,
    /// Up to where it is durable.
    pub durable: Head,
    /// What is not: entries of one decision stand or fall together.
    queue: Vec<Bytes>,
    /// Whoever waits for it, in the order in which they are served.
    held: Vec<Held>,
    /// Invocations from their decision to their end.
    open: BTreeMap<InvocationId, Pending>,
    /// Results, for retries.
    bodies: BTreeMap<InvocationId, Vec<u8>>,
    /// The minute, and how many denials each caller caused in it.
    denials: (u64, BTreeMap<InstanceId, u32>),
    /// The newest checkpoint that is kept.
    newest: Option<SignedCheckpoint>,
}

impl Process {
    /// A process that has just read a ledger.
    pub fn of(state: State, durable: Head) -> Self {
        Self {
            state,
            durable,
            queue: Vec::new(),
            held: Vec::new(),
            open: BTreeMap::new(),
            bodies: BTreeMap::new(),
            denials: (0, BTreeMap::new()),
            newest: None,
        }
    }
}

/// Something that waits until the log has that size on the disk.
#[derive(Debug)]
struct Held {
    size: TreeSize,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// Somebody is told.
    Tell { to: Address, call: u64, reply: Reply },
    /// A revocation is enforced, and then acknowledged.
    Acknowledge { to: Address, call: u64, leaf: LeafIndex },
    /// An invocation is forwarded.
    Forward(InvocationId),
}

/// An invocation that was decided and has not ended.
#[derive(Debug)]
struct Pending {
    chain: Vec<ChainId>,
    callee: Address,
    job: Box<Job>,
    deadline: Timestamp,
    proof_expires: Timestamp,
    stage: Stage,
    /// Who waits for it.
    callers: Vec<(Address, u64)>,
}

#[derive(Debug)]
enum Stage {
    /// Its INTENT is perhaps not durable.
    Decided,
    /// It is, and the callee has not taken it.
    Waiting,
    /// The callee has it.
    Forwarded,
    /// It is over, and its end is to be recorded.
    Reported(Report),
}

#[derive(Clone, Debug)]
enum Report {
    /// The callee answered.
    Answered(Box<Answer>),
    /// It never left.
    NotForwarded(Refusal),
    /// It left, and no answer is awaited any longer.
    Lost(Refusal),
}

/// What becomes of a decision.
#[derive(Debug)]
pub enum Decided {
    /// It was recorded, up to this many leaves.
    Recorded(TreeSize),
    /// It was recorded before.
    Known(TreeSize),
    /// It was refused, on a ledger of this size.
    Refused(Refusal, TreeSize),
}

/// The negotiation of a move.
fn negotiation_of(signed: &Signed) -> Option<NegotiationId> {
    signed.peek_unverified::<countersign_protocol::negotiation::Move>().ok().map(|made| made.negotiation_id)
}

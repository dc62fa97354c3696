//! What the state remembers of sessions.

use crate::{
    digest::{ChainId, Digest},
    ledger::LeafIndex,
    name::InstanceId,
    session::{Side, Strand},
    time::{Lifetime, Timestamp},
};

/// A session. It is remembered until its id is too old to be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the signed opening.
    pub opening: Digest,
    /// Who calls.
    pub caller: InstanceId,
    /// Whom.
    pub callee: InstanceId,
    /// Under which chain.
    pub chain: ChainId,
    /// After how many links a side signs,
    pub sign_every: u32,
    /// and how long after the first that it has not signed for.
    pub sign_within: Lifetime,
    /// What both sides have said; none before the callee has answered.
    pub strands: Option<Strands>,
    /// The leaf that opened it.
    pub opened: LeafIndex,
    /// The leaf that ended it.
    pub ended: Option<LeafIndex>,
}

/// What both sides of a session have said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strands {
    /// The caller.
    pub requests: Spoken,
    /// The callee.
    pub results: Spoken,
}

/// What one side has said, and for how much of it it has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// All of it.
    pub strand: Strand,
    /// How many links the last head covers.
    pub covered: u64,
    /// When the first link came that it does not cover.
    pub since: Option<Timestamp>,
}

/// Something of a session that the ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// The opening.
    Opening,
    /// The answer.
    Answer,
    /// A side's link, by its number.
    Link(Side, u64),
    /// A side's head, by the number of the last link that it covers.
    Head(Side, u64),
}

//! The links of a session: each names everything before it.

use super::Side;
use crate::{
    capability::{Amount, ResourceName},
    digest::{Digest, SessionLink, tagged_hash},
    name::Word,
    payload,
    payload::Payload,
    receipt::ActionOutcome,
    time::Timestamp,
};

payload! {
    /// What a caller asks for within a session.
    pub struct SessionRequest {
        /// Its number, from one, without a gap.
        1 => pub seq: u64,
        /// What is to be done,
        2 => pub action: Word,
        /// to what,
        3 => pub resource: ResourceName,
        /// with which arguments and body: [`Arguments::digest`](crate::capability::Arguments::digest).
        4 => pub arguments: Digest,
        /// From when on nobody may begin it, and the caller does not wait.
        5 => pub deadline: Timestamp,
    }
}

payload! {
    /// What a callee says came of a request.
    pub struct SessionResult {
        /// Its number among the results, from one, without a gap.
        1 => pub number: u64,
        /// The request's number,
        2 => pub seq: u64,
        /// and its link: exactly what was asked, and all that had been asked before.
        3 => pub request: SessionLink,
        /// How it ended.
        4 => pub outcome: ActionOutcome,
        /// SHA-256 of the result's body.
        5 => pub result: Digest,
        /// What it cost, in the unit of the leaf's budget; at most its amount per call.
        6 => pub cost: Amount,
        /// When.
        7 => pub finished: Timestamp,
    }
}

/// What one side has said so far: how many links, and the last one (SES-003).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strand {
    /// How many.
    pub count: u64,
    /// The last.
    pub link: SessionLink,
}

impl Strand {
    /// Before anything was said: named by opening and answer, so no two sessions, and no two sides of
    /// one, have a link in common.
    pub fn begin(side: Side, opening: &Digest, answer: &Digest) -> Self {
        let tag = match side {
            Side::Caller => "countersign session requests v1",
            Side::Callee => "countersign session results v1",
        };
        let link = tagged_hash(tag, &[opening.as_bytes(), answer.as_bytes()]);
        Self { count: 0, link: SessionLink::from_bytes(link) }
    }

    /// With one more request or result.
    pub fn with(&self, said: &impl Payload) -> Self {
        self.with_digest(&Self::digest(said))
    }

    /// What a link is made of besides the one before it.
    pub fn digest(said: &impl Payload) -> Digest {
        Digest::of(&said.to_bytes())
    }

    /// With one more, of which only the digest is known.
    pub fn with_digest(&self, said: &Digest) -> Self {
        let link = tagged_hash("countersign session link v1", &[self.link.as_bytes(), said.as_bytes()]);
        Self { count: self.count.saturating_add(1), link: SessionLink::from_bytes(link) }
    }
}

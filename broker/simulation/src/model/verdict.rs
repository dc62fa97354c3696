//! A verdict, and of what it is made.

use countersign_protocol::{
    domain::EventKind,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
};

use crate::invariant::Invariant::{self, Doubt};

/// How far clocks may be apart, in milliseconds.
pub(super) const SKEW_MS: u64 = 30_000;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An event of that kind is recorded.
    Happens(EventKind),
    /// It happened before, and is answered as it was then.
    Known,
    /// It is refused, or that sentence would be untrue.
    Refused(Invariant, &'static str),
}

/// A refusal, or nothing to say against it.
pub(super) type Check = Result<(), Verdict>;

pub(super) fn must(sentence: Invariant, holds: bool, why: &'static str) -> Check {
    if holds { Ok(()) } else { Err(Verdict::Refused(sentence, why)) }
}

pub(super) fn outcome(judged: Result<Verdict, Verdict>) -> Verdict {
    judged.unwrap_or_else(|verdict| verdict)
}

pub(super) fn peek<T: Statement>(signed: &Signed) -> Result<T, Verdict> {
    signed.peek_unverified().map_err(|_| Verdict::Refused(Doubt, "it cannot be read"))
}

pub(super) fn after(at: Timestamp, millis: u64) -> Timestamp {
    at.plus(Lifetime::from_millis(millis))
}

pub(super) fn is_fresh(issued: Timestamp, now: Timestamp) -> bool {
    issued <= after(now, SKEW_MS) && now <= after(issued, SKEW_MS)
}

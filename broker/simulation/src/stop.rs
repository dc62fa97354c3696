//! Why a step did not come to its end.

use std::fmt;

use crate::invariant::Invariant;

/// What ends a step.
#[derive(Debug)]
pub enum Stop {
    /// The broker's power went.
    Crash,
    /// Something that must never be possible has happened.
    Broken(Violation),
}

/// A step that goes on, or not.
pub type Flow<T = ()> = Result<T, Stop>;

/// Something that must never be possible, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which sentence is untrue.
    pub invariant: Invariant,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    /// A violation, as the end of a step.
    pub fn stop<T>(invariant: Invariant, seen: impl Into<String>) -> Flow<T> {
        Err(Stop::Broken(Self { invariant, seen: seen.into() }))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.invariant, self.seen)
    }
}

/// Holds one invariant, or ends the run.
pub fn hold(invariant: Invariant, holds: bool, seen: impl FnOnce() -> String) -> Flow {
    if holds { Ok(()) } else { Violation::stop(invariant, seen()) }
}

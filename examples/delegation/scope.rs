//! The rights of this story in few words: which files, how many calls, how many bytes a call.

use countersign_protocol::{
    capability::{Amount, Budget, Capability, Constraint, IntRange, Rights, Rule},
    payload::{Ascending, Bounded},
    time::{Lifetime, Timestamp},
};
use serde::{Deserialize, Serialize};

use crate::script::Outcome;

/// The trust domain of the story.
pub(crate) const DOMAIN: &str = "demo.example";

/// The name of the argument that every link narrows.
pub(crate) const MAX_BYTES: &str = "max_bytes";

/// Rights to have files read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// Which files.
    pub(crate) files: String,
    /// How many calls.
    pub(crate) calls: u64,
    /// How many bytes of a file one call may ask for.
    pub(crate) max_bytes: i64,
    /// For how long.
    pub(crate) minutes: u64,
    /// How many further hops.
    pub(crate) delegations: u32,
}

impl Scope {
    /// In words.
    pub(crate) fn words(&self) -> String {
        let Self { files, calls, max_bytes, minutes, .. } = self;
        format!("read {files}, {calls} calls of at most {max_bytes} bytes, {minutes} minutes")
    }

    /// As rights, from `now` on.
    pub(crate) fn rights(&self, now: Timestamp) -> Outcome<Rights> {
        let range = IntRange { min: 1, max: self.max_bytes };
        let constraint = Constraint { argument: MAX_BYTES.parse()?, rule: Rule::IntRange(range) };
        let capability = Capability {
            resource: self.files.parse()?,
            actions: Ascending::new(vec!["read".parse()?])?,
            constraints: Bounded::new(vec![constraint])?,
        };
        let amount = |number| Amount::new(number).ok_or("too many calls");
        Ok(Rights {
            capabilities: Bounded::new(vec![capability])?,
            audiences: Ascending::new(vec![principal("service/files").parse()?])?,
            not_before: now,
            not_after: now.plus(Lifetime::from_millis(self.minutes * 60_000)),
            budget: Budget {
                unit: "calls".parse()?,
                ceiling: amount(self.calls)?,
                per_call: amount(1)?,
                window: None,
            },
            delegations_left: self.delegations,
        })
    }
}

/// A principal of the story's domain: `agent/planner`.
pub(crate) fn principal(path: &str) -> String {
    format!("spiffe://{DOMAIN}/{path}")
}

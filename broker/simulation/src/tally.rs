//! What a run, or many, went through: a run that never met something shows nothing about it.

use std::collections::BTreeMap;

use countersign_protocol::{domain::EventKind, refusal::Reason};

use crate::plan::{Fate, Leg};

/// Counts by group and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, BTreeMap<String, u64>>);

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, group: &'static str, name: &str) {
        let names = self.0.entry(group).or_default();
        match names.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(names.insert(name.to_owned(), 1)),
        }
    }

    /// Counts a message's fate.
    pub fn fate(&mut self, leg: Leg, fate: Fate) {
        if fate == Fate::Arrives {
            return;
        }
        self.count("fault", &format!("{} {}", leg.name().to_lowercase(), fate.name().to_lowercase()));
    }

    /// Counts a refusal.
    pub fn refused(&mut self, reason: Reason) {
        self.count("refusal", reason.name());
    }

    /// Counts an event.
    pub fn event(&mut self, kind: EventKind) {
        self.count("event", kind.name());
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (group, names) in &other.0 {
            let here = self.0.entry(group).or_default();
            for (name, count) in names {
                *here.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// How often that was.
    pub fn of(&self, group: &str, name: &str) -> u64 {
        self.0.get(group).and_then(|names| names.get(name)).copied().unwrap_or(0)
    }

    /// Everything that was counted in a group.
    pub fn group(&self, group: &str) -> impl Iterator<Item = (&str, u64)> {
        self.0.get(group).into_iter().flatten().map(|(name, count)| (name.as_str(), *count))
    }
}

//! The requests of a session that the callee still owes a result for.

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::time::Timestamp;

use super::super::callee::Place;

/// Requests by their number. A callee's place is taken until it answers, however late.
#[derive(Debug, Default)]
pub(super) struct Flight {
    owed: BTreeMap<u64, Owed>,
    /// Of those that have not ended, in order of time.
    deadlines: BTreeSet<(Timestamp, u64)>,
}

#[derive(Debug)]
struct Owed {
    deadline: Timestamp,
    _place: Place,
}

impl Flight {
    /// Adds a request that was permitted.
    pub(super) fn add(&mut self, seq: u64, deadline: Timestamp, place: Place) {
        self.owed.insert(seq, Owed { deadline, _place: place });
        self.deadlines.insert((deadline, seq));
    }

    /// Its result has come. Whether it had not ended before.
    pub(super) fn answered(&mut self, seq: u64) -> bool {
        let owed = self.owed.remove(&seq);
        owed.is_some_and(|owed| self.deadlines.remove(&(owed.deadline, seq)))
    }

    /// The next deadline of one that has not ended.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes one whose deadline has passed: it has ended now, and is still owed.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Option<u64> {
        let (at, seq) = self.deadlines.first().copied()?;
        if now < at {
            return None;
        }
        self.deadlines.pop_first();
        Some(seq)
    }

    /// Those that have not ended, in order of their numbers.
    pub(super) fn take_open(&mut self) -> Vec<u64> {
        self.owed.clear();
        let mut open: Vec<u64> =
            std::mem::take(&mut self.deadlines).into_iter().map(|(_, seq)| seq).collect();
        open.sort_unstable();
        open
    }

    /// How many are owed.
    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    /// Whether all that were asked have ended.
    pub(super) fn is_over(&self) -> bool {
        self.deadlines.is_empty()
    }
}

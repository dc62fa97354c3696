//! Auditing a whole ledger: deciding again everything that its broker decided.
//!
//! `evolve` believes what is in the ledger; an audit does not. Each entry is held against the state
//! that the entries before it fold into: a conforming broker, at that time, must have recorded exactly
//! this. So whatever a bundle leaves to the [broker's word](crate::explain::Attested) and the ledger
//! could show is shown: that nothing was used after its revocation, that no budget was overspent,
//! that every contract is the offer that was accepted.
//!
//! What no ledger holds stays out of reach: arguments, what attestors saw, and whether the operator's
//! policy allowed what the rules of this protocol leave to it.

mod again;
mod report;

use std::mem;

use again::Again;
pub use report::{Finding, Report};

use crate::{
    domain::{Entry, Event, State},
    ledger::{Checkpoint, SignedCheckpoint, leaf_hash},
    payload::Payload,
    trust::KeySet,
};

/// An audit under way.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What the auditor pinned, and what has followed from it.
    keys: KeySet,
    /// The fold of the entries so far.
    state: State,
    /// What the last decision recorded that has not been read yet.
    following: Vec<Event>,
    report: Report,
}

impl Audit {
    /// Begins with the keys that the auditor pinned.
    pub fn begin(keys: KeySet) -> Self {
        Self { keys, state: State::default(), following: Vec::new(), report: Report::default() }
    }

    /// Reads the next entry of the ledger, as bytes.
    pub fn entry(mut self, bytes: &[u8]) -> Self {
        let leaf = self.state.tree().size().next_leaf();
        let entry = match Entry::from_bytes(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.report.find(Some(leaf), "unreadable", &format!("it is not an entry: {error}"));
                self.state.pass_over(leaf_hash(bytes));
                return self;
            }
        };
        let kind = entry.event.kind();
        self.report.count(kind);
        self.following = self.check(&entry).unwrap_or_else(|sentence| {
            self.report.find(Some(leaf), kind.name(), &sentence);
            Vec::new()
        });
        self.state = self.state.evolve(&entry);
        self
    }

    /// Holds an entry against what must have been recorded, and gives what must be recorded after it.
    fn check(&mut self, entry: &Entry) -> Result<Vec<Event>, String> {
        let last = self.state.last_time();
        if last.is_some_and(|last| entry.time < last) {
            return Err("time went back".into());
        }
        let mut expected = mem::take(&mut self.following);
        if expected.is_empty() {
            let again = Again { state: &self.state, keys: &self.keys, now: entry.time };
            expected = again.decide(&entry.event)?;
            self.report.admins.extend(again.admin(&entry.event));
            if let Some(next) = again.next_keys(&entry.event) {
                self.keys = next;
            }
        } else if last != Some(entry.time) {
            return Err("the decision before it was not recorded whole, at one time".into());
        }
        if expected.first() != Some(&entry.event) {
            return Err("a conforming broker records something else here, or nothing".into());
        }
        Ok(expected.split_off(1))
    }

    /// Ends with the checkpoint that the whole ledger must lead to.
    pub fn finish(mut self, checkpoint: &SignedCheckpoint) -> Report {
        let (size, root) = (self.state.tree().size(), self.state.tree().root());
        if !self.following.is_empty() {
            self.report.find(None, "end", "the last decision was not recorded whole");
        }
        match self.keys.open_checkpoint(checkpoint).ok() {
            None => self.report.find(None, "checkpoint", "the log did not sign it"),
            Some(Checkpoint { size: told, .. }) if told != size => {
                self.report.find(None, "checkpoint", &format!("it says {told} entries; there are {size}"));
            }
            Some(checkpoint) if checkpoint.root != root => {
                self.report.find(
                    None,
                    "checkpoint",
                    &format!("it says root {}; it is {root}", checkpoint.root),
                );
            }
            Some(_) => {}
        }
        self.report.conclude(size, root, self.state.open_invocations().count());
        self.report
    }
}

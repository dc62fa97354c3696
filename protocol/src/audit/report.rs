//! What an audit found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    digest::TreeHash,
    domain::EventKind,
    ledger::{EMPTY_ROOT, LeafIndex, TreeSize},
    limits::FINDINGS_MAX,
    name::PrincipalId,
};

/// Something that a conforming broker would not have recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where; none for what concerns the ledger as a whole.
    pub leaf: Option<LeafIndex>,
    /// What is wrong there.
    pub sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leaf {
            Some(leaf) => write!(f, "Leaf {leaf}: {}", self.sentence),
            None => f.write_str(&self.sentence),
        }
    }
}

/// The outcome of an audit.
#[derive(Clone, Debug)]
pub struct Report {
    /// What is wrong, in order of the leaves; further ones are only counted.
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub found: usize,
    /// How many entries of each kind there are.
    pub counts: BTreeMap<EventKind, u64>,
    /// Whoever did what only an admin may. The ledger does not say who is one.
    pub admins: BTreeSet<PrincipalId>,
    /// Invocations that have no end yet.
    pub open_invocations: usize,
    /// How many entries were read,
    pub size: TreeSize,
    /// and the root that they lead to.
    pub root: TreeHash,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            found: 0,
            counts: BTreeMap::new(),
            admins: BTreeSet::new(),
            open_invocations: 0,
            size: TreeSize::ZERO,
            root: EMPTY_ROOT,
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.found == 0
    }

    pub(super) fn find(&mut self, leaf: Option<LeafIndex>, what: &str, sentence: &str) {
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { leaf, sentence: format!("{what}: {sentence}") });
        }
    }

    pub(super) fn count(&mut self, kind: EventKind) {
        *self.counts.entry(kind).or_default() += 1;
    }

    pub(super) fn conclude(&mut self, size: TreeSize, root: TreeHash, open_invocations: usize) {
        (self.size, self.root, self.open_invocations) = (size, root, open_invocations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_findings_are_counted_and_not_listed() {
        let mut report = Report::default();
        for number in 1..=FINDINGS_MAX + 1 {
            report.find(None, "Test", &number.to_string());
            assert_eq!((report.found, report.findings.len()), (number, number.min(FINDINGS_MAX)));
        }
        assert!(!report.is_clean());
    }
}

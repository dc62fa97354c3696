//! What an audit of the whole ledger found.

use std::collections::BTreeMap;

use countersign_protocol::audit::{Finding, Report};
use serde::Serialize;

use crate::{
    table::{BAD, GOOD, Page},
    terminal::View,
};

/// A report.
#[derive(Debug, Serialize)]
pub(crate) struct AuditView {
    pub(crate) clean: bool,
    pub(crate) entries: u64,
    pub(crate) root: String,
    /// How many entries there are of each kind.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Whoever did what only an admin may: the ledger does not say who is one.
    pub(crate) admins: Vec<String>,
    pub(crate) open_invocations: usize,
    /// How many findings there were; only the first of very many are listed.
    pub(crate) found: usize,
    pub(crate) findings: Vec<FindingView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FindingView {
    /// None for what concerns the ledger as a whole.
    pub(crate) leaf: Option<u64>,
    pub(crate) sentence: String,
}

impl From<&Report> for AuditView {
    fn from(report: &Report) -> Self {
        Self {
            clean: report.is_clean(),
            entries: report.size.get(),
            root: report.root.to_string(),
            counts: report.counts.iter().map(|(kind, count)| (kind.name(), *count)).collect(),
            admins: report.admins.iter().map(ToString::to_string).collect(),
            open_invocations: report.open_invocations,
            found: report.found,
            findings: report.findings.iter().map(FindingView::from).collect(),
        }
    }
}

impl From<&Finding> for FindingView {
    fn from(finding: &Finding) -> Self {
        Self { leaf: finding.leaf.map(|leaf| leaf.get()), sentence: finding.sentence.clone() }
    }
}

impl View for AuditView {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("entries", self.entries.to_string()),
            ("root", self.root.clone()),
            ("under way", format!("{} invocations without an end", self.open_invocations)),
            ("acted as admins", self.admins.join(", ")),
        ]);
        page.heading("Entries by kind");
        let counts: Vec<_> = self.counts.iter().map(|(kind, count)| (*kind, count.to_string())).collect();
        page.fields(&counts);
        page.heading("Findings");
        for FindingView { leaf, sentence } in &self.findings {
            let place = leaf.map_or_else(|| "the whole ledger".to_owned(), |leaf| format!("leaf {leaf}"));
            page.marked(BAD, "✗", &format!("{place}: {sentence}"));
        }
        if self.clean {
            let sentence =
                "Everything is what a conforming broker would have recorded, and leads to the checkpoint.";
            page.marked(GOOD, "✓", sentence);
        } else if self.found > self.findings.len() {
            page.line(&format!("and {} more", self.found - self.findings.len()));
        }
    }
}

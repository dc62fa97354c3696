//! `countersign ledger checkpoint`, `countersign ledger audit`

use clap::Subcommand;
use countersign_protocol::audit::Report;
use serde::Serialize;

use crate::{
    audit::audit,
    context::Context,
    exit::Exit,
    failure::Failure,
    table::Page,
    terminal::View,
    view::{AuditView, CheckpointView, VerifiedView},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Show the newest checkpoint, once its signature holds and it fits every one seen before.
    Checkpoint,
    /// Read the whole ledger and decide everything in it again. Admins only.
    ///
    /// An audit shows what the evidence of one invocation cannot: that nothing was used after its
    /// revocation, that no budget was overspent, and that no entry is missing. If anything is not as a
    /// conforming broker would have recorded it, the exit code is 5.
    Audit,
}

#[derive(Debug, Serialize)]
struct Checkpoint {
    #[serde(flatten)]
    checkpoint: CheckpointView,
    note: String,
}

impl Ledger {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Checkpoint => checkpoint(context).await,
            Self::Audit => whole(context).await,
        }
    }
}

async fn checkpoint(context: &mut Context) -> Result<(), Failure> {
    let (checkpoint, signed) = context
        .as_person(async |agent, _| {
            let checkpoint = agent.ledger().checkpoint().await;
            checkpoint.map_err(|error| Failure::sdk("There is no checkpoint to show", &error))
        })
        .await?;
    let subject =
        Checkpoint { checkpoint: CheckpointView::from(&checkpoint), note: signed.as_str().to_owned() };
    let verified = vec![
        format!("The log {} signed it.", checkpoint.origin),
        "The ledger has only grown since the last checkpoint that this session saw.".to_owned(),
    ];
    context.terminal.show(&VerifiedView { subject, verified })
}

async fn whole(context: &mut Context) -> Result<(), Failure> {
    let report = context
        .as_person(async |agent, terminal| audit(agent, terminal.streams.err_is_terminal).await)
        .await?;
    context.terminal.show(&AuditView::from(&report))?;
    verdict(&report)
}

/// The report is data whatever it says; what it says is how the program ends.
fn verdict(report: &Report) -> Result<(), Failure> {
    if report.is_clean() {
        return Ok(());
    }
    let found = match report.found {
        1 => "The audit found one thing.".to_owned(),
        found => format!("The audit found {found} things."),
    };
    Err(Failure::new(
        Exit::Tampered,
        "The ledger is not what a conforming broker would have written",
        found,
        "Keep the report and the checkpoint, and show both to an operator of the trust domain and to those \
         concerned.",
    ))
}

impl View for Checkpoint {
    fn write(&self, page: &mut Page) {
        let CheckpointView { origin, size, root } = &self.checkpoint;
        page.fields(&[("ledger", origin.clone()), ("entries", size.to_string()), ("root", root.clone())]);
        page.heading("Signed note");
        page.verbatim(&self.note);
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::{
        audit::Audit,
        key::SigningKey,
        ledger::{Checkpoint, Frontier, Origin, SignedCheckpoint, leaf_hash},
        trust::KeySet,
    };

    use super::*;

    /// The report on a ledger of these entries, whose checkpoint is what its key signs.
    fn report(entries: &[&[u8]]) -> Report {
        let domain = "acme.example".parse().unwrap();
        let key = |seed| SigningKey::from_seed(&[seed; 32]);
        let keys =
            KeySet::new(domain, key(1).public(), key(2).public(), key(3).public(), key(4).public()).unwrap();
        let origin = Origin::of(keys.domain());
        let mut tree = Frontier::default();
        entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
        let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
        let audit = entries.iter().fold(Audit::begin(keys), |audit, entry| audit.entry(entry));
        audit.finish(&SignedCheckpoint::sign(&checkpoint, &key(3)))
    }

    #[test]
    fn a_ledger_with_a_finding_ends_as_tampered_and_says_where() {
        assert_eq!(verdict(&report(&[])), Ok(()));
        let spoilt = report(&[b"nonsense"]);
        assert_eq!(verdict(&spoilt).unwrap_err().exit, Exit::Tampered);
        let mut page = Page::default();
        AuditView::from(&spoilt).write(&mut page);
        let text = page.into_text();
        assert!(text.contains("leaf 0: unreadable"), "{text}");
        assert!(!text.contains('✓'), "{text}");
    }
}

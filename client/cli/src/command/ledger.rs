//! `countersign ledger checkpoint`, `audit`, `archive` and `verify`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_protocol::audit::Report;
use serde::Serialize;

use crate::{
    archive::{self, Archived},
    audit::audit,
    context::Context,
    exit::Exit,
    failure::Failure,
    keys,
    limits::SHARD_ENTRIES,
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
    Archive(Archive),
    Verify(VerifyArchive),
}

/// Copy the ledger's entries into files that are verified by themselves. Admins only.
///
/// Each file, a shard, holds entries in a row, the tree before them and a signed checkpoint of a ledger that holds
/// them there. Done again, it goes on where the archive ends. Nothing is removed from the broker.
#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// The directory of the archive, which is made where it is not there.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// How many entries a shard has.
    #[arg(long, value_name = "N", default_value_t = SHARD_ENTRIES, value_parser = clap::value_parser!(u32).range(1..))]
    entries: u32,
    /// Also write what does not fill a shard, up to the newest checkpoint.
    #[arg(long)]
    to_end: bool,
}

/// Check an archive, with nothing but the domain's public keys.
///
/// No network and no session are used. It is shown that the entries are those of the log, in order and without a gap;
/// whether a conforming broker would have recorded them is what countersign ledger audit asks.
#[derive(Debug, Args)]
pub(crate) struct VerifyArchive {
    /// The directory of the archive.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The domain's public keys, which you got by a way that you trust.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
}

#[derive(Debug, Serialize)]
struct ArchiveView {
    archive: String,
    shards: usize,
    entries: u64,
    root: String,
    /// None while there is no shard.
    checkpoint: Option<CheckpointView>,
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
            Self::Archive(archive) => archive.run(context).await,
            Self::Verify(verify) => verify.run(context),
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

impl Archive {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let entries = usize::try_from(self.entries).unwrap_or(usize::MAX);
        let archived = context
            .as_person(async |agent, terminal| {
                archive::extend(agent, &self.dir, entries, self.to_end, terminal).await
            })
            .await?;
        context.terminal.show(&verified(&self.dir, &archived))
    }
}

impl VerifyArchive {
    fn run(self, context: &mut Context) -> Result<(), Failure> {
        let keys = keys::read(&self.keys, &mut context.terminal)?;
        let archived = archive::read(&self.dir, &keys, &mut context.terminal)?;
        context.terminal.show(&verified(&self.dir, &archived))
    }
}

fn verified(dir: &std::path::Path, archived: &Archived) -> VerifiedView<ArchiveView> {
    let subject = ArchiveView {
        archive: dir.display().to_string(),
        shards: archived.shards,
        entries: archived.frontier.size().get(),
        root: archived.frontier.root().to_string(),
        checkpoint: archived.checkpoint.as_ref().map(CheckpointView::from),
    };
    let sentences = archived.checkpoint.as_ref().map(|checkpoint| {
        [
            format!("The log {} signed a checkpoint for each shard.", checkpoint.origin),
            "The entries are its first ones, in order and without a gap.".to_owned(),
        ]
    });
    VerifiedView { subject, verified: sentences.into_iter().flatten().collect() }
}

impl View for ArchiveView {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("archive", self.archive.clone()),
            ("shards", self.shards.to_string()),
            ("entries", self.entries.to_string()),
            ("root", self.root.clone()),
        ]);
    }
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
        ledger::{Checkpoint, Frontier, SignedCheckpoint, leaf_hash},
        trust::KeySet,
    };

    use super::*;

    /// The report on a ledger of these entries, whose checkpoint is what its key signs.
    fn report(entries: &[&[u8]]) -> Report {
        let domain = "acme.example".parse().unwrap();
        let key = |seed| SigningKey::from_seed(&[seed; 32]);
        let keys =
            KeySet::new(domain, key(1).public(), key(2).public(), key(3).public(), key(4).public()).unwrap();
        let origin = keys.origin();
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

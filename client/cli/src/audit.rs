//! Reading a whole ledger, up to a checkpoint that was verified first.

use countersign::Agent;
use countersign_protocol::{
    audit::{Audit, Report},
    ledger::LeafIndex,
};

use crate::{exit::Exit, failure::Failure, progress::Progress};

/// Reads every entry that the newest checkpoint covers, and decides each of them again.
pub(crate) async fn audit(agent: &Agent, is_watched: bool) -> Result<Report, Failure> {
    let failed = |error| Failure::sdk("The ledger was not audited", &error);
    let (checkpoint, signed) = agent.ledger().checkpoint().await.map_err(failed)?;
    let mut audit = Audit::begin(agent.keys().as_ref().clone());
    let progress = Progress::of(checkpoint.size.get(), "entries", is_watched);
    let mut next = LeafIndex::ZERO;
    while checkpoint.size.includes(next) {
        let (entries, after) = agent.ledger().entries(next).await.map_err(failed)?;
        if entries.is_empty() {
            return Err(withheld(next, checkpoint.size.get()));
        }
        let left = checkpoint.size.get().saturating_sub(next.get());
        // What was logged since the checkpoint is for the next audit.
        for entry in entries.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            audit = audit.entry(entry);
        }
        progress.advance(left.min(entries.len() as u64));
        next = after;
    }
    Ok(audit.finish(&signed))
}

fn withheld(leaf: LeafIndex, size: u64) -> Failure {
    Failure::new(
        Exit::Tampered,
        "The ledger was not audited",
        format!("The broker signed that it has {size} entries, and gives none from leaf {leaf} on."),
        "Keep the checkpoint (countersign ledger checkpoint), and show it to an operator of the trust domain.",
    )
}

//! Keeps a snapshot of the state, so that the next start has less to fold.

use std::sync::Arc;

use crate::{
    domain::{Domain, Durable},
    limits::{SNAPSHOT_PAUSE, SNAPSHOT_SHARE},
};

/// Keeps one whenever so many entries were added to those of the last, for as long as the domain
/// lives. Decisions wait while the state is written down, which takes the longer the more there is of
/// it; so the larger the ledger has grown, the rarer this is.
pub(crate) async fn run(domain: Arc<Domain>, every: u32) {
    let mut durable = domain.durable();
    loop {
        let kept = domain.snapshot_size();
        let wanted = kept.saturating_add(u64::from(every).max(kept / SNAPSHOT_SHARE));
        let is_due = |durable: &Durable| matches!(durable, Durable::To(head) if head.size.get() >= wanted);
        if durable.wait_for(is_due).await.is_err() {
            return;
        }
        keep(&domain).await;
        tokio::time::sleep(SNAPSHOT_PAUSE).await;
    }
}

/// Keeps one of now, unless it is kept already.
pub(crate) async fn keep(domain: &Arc<Domain>) {
    if domain.peek(|state, _| state.tree().size().get()) == domain.snapshot_size() {
        return;
    }
    tracing::info!("a snapshot of the state is made");
    match domain.keep_snapshot().await {
        Ok(entries) => tracing::info!(%entries, "a snapshot of the state is kept"),
        Err(error) => tracing::warn!(%error, "no snapshot of the state is kept; a start folds more entries"),
    }
}

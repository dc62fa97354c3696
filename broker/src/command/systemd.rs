//! What systemd is told, where it started the broker: that it serves, that it stops, that it has not hung.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};
use tokio::time::sleep;

use crate::health::{Health, Standing};

/// Tells for as long as it is polled; without systemd, nothing.
pub(super) async fn run(health: Health) {
    tokio::join!(standing(&health), watchdog(&health));
}

async fn standing(health: &Health) {
    let mut standing = health.subscribe();
    loop {
        let now = *standing.borrow_and_update();
        let state = match now {
            Standing::Serving => Some(NotifyState::Ready),
            Standing::Stopping => Some(NotifyState::Stopping),
            Standing::Starting | Standing::LedgerFailed | Standing::Draining => None,
        };
        tell(state.into_iter().chain([NotifyState::Status(now.text())]).collect());
        if standing.changed().await.is_err() {
            return;
        }
    }
}

/// A broker whose state cannot be read, or whose ledger's writer is stuck, beats no more, and is
/// started again. A disk that is full is no reason: it would still be.
async fn watchdog(health: &Health) {
    let Some(longest) = watchdog_enabled() else { return };
    let mut beats = health.beats();
    while beats.changed().await.is_ok() {
        tell(vec![NotifyState::Watchdog]);
        sleep((longest / 4).min(Duration::from_secs(5))).await;
    }
}

fn tell(states: Vec<NotifyState<'_>>) {
    if let Err(error) = notify(&states) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

//! Lets what is due end: deadlines are transitions, whether or not anyone calls.

use std::sync::Arc;

use countersign_protocol::time::Timestamp;

use crate::{domain::Domain, limits::TICK_PAUSE};

/// Runs for as long as the domain does.
pub(crate) async fn run(domain: Arc<Domain>) {
    let mut changes = domain.durable();
    loop {
        let now = domain.clock().now();
        match domain.peek(|state, _| state.next_due()) {
            Some(due) if due <= now => {
                // One decision ends a batch of them; what is left is still due.
                if let Err(refusal) =
                    domain.decide(|state, context| state.decide_tick(context), |_| Ok(())).await
                {
                    tracing::warn!(%refusal, "what is due has not ended yet");
                    tokio::time::sleep(TICK_PAUSE).await;
                }
            }
            due => {
                let changed = changes.changed();
                tokio::select! {
                    () = until(&domain, due) => {}
                    changed = changed => if changed.is_err() { return },
                }
            }
        }
    }
}

async fn until(domain: &Domain, due: Option<Timestamp>) {
    match due {
        Some(at) => domain.clock().wait_until(at).await,
        None => std::future::pending().await,
    }
}

//! What a crash left open.

use std::sync::Arc;

use countersign_protocol::{
    domain::{End, SessionCause, State},
    id::{InvocationId, SessionId},
    refusal::Refusal,
};
use tokio::task::JoinSet;

use crate::domain::Domain;

/// How many ends are recorded at once: far fewer than the writer's queue holds.
const AT_ONCE: usize = 256;

/// Ends the invocations that have an INTENT and no RESULT, as they are found when a broker starts:
/// whether they were done is unknown, so they cost what was reserved. Gives how many there were.
/// Nothing may be invoked before this has returned.
pub async fn settle_unknown(domain: &Arc<Domain>) -> Result<usize, Refusal> {
    let mut settled = 0;
    loop {
        let open = |state: &State| state.open_invocations().map(|(id, _)| *id).take(AT_ONCE).collect();
        let open: Vec<InvocationId> = domain.peek(|state, _| open(state));
        if open.is_empty() {
            end_sessions(domain).await?;
            return Ok(settled);
        }
        settled += open.len();
        let mut ending: JoinSet<_> = open.into_iter().map(|id| end(Arc::clone(domain), id)).collect();
        while let Some(ended) = ending.join_next().await {
            ended.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        }
    }
}

/// Nobody is in a session that was open when the broker stopped.
async fn end_sessions(domain: &Arc<Domain>) -> Result<(), Refusal> {
    let open: Vec<SessionId> = domain.peek(|state, _| state.open_sessions().map(|(id, _)| *id).collect());
    for id in open {
        let cause = SessionCause::Stopped;
        domain.decide(|state, context| state.decide_end_session(context, id, cause), |_| Ok(())).await?;
    }
    Ok(())
}

async fn end(domain: Arc<Domain>, id: InvocationId) -> Result<(), Refusal> {
    domain.decide(|state, context| state.decide_end(context, id, &End::Unknown), |_| Ok(())).await
}

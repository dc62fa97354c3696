//! What an admin does with a broker itself.

use countersign_protocol::time::Lifetime;
use countersign_wire::v1::{self, operation_client::OperationClient};

use crate::{agent::Agent, error::Error};

/// How far a broker is that drains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draining {
    /// The run of the broker that drains.
    pub run: Vec<u8>,
    /// Invocations that have not ended.
    pub invocations: u64,
    /// Sessions that have not ended.
    pub sessions: u64,
    /// How long they may go on at the longest.
    pub left: Lifetime,
}

impl Agent {
    /// Has the broker take nothing new, and stop once what is under way has ended or that time is over. Admins
    /// only. Asked again it tells how far it is; the earliest end holds. With the run that was told before, a broker
    /// that has taken its place is not drained, and [`Reason::NotFound`](countersign_protocol::refusal::Reason) says so.
    pub async fn drain(&self, within: Lifetime, run: Option<&[u8]>) -> Result<Draining, Error> {
        let request = v1::DrainRequest {
            trust_domain: self.domain().to_string(),
            within_ms: within.as_millis(),
            run: run.unwrap_or_default().to_vec(),
        };
        let reply = self.call("have the broker drain", request, async |channel, request| {
            OperationClient::new(channel).drain(request).await
        });
        let v1::DrainResponse { invocations, sessions, left_ms, run } = reply.await?;
        Ok(Draining { run, invocations, sessions, left: Lifetime::from_millis(left_ms) })
    }
}

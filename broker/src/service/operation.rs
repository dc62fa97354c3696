//! What an admin does with the broker itself.

use std::{sync::Arc, time::Duration};

use countersign_protocol::{
    refusal::{Reason, Refusal},
    require,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::caller::Caller;
use crate::{
    domain::Domain,
    drain::{Drain, UnderWay},
    limits::DRAIN_ASKED_MAX,
};

/// The service of that name.
#[derive(Debug)]
pub struct Operation {
    domain: Arc<Domain>,
    drain: Drain,
}

impl Operation {
    /// Of the broker that decides for that domain.
    pub fn new(domain: Arc<Domain>, drain: Drain) -> Self {
        Self { domain, drain }
    }

    fn drain(&self, caller: &Caller, request: &v1::DrainRequest) -> Result<v1::DrainResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        caller.check_admin()?;
        let within = Duration::from_millis(request.within_ms);
        require!("API-069", within <= DRAIN_ASKED_MAX, Reason::LimitExceeded, "It may take an hour at most.");
        let meant = request.run.is_empty() || request.run == self.drain.run();
        require!("API-070", meant, Reason::NotFound, "It is another run of the broker.");
        if !self.drain.is_begun() {
            tracing::warn!(by = %caller.instance(), ?within, "draining");
        }
        let left = self.drain.begin(within);
        let UnderWay { invocations, sessions } = UnderWay::of(&self.domain);
        Ok(v1::DrainResponse {
            invocations: invocations as u64,
            sessions: sessions as u64,
            run: self.drain.run().to_vec(),
            left_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

#[tonic::async_trait]
impl v1::operation_server::Operation for Operation {
    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::DrainResponse>, Status> {
        let caller = Caller::of(&request, &self.domain)?;
        caller.reply(self.drain(&caller, request.get_ref()))
    }
}

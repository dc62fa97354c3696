//! What the broker says about itself, to anyone.

use std::sync::Arc;

use countersign_protocol::{
    limits::{PROOF_MAX_MS, RESULT_RETENTION_MS},
    payload::Payload,
    refusal::{Refusal, Viewer},
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::issuer::key_set;
use crate::{domain::Domain, limits::CLOCK_UNCERTAINTY_MS, stated_limits, status::status};

/// The versions of the specification that are spoken, newest first.
const SPEC_VERSIONS: [&str; 1] = ["0.1"];

/// The service of that name.
#[derive(Debug)]
pub struct Info {
    domain: Arc<Domain>,
}

impl Info {
    /// About the broker of that domain.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self { domain }
    }

    async fn about(&self, request: v1::GetInfoRequest) -> Result<v1::GetInfoResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let keys = key_set(&self.domain).await?;
        let limits = stated_limits::all();
        Ok(v1::GetInfoResponse {
            spec_versions: SPEC_VERSIONS.map(str::to_owned).to_vec(),
            implementation_name: env!("CARGO_PKG_NAME").to_owned(),
            implementation_version: env!("CARGO_PKG_VERSION").to_owned(),
            server_time_ms: self.domain.clock().now().as_millis(),
            server_time_uncertainty_ms: CLOCK_UNCERTAINTY_MS,
            limits: limits.into_iter().map(|(name, value)| v1::Limit { name, value }).collect(),
            log_vkey: keys.log.to_string(),
            log_origin: keys.log.name().to_string(),
            key_set: keys.set.to_bytes(),
            proof_retention_ms: PROOF_MAX_MS,
            result_retention_ms: RESULT_RETENTION_MS,
            features: Vec::new(),
        })
    }
}

#[tonic::async_trait]
impl v1::info_server::Info for Info {
    async fn get_info(
        &self,
        request: Request<v1::GetInfoRequest>,
    ) -> Result<Response<v1::GetInfoResponse>, Status> {
        // It tells nothing that differs between callers, refusals included.
        let answer = self.about(request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| status(&refusal, Viewer::Stranger))
    }
}

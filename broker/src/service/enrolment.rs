//! How a process becomes an instance.

use std::sync::Arc;

use countersign_protocol::{
    domain::{Actor, Attested},
    identity::{InstanceStatement, JoinStatement},
    refusal::{Reason, Refusal, Viewer},
    require,
    signed::Signed,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{Issuer, convert};
use crate::{attestor::Attestors, channel::proof_of_possession, domain::Domain, status::status};

/// The service of that name. Its callers are strangers, so of refusals they learn only what the
/// registry says of joining.
#[derive(Debug)]
pub struct Enrolment {
    domain: Arc<Domain>,
    issuer: Issuer,
    attestors: Attestors,
}

impl Enrolment {
    /// Lets newcomers into that domain.
    pub fn new(domain: Arc<Domain>, issuer: Issuer, attestors: Attestors) -> Self {
        Self { domain, issuer, attestors }
    }

    async fn join(&self, request: v1::JoinRequest) -> Result<v1::JoinResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let join = convert::signed(&request.join)?;
        let attestor = self.attestors.named(&request.attestor)?;
        let evidence = attestor.observe(&request.evidence).await?;
        // Before any signature is verified: whoever has no token causes no work.
        let known = self.domain.peek(|state, _| state.join_token(&evidence).is_some());
        require!("IDN-024", known, Reason::JoinRefused);
        let key = proof_of_possession(&request.spki, &request.join, &request.spki_signature)
            .map_err(|error| Refusal::new("IDN-043", Reason::SignatureInvalid, error.to_string()))?;
        let attested = Attested { attestor: attestor.name().clone(), evidence, spki: key.spki_hash() };
        let statement = self.admit(&join, &attested).await?;
        let certificate = self.issuer.certificate(&statement, &key)?;
        Ok(v1::JoinResponse { certificate: Some(certificate), bundle: Some(self.issuer.bundle().await?) })
    }

    async fn admit(&self, join: &Signed, attested: &Attested) -> Result<InstanceStatement, Refusal> {
        let instance = convert::claimed::<JoinStatement>(join)?.instance;
        self.domain
            .decide(
                |state, context| state.decide_join(context, join, attested),
                |state| {
                    // A repeated request gets the same answer only while the instance may act, and
                    // only for the key that it joined with.
                    let actor = Actor { instance, spki: attested.spki };
                    Ok(state.admitted(&actor)?.statement.clone())
                },
            )
            .await
    }
}

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for Enrolment {
    async fn join(&self, request: Request<v1::JoinRequest>) -> Result<Response<v1::JoinResponse>, Status> {
        let answer = self.join(request.into_inner()).await;
        answer.map(Response::new).map_err(|refusal| {
            tracing::info!(reason = refusal.reason().name(), rule = refusal.rule(), "a join was refused");
            status(&refusal, Viewer::Stranger)
        })
    }
}

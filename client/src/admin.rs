//! What an admin asks of the broker, and what anyone may ask about it.

use countersign_protocol::{
    join_token::JoinToken,
    name::PrincipalId,
    payload::Payload as _,
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1::{self, identity_client::IdentityClient, info_client::InfoClient};

use crate::{
    agent::Agent,
    error::{About, Error, deceived},
};

/// What the broker says about itself. Nothing in it is signed.
#[derive(Clone, Debug)]
pub struct Info {
    /// The versions of the specification, newest first.
    pub spec_versions: Vec<String>,
    /// The name of the implementation.
    pub implementation_name: String,
    /// The version of the implementation.
    pub implementation_version: String,
    /// Its time.
    pub server_time: Timestamp,
    /// How far that may be from true time.
    pub server_time_uncertainty: Lifetime,
    /// The limits by name.
    pub limits: Vec<(String, u64)>,
    /// The optional parts that it offers.
    pub features: Vec<String>,
    /// How long a used proof is remembered.
    pub proof_retention: Lifetime,
    /// How long a completed invocation answers a retry.
    pub result_retention: Lifetime,
}

impl Agent {
    /// What the broker says about itself. The keys and the log that it names must be those that this
    /// agent knows.
    pub async fn info(&self) -> Result<Info, Error> {
        let request = v1::GetInfoRequest { trust_domain: self.domain().to_string() };
        let reply = self.call("ask the broker about itself", request, async |channel, request| {
            InfoClient::new(channel).get_info(request).await
        });
        let reply = reply.await?;
        let keys = self.keys();
        if keys.log_verifier().is_none_or(|log| reply.log_vkey != log.to_string()) {
            return Err(deceived(About::Bundle, "it names another key for the ledger than it did"));
        }
        if reply.key_set != keys.to_bytes() {
            return Err(deceived(About::Bundle, "it names other keys for the domain than it did"));
        }
        let time = Timestamp::new(reply.server_time_ms);
        Ok(Info {
            spec_versions: reply.spec_versions,
            implementation_name: reply.implementation_name,
            implementation_version: reply.implementation_version,
            server_time: time.ok_or_else(|| deceived(About::Answer, "its time is no time"))?,
            server_time_uncertainty: Lifetime::from_millis(reply.server_time_uncertainty_ms),
            limits: reply.limits.into_iter().map(|limit| (limit.name, limit.value)).collect(),
            features: reply.features,
            proof_retention: Lifetime::from_millis(reply.proof_retention_ms),
            result_retention: Lifetime::from_millis(reply.result_retention_ms),
        })
    }

    /// Makes a join token for another process. Admins only.
    ///
    /// The token is a secret until it is used. If an answer is lost, another token is made; the one
    /// that nobody was told of expires.
    pub async fn create_join_token(
        &self,
        principal: &PrincipalId,
        lifetime: Lifetime,
    ) -> Result<JoinToken, Error> {
        let request = v1::CreateJoinTokenRequest {
            trust_domain: self.domain().to_string(),
            principal: principal.to_string(),
            lifetime_ms: lifetime.as_millis(),
        };
        let reply = self.call("make a join token", request, async |channel, request| {
            IdentityClient::new(channel).create_join_token(request).await
        });
        let token: JoinToken =
            reply.await?.join_token.parse().map_err(|error| deceived(About::Answer, error))?;
        let asked = token.domain == *self.domain() && token.principal == *principal;
        // Whoever joins with it would believe whatever authority it names.
        if !asked || token.authority != self.inner.pinned {
            return Err(deceived(About::Answer, "the join token is for another principal or authority"));
        }
        Ok(token)
    }
}

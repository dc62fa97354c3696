//! Making join tokens: by the operator at `init`, later by admins.

use countersign_protocol::{
    capability::Text,
    digest::Digest,
    domain::Actor,
    join_token::{JoinSecret, JoinToken},
    name::PrincipalId,
    refusal::Refusal,
    time::{Lifetime, Timestamp},
};
use rand::rngs::OsRng;

use crate::domain::Domain;

/// What is the same in every join token of this broker.
#[derive(Clone, Debug)]
pub struct JoinTokens {
    /// Where newcomers are let in.
    pub enrolment: Text,
    /// Where instances are served.
    pub broker: Text,
    /// The fingerprint of the domain's authority.
    pub authority: Digest,
}

impl JoinTokens {
    /// Makes a token and records it. The secret is given once and kept nowhere.
    pub async fn issue(
        &self,
        domain: &Domain,
        issuer: Option<&Actor>,
        principal: &PrincipalId,
        lifetime: Lifetime,
    ) -> Result<(JoinToken, Timestamp), Refusal> {
        let secret = JoinSecret::generate(&mut OsRng);
        let digest = secret.digest();
        let expires = domain.clock().now().plus(lifetime);
        domain
            .decide(
                |state, context| state.decide_join_token(context, issuer, digest, principal, expires),
                |_| Ok(()),
            )
            .await?;
        let token = JoinToken {
            domain: domain.name().clone(),
            principal: principal.clone(),
            enrolment: self.enrolment.clone(),
            broker: self.broker.clone(),
            authority: self.authority,
            secret,
        };
        Ok((token, expires))
    }
}

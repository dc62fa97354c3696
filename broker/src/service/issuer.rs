//! What the domain gives its instances: certificates, and what to verify others with.

use std::sync::Arc;

use countersign_protocol::{
    identity::InstanceStatement,
    ledger::Origin,
    payload::Payload,
    refusal::{Reason, Refusal},
    require_some,
    trust::KeySet,
};
use countersign_wire::v1;
use rand::rngs::OsRng;

use crate::{
    channel::{Authority, ProvenKey, Serial},
    domain::Domain,
};

/// Certifies instances of one domain.
#[derive(Clone, Debug)]
pub struct Issuer {
    domain: Arc<Domain>,
    authority: Arc<Authority>,
}

impl Issuer {
    /// The issuer of that domain.
    pub fn new(domain: Arc<Domain>, authority: Arc<Authority>) -> Self {
        Self { domain, authority }
    }

    /// A certificate for the key and until the time that the record states.
    pub(super) fn certificate(
        &self,
        statement: &InstanceStatement,
        key: &ProvenKey,
    ) -> Result<v1::Certificate, Refusal> {
        let now = self.domain.clock().now();
        let (lifetime, serial) = (statement.expires.since(now), Serial::draw(&mut OsRng));
        let svid = self.authority.issue(key, &statement.instance, now, lifetime, serial);
        let svid =
            svid.map_err(|error| Refusal::new("IDN-042", Reason::CertificateExpired, error.to_string()))?;
        let leaf = require_some!("IDN-042", svid.chain.first(), Reason::CertificateExpired);
        Ok(v1::Certificate {
            der: leaf.to_vec(),
            expires_ms: svid.validity.not_after.as_millis(),
            generation: statement.generation,
        })
    }

    /// What to verify others with.
    pub(super) async fn bundle(&self) -> Result<v1::Bundle, Refusal> {
        let keys = key_set(&self.domain).await?;
        Ok(v1::Bundle {
            ca_certificates: vec![self.authority.certificate_der().to_vec()],
            log_vkey: log_vkey(&keys)?,
            log_origin: Origin::of(self.domain.name()).to_string(),
            key_set: keys.to_bytes(),
        })
    }
}

/// The domain's keys.
pub(super) async fn key_set(domain: &Domain) -> Result<KeySet, Refusal> {
    domain
        .read(|state, _| Ok(require_some!("LOG-004", state.keys().cloned(), Reason::LedgerUnavailable)))
        .await
}

/// The key of the checkpoints that are signed now.
pub(super) fn log_vkey(keys: &KeySet) -> Result<String, Refusal> {
    let verifier = require_some!("LOG-004", keys.log_verifier(), Reason::LedgerUnavailable);
    Ok(verifier.to_string())
}

//! What the domain gives its instances: certificates, and what to verify others with.

use std::{collections::BTreeSet, sync::Arc};

use countersign_protocol::{
    identity::InstanceStatement,
    ledger::{LeafIndex, NoteVerifier},
    payload::Payload,
    refusal::{Reason, Refusal},
    require_some,
    trust::KeySet,
};
use countersign_wire::v1;
use rand::rngs::OsRng;

use super::entries;
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
        Ok(v1::Certificate {
            der: svid.leaf.to_vec(),
            expires_ms: svid.validity.not_after.as_millis(),
            generation: statement.generation,
        })
    }

    /// What to verify others with.
    pub(super) async fn bundle(&self) -> Result<v1::Bundle, Refusal> {
        let keys = key_set(&self.domain).await?;
        Ok(v1::Bundle {
            ca_certificates: vec![self.authority.certificate_der().to_vec()],
            log_vkey: keys.log.to_string(),
            log_origin: keys.log.name().to_string(),
            rotations: self.rotations(&keys.set).await?,
            key_set: keys.set.to_bytes(),
        })
    }

    /// What led to these keys. Each rotation stands at the leaf from which on its keys are in use.
    async fn rotations(&self, keys: &KeySet) -> Result<Vec<Vec<u8>>, Refusal> {
        let leaves: BTreeSet<LeafIndex> = keys.keys().iter().map(|key| key.first_leaf).collect();
        let mut rotations = Vec::new();
        for leaf in leaves {
            rotations.extend(entries::rotation(&self.domain, leaf).await?.map(|signed| signed.to_bytes()));
        }
        Ok(rotations)
    }
}

/// What the domain has published of its keys.
pub(super) struct Published {
    pub(super) set: KeySet,
    /// The key of the checkpoints that are signed now.
    pub(super) log: NoteVerifier,
}

/// The domain's keys.
pub(super) async fn key_set(domain: &Domain) -> Result<Published, Refusal> {
    let published = |set: &KeySet| Some(Published { log: set.log_verifier()?, set: set.clone() });
    let keys = domain.read(|state, _| Ok(state.keys().and_then(published))).await?;
    Ok(require_some!("LOG-004", keys, Reason::LedgerUnavailable, "It has no keys yet."))
}

#[cfg(test)]
pub(super) mod tests {
    use countersign_protocol::{
        name::InstanceId,
        time::{Lifetime, Timestamp},
    };
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};

    use super::*;
    use crate::{
        channel::proof_of_possession,
        clock::ManualClock,
        mediation::tests::world::{START_MS, World, open},
    };

    /// An authority that is valid for so long, and the issuer with it.
    pub(in crate::service) fn issuer(domain: &Arc<Domain>, life: Lifetime) -> Issuer {
        let authority = Authority::create(domain.name(), domain.clock().now(), life).unwrap();
        Issuer::new(Arc::clone(domain), Arc::new(authority))
    }

    /// A TLS key whose holder has shown that it has it.
    pub(in crate::service) fn proven() -> ProvenKey {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let spki = key.subject_public_key_info();
        proof_of_possession(&spki, b"this", &key.sign(b"this").unwrap()).unwrap()
    }

    /// Attack line 33: what has ended, and an authority that has, certify nothing.
    #[tokio::test]
    async fn nothing_is_certified_that_would_not_be_valid_now() {
        let world = World::new().await;
        let issuer = issuer(&world.domain, Lifetime::from_millis(600_000));
        let key = proven();
        let planner: InstanceId = world.agent("planner").id.clone();
        let recorded = world.look(|state| state.instance(&planner).unwrap().statement.clone());
        let until = |millis: u64| {
            let expires: Timestamp = world.now().plus(Lifetime::from_millis(millis));
            let statement = InstanceStatement { expires, ..recorded.clone() };
            let certificate = issuer.certificate(&statement, &key);
            certificate.map(drop).map_err(|refusal| (refusal.rule(), refusal.reason()))
        };
        let refused = Err(("IDN-042", Reason::CertificateExpired));
        assert_eq!(until(60_000), Ok(()), "the twin");
        assert_eq!(until(0), refused, "a record that has expired");
        world.pass(600_001);
        assert_eq!(until(60_000), refused, "an authority that has expired");
    }

    #[tokio::test]
    async fn a_domain_without_keys_gives_nobody_any() {
        let (with, clock) = (World::new().await.domain, ManualClock::at(Timestamp::new(START_MS).unwrap()));
        let without = open(&Arc::default(), &clock).await;
        assert!(issuer(&with, Lifetime::from_millis(600_000)).bundle().await.is_ok(), "the twin");
        let refusal = issuer(&without, Lifetime::from_millis(600_000)).bundle().await.unwrap_err();
        assert_eq!((refusal.rule(), refusal.reason()), ("LOG-004", Reason::LedgerUnavailable));
    }
}

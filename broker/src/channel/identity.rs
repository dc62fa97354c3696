//! The broker's own certificate, renewed at half its life while connections come in.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_protocol::{
    id::InstanceUuid,
    name::InstanceId,
    time::{Lifetime, Timestamp},
};
use rand_core::{CryptoRng, RngCore};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::{
    crypto::aws_lc_rs::sign::any_ecdsa_type,
    pki_types::PrivatePkcs8KeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SigningKey},
};
use thiserror::Error;

use super::{
    authority::{Authority, AuthorityError, Serial},
    key::{BadKey, ProvenKey},
};
use crate::{clock::Clock, limits::RENEWAL_PAUSE};

/// Why the broker has no certificate of its own.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The authority did not issue it.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Making the key failed.
    #[error("the broker's key: {0}")]
    Key(#[from] rcgen::Error),
    /// The key that was made is not of the kind that is certified.
    #[error("the broker's key: {0}")]
    Kind(#[from] BadKey),
    /// The TLS library does not take the key.
    #[error("the broker's key: {0}")]
    Tls(#[from] rustls::Error),
}

/// The name, key and current certificate of this copy of the broker. The key is made in memory and
/// lives as long as the process.
#[derive(Debug)]
pub struct BrokerIdentity {
    instance: InstanceId,
    public: ProvenKey,
    signer: Arc<dyn SigningKey>,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    certified: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

impl BrokerIdentity {
    /// Makes a key and has the first certificate issued for
    /// `spiffe://<domain>/service/broker/i/<uuid>`.
    pub fn issue(
        authority: &Authority,
        uuid: InstanceUuid,
        now: Timestamp,
        lifetime: Lifetime,
        serial: Serial,
    ) -> Result<Self, IdentityError> {
        let instance = authority.domain().broker().instance(uuid);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let public = ProvenKey::own(&key.subject_public_key_info())?;
        let signer = any_ecdsa_type(&PrivatePkcs8KeyDer::from(key.serialized_der()).into())?;
        let current = certify(authority, &public, &signer, &instance, now, lifetime, serial)?;
        Ok(Self { instance, public, signer, current: ArcSwap::from_pointee(current) })
    }

    /// The broker's SPIFFE ID.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// When half of the current certificate's life is over.
    pub fn renew_at(&self) -> Timestamp {
        self.current.load().renew_at
    }

    /// Has the next certificate issued for the same name and key. New handshakes use it; open
    /// connections do not notice.
    pub fn renew(
        &self,
        authority: &Authority,
        now: Timestamp,
        lifetime: Lifetime,
        serial: Serial,
    ) -> Result<(), AuthorityError> {
        let next = certify(authority, &self.public, &self.signer, &self.instance, now, lifetime, serial)?;
        self.current.store(Arc::new(next));
        Ok(())
    }

    /// Renews the certificate at half its life, for ever. A renewal that fails is logged and tried
    /// again: until the certificate ends, nobody notices.
    pub async fn keep_renewed<R: RngCore + CryptoRng>(
        &self,
        authority: &Authority,
        clock: &dyn Clock,
        lifetime: Lifetime,
        mut rng: R,
    ) {
        let mut next = self.renew_at();
        loop {
            clock.wait_until(next).await;
            let now = clock.now();
            next = match self.renew(authority, now, lifetime, Serial::draw(&mut rng)) {
                // A life of a second or two is half over when it begins: do not spin.
                Ok(()) => self.renew_at().max(now.plus(Lifetime::from_millis(1_000))),
                Err(error) => {
                    tracing::error!(%error, instance = %self.instance, "renewing the broker's certificate failed");
                    now.plus(RENEWAL_PAUSE)
                }
            };
        }
    }
}

impl ResolvesServerCert for BrokerIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

fn certify(
    authority: &Authority,
    public: &ProvenKey,
    signer: &Arc<dyn SigningKey>,
    instance: &InstanceId,
    now: Timestamp,
    lifetime: Lifetime,
    serial: Serial,
) -> Result<Current, AuthorityError> {
    let svid = authority.issue(public, instance, now, lifetime, serial)?;
    let half = svid.validity.not_after.since(now).as_millis() / 2;
    let certified = Arc::new(CertifiedKey::new(vec![svid.leaf, svid.authority], Arc::clone(signer)));
    Ok(Current { certified, renew_at: now.plus(Lifetime::from_millis(half)) })
}

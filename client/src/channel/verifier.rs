//! Whether who answers is a broker of the domain.

use std::sync::Arc;

use countersign_protocol::time::Timestamp;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{
    anchor::{Anchor, Trust},
    certificate::{BadCertificate, Leaf},
};

/// Believes a server that holds a certificate for `spiffe://<domain>/service/broker/i/<uuid>`,
/// issued by an authority that is trusted for that domain. Addresses and DNS names play no part.
#[derive(Debug)]
pub struct BrokerVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl BrokerVerifier {
    /// A verifier that believes the brokers that `trust` names.
    pub fn new(trust: Trust, provider: Arc<CryptoProvider>) -> Self {
        Self { trust, provider }
    }

    fn verify(&self, leaf: &CertificateDer<'_>, anchor: &Anchor, now: UnixTime) -> Result<(), Error> {
        // The authority issues leaves itself, so no intermediate can be of use to an honest peer.
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(leaf)?,
            anchor.roots(),
            &[],
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        let Leaf { instance, validity, .. } = Leaf::parse(leaf)?;
        let expected = format!("spiffe://{}/service/broker", anchor.domain());
        if instance.principal().as_str() != expected {
            return Err(BadCertificate::NotTheBroker { presented: instance, expected }.into());
        }
        // The chain's verification does not ask whether the anchor itself is valid.
        let now = Timestamp::new(now.as_secs().saturating_mul(1_000));
        if !now.is_some_and(|now| validity.holds_at(now) && anchor.validity().holds_at(now)) {
            return Err(CertificateError::Expired.into());
        }
        Ok(())
    }
}

impl ServerCertVerifier for BrokerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut refusal = CertificateError::UnknownIssuer.into();
        for anchor in self.trust.anchors(chain) {
            match self.verify(leaf, &anchor, now) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

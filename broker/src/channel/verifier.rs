//! Which client certificates are let in.

use std::sync::Arc;

use countersign_protocol::{name::TrustDomain, time::Timestamp};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    authority::Authority,
    certificate::{Leaf, Validity},
};

/// Lets in the instances of one trust domain, by the certificates that its authority issued.
///
/// Signatures and validity are webpki's to check; that the certificate is an X.509-SVID of the
/// domain is checked here.
#[derive(Debug)]
pub struct ClientVerifier {
    domain: TrustDomain,
    authority: Validity,
    chain: Arc<dyn ClientCertVerifier>,
}

impl ClientVerifier {
    /// A verifier for the authority's domain.
    pub fn new(authority: &Authority, provider: Arc<CryptoProvider>) -> Result<Self, VerifierBuilderError> {
        let mut roots = RootCertStore::empty();
        // A certificate that cannot be added leaves the store empty, which `build` refuses.
        roots.add_parsable_certificates([authority.certificate_der().clone()]);
        let chain = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build()?;
        Ok(Self { domain: authority.domain().clone(), authority: authority.validity(), chain })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Whom the domain trusts is nothing that a stranger has to be told.
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The authority issues leaves itself, so no intermediate can be of use to an honest peer.
        let verified = self.chain.verify_client_cert(leaf, &[], now)?;
        let leaf = Leaf::parse(leaf, &self.domain)?;
        // Webpki does not ask whether an anchor is valid; an authority's certificate has an end too.
        let now = Timestamp::new(now.as_secs().saturating_mul(1_000));
        if !now.is_some_and(|now| leaf.validity.holds_at(now) && self.authority.holds_at(now)) {
            return Err(CertificateError::Expired.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

//! What a certificate says, beyond what chain building checks: the rules of an X.509-SVID. The
//! client reads them for itself; it shares no code with the broker that it checks.

use std::sync::Arc;

use countersign_protocol::{
    digest::SpkiHash,
    name::{InstanceId, NotName},
    time::Timestamp,
};
use rustls::{CertificateError, OtherError};
use thiserror::Error;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, KeyUsage},
    prelude::FromDer as _,
    time::ASN1Time,
};

use super::key::spki_hash;

/// A SubjectPublicKeyInfo of a P-256 key on the named curve with an uncompressed point, up to the
/// point's coordinates (RFC 5480, 2).
const P256_PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// Why a certificate is not one of ours, whoever signed it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadCertificate {
    /// Not one certificate in DER, an extension that is there twice, or a time that has no date.
    #[error("not one well-formed X.509 certificate")]
    Malformed,
    /// Something other than exactly one subject alternative name, a URI.
    #[error("a certificate has exactly one subject alternative name, a URI")]
    NotOneUri,
    /// The URI is not the SPIFFE ID of an instance.
    #[error("the certificate does not name an instance: {0}")]
    NotAnInstance(NotName),
    /// A leaf may not sign certificates or revocation lists, and says so explicitly.
    #[error("a leaf says CA:FALSE and is for digital signatures, not for signing certificates")]
    NotALeaf,
    /// The key is not a P-256 key.
    #[error("the certificate's key is not a P-256 key")]
    NotP256,
    /// The certificate names an instance that is not a broker of the expected trust domain.
    #[error("the certificate names {presented}; expected an instance of {expected}")]
    NotTheBroker {
        /// Whom it names.
        presented: InstanceId,
        /// The principal whose instance was expected.
        expected: String,
    },
}

impl From<BadCertificate> for rustls::Error {
    fn from(reason: BadCertificate) -> Self {
        CertificateError::Other(OtherError(Arc::new(reason))).into()
    }
}

/// From when until when a certificate is valid; the end is excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Validity {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Result<Self, BadCertificate> {
        let validity = certificate.validity();
        Ok(Self { not_before: timestamp(validity.not_before)?, not_after: timestamp(validity.not_after)? })
    }

    pub(super) fn holds_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

fn timestamp(time: ASN1Time) -> Result<Timestamp, BadCertificate> {
    let millis = u64::try_from(time.timestamp()).ok().and_then(|seconds| seconds.checked_mul(1_000));
    millis.and_then(Timestamp::new).ok_or(BadCertificate::Malformed)
}

/// What the certificate of an instance says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) instance: InstanceId,
    pub(super) spki: SpkiHash,
    pub(super) validity: Validity,
}

impl Leaf {
    /// Reads the certificate of an instance. This does not verify who signed it.
    pub(super) fn parse(der: &[u8]) -> Result<Self, BadCertificate> {
        let certificate = parse(der)?;
        let instance = only_uri(&certificate)?.parse().map_err(BadCertificate::NotAnInstance)?;
        let no_ca = matches!(certificate.basic_constraints(), Ok(Some(basic)) if !basic.value.ca);
        let signs_only =
            |usage: &KeyUsage| usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign();
        if !no_ca || !key_usage(&certificate).is_some_and(signs_only) {
            return Err(BadCertificate::NotALeaf);
        }
        let spki = certificate.public_key().raw;
        if spki.len() != P256_PREFIX.len() + 64 || !spki.starts_with(&P256_PREFIX) {
            return Err(BadCertificate::NotP256);
        }
        let validity = Validity::of(&certificate)?;
        Ok(Self { instance, spki: spki_hash(spki), validity })
    }
}

/// Exactly one certificate, with no bytes after it.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, BadCertificate> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(BadCertificate::Malformed),
    }
}

/// The one subject alternative name.
pub(super) fn only_uri<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, BadCertificate> {
    let names = certificate.subject_alternative_name().map_err(|_| BadCertificate::Malformed)?;
    match names.map(|names| names.value.general_names.as_slice()) {
        Some([GeneralName::URI(uri)]) => Ok(uri),
        _ => Err(BadCertificate::NotOneUri),
    }
}

/// The key usage, if it is there once.
pub(super) fn key_usage<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a KeyUsage> {
    certificate.key_usage().ok().flatten().map(|usage| usage.value)
}

//! What a certificate says, beyond what chain building checks: the rules of an X.509-SVID.

use countersign_protocol::{
    name::{InstanceId, NotName, TrustDomain},
    time::Timestamp,
};
use rustls::{CertificateError, OtherError};
use std::sync::Arc;
use thiserror::Error;
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _, time::ASN1Time,
};

use super::key::{self, BadKey};

/// Why a certificate that chains to the authority is refused all the same.
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
    /// The instance is of another trust domain.
    #[error("the certificate is of trust domain {presented}; expected {expected}")]
    ForeignDomain {
        /// The domain that the certificate names.
        presented: TrustDomain,
        /// The domain of this broker.
        expected: TrustDomain,
    },
    /// A leaf may not sign certificates or revocation lists, and says so explicitly.
    #[error("a leaf says CA:FALSE and is for digital signatures, not for signing certificates")]
    NotALeaf,
    /// An authority says CA:TRUE and may sign certificates.
    #[error("an authority says CA:TRUE and may sign certificates")]
    NotAnAuthority,
    /// The key is not a P-256 key.
    #[error(transparent)]
    Key(#[from] BadKey),
}

impl From<BadCertificate> for rustls::Error {
    fn from(reason: BadCertificate) -> Self {
        CertificateError::Other(OtherError(Arc::new(reason))).into()
    }
}

/// From when until when a certificate is valid, both included, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment. The channel ends at its beginning.
    pub not_after: Timestamp,
}

impl Validity {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Result<Self, BadCertificate> {
        let validity = certificate.validity();
        let (not_before, not_after) = (timestamp(validity.not_before)?, timestamp(validity.not_after)?);
        Ok(Self { not_before, not_after })
    }

    /// Whether `now` lies within. The second of `not_after`, which X.509 includes, is left out: a
    /// connection opened in it would end at once.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

fn timestamp(time: ASN1Time) -> Result<Timestamp, BadCertificate> {
    let millis = u64::try_from(time.timestamp()).ok().and_then(|seconds| seconds.checked_mul(1_000));
    millis.and_then(Timestamp::new).ok_or(BadCertificate::Malformed)
}

/// What the certificate of an instance says, once it obeys the rules of an X.509-SVID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Whom it names.
    pub instance: InstanceId,
    /// The key that it certifies: a SubjectPublicKeyInfo in DER.
    pub spki_der: Vec<u8>,
    /// When it is valid.
    pub validity: Validity,
}

impl Leaf {
    /// Reads a leaf of that trust domain. This does not verify who signed it, nor that it is valid
    /// now.
    pub fn parse(der: &[u8], expected: &TrustDomain) -> Result<Self, BadCertificate> {
        let certificate = parse(der)?;
        let instance: InstanceId = only_uri(&certificate)?.parse().map_err(BadCertificate::NotAnInstance)?;
        let presented = instance.principal().domain();
        if presented != *expected {
            return Err(BadCertificate::ForeignDomain { presented, expected: expected.clone() });
        }
        if !is_leaf(&certificate) {
            return Err(BadCertificate::NotALeaf);
        }
        let spki = certificate.public_key().raw;
        key::check_p256(spki)?;
        let validity = Validity::of(&certificate)?;
        Ok(Self { instance, spki_der: spki.to_vec(), validity })
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
    let names = names.map(|names| names.value.general_names.as_slice());
    match names {
        Some([GeneralName::URI(uri)]) => Ok(uri),
        _ => Err(BadCertificate::NotOneUri),
    }
}

/// Whether both extensions are there, once, and make it a leaf. Absence is not read as harmless.
fn is_leaf(certificate: &X509Certificate<'_>) -> bool {
    let no_ca = matches!(certificate.basic_constraints(), Ok(Some(basic)) if !basic.value.ca);
    let usage = certificate.key_usage().ok().flatten().map(|usage| usage.value);
    no_ca
        && usage.is_some_and(|usage| usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign())
}

/// Whether both extensions are there, once, and make it an authority.
pub(super) fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let ca = matches!(certificate.basic_constraints(), Ok(Some(basic)) if basic.value.ca);
    let usage = certificate.key_usage().ok().flatten();
    ca && usage.is_some_and(|usage| usage.value.key_cert_sign())
}

//! The certificate authority of one trust domain.

use std::{fmt, time::Duration};

use countersign_protocol::{
    digest::Digest,
    name::{InstanceId, NotName, TrustDomain},
    time::{Lifetime, Timestamp},
};
use pem::Pem;
use rand_core::{CryptoRng, RngCore};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    certificate::{self, BadCertificate, Validity},
    key::{self, ProvenKey},
};
use crate::limits::CERTIFICATE_BACKDATE_MS;

/// Why an authority cannot be had, or does not issue.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The authority's own certificate is not one.
    #[error("the authority's certificate: {0}")]
    Certificate(#[from] BadCertificate),
    /// The one name of the authority's certificate is not a trust domain.
    #[error("the authority's certificate does not name a trust domain as spiffe://<trust domain>")]
    NotADomain(#[source] Option<NotName>),
    /// The private key belongs to another certificate.
    #[error("the authority's key and its certificate do not belong together")]
    OtherKey,
    /// It signs names of its own domain only.
    #[error("the authority of {own} does not sign names of {asked}")]
    ForeignDomain {
        /// Its domain.
        own: TrustDomain,
        /// The domain of the name.
        asked: TrustDomain,
    },
    /// Nothing can be issued that would be valid: the authority's certificate is not valid now, or
    /// the lifetime is below one second.
    #[error("the authority cannot issue a certificate that would be valid at {now}")]
    NoValidTime {
        /// The time of the request.
        now: Timestamp,
    },
    /// Making or reading keys and certificates failed.
    #[error("certificates: {0}")]
    Encoding(#[from] rcgen::Error),
    /// Text that is not PEM.
    #[error("the authority's certificate is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// The serial number of a certificate: 128 random bits, so that nobody can predict what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Draws a new one.
    pub fn draw<R: RngCore + CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The 16 bytes, a big-endian positive integer.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An issued certificate, as SPIFFE calls it: an X.509-SVID.
#[derive(Clone, Debug)]
pub struct Svid {
    /// The certificate.
    pub leaf: CertificateDer<'static>,
    /// The authority's own, so that a peer that has only its fingerprint finds it.
    pub authority: CertificateDer<'static>,
    /// When the leaf is valid.
    pub validity: Validity,
}

/// The certificate authority of one trust domain: a P-256 key and a self-signed certificate that
/// names the domain. It issues leaves and nothing else.
pub struct Authority {
    domain: TrustDomain,
    validity: Validity,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority, valid for `lifetime` from 30 s before `now`.
    pub fn create(domain: &TrustDomain, now: Timestamp, lifetime: Lifetime) -> Result<Self, AuthorityError> {
        let validity = whole_seconds(now, now.plus(lifetime)).ok_or(AuthorityError::NoValidTime { now })?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(validity, &format!("spiffe://{domain}"))?;
        // Chain building finds an issuer by its name, so this one has to have one.
        params.distinguished_name.push(DnType::CommonName, format!("Countersign {domain}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { domain: domain.clone(), validity, certificate, issuer: Issuer::new(params, key) })
    }

    /// Reads an authority from its certificate and its private key (PKCS #8), both PEM. The domain
    /// is the one that the certificate names.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        let der = CertificateDer::from_pem_slice(certificate_pem.as_bytes())?;
        let parsed = certificate::parse(&der)?;
        if !certificate::is_authority(&parsed) {
            return Err(BadCertificate::NotAnAuthority.into());
        }
        let domain = certificate::only_uri(&parsed)?
            .strip_prefix("spiffe://")
            .ok_or(AuthorityError::NotADomain(None))?
            .parse()
            .map_err(|reason| AuthorityError::NotADomain(Some(reason)))?;
        let spki = parsed.public_key().raw;
        key::check_p256(spki).map_err(BadCertificate::from)?;
        let key = KeyPair::from_pem(key_pem)?;
        if key.subject_public_key_info() != spki {
            return Err(AuthorityError::OtherKey);
        }
        let validity = Validity::of(&parsed)?;
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self { domain, validity, certificate: der.clone(), issuer })
    }

    /// The trust domain whose names it signs.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// When its certificate is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Its certificate, in DER.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its certificate, in PEM.
    pub fn certificate_pem(&self) -> String {
        pem::encode(&Pem::new("CERTIFICATE", self.certificate.to_vec()))
    }

    /// Its private key in PEM (PKCS #8), for a key store and nothing else.
    pub fn danger_key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// SHA-256 of its certificate in DER: what an operator hands to a newcomer, who pins it.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// Certifies that `key` belongs to `instance` from 30 s before `now` until `lifetime` after it,
    /// or until the authority's own end if that is sooner.
    ///
    /// All that the certificate says is decided here; of the peer it takes nothing but the key.
    pub fn issue(
        &self,
        key: &ProvenKey,
        instance: &InstanceId,
        now: Timestamp,
        lifetime: Lifetime,
        serial: Serial,
    ) -> Result<Svid, AuthorityError> {
        let asked = instance.principal().domain();
        if asked != self.domain {
            return Err(AuthorityError::ForeignDomain { own: self.domain.clone(), asked });
        }
        let until = now.plus(lifetime).min(self.validity.not_after);
        let validity = whole_seconds(now, until)
            .filter(|validity| validity.holds_at(now) && self.validity.holds_at(now))
            .ok_or(AuthorityError::NoValidTime { now })?;

        let mut params = params(validity, instance.as_str())?;
        params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(key, &self.issuer)?.der().clone();
        Ok(Svid { leaf, authority: self.certificate.clone(), validity })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({}, ..)", self.domain)
    }
}

/// A certificate with one name, of the kind URI, and no distinguished name, which makes the name a
/// critical extension.
fn params(validity: Validity, uri: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(validity.not_before.as_millis());
    params.not_after = epoch + Duration::from_millis(validity.not_after.as_millis());
    Ok(params)
}

/// X.509 counts whole seconds: the end is rounded down, so that no certificate is valid longer than
/// was asked for.
fn whole_seconds(now: Timestamp, until: Timestamp) -> Option<Validity> {
    let floor = |millis: u64| Timestamp::new(millis - millis % 1_000);
    let not_before = floor(now.as_millis().saturating_sub(CERTIFICATE_BACKDATE_MS))?;
    let not_after = floor(until.as_millis())?;
    (not_before < not_after).then_some(Validity { not_before, not_after })
}

#[cfg(test)]
mod tests {
    use countersign_protocol::id::InstanceUuid;
    use rand::rngs::OsRng;
    use rcgen::SigningKey as _;

    use super::*;
    use crate::channel::{Leaf, proof_of_possession};

    const NOW: Timestamp = Timestamp::new(1_800_000_000_123).unwrap();
    const YEAR: Lifetime = Lifetime::from_millis(365 * 24 * 60 * 60 * 1_000);
    const MINUTES: Lifetime = Lifetime::from_millis(5 * 60 * 1_000);

    fn authority(domain: &str) -> Authority {
        Authority::create(&domain.parse().unwrap(), NOW, YEAR).unwrap()
    }

    fn key() -> ProvenKey {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let signature = key.sign(b"statement").unwrap();
        proof_of_possession(&key.subject_public_key_info(), b"statement", &signature).unwrap()
    }

    fn instance(domain: &str) -> InstanceId {
        let principal: countersign_protocol::name::PrincipalId =
            format!("spiffe://{domain}/agent/planner").parse().unwrap();
        principal.instance(InstanceUuid::new(NOW, &mut OsRng))
    }

    fn issue(authority: &Authority, domain: &str, now: Timestamp) -> Result<Svid, AuthorityError> {
        authority.issue(&key(), &instance(domain), now, MINUTES, Serial::draw(&mut OsRng))
    }

    #[test]
    fn it_signs_names_of_its_own_domain_only() {
        let authority = authority("prod.acme.example");
        for domain in ["dev.acme.example", "acme.example", "x.prod.acme.example"] {
            let refused = issue(&authority, domain, NOW);
            assert!(matches!(refused, Err(AuthorityError::ForeignDomain { .. })), "{domain}");
        }
        let svid = issue(&authority, "prod.acme.example", NOW).unwrap();
        let leaf = Leaf::parse(&svid.leaf, authority.domain()).unwrap();
        assert_eq!(leaf.validity, svid.validity);
        assert_eq!(svid.authority, *authority.certificate_der());
    }

    #[test]
    fn a_leaf_lives_no_longer_than_asked_nor_than_its_authority() {
        let authority = authority("prod.acme.example");
        let svid = issue(&authority, "prod.acme.example", NOW).unwrap();
        assert!(svid.validity.not_after <= NOW.plus(MINUTES) && svid.validity.holds_at(NOW));
        let end = authority.validity().not_after;
        let almost = Timestamp::new(end.as_millis() - 60_000).unwrap();
        assert_eq!(issue(&authority, "prod.acme.example", almost).unwrap().validity.not_after, end);
        let before = Timestamp::new(NOW.as_millis() - 60_000).unwrap();
        for outside in [end, end.plus(YEAR), before] {
            let refused = issue(&authority, "prod.acme.example", outside);
            assert!(matches!(refused, Err(AuthorityError::NoValidTime { .. })), "{outside}");
        }
    }

    #[test]
    fn it_is_read_back_with_its_own_key_and_no_other() {
        let one = authority("prod.acme.example");
        let read = Authority::from_pem(&one.certificate_pem(), &one.danger_key_pem()).unwrap();
        assert_eq!((read.domain(), read.fingerprint()), (one.domain(), one.fingerprint()));
        let other = authority("prod.acme.example");
        let mixed = Authority::from_pem(&one.certificate_pem(), &other.danger_key_pem());
        assert!(matches!(mixed, Err(AuthorityError::OtherKey)));
        let leaf = issue(&one, "prod.acme.example", NOW).unwrap().leaf.to_vec();
        let leaf = pem::encode(&Pem::new("CERTIFICATE", leaf));
        let refused = Authority::from_pem(&leaf, &one.danger_key_pem());
        let not_one = matches!(refused, Err(AuthorityError::Certificate(BadCertificate::NotAnAuthority)));
        assert!(not_one, "a leaf does not become an authority");
    }

    #[test]
    fn it_does_not_print_its_key() {
        assert_eq!(format!("{:?}", authority("prod.acme.example")), "Authority(prod.acme.example, ..)");
    }
}

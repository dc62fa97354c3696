//! Which brokers are believed to be brokers.

use countersign_protocol::{
    digest::Digest,
    name::{NotName, TrustDomain},
};
use rustls::{RootCertStore, pki_types::CertificateDer};
use thiserror::Error;

use super::certificate::{self, BadCertificate, Validity};

/// Why a certificate is no authority's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadAnchor {
    /// It is not a certificate with one URI.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// The URI is not `spiffe://<trust domain>`.
    #[error("the authority's certificate does not name a trust domain as spiffe://<trust domain>")]
    NotADomain(#[source] Option<NotName>),
    /// It says CA:FALSE or may not sign certificates, or the TLS library does not take it.
    #[error("the certificate is not that of an authority")]
    NotAnAuthority,
}

/// An authority's certificate names another domain than the one that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the authority is that of {presented}; expected {expected}")]
pub struct ForeignAnchor {
    /// The domain that the certificate names.
    pub presented: TrustDomain,
    /// The domain that is trusted.
    pub expected: TrustDomain,
}

/// The certificate of a trust domain's authority. Trusting it is a decision that [`Trust`] states.
#[derive(Clone, Debug)]
pub struct Anchor {
    domain: TrustDomain,
    fingerprint: Digest,
    validity: Validity,
    roots: RootCertStore,
}

impl Anchor {
    /// Reads the certificate of an authority, in DER.
    pub fn parse(der: &[u8]) -> Result<Self, BadAnchor> {
        let parsed = certificate::parse(der)?;
        let domain = certificate::only_uri(&parsed)?
            .strip_prefix("spiffe://")
            .ok_or(BadAnchor::NotADomain(None))?
            .parse()
            .map_err(|reason| BadAnchor::NotADomain(Some(reason)))?;
        let ca = matches!(parsed.basic_constraints(), Ok(Some(basic)) if basic.value.ca);
        if !ca || !certificate::key_usage(&parsed).is_some_and(|usage| usage.key_cert_sign()) {
            return Err(BadAnchor::NotAnAuthority);
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(der)).map_err(|_| BadAnchor::NotAnAuthority)?;
        Ok(Self { domain, fingerprint: Digest::of(der), validity: Validity::of(&parsed)?, roots })
    }

    /// The trust domain whose names it signs.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// SHA-256 of the certificate in DER.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    pub(super) fn validity(&self) -> Validity {
        self.validity
    }

    pub(super) fn roots(&self) -> &RootCertStore {
        &self.roots
    }
}

/// Which brokers are believed to be brokers.
#[derive(Clone, Debug)]
pub struct Trust(Pin);

#[derive(Clone, Debug)]
enum Pin {
    Anchors(Vec<Anchor>),
    Fingerprint(Digest),
}

impl Trust {
    /// The brokers of one domain, by the certificates of its authority: one, or two while it
    /// changes its key. Anchors of another domain are refused, not ignored.
    pub fn domain(domain: &TrustDomain, anchors: Vec<Anchor>) -> Result<Self, ForeignAnchor> {
        match anchors.iter().find(|anchor| anchor.domain != *domain) {
            Some(foreign) => {
                Err(ForeignAnchor { presented: foreign.domain.clone(), expected: domain.clone() })
            }
            None => Ok(Self(Pin::Anchors(anchors))),
        }
    }

    /// The brokers of whichever domain's authority has that certificate: all that a newcomer has
    /// been given. The domain is then the one that the certificate names.
    pub fn fingerprint(authority: Digest) -> Self {
        Self(Pin::Fingerprint(authority))
    }

    /// The anchors that apply to a peer who presents `chain` beside its own certificate.
    pub(super) fn anchors(&self, chain: &[CertificateDer<'_>]) -> Vec<Anchor> {
        match &self.0 {
            Pin::Anchors(anchors) => anchors.clone(),
            Pin::Fingerprint(pinned) => {
                let pinned = chain.iter().find(|der| Digest::of(der) == *pinned);
                pinned.and_then(|der| Anchor::parse(der).ok()).into_iter().collect()
            }
        }
    }
}

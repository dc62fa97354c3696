//! Who this copy is on its channels: one key, and the certificate for it that is current.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_protocol::{digest::SpkiHash, name::InstanceId, time::Timestamp};
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    pki_types::CertificateDer,
    sign::{CertifiedKey, SigningKey as _},
};
use thiserror::Error;

use super::{
    certificate::{BadCertificate, Leaf},
    key::TlsKey,
};

/// Why a certificate that a broker sent is not this copy's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadSvid {
    /// The chain is empty.
    #[error("the broker sent no certificate")]
    Empty,
    /// The leaf is not one.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// It certifies another key.
    #[error("the certificate is for the key {presented}; this copy holds {own}")]
    OtherKey {
        /// The key that it certifies.
        presented: SpkiHash,
        /// The key of this copy.
        own: SpkiHash,
    },
    /// It names another instance than the one before.
    #[error("the certificate names {presented}; this copy is {own}")]
    OtherInstance {
        /// Whom it names.
        presented: InstanceId,
        /// Who this copy is.
        own: InstanceId,
    },
}

/// A certificate as a broker sent it, read but not verified: the broker verifies it at each
/// connection.
#[derive(Clone, Debug)]
pub struct Svid {
    chain: Vec<CertificateDer<'static>>,
    leaf: Leaf,
}

impl Svid {
    /// Reads a chain of certificates in DER, the leaf first.
    pub fn parse(chain: impl IntoIterator<Item = Vec<u8>>) -> Result<Self, BadSvid> {
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
        let leaf = Leaf::parse(chain.first().ok_or(BadSvid::Empty)?)?;
        Ok(Self { chain, leaf })
    }

    /// Whom it names.
    pub fn instance(&self) -> &InstanceId {
        &self.leaf.instance
    }

    /// When it begins.
    pub fn not_before(&self) -> Timestamp {
        self.leaf.validity.not_before
    }

    /// When it ends, and with it the connections that were opened with it.
    pub fn not_after(&self) -> Timestamp {
        self.leaf.validity.not_after
    }
}

/// A key, and the certificate for it that new connections show.
#[derive(Debug)]
pub struct Identity {
    key: TlsKey,
    instance: InstanceId,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    certified: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl Identity {
    /// Joins the key with the first certificate that was issued for it.
    pub fn new(key: TlsKey, svid: Svid) -> Result<Self, BadSvid> {
        let instance = svid.leaf.instance.clone();
        let current = ArcSwap::from_pointee(certify(&key, svid)?);
        Ok(Self { key, instance, current })
    }

    /// Shows another certificate from now on. It must be for the same key and the same instance;
    /// connections that are open keep the one that they were opened with, and end with it.
    pub fn renew(&self, svid: Svid) -> Result<(), BadSvid> {
        if svid.leaf.instance != self.instance {
            let (presented, own) = (svid.leaf.instance, self.instance.clone());
            return Err(BadSvid::OtherInstance { presented, own });
        }
        self.current.store(Arc::new(certify(&self.key, svid)?));
        Ok(())
    }

    /// The key, to prove possession of it when the certificate is renewed.
    pub fn key(&self) -> &TlsKey {
        &self.key
    }

    /// Who this copy is.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// When the current certificate ends.
    pub fn not_after(&self) -> Timestamp {
        self.current.load().not_after
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key.choose_scheme(schemes).map(|_| Arc::clone(&self.current.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn certify(key: &TlsKey, svid: Svid) -> Result<Current, BadSvid> {
    let (presented, own) = (svid.leaf.spki, key.spki_hash());
    if presented != own {
        return Err(BadSvid::OtherKey { presented, own });
    }
    let certified = Arc::new(CertifiedKey::new(svid.chain, Arc::new(key.clone())));
    Ok(Current { certified, not_after: svid.leaf.validity.not_after })
}

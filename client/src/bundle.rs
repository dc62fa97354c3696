//! What a trust domain is verified with, once it has itself been held against what is pinned.

use countersign_protocol::{
    digest::Digest, ledger::NoteVerifier, name::TrustDomain, payload::Payload, trust::KeySet,
};
use countersign_wire::v1;

use crate::{
    channel::{Anchor, Trust},
    error::{About, Error, deceived},
};

/// The domain's keys and authorities.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    /// Certificates of the authority, in DER: the pinned one, and others while it changes its key.
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) keys: KeySet,
}

impl Bundle {
    /// Reads a bundle that came over a channel whose broker the pinned authority certified.
    pub(crate) fn read(bundle: v1::Bundle, domain: &TrustDomain, pinned: Digest) -> Result<Self, Error> {
        let bad = |why: String| deceived(About::Bundle, why);
        let keys = KeySet::from_bytes(&bundle.key_set).map_err(|error| bad(error.to_string()))?;
        if keys.domain() != domain {
            return Err(bad(format!("its keys are those of {}", keys.domain())));
        }
        if !bundle.ca_certificates.iter().any(|der| Digest::of(der) == pinned) {
            return Err(bad("the authority that the join token names is not in it".into()));
        }
        let log: NoteVerifier = bundle.log_vkey.parse().map_err(|error| bad(format!("{error}")))?;
        if log.name().as_str() != bundle.log_origin {
            return Err(bad(format!(
                "its log is {}, but its key signs for {}",
                bundle.log_origin,
                log.name()
            )));
        }
        if keys.log_verifier().is_none_or(|ours| ours != log) {
            return Err(bad("the key of its log is not the domain's checkpoint key".into()));
        }
        let bundle = Self { authorities: bundle.ca_certificates, keys };
        bundle.trust()?;
        Ok(bundle)
    }

    /// Which brokers are believed to be brokers of the domain.
    pub(crate) fn trust(&self) -> Result<Trust, Error> {
        let anchors = self.authorities.iter().map(|der| Anchor::parse(der)).collect::<Result<_, _>>();
        let anchors = anchors.map_err(|error| deceived(About::Bundle, error))?;
        Trust::domain(self.keys.domain(), anchors).map_err(|error| deceived(About::Bundle, error))
    }
}

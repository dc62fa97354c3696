//! Whether a key that the broker was given is one that its domain has published.

use countersign_protocol::{
    key::PublicKey,
    name::TrustDomain,
    trust::{KeyPurpose, KeySet},
};
use thiserror::Error;

use crate::domain::Domain;

/// A key that signs what no reader of the ledger would believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} is not the {purpose:?} key that {domain} has published in its ledger")]
pub struct WrongKey {
    /// The domain.
    pub domain: TrustDomain,
    /// What the key is for.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: Box<PublicKey>,
}

impl WrongKey {
    /// The keys that the domain has published, if that one is among them for that purpose, now.
    pub(crate) fn check(domain: &Domain, purpose: KeyPurpose, key: PublicKey) -> Result<KeySet, Self> {
        let ours = |keys: &&KeySet| keys.in_use(purpose).is_some_and(|known| known.key == key);
        domain.peek(|state, _| state.keys().filter(ours).cloned()).ok_or_else(|| Self {
            domain: domain.name().clone(),
            purpose,
            key: Box::new(key),
        })
    }
}

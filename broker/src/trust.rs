//! Whether a key that the broker was given is one that its domain has published.

use countersign_protocol::{key::PublicKey, name::TrustDomain, trust::KeyPurpose};
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
    /// Whether the key is the domain's for that purpose, now.
    pub(crate) fn check(domain: &Domain, purpose: KeyPurpose, key: PublicKey) -> Result<(), Self> {
        let published = domain.peek(|state, _| {
            state.keys().and_then(|keys| keys.in_use(purpose)).is_some_and(|known| known.key == key)
        });
        if published {
            Ok(())
        } else {
            Err(Self { domain: domain.name().clone(), purpose, key: Box::new(key) })
        }
    }
}

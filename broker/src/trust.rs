//! Whether a key that the broker was given is one that its domain has published.

use countersign_protocol::{key::PublicKey, ledger::LeafIndex, name::TrustDomain, trust::KeyPurpose};
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
            let keys = state.keys().map(|keys| keys.keys()).unwrap_or_default();
            let in_use = |known: &&_| is_in_use(known, purpose);
            keys.iter().filter(in_use).any(|known| known.key == key)
        });
        if published {
            Ok(())
        } else {
            Err(Self { domain: domain.name().clone(), purpose, key: Box::new(key) })
        }
    }
}

fn is_in_use(key: &countersign_protocol::trust::DomainKey, purpose: KeyPurpose) -> bool {
    key.purpose == purpose && key.end_leaf == LeafIndex::ZERO
}

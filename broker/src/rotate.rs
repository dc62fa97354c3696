//! Rotating the domain's keys, while no broker runs.
//!
//! The next keys are kept before the ledger hears of them, and get their numbers after it has: whatever
//! interrupts this, doing it again finishes it.

use std::{io, path::PathBuf, sync::Arc};

use countersign_protocol::{
    digest::Digest,
    key::SigningKey,
    payload::Payload as _,
    refusal::Refusal,
    signed::Signed,
    trust::{KeyPurpose, KeyRotation, KeySet},
};
use rand::rngs::OsRng;
use thiserror::Error;

use crate::{
    broker::{AssemblyError, open_store},
    clock::Clock,
    config::Config,
    domain::{Domain, recorded},
    init::publish_keys,
    keys::{DomainKeys, KeyError, KeyFiles, KeySource},
    metrics::Appends,
};

/// Why keys were not rotated, or not to the end. Doing it again goes on from there.
#[derive(Debug, Error)]
pub enum RotateError {
    /// The parts cannot be put together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The keys cannot be had or kept.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The set of keys is full.
    #[error("the domain has had as many keys as a key set can hold")]
    Full,
    /// The domain did not record it.
    #[error("the ledger refused: {0}")]
    Refused(#[from] Refusal),
    /// The public keys cannot be written down.
    #[error("{path}: {source}", path = path.display())]
    Publish {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Replaces the keys in use for those purposes, each named once, and gives the domain's new key set. Where
/// a rotation was interrupted, that one is finished instead.
pub async fn rotate(
    config: &Config,
    clock: Arc<dyn Clock>,
    purposes: &[KeyPurpose],
) -> Result<KeySet, RotateError> {
    let source = KeyFiles::in_dir(config.key_dir.clone());
    let keys = source.load()?;
    let next = next_keys(&source, purposes)?;
    let (store, released) = open_store(config, Appends::default()).await?;
    let (name, policy) = (config.trust_domain.clone(), config.policy.policy().clone());
    let (capability, rebind) = (keys.capability.clone(), keys.rebind.clone());
    let domain = Domain::open(name, policy, capability, rebind, store, clock).await;
    let domain = domain.map_err(AssemblyError::from)?;
    let outcome = rotated(config, &domain, &keys, &next).await;
    drop(domain);
    released.await;
    let set = outcome?;
    for (purpose, key) in &next {
        let known = set.in_use(*purpose).filter(|known| known.key == key.public());
        known.map_or(Ok(()), |known| source.adopt_next(*purpose, known.id))?;
    }
    let path = config.public_dir();
    publish_keys(config, &set).map_err(|source| RotateError::Publish { path, source })?;
    Ok(set)
}

/// The keys to come, kept: those of a rotation that was interrupted, or new ones.
fn next_keys(source: &KeyFiles, purposes: &[KeyPurpose]) -> Result<Vec<(KeyPurpose, SigningKey)>, KeyError> {
    let mut next = Vec::new();
    for purpose in KeyPurpose::ALL {
        next.extend(source.next(purpose)?.map(|key| (purpose, key)));
    }
    if next.is_empty() {
        for purpose in purposes {
            let key = SigningKey::generate(&mut OsRng);
            source.keep_next(*purpose, &key)?;
            next.push((*purpose, key));
        }
    }
    Ok(next)
}

/// Has the ledger hear of them, unless it has.
async fn rotated(
    config: &Config,
    domain: &Domain,
    keys: &DomainKeys,
    next: &[(KeyPurpose, SigningKey)],
) -> Result<KeySet, RotateError> {
    let (known, leaf) =
        domain.read(|state, _| Ok((state.keys().cloned(), state.tree().size().next_leaf()))).await?;
    let known = known.ok_or_else(|| AssemblyError::NotInitialised(config.trust_domain.clone()))?;
    let in_use = |(purpose, key): &(KeyPurpose, SigningKey)| {
        known.in_use(*purpose).is_some_and(|known| known.key == key.public())
    };
    if next.iter().all(in_use) {
        return Ok(known);
    }
    if let Some(purpose) = keys.unpublished(&known) {
        return Err(AssemblyError::WrongKey { domain: config.trust_domain.clone(), purpose }.into());
    }
    let successors: Vec<_> = next.iter().map(|(purpose, key)| (*purpose, key.public())).collect();
    let set = known.rotated(&successors, leaf).ok_or(RotateError::Full)?;
    let rotation = signed(&known, set, keys);
    let told = domain.decide(
        |state, context| state.decide_rotation(context, &rotation),
        |state| recorded(state.keys().cloned()),
    );
    Ok(told.await?)
}

fn signed(known: &KeySet, keys: KeySet, signers: &DomainKeys) -> Signed {
    KeyRotation { previous: Digest::of(&known.to_bytes()), keys, restored: None }.signed(signers.in_use())
}

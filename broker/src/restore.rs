//! Going on from a backup.
//!
//! A backup may be older than what others have seen of its ledger, and nobody can say what was taken back
//! since. So what goes on from it is another ledger, under another name and other keys; and nothing that
//! could act at the time of the backup may act in it by itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_protocol::{
    digest::Digest,
    id::LogId,
    key::SigningKey,
    ledger::{Checkpoint, SignedCheckpoint},
    payload::Payload as _,
    refusal::Refusal,
    trust::{KeyPurpose, KeyRotation, KeySet},
};
use countersign_store::{EmbeddedStore, Store, StoreError};
use rand::rngs::OsRng;
use thiserror::Error;

use crate::{
    backup::{MARK, copy_files},
    broker::AssemblyError,
    checkpoint::{CheckpointError, check_kept},
    clock::Clock,
    config::Config,
    domain::{Domain, OpenError, head_of, recorded},
    file,
    held_store::HeldStore,
    init::publish_keys,
    keys::{DomainKeys, KeyError, KeyFiles, KeySource as _},
    metrics::Appends,
};

/// Why nothing goes on from a backup. Whatever interrupts it, nothing is in the place of the ledger, and it
/// can be done again; or all of it is, and `countersignd key rotate` finishes what is left.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// A file or directory cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a ledger already.
    #[error("{path} is there: move it away, and keep it as evidence of what the backup does not hold", path = .0.display())]
    Exists(PathBuf),
    /// It was not made by `countersignd backup`.
    #[error("{path} is no backup: it has no file `{MARK}`", path = .0.display())]
    NotABackup(PathBuf),
    /// The ledger cannot be copied, or is not whole.
    #[error("the ledger: {0}")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// Its checkpoint is not the domain's, or says something else.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The keys cannot be had or kept.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The key files are those of another domain.
    #[error("the key files are not those that the ledger had published: put them back first")]
    OtherKeys,
    /// The set of keys is full.
    #[error("the domain has had as many keys as a key set can hold")]
    Full,
    /// The domain did not record it.
    #[error("the ledger refused: {0}")]
    Refused(#[from] Refusal),
    /// The copying was cut short.
    #[error("the backup was not read: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// It holds no domain.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
}

/// What a ledger goes on from, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What it was, as far as the backup has it.
    pub from: Checkpoint,
    /// The keys from then on, of the ledger that it is now.
    pub keys: KeySet,
}

/// Makes the ledger of a backup the broker's, as another ledger of the domain. There must be none yet.
pub async fn restore(config: &Config, clock: Arc<dyn Clock>, from: &Path) -> Result<Restored, RestoreError> {
    let (ledger, unfinished) = (config.ledger_dir(), config.data_dir.join("ledger.restoring"));
    if ledger.exists() {
        return Err(RestoreError::Exists(ledger));
    }
    if !from.join(MARK).exists() {
        return Err(RestoreError::NotABackup(from.to_owned()));
    }
    file::create_private_dir(&config.data_dir).map_err(at(&config.data_dir))?;
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(at(&unfinished))?;
    }
    let (source, copy) = (from.join("ledger"), unfinished.clone());
    let copying = move || EmbeddedStore::copy(&source, &copy).and_then(|()| EmbeddedStore::open(&copy));
    let store = tokio::task::spawn_blocking(copying).await??;
    let (store, released) = HeldStore::new(store, Appends::default());
    let outcome = go_on(config, clock, Arc::new(store)).await;
    released.await;
    let restored = outcome?;
    copy_files(&from.join("policies"), &config.policy_dir()).map_err(at(from))?;
    // A start finds no ledger until here, and then one that has heard of all this.
    file::rename(&unfinished, &ledger).map_err(at(&ledger))?;
    let files = KeyFiles::in_dir(config.key_dir.clone());
    for key in restored.keys.keys().iter().filter(|key| key.is_in_use()) {
        files.adopt_next(key.purpose, key.id)?;
    }
    publish_keys(config, &restored.keys).map_err(at(&config.public_dir()))?;
    Ok(restored)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    |source| RestoreError::Io { path, source }
}

/// Has the copy hear of it, and keeps the first checkpoint under its new name.
async fn go_on(
    config: &Config,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
) -> Result<Restored, RestoreError> {
    let files = KeyFiles::in_dir(config.key_dir.clone());
    let (name, policy) = (config.trust_domain.clone(), config.policy.policy().clone());
    let log = LogId::new(clock.now(), &mut OsRng);
    let DomainKeys { capability, rebind, .. } = files.load()?;
    let domain = Domain::open(name, policy, capability, rebind, store, clock).await?;
    if let Some(kept) = domain.store().checkpoint(domain.name()).await.map_err(CheckpointError::from)? {
        check_kept(&domain, &kept)?;
    }
    let (known, head) = domain.read(|state, _| Ok((state.keys().cloned(), head_of(state)))).await?;
    let known = known.ok_or_else(|| AssemblyError::NotInitialised(config.trust_domain.clone()))?;
    let signers = signers(&files, &known)?;
    files.set_aside_later(&known, log)?;
    let next = KeyPurpose::ALL.map(|purpose| (purpose, SigningKey::generate(&mut OsRng)));
    next.iter().try_for_each(|(purpose, key)| files.keep_next(*purpose, key))?;
    let successors: Vec<_> = next.iter().map(|(purpose, key)| (*purpose, key.public())).collect();
    let keys = known.restored(log, &successors, head.size.next_leaf()).ok_or(RestoreError::Full)?;
    let from = Checkpoint { origin: known.origin(), size: head.size, root: head.root };
    let previous = Digest::of(&known.to_bytes());
    let rotation = KeyRotation { previous, keys, restored: Some(from.clone()) };
    let rotation = rotation.signed(signers.each_ref());
    let decided = domain.decide(
        |state, context| state.decide_rotation(context, &rotation),
        |state| Ok((recorded(state.keys().cloned())?, head_of(state))),
    );
    let (keys, head) = decided.await?;
    let [_, _, (_, checkpoint), _] = &next;
    let claim = Checkpoint { origin: keys.origin(), size: head.size, root: head.root };
    domain.store().put_checkpoint(domain.name(), SignedCheckpoint::sign(&claim, checkpoint)).await?;
    Ok(Restored { from, keys })
}

/// The keys in use at the time of the backup.
fn signers(files: &KeyFiles, known: &KeySet) -> Result<[SigningKey; 4], RestoreError> {
    let signers = files.in_use_then(known)?;
    let published = |(purpose, key): (&KeyPurpose, &SigningKey)| {
        known.in_use(*purpose).is_some_and(|known| known.key == key.public())
    };
    if KeyPurpose::ALL.iter().zip(&signers).all(published) {
        Ok(signers)
    } else {
        Err(RestoreError::OtherKeys)
    }
}

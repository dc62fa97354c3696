//! The parts of a broker, put together from its configuration: keys, ledger, domain, archive.

use std::{io, path::PathBuf, sync::Arc};

use countersign_protocol::{key::SigningKey, name::TrustDomain, trust::KeyPurpose};
use countersign_store::{EmbeddedStore, Store, StoreError};
use thiserror::Error;

use crate::{
    backup,
    channel::Authority,
    clock::Clock,
    config::{Config, PolicyArchive},
    domain::{Domain, OpenError},
    file,
    held_store::{HeldStore, Released},
    keys::{DomainKeys, KeyError, KeyFiles, KeySource as _},
    metrics::Appends,
};

/// Why a broker cannot be put together.
#[derive(Debug, Error)]
pub enum AssemblyError {
    /// A directory or file cannot be used.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The keys cannot be had.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// The store cannot be opened.
    #[error("ledger: {0}")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// There is no domain yet.
    #[error("the ledger of {0} is empty; `countersignd init` makes the domain")]
    NotInitialised(TrustDomain),
    /// It is a copy, and its ledger may have gone on elsewhere.
    #[error("{path} is a backup; `countersignd restore` goes on from it, as another ledger", path = .0.display())]
    IsABackup(PathBuf),
    /// The domain has published another key: whatever this one signed would not be believed.
    #[error(
        "the {purpose:?} key is not the one that {domain} has published; finish with `countersignd key rotate` what was \
         interrupted, or restore the right key files"
    )]
    WrongKey {
        /// The domain.
        domain: TrustDomain,
        /// What the key is for.
        purpose: KeyPurpose,
    },
    /// The authority's certificate is of another domain.
    #[error("the authority's certificate is of {found}; the configuration says {expected}")]
    WrongDomain {
        /// The domain in the certificate.
        found: TrustDomain,
        /// The domain in the configuration.
        expected: TrustDomain,
    },
}

/// A domain whose ledger is open, with what its services need.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) domain: Arc<Domain>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) activation: SigningKey,
    pub(crate) retired_activations: Vec<SigningKey>,
    pub(crate) checkpoint: SigningKey,
    pub(crate) policies: PolicyArchive,
}

impl Broker {
    /// Opens what `init` has made.
    pub(crate) async fn open(
        config: &Config,
        clock: Arc<dyn Clock>,
        appends: Appends,
    ) -> Result<(Self, Released), AssemblyError> {
        let keys = KeyFiles::in_dir(config.key_dir.clone()).load()?;
        let (broker, released) = Self::assemble(config, keys, clock, appends).await?;
        if broker.domain.peek(|state, _| state.keys().is_none()) {
            drop(broker);
            released.await;
            return Err(AssemblyError::NotInitialised(config.trust_domain.clone()));
        }
        Ok((broker, released))
    }

    /// Puts the parts together with these keys, whether or not the domain exists yet.
    pub(crate) async fn assemble(
        config: &Config,
        keys: DomainKeys,
        clock: Arc<dyn Clock>,
        appends: Appends,
    ) -> Result<(Self, Released), AssemblyError> {
        let expected = config.trust_domain.clone();
        if *keys.authority.domain() != expected {
            return Err(AssemblyError::WrongDomain { found: keys.authority.domain().clone(), expected });
        }
        let io = |path: PathBuf| |source| AssemblyError::Io { path, source };
        let archive = PolicyArchive::at(config.policy_dir());
        archive.put(config.policy.text()).map_err(io(config.policy_dir()))?;
        let (store, released) = open_store(config, appends).await?;
        match Self::over(store, config, keys, clock).await {
            Ok(broker) => Ok((broker, released)),
            Err(error) => {
                released.await;
                Err(error)
            }
        }
    }

    async fn over(
        store: Arc<dyn Store>,
        config: &Config,
        keys: DomainKeys,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AssemblyError> {
        let (name, policy) = (config.trust_domain.clone(), config.policy.policy().clone());
        let (capability, rebind) = (keys.capability.clone(), keys.rebind.clone());
        let domain = Domain::open(name.clone(), policy, capability, rebind, store, clock).await?;
        let published = domain.peek(|state, _| state.keys().cloned());
        if let Some(purpose) = published.and_then(|published| keys.unpublished(&published)) {
            return Err(AssemblyError::WrongKey { domain: name, purpose });
        }
        let policies = PolicyArchive::at(config.policy_dir());
        let DomainKeys { activation, retired_activations, checkpoint, authority, .. } = keys;
        let authority = Arc::new(authority);
        Ok(Self { domain, authority, activation, retired_activations, checkpoint, policies })
    }
}

/// Opens the ledger, which reads and checks all of it.
pub(crate) async fn open_store(
    config: &Config,
    appends: Appends,
) -> Result<(Arc<dyn Store>, Released), AssemblyError> {
    let io = |path: PathBuf| |source| AssemblyError::Io { path, source };
    file::create_private_dir(&config.data_dir).map_err(io(config.data_dir.clone()))?;
    if config.data_dir.join(backup::MARK).exists() {
        return Err(AssemblyError::IsABackup(config.data_dir.clone()));
    }
    let path = config.ledger_dir();
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&path)).await;
    let store = opened.map_err(|error| AssemblyError::Io {
        path: config.ledger_dir(),
        source: io::Error::other(error),
    })??;
    let (store, released) = HeldStore::new(store, appends);
    Ok((Arc::new(store), released))
}

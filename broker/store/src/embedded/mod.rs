//! The engine of one machine: plain files, one flush per group of batches. `README.md` describes
//! the layout.

mod copy;
mod derived;
mod directory;
mod disk;
mod domain;
#[cfg(any(test, feature = "danger-faults"))]
mod faults;
mod index;
mod log;
mod pin;
mod record;
mod recovery;
mod segment;
mod writer;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use countersign_protocol::{
    ledger::{LeafIndex, SignedCheckpoint, TreeSize},
    name::TrustDomain,
};

use crate::{
    Answer, Head, Recalled, Snapshot, Store, StoreError,
    limits::{DOMAINS_MAX, SEGMENT_BYTES},
    store::Batch,
};
use derived::Derived;
use directory::Directory;
use domain::Domain;
#[cfg(any(test, feature = "danger-faults"))]
pub use faults::{Fault, Faults};
use segment::{Disk, PlainDisk};

/// How an [`EmbeddedStore`] lays out its files.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes after which a segment file is followed by a new one. Start-up reads a segment as a
    /// whole.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES }
    }
}

/// The ledger in a directory of plain files, which one process at a time has open.
///
/// Its calls need a Tokio runtime. Dropping it waits for what is queued to be written.
#[derive(Debug)]
pub struct EmbeddedStore {
    /// Dropped first: its files are free before the lock is.
    derived: Derived,
    directory: Directory,
    options: Options,
    disk: Arc<dyn Disk>,
    domains: Mutex<BTreeMap<TrustDomain, Domain>>,
}

impl EmbeddedStore {
    /// Opens the store in a directory, or begins one there; the directory's parent must exist.
    ///
    /// It reads and checks every entry of every domain, so it takes time and blocks.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// [`open`](Self::open) with another layout.
    pub fn open_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        Self::open_on(path, options, Arc::new(PlainDisk))
    }

    /// [`open_with`](Self::open_with) on a disk that fails where a test says so.
    #[cfg(any(test, feature = "danger-faults"))]
    pub fn danger_open_faulty(path: &Path, options: Options, faults: Faults) -> Result<Self, StoreError> {
        Self::open_on(path, options, Arc::new(faults))
    }

    fn open_on(path: &Path, options: Options, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let directory = Directory::open(path)?;
        let derived = Derived::begin(directory.derived());
        let mut domains = BTreeMap::new();
        for name in directory.domains()? {
            let snapshot = derived.get(&name);
            let domain = Domain::open(&directory, &name, options, Arc::clone(&disk), snapshot)?;
            domains.insert(name, domain);
        }
        Ok(Self { derived, directory, options, disk, domains: Mutex::new(domains) })
    }

    fn domains(&self) -> MutexGuard<'_, BTreeMap<TrustDomain, Domain>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log of a domain, if it has one.
    fn log(&self, domain: &TrustDomain) -> Option<Arc<log::Log>> {
        self.domains().get(domain).map(|domain| Arc::clone(&domain.log))
    }

    /// Does something with a domain, which is new if it is not known. Nothing is on the disk before
    /// its first entry is.
    fn with<T>(
        &self,
        domain: &TrustDomain,
        act: impl FnOnce(&Domain) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut domains = self.domains();
        let count = domains.len();
        match domains.entry(domain.clone()) {
            Entry::Occupied(known) => act(known.get()),
            Entry::Vacant(_) if count >= DOMAINS_MAX => {
                Err(StoreError::Limit { what: "domains", got: count + 1, limit: DOMAINS_MAX })
            }
            Entry::Vacant(new) => {
                let disk = Arc::clone(&self.disk);
                act(new.insert(Domain::open(&self.directory, domain, self.options, disk, None)?))
            }
        }
    }
}

impl Store for EmbeddedStore {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        let queued =
            Batch::new(entries).and_then(|batch| self.with(domain, |domain| domain.queue(expected, batch)));
        Box::pin(async move {
            let queued = queued?;
            queued.answer.await.unwrap_or_else(|_| Err(queued.log.writer_is_gone()))
        })
    }

    fn read(
        &self,
        domain: &TrustDomain,
        range: Range<LeafIndex>,
        max_bytes: usize,
    ) -> Answer<'_, Vec<Bytes>> {
        let log = self.log(domain);
        Box::pin(async move {
            match log {
                Some(log) => blocking(log, move |log| log.read(&range, max_bytes)).await,
                None => Ok(Vec::new()),
            }
        })
    }

    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head> {
        let head = self.log(domain).map_or(Head::EMPTY, |log| log.head());
        Box::pin(std::future::ready(Ok(head)))
    }

    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head> {
        let log = self.with(domain, |domain| Ok(Arc::clone(&domain.log)));
        Box::pin(async move {
            let log = log?;
            let mut heads = log.head.subscribe();
            let head = heads.wait_for(|head| head.size > size).await;
            head.map(|head| *head).map_err(|_| log.writer_is_gone())
        })
    }

    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()> {
        let log = self.log(domain);
        Box::pin(async move {
            match log {
                Some(log) => blocking(log, move |log| log.put_checkpoint(checkpoint)).await,
                None => Err(StoreError::Checkpoint { why: "the log has no entries" }),
            }
        })
    }

    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>> {
        let checkpoint = self.log(domain).and_then(|log| log.checkpoint());
        Box::pin(std::future::ready(Ok(checkpoint)))
    }

    fn put_snapshot(&self, domain: &TrustDomain, snapshot: Snapshot) -> Answer<'_, ()> {
        let put = self.derived.put(domain, snapshot);
        Box::pin(async move { put?.await.unwrap_or_else(|_| Err(derived::gone())) })
    }

    fn take_snapshot(&self, domain: &TrustDomain) -> Answer<'_, Option<Recalled>> {
        let snapshot = self.log(domain).and_then(|log| log.take_snapshot());
        Box::pin(std::future::ready(Ok(snapshot)))
    }
}

/// Runs what waits for the disk where waiting stops nobody.
async fn blocking<T: Send + 'static>(
    log: Arc<log::Log>,
    act: impl FnOnce(&log::Log) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let path = log.paths.segments.clone();
    let done = tokio::task::spawn_blocking(move || act(&log)).await;
    done.unwrap_or_else(|error| Err(StoreError::io(path)(error.into())))
}

#[cfg(test)]
mod tests;

//! What the tests of all engines share.

mod suite;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use countersign_protocol::{
    key::SigningKey,
    ledger::{Checkpoint, Frontier, LeafIndex, SignedCheckpoint, TreeSize, leaf_hash},
    name::TrustDomain,
};

use crate::{EmbeddedStore, Fault, Faults, Head, MemoryStore, Options, Store, StoreError};

pub(crate) fn domain() -> TrustDomain {
    "prod.acme.example".parse().unwrap()
}

pub(crate) fn size(value: u64) -> TreeSize {
    TreeSize::new(value).unwrap()
}

pub(crate) fn index(value: u64) -> LeafIndex {
    LeafIndex::new(value).unwrap()
}

/// Entries that tell where they stand, of different lengths.
pub(crate) fn entries(from: u64, count: u64) -> Vec<Bytes> {
    (from..from + count).map(|i| Bytes::from(format!("entry {i} {}", "x".repeat(i as usize % 7)))).collect()
}

/// The head that a log of these entries has, by the core's own tree.
pub(crate) fn head_of(entries: &[Bytes]) -> Head {
    let mut frontier = Frontier::default();
    entries.iter().for_each(|entry| frontier.push(leaf_hash(entry)));
    Head { size: frontier.size(), root: frontier.root() }
}

/// The head after `count` of [`entries`].
pub(crate) fn head_at(count: u64) -> Head {
    head_of(&entries(0, count))
}

pub(crate) async fn all(store: &dyn Store) -> Result<Vec<Bytes>, StoreError> {
    let end = store.head(&domain()).await?.size.next_leaf();
    store.read(&domain(), index(0)..end, usize::MAX).await
}

/// Appends [`entries`] in batches of these sizes to a log that has `from` of them.
pub(crate) async fn fill(store: &dyn Store, mut from: u64, batches: &[u64]) -> Head {
    let mut head = head_at(from);
    for count in batches {
        head = store.append(&domain(), head, entries(from, *count)).await.unwrap();
        from += count;
    }
    head
}

/// A checkpoint of that head, by a key that the store does not know.
pub(crate) fn checkpoint(head: Head) -> SignedCheckpoint {
    let origin = "prod.acme.example/ledger".parse().unwrap();
    let checkpoint = Checkpoint { origin, size: head.size, root: head.root };
    SignedCheckpoint::sign(&checkpoint, &SigningKey::from_seed(&[7; 32]))
}

/// Segments so small that each flush begins a new one.
pub(crate) const TINY: Options = Options { segment_bytes: 1 };

pub(crate) fn open(path: &Path) -> Result<EmbeddedStore, StoreError> {
    EmbeddedStore::open(path)
}

/// A directory in memory, where the system has that: for what opens a store thousands of times and
/// asks nothing of the disk.
pub(crate) fn quick_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// An engine, and the directory that it lives in, if any.
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    _dir: Option<tempfile::TempDir>,
}

impl Engine {
    pub(crate) fn memory() -> Self {
        Self { store: Arc::new(MemoryStore::default()), _dir: None }
    }

    pub(crate) fn embedded(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open_with(&dir.path().join("store"), options).unwrap();
        Self { store: Arc::new(store), _dir: Some(dir) }
    }

    pub(crate) fn on_a_slow_disk() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::always(Fault::Slow(Duration::from_millis(3)));
        let store = EmbeddedStore::danger_open_faulty(dir.path(), Options::default(), faults).unwrap();
        Self { store: Arc::new(store), _dir: Some(dir) }
    }
}

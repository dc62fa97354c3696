//! The domain's ledger in the memory engine: what survives when the power goes.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign_forge::domain;
use countersign_protocol::{
    ledger::{LeafIndex, SignedCheckpoint},
    name::TrustDomain,
};
use countersign_store::{Answer, Head, MemoryStore, READ_MAX_BYTES, Store, StoreError};

/// A ledger in memory.
#[derive(Debug)]
pub struct Ledger {
    store: MemoryStore,
    domain: TrustDomain,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { store: MemoryStore::default(), domain: domain() }
    }
}

impl Ledger {
    /// A ledger of its own that begins with those entries.
    pub fn beginning_with(entries: Vec<Bytes>) -> Self {
        let ledger = Self::default();
        ledger.append(Head::EMPTY, entries).unwrap();
        ledger
    }

    /// See [`Store::append`].
    pub fn append(&self, expected: Head, entries: Vec<Bytes>) -> Result<Head, StoreError> {
        at_once(self.store.append(&self.domain, expected, entries))
    }

    /// Where it ends.
    pub fn head(&self) -> Head {
        at_once(self.store.head(&self.domain)).unwrap()
    }

    /// Every entry.
    pub fn entries(&self) -> Vec<Bytes> {
        let end = self.head().size.next_leaf();
        let mut entries = Vec::new();
        while let Some(next) = LeafIndex::new(entries.len() as u64).filter(|next| *next < end) {
            entries.extend(at_once(self.store.read(&self.domain, next..end, READ_MAX_BYTES)).unwrap());
        }
        entries
    }

    /// One entry, if it is durable.
    pub fn entry(&self, leaf: LeafIndex) -> Option<Bytes> {
        let after = leaf.plus(1)?;
        at_once(self.store.read(&self.domain, leaf..after, READ_MAX_BYTES)).unwrap().pop()
    }

    /// Keeps a checkpoint.
    pub fn put_checkpoint(&self, checkpoint: SignedCheckpoint) -> Result<(), StoreError> {
        at_once(self.store.put_checkpoint(&self.domain, checkpoint))
    }

    /// The checkpoint that is kept.
    pub fn checkpoint(&self) -> Option<SignedCheckpoint> {
        at_once(self.store.checkpoint(&self.domain)).unwrap()
    }
}

/// Takes an answer of the memory engine, which never makes anyone wait.
fn at_once<T>(mut answer: Answer<'_, T>) -> Result<T, StoreError> {
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the memory engine answers at once"),
    }
}

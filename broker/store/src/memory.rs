use std::{
    collections::BTreeMap,
    future::ready,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use countersign_protocol::{
    ledger::{Frontier, LeafIndex, SignedCheckpoint, Tree, TreeSize, leaf_hash},
    name::TrustDomain,
};
use tokio::sync::watch;

use crate::{
    Answer, Head, Recalled, Snapshot, Store, StoreError,
    limits::{DOMAINS_MAX, READ_MAX_BYTES, READ_MAX_ENTRIES},
    store::{Batch, check_successor},
};

/// An engine that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    logs: Mutex<BTreeMap<TrustDomain, Log>>,
}

#[derive(Debug)]
struct Log {
    entries: Vec<Bytes>,
    frontier: Frontier,
    /// Every head that there was, smallest first.
    heads: Vec<Head>,
    head: watch::Sender<Head>,
    checkpoint: Option<SignedCheckpoint>,
    snapshot: Option<Snapshot>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            frontier: Frontier::default(),
            heads: vec![Head::EMPTY],
            head: watch::Sender::new(Head::EMPTY),
            checkpoint: None,
            snapshot: None,
        }
    }
}

impl Log {
    fn append(&mut self, expected: Head, entries: Vec<Bytes>) -> Result<Head, StoreError> {
        let actual = *self.head.borrow();
        let batch = Batch::new(entries)?;
        if expected != actual {
            return Err(StoreError::Conflict { actual });
        }
        for entry in batch.into_entries() {
            self.frontier.push(leaf_hash(&entry));
            self.entries.push(entry);
        }
        let head = Head { size: self.frontier.size(), root: self.frontier.root() };
        self.heads.push(head);
        self.head.send_replace(head);
        Ok(head)
    }

    fn read(&self, range: &Range<LeafIndex>, max_bytes: usize) -> Vec<Bytes> {
        let position = |index: LeafIndex| usize::try_from(index.get()).unwrap_or(usize::MAX);
        let count = position(range.end).saturating_sub(position(range.start)).min(READ_MAX_ENTRIES);
        let mut room = max_bytes.min(READ_MAX_BYTES);
        let mut entries = Vec::new();
        for entry in self.entries.iter().skip(position(range.start)).take(count) {
            if entry.len() > room && !entries.is_empty() {
                break;
            }
            room = room.saturating_sub(entry.len());
            entries.push(entry.clone());
        }
        entries
    }

    fn put_checkpoint(&mut self, checkpoint: SignedCheckpoint) -> Result<(), StoreError> {
        check_successor(&checkpoint, self.checkpoint.as_ref(), |size| {
            let found = self.heads.binary_search_by_key(&size, |head| head.size).ok();
            Ok(found.and_then(|at| self.heads.get(at)).map(|head| head.root))
        })?;
        self.checkpoint = Some(checkpoint);
        Ok(())
    }

    fn take_snapshot(&mut self) -> Option<Recalled> {
        let snapshot = self.snapshot.take()?;
        let size = usize::try_from(snapshot.head.size.get()).unwrap_or(usize::MAX);
        let mut tree = Tree::default();
        self.entries.iter().take(size).for_each(|entry| tree.push(leaf_hash(entry)));
        Recalled::new(snapshot, tree)
    }
}

impl MemoryStore {
    fn logs(&self) -> MutexGuard<'_, BTreeMap<TrustDomain, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen<T: Send + 'static>(&self, domain: &TrustDomain, see: impl FnOnce(&Log) -> T) -> Answer<'_, T> {
        let seen = match self.logs().get(domain) {
            Some(log) => see(log),
            None => see(&Log::default()),
        };
        Box::pin(ready(Ok(seen)))
    }

    fn changed<T>(
        &self,
        domain: &TrustDomain,
        change: impl FnOnce(&mut Log) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut logs = self.logs();
        if logs.len() >= DOMAINS_MAX && !logs.contains_key(domain) {
            return Err(StoreError::Limit { what: "domains", got: logs.len() + 1, limit: DOMAINS_MAX });
        }
        change(logs.entry(domain.clone()).or_default())
    }
}

impl Store for MemoryStore {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        Box::pin(ready(self.changed(domain, |log| log.append(expected, entries))))
    }

    fn read(
        &self,
        domain: &TrustDomain,
        range: Range<LeafIndex>,
        max_bytes: usize,
    ) -> Answer<'_, Vec<Bytes>> {
        self.seen(domain, |log| log.read(&range, max_bytes))
    }

    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head> {
        self.seen(domain, |log| *log.head.borrow())
    }

    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head> {
        let head = self.changed(domain, |log| Ok(log.head.subscribe()));
        Box::pin(async move {
            let mut head = head?;
            let head = head.wait_for(|head| head.size > size).await;
            head.map(|head| *head).map_err(|_| StoreError::ReadOnly { cause: "the store was dropped".into() })
        })
    }

    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()> {
        Box::pin(ready(self.changed(domain, |log| log.put_checkpoint(checkpoint))))
    }

    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>> {
        self.seen(domain, |log| log.checkpoint.clone())
    }

    fn put_snapshot(&self, domain: &TrustDomain, snapshot: Snapshot) -> Answer<'_, ()> {
        let put = self.changed(domain, |log| {
            log.snapshot = Some(snapshot);
            Ok(())
        });
        Box::pin(ready(put))
    }

    /// There is no opening of this engine: it gives what was put last.
    fn take_snapshot(&self, domain: &TrustDomain) -> Answer<'_, Option<Recalled>> {
        Box::pin(ready(self.changed(domain, |log| Ok(log.take_snapshot()))))
    }
}

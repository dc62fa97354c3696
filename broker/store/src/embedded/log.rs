//! One domain's log as its readers and its writer share it.

use std::{
    fs::File,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use bytes::Bytes;
use countersign_protocol::{
    digest::TreeHash,
    ledger::{EMPTY_ROOT, LeafIndex, SignedCheckpoint, TreeSize},
    name::TrustDomain,
};
use tokio::sync::watch;

use super::{
    index::{Found, Index},
    pin,
    recovery::Paths,
};
use crate::{
    Head, Recalled, StoreError,
    limits::{READ_MAX_BYTES, READ_MAX_ENTRIES},
    store::check_successor,
};

#[derive(Debug)]
pub(super) struct Log {
    pub(super) domain: TrustDomain,
    pub(super) paths: Paths,
    /// Held as long as anything can still write.
    _lock: Arc<File>,
    /// The durable head.
    pub(super) head: watch::Sender<Head>,
    index: RwLock<Index>,
    checkpoint: RwLock<Option<SignedCheckpoint>>,
    /// Until it is asked for.
    snapshot: Mutex<Option<Recalled>>,
    /// One checkpoint is written at a time.
    pinning: Mutex<()>,
    /// The write that failed: from then on nothing is written.
    failure: OnceLock<StoreError>,
}

impl Log {
    pub(super) fn new(
        domain: TrustDomain,
        paths: Paths,
        lock: Arc<File>,
        head: Head,
        index: Index,
        checkpoint: Option<SignedCheckpoint>,
        snapshot: Option<Recalled>,
    ) -> Self {
        Self {
            domain,
            paths,
            _lock: lock,
            head: watch::Sender::new(head),
            index: RwLock::new(index),
            checkpoint: RwLock::new(checkpoint),
            snapshot: Mutex::new(snapshot),
            pinning: Mutex::new(()),
            failure: OnceLock::new(),
        }
    }

    pub(super) fn head(&self) -> Head {
        *self.head.borrow()
    }

    pub(super) fn checkpoint(&self) -> Option<SignedCheckpoint> {
        self.checkpoint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn take_snapshot(&self) -> Option<Recalled> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Makes durable records visible: first where they are, then that they are.
    pub(super) fn publish(&self, head: Head, change: impl FnOnce(&mut Index)) {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
        self.head.send_replace(head);
    }

    /// Makes this log read-only; the first failure is the one that is told.
    pub(super) fn fail(&self, error: StoreError) {
        let _is_first = self.failure.set(error);
    }

    /// Refuses if a write has failed.
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        match self.failure.get() {
            None => Ok(()),
            Some(full @ StoreError::Full { .. }) => Err(full.clone()),
            Some(failure) => Err(StoreError::ReadOnly { cause: failure.to_string() }),
        }
    }

    /// Why the writer gave no answer.
    pub(super) fn writer_is_gone(&self) -> StoreError {
        let stopped = || StoreError::ReadOnly { cause: "its writer stopped".into() };
        self.check_writable().err().unwrap_or_else(stopped)
    }

    /// Reads from the disk; for a thread that may block.
    pub(super) fn read(&self, range: &Range<LeafIndex>, max_bytes: usize) -> Result<Vec<Bytes>, StoreError> {
        let end = range.end.get().min(self.head().size.get());
        let mut next = range.start.get();
        let mut room = max_bytes.min(READ_MAX_BYTES);
        let mut open: Option<(PathBuf, File)> = None;
        let mut entries = Vec::new();
        while next < end {
            let Some(found) = TreeSize::new(next).and_then(|next| self.find(next)) else { break };
            let file = match open.take() {
                Some((path, file)) if path == found.path() => file,
                _ => found.open()?,
            };
            let record = found.read(&file)?;
            open = Some((found.path().to_owned(), file));
            let before = usize::try_from(next - record.first.get()).unwrap_or(usize::MAX);
            for entry in record.entries.into_iter().skip(before) {
                let is_full = entry.len() > room || entries.len() == READ_MAX_ENTRIES;
                if next == end || (is_full && !entries.is_empty()) {
                    return Ok(entries);
                }
                room = room.saturating_sub(entry.len());
                entries.push(entry);
                next += 1;
            }
        }
        Ok(entries)
    }

    /// Keeps a checkpoint; for a thread that may block.
    pub(super) fn put_checkpoint(&self, checkpoint: SignedCheckpoint) -> Result<(), StoreError> {
        let _one_at_a_time = self.pinning.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_writable()?;
        check_successor(&checkpoint, self.checkpoint().as_ref(), |size| self.root_of_head(size))?;
        pin::write(&self.paths.checkpoint, &checkpoint).inspect_err(|error| self.fail(error.clone()))?;
        *self.checkpoint.write().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
        Ok(())
    }

    /// The root of the head of that size, if an append ever answered with one.
    fn root_of_head(&self, size: TreeSize) -> Result<Option<TreeHash>, StoreError> {
        let head = self.head();
        let Some(last) = size.get().checked_sub(1).and_then(TreeSize::new) else {
            return Ok(Some(EMPTY_ROOT));
        };
        if size >= head.size {
            return Ok((size == head.size).then_some(head.root));
        }
        let Some(found) = self.find(last) else { return Ok(None) };
        let record = found.read(&found.open()?)?;
        let ends_there = record.first.plus(record.entries.len() as u64) == Some(size);
        Ok(ends_there.then_some(record.root))
    }

    fn find(&self, entry: TreeSize) -> Option<Found> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).find(entry)
    }
}

//! A store that holds appends back, or fails them, where a test says so.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use countersign_protocol::{
    ledger::{LeafIndex, SignedCheckpoint, TreeSize},
    name::TrustDomain,
};
use countersign_store::{Answer, Head, MemoryStore, Store, StoreError};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Write,
    Hold,
    Fail,
}

#[derive(Debug)]
pub(crate) struct HeldStore {
    inner: Arc<MemoryStore>,
    mode: watch::Sender<Mode>,
    reads_fail: AtomicBool,
}

impl Default for HeldStore {
    fn default() -> Self {
        Self {
            inner: Arc::default(),
            mode: watch::Sender::new(Mode::Write),
            reads_fail: AtomicBool::default(),
        }
    }
}

impl HeldStore {
    /// Nothing becomes durable until it is let go.
    pub(crate) fn hold(&self) {
        self.mode.send_replace(Mode::Hold);
    }

    pub(crate) fn let_go(&self) {
        self.mode.send_replace(Mode::Write);
    }

    /// Fails every append, those held back included.
    pub(crate) fn fail(&self) {
        self.mode.send_replace(Mode::Fail);
    }

    /// Gives back nothing more.
    pub(crate) fn fail_reads(&self) {
        self.reads_fail.store(true, Ordering::Relaxed);
    }
}

impl Store for HeldStore {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        let (domain, mut mode) = (domain.clone(), self.mode.subscribe());
        Box::pin(async move {
            let mode = *mode.wait_for(|mode| *mode != Mode::Hold).await.unwrap();
            if mode == Mode::Fail {
                return Err(StoreError::ReadOnly { cause: "the test says so".into() });
            }
            self.inner.append(&domain, expected, entries).await
        })
    }

    fn read(&self, domain: &TrustDomain, range: Range<LeafIndex>, most: usize) -> Answer<'_, Vec<Bytes>> {
        if self.reads_fail.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::ReadOnly { cause: "the test says so".into() }) });
        }
        self.inner.read(domain, range, most)
    }

    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head> {
        self.inner.head(domain)
    }

    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head> {
        self.inner.wait_past(domain, size)
    }

    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()> {
        self.inner.put_checkpoint(domain, checkpoint)
    }

    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>> {
        self.inner.checkpoint(domain)
    }
}

//! The store as the shell holds it: what is written is measured, and when the last one who held it has
//! let go, its files are free and someone is told.

use std::{
    fmt,
    future::Future,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use countersign_protocol::{
    ledger::{LeafIndex, SignedCheckpoint, TreeSize},
    name::TrustDomain,
};
use countersign_store::{Answer, EmbeddedStore, Head, Recalled, Snapshot, Store};
use tokio::sync::oneshot;

use crate::metrics::Appends;

/// The store. Its fields are dropped in this order: the files are free before anyone is told.
pub(crate) struct HeldStore {
    store: EmbeddedStore,
    appends: Appends,
    _held: oneshot::Sender<()>,
}

/// Completes when the files are free.
#[derive(Debug)]
pub(crate) struct Released(oneshot::Receiver<()>);

impl HeldStore {
    pub(crate) fn new(store: EmbeddedStore, appends: Appends) -> (Self, Released) {
        let (held, released) = oneshot::channel();
        (Self { store, appends, _held: held }, Released(released))
    }
}

impl Future for Released {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Nothing is ever sent: the sender is dropped.
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl fmt::Debug for HeldStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Store for HeldStore {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        let (count, begun) = (entries.len(), Instant::now());
        let appended = self.store.append(domain, expected, entries);
        Box::pin(async move {
            let outcome = appended.await;
            self.appends.observe(count, begun.elapsed(), outcome.is_ok());
            outcome
        })
    }

    fn read(
        &self,
        domain: &TrustDomain,
        range: Range<LeafIndex>,
        max_bytes: usize,
    ) -> Answer<'_, Vec<Bytes>> {
        self.store.read(domain, range, max_bytes)
    }

    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head> {
        self.store.head(domain)
    }

    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head> {
        self.store.wait_past(domain, size)
    }

    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()> {
        self.store.put_checkpoint(domain, checkpoint)
    }

    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>> {
        self.store.checkpoint(domain)
    }

    fn put_snapshot(&self, domain: &TrustDomain, snapshot: Snapshot) -> Answer<'_, ()> {
        self.store.put_snapshot(domain, snapshot)
    }

    fn take_snapshot(&self, domain: &TrustDomain) -> Answer<'_, Option<Recalled>> {
        self.store.take_snapshot(domain)
    }
}

//! What is derived from the logs and kept beside them: a snapshot for each domain.
//!
//! Nothing here is ever needed. Whatever is wrong with it, it is thrown away, and whoever wants it
//! makes it anew from the log; nothing is concluded from its absence.
//!
//! sled 0.34 panics on files that are not as it left them, and may then wait for ever for a thread of
//! its own. So one thread talks to it and catches what it throws, and nobody waits for that thread
//! longer than [`DERIVED_WAIT_MAX`].

mod keeper;
mod shelf;

use std::{
    path::PathBuf,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use countersign_protocol::name::TrustDomain;
use tokio::sync::oneshot;

use crate::{
    Snapshot, StoreError,
    limits::{DERIVED_WAIT_MAX, DOMAINS_MAX, SNAPSHOT_MAX_BYTES},
};
use keeper::Keeper;
#[cfg(test)]
pub(super) use shelf::Shelf;

/// The way to the thread that keeps what is derived.
#[derive(Debug)]
pub(super) struct Derived {
    dir: PathBuf,
    /// `None` where there is no thread, and while this is being dropped.
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
    /// It did not answer in time: nobody asks it again.
    is_stuck: AtomicBool,
}

/// What the thread is asked for.
enum Request {
    Get(TrustDomain, mpsc::Sender<Option<Snapshot>>),
    Put(TrustDomain, Snapshot, oneshot::Sender<Result<(), StoreError>>),
}

impl Derived {
    /// Begins to keep things in that directory. What is there is not looked at before it is asked for.
    pub(super) fn begin(dir: PathBuf) -> Self {
        let (requests, waiting) = sync_channel(DOMAINS_MAX);
        let mut keeper = Keeper::new(dir.clone());
        let run = move || waiting.into_iter().for_each(|request| keeper.answer(request));
        let thread = thread::Builder::new().name("derived".into()).spawn(run);
        let thread = thread.inspect_err(|error| tracing::warn!(%error, "no snapshots are kept")).ok();
        let requests = thread.is_some().then_some(requests);
        Self { dir, requests, thread, is_stuck: AtomicBool::new(false) }
    }

    /// What is kept of that domain, as it was put; it may be of another log. For a thread that may
    /// block.
    pub(super) fn get(&self, domain: &TrustDomain) -> Option<Snapshot> {
        // Where nothing was ever put, there is no database, and reading makes none.
        if !self.dir.exists() || self.is_stuck.load(Ordering::Relaxed) {
            return None;
        }
        let (answer, found) = mpsc::channel();
        self.requests.as_ref()?.try_send(Request::Get(domain.clone(), answer)).ok()?;
        let found = found.recv_timeout(DERIVED_WAIT_MAX).inspect_err(|error| {
            tracing::warn!(%error, "what is derived from the ledger cannot be read; it is made anew");
            self.is_stuck.store(true, Ordering::Relaxed);
        });
        found.ok().flatten()
    }

    /// Keeps a snapshot in place of the one before.
    pub(super) fn put(
        &self,
        domain: &TrustDomain,
        snapshot: Snapshot,
    ) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let bytes = snapshot.bytes.len();
        if bytes > SNAPSHOT_MAX_BYTES {
            let what = "bytes in a snapshot";
            return Err(StoreError::Limit { what, got: bytes, limit: SNAPSHOT_MAX_BYTES });
        }
        let (answer, done) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        let request = Request::Put(domain.clone(), snapshot, answer);
        requests.try_send(request).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => StoreError::Busy,
            mpsc::TrySendError::Disconnected(_) => gone(),
        })?;
        Ok(done)
    }
}

/// Why there was no answer.
pub(super) fn gone() -> StoreError {
    StoreError::Derived { why: "its thread is gone".into() }
}

impl Drop for Derived {
    /// Waits until the files are free, unless nobody knows when that would be.
    fn drop(&mut self) {
        self.requests = None;
        let Some(thread) = self.thread.take() else { return };
        let begun = Instant::now();
        let longest = if self.is_stuck.load(Ordering::Relaxed) { Duration::ZERO } else { DERIVED_WAIT_MAX };
        while !thread.is_finished() {
            if begun.elapsed() > longest {
                return tracing::warn!("what is derived from the ledger is left as it is");
            }
            thread::sleep(Duration::from_millis(1));
        }
        // Its panic was reported, and there is nothing that it could have lost.
        let _panicked = thread.join();
    }
}

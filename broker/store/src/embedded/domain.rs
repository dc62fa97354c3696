//! One domain: its log, its writer's thread, and the queue between callers and writer.

use std::{
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use countersign_protocol::name::TrustDomain;
use tokio::sync::{Semaphore, oneshot};

use super::{
    Options,
    directory::Directory,
    log::Log,
    record,
    recovery::{self, Recovered},
    segment::Disk,
    writer::{Caller, Job, Writer},
};
use crate::{
    Head, Snapshot, StoreError,
    limits::{QUEUE_MAX_BATCHES, QUEUE_MAX_BYTES},
    store::Batch,
};

#[derive(Debug)]
pub(super) struct Domain {
    pub(super) log: Arc<Log>,
    /// Bytes that the queue still has room for.
    room: Arc<Semaphore>,
    /// `None` only while the domain is being dropped.
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// A batch that will be tried, and where its answer comes from.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) log: Arc<Log>,
    pub(super) answer: oneshot::Receiver<Result<Head, StoreError>>,
}

impl Domain {
    /// Reads what the disk holds of the domain, if anything, and starts its writer.
    pub(super) fn open(
        directory: &Directory,
        domain: &TrustDomain,
        options: Options,
        disk: Arc<dyn Disk>,
        snapshot: Option<Snapshot>,
    ) -> Result<Self, StoreError> {
        let paths = directory.paths(domain);
        let recovered = recovery::recover(domain, &paths, snapshot)?;
        let Recovered { frontier, index, segment, checkpoint, snapshot } = recovered;
        let head = Head { size: frontier.size(), root: frontier.root() };
        let segments = paths.segments.clone();
        let log = Log::new(domain.clone(), paths, directory.lock(), head, index, checkpoint, snapshot);
        let log = Arc::new(log);
        let (jobs, waiting) = sync_channel(QUEUE_MAX_BATCHES);
        let segment_bytes = options.segment_bytes;
        let writer = Writer { log: Arc::clone(&log), frontier, segment, segment_bytes, disk };
        let writer = thread::Builder::new()
            .name(format!("ledger {domain}"))
            .spawn(move || writer.run(&waiting))
            .map_err(StoreError::io(segments))?;
        let room = Arc::new(Semaphore::new(QUEUE_MAX_BYTES));
        Ok(Self { log, room, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Puts a batch at the end of the queue, or refuses at once.
    pub(super) fn queue(&self, expected: Head, batch: Batch) -> Result<Queued, StoreError> {
        self.log.check_writable()?;
        // The limits of a batch keep its record far below the 4 GiB that a permit can count.
        let bytes = record::length(batch.entries()) as u32;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| StoreError::Busy)?;
        let (answer, receiver) = oneshot::channel();
        let job = Job { expected, batch, caller: Caller { answer, _room: room } };
        let jobs = self.jobs.as_ref().ok_or_else(|| self.log.writer_is_gone())?;
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => self.log.writer_is_gone(),
        })?;
        Ok(Queued { log: Arc::clone(&self.log), answer: receiver })
    }
}

impl Drop for Domain {
    /// Lets the writer finish what is queued, so that the store can be opened again at once.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // A panic there was reported by the thread itself, and a restart reads the log anew.
            let _panicked = writer.join();
        }
    }
}

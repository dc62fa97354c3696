//! The thread that writes one domain's log.
//!
//! It takes all batches that wait, writes those that follow on one another, flushes once, and only
//! then answers. While it flushes, the next ones gather; there is no timer.

use std::sync::{Arc, mpsc::Receiver};

use countersign_protocol::ledger::{Frontier, leaf_hash};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    disk,
    log::Log,
    record::{self, Record},
    segment::{Disk, Segment},
};
use crate::{Head, StoreError, store::Batch};

/// A batch that waits to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) expected: Head,
    pub(super) batch: Batch,
    pub(super) caller: Caller,
}

/// Who waits for an answer.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) answer: oneshot::Sender<Result<Head, StoreError>>,
    /// The job's share of the queue's bytes, given back with the answer.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Caller {
    fn tell(self, result: Result<Head, StoreError>) {
        // Whoever stopped listening learns from the log what became of the batch.
        let _nobody_listens = self.answer.send(result);
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: Arc<Log>,
    /// The tree with all that was taken from the queue, durable or not.
    pub(super) frontier: Frontier,
    pub(super) segment: Option<Segment>,
    pub(super) segment_bytes: u64,
    pub(super) disk: Arc<dyn Disk>,
}

/// What one flush carries.
#[derive(Default)]
struct Group {
    records: Vec<Record>,
    /// One for each record, with the head that it leads to.
    written: Vec<(Caller, Head)>,
    refused: Vec<Caller>,
}

impl Writer {
    /// Writes until nobody can append any more, or until a write fails. What is queued then gets no
    /// answer but that the log is read-only.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let group = self.gather(first, jobs);
            if self.commit(group).is_err() {
                return;
            }
        }
    }

    /// Takes what waits, without waiting for more. The queue's limit on bytes bounds it, as a job
    /// gives its share back only with its answer.
    fn gather(&mut self, first: Job, jobs: &Receiver<Job>) -> Group {
        let mut group = Group::default();
        let durable = self.log.head().size;
        let mut head = self.head();
        for Job { expected, batch, caller } in std::iter::once(first).chain(jobs.try_iter()) {
            if expected != head {
                group.refused.push(caller);
                continue;
            }
            let first = head.size;
            let entries = batch.into_entries();
            entries.iter().for_each(|entry| self.frontier.push(leaf_hash(entry)));
            head = self.head();
            group.records.push(Record { durable, first, entries, root: head.root });
            group.written.push((caller, head));
        }
        group
    }

    /// Writes, flushes, shows and answers, in this order.
    fn commit(&mut self, group: Group) -> Result<(), StoreError> {
        let Group { records, written, refused } = group;
        let outcome = if records.is_empty() { Ok(()) } else { self.write(&records) };
        if let Err(error) = &outcome {
            // Read-only before anyone hears of it, so that no later call can succeed.
            self.log.fail(error.clone());
        }
        for (caller, head) in written {
            caller.tell(outcome.clone().map(|()| head));
        }
        // Only now, because they are told of a head that has to be durable.
        let actual = self.log.head();
        for caller in refused {
            caller.tell(Err(outcome.clone().err().unwrap_or(StoreError::Conflict { actual })));
        }
        outcome
    }

    fn write(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.log.check_writable()?;
        let (durable, head) = (self.log.head(), self.head());
        let (log, disk) = (Arc::clone(&self.log), Arc::clone(&self.disk));
        let (segment, is_new) = self.segment(durable)?;
        let (start, salt) = (segment.length(), segment.salt());
        let mut bytes = Vec::new();
        let mut places = Vec::with_capacity(records.len());
        for record in records {
            places.push((record.first, start + bytes.len() as u64, record::length(&record.entries)));
            record.encode(&salt, &mut bytes);
        }
        disk.append(segment, &bytes)?;
        let new_segment = is_new.then(|| segment.path().to_owned());
        log.publish(head, |index| {
            if let Some(path) = new_segment {
                index.add_segment(path, salt);
            }
            for (first, offset, length) in places {
                index.add_record(first, offset, length);
            }
        });
        Ok(())
    }

    /// The segment to write to, and whether it is new. One flush goes into one segment, so a new
    /// segment proves that all before it was durable.
    fn segment(&mut self, durable: Head) -> Result<(&mut Segment, bool), StoreError> {
        let (segment, is_new) = match self.segment.take() {
            Some(segment) if segment.length() < self.segment_bytes => (segment, false),
            _ => (self.create_segment(durable)?, true),
        };
        Ok((self.segment.insert(segment), is_new))
    }

    fn create_segment(&self, durable: Head) -> Result<Segment, StoreError> {
        let dir = &self.log.paths.segments;
        dir.parent().map_or(Ok(()), disk::create_dir)?;
        disk::create_dir(dir)?;
        Segment::create(dir, &self.log.domain, durable)
    }

    fn head(&self) -> Head {
        Head { size: self.frontier.size(), root: self.frontier.root() }
    }
}

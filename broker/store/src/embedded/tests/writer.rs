use std::{
    fs,
    sync::{Arc, mpsc::sync_channel},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    Head, StoreError,
    embedded::{
        directory::Directory,
        index::Index,
        log::Log,
        record::Record,
        segment::{Header, PlainDisk, file_name},
        writer::{Caller, Job, Writer},
    },
    store::Batch,
    tests::{domain, entries, head_at, size},
};

/// Lets a writer find these batches waiting, and gives what it answered and the records it wrote.
fn write_waiting(jobs: Vec<(Head, Vec<Bytes>)>) -> (Vec<Result<Head, StoreError>>, Vec<Record>) {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path()).unwrap();
    let paths = directory.paths(&domain());
    let file = paths.segments.join(file_name(size(0)));
    let log = Log::new(domain(), paths, directory.lock(), Head::EMPTY, Index::default(), None, None);
    let writer = Writer {
        log: Arc::new(log),
        frontier: Default::default(),
        segment: None,
        segment_bytes: 1 << 20,
        disk: Arc::new(PlainDisk),
    };
    let (queue, waiting) = sync_channel(jobs.len());
    let room = Arc::new(Semaphore::new(jobs.len()));
    let mut answers = Vec::new();
    for (expected, entries) in jobs {
        let (answer, receiver) = oneshot::channel();
        let caller = Caller { answer, _room: Arc::clone(&room).try_acquire_owned().unwrap() };
        queue.send(Job { expected, batch: Batch::new(entries).unwrap(), caller }).unwrap();
        answers.push(receiver);
    }
    drop(queue);
    writer.run(&waiting);

    let bytes = Bytes::from(fs::read(file).unwrap());
    let (header, mut at) = Header::parse(&bytes).unwrap();
    let mut records = Vec::new();
    while at < bytes.len() {
        let (record, length) = Record::parse(&bytes.slice(at..), &header.salt).unwrap();
        records.push(record);
        at += length;
    }
    (answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect(), records)
}

#[test]
fn batches_that_wait_share_one_flush() {
    let jobs = (0..100).map(|i| (head_at(i), entries(i, 1))).collect();
    let (answers, records) = write_waiting(jobs);
    for (i, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), head_at(i as u64 + 1));
    }
    assert_eq!(records.len(), 100);
    assert!(records.iter().all(|record| record.durable == size(0)), "nothing was durable before any of them");
}

#[test]
fn a_conflict_among_waiting_batches_stops_none_of_the_others() {
    let jobs = vec![
        (head_at(0), entries(0, 2)),
        (head_at(0), entries(50, 1)),
        (head_at(1), entries(1, 1)),
        (head_at(2), entries(2, 1)),
        (head_at(2), entries(60, 1)),
    ];
    let (answers, records) = write_waiting(jobs);
    let [first, second, third, fourth, fifth] = <[_; 5]>::try_from(answers).unwrap();
    assert_eq!((first.unwrap(), fourth.unwrap()), (head_at(2), head_at(3)));
    for refused in [second, third, fifth] {
        let Err(StoreError::Conflict { actual }) = refused else { panic!("{refused:?}") };
        assert_eq!(actual, head_at(3), "the head that is durable by then");
    }
    let written: Vec<_> = records.into_iter().flat_map(|record| record.entries).collect();
    assert_eq!(written, entries(0, 3));
}

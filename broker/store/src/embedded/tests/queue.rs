//! How much may wait for a writer, and how full a segment gets.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use crate::{
    Answer, ENTRY_MAX_BYTES, EmbeddedStore, Head, Options, QUEUE_MAX_BATCHES, QUEUE_MAX_BYTES, Store,
    StoreError,
    embedded::{
        record,
        segment::{Disk, Segment},
    },
    tests::{domain, entries, fill, head_at},
};

/// A disk that says when it is asked, and does nothing until the test lets it.
#[derive(Debug)]
struct HeldDisk {
    asked: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Disk for HeldDisk {
    fn append(&self, segment: &mut Segment, records: &[u8]) -> Result<(), StoreError> {
        let _ = self.asked.send(());
        // Nothing is held any more once the other end is gone.
        let _ = self.go_on.lock().unwrap().recv();
        segment.append(records)
    }
}

/// A store whose writer is at work on that batch, and what lets it go on. Nothing waits behind it.
fn at_work(path: &Path, batch: Vec<Bytes>) -> (EmbeddedStore, mpsc::Sender<()>) {
    let ((asked, is_asked), (go_on, held)) = (mpsc::channel(), mpsc::channel());
    let disk = HeldDisk { asked, go_on: Mutex::new(held) };
    let store = EmbeddedStore::open_on(path, Options::default(), Arc::new(disk)).unwrap();
    drop(store.append(&domain(), Head::EMPTY, batch));
    is_asked.recv().unwrap();
    (store, go_on)
}

/// Whether it was refused at once because too much waits.
fn is_busy(answer: &mut Answer<'_, Head>) -> bool {
    let now = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    matches!(now, Poll::Ready(Err(StoreError::Busy)))
}

#[tokio::test]
async fn so_many_batches_wait_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (store, go_on) = at_work(dir.path(), entries(0, 1));
    let domain = domain();
    let append = || store.append(&domain, Head::EMPTY, entries(0, 1));
    let mut waiting: Vec<_> = (0..QUEUE_MAX_BATCHES).map(|_| append()).collect();
    assert!(!waiting.iter_mut().any(is_busy));
    assert!(is_busy(&mut append()));

    drop(go_on);
    for answer in waiting {
        assert!(matches!(answer.await, Err(StoreError::Conflict { .. })), "it waited for its answer");
    }
    assert_eq!(store.append(&domain, head_at(1), entries(1, 1)).await.unwrap(), head_at(2), "the twin");
}

/// A batch whose record has so many bytes.
fn record_of(bytes: usize) -> Vec<Bytes> {
    let mut batch = Vec::new();
    loop {
        let left = bytes - record::length(&batch) - record::length(&[Bytes::new()]) + record::length(&[]);
        batch.push(Bytes::from(vec![7; left.min(ENTRY_MAX_BYTES)]));
        if left <= ENTRY_MAX_BYTES {
            assert_eq!(record::length(&batch), bytes);
            return batch;
        }
    }
}

#[tokio::test]
async fn so_many_bytes_wait_or_are_written_and_no_more() {
    let (dir, eighth) = (tempfile::tempdir().unwrap(), QUEUE_MAX_BYTES / 8);
    let (store, go_on) = at_work(dir.path(), record_of(eighth));
    let domain = domain();
    let append = |batch| store.append(&domain, Head::EMPTY, batch);
    let mut waiting: Vec<_> = (0..6).map(|_| append(record_of(eighth))).collect();
    assert!(is_busy(&mut append(record_of(eighth + 1))), "a byte too many");
    waiting.push(append(record_of(eighth)));
    assert!(!waiting.iter_mut().any(is_busy));
    assert!(is_busy(&mut append(entries(0, 1))), "all of it is taken");

    drop(go_on);
    for answer in waiting {
        assert!(matches!(answer.await, Err(StoreError::Conflict { .. })), "it waited for its answer");
    }
    let twin = append(entries(0, 1)).await;
    assert!(matches!(twin, Err(StoreError::Conflict { .. })), "the twin: there is room again");
}

#[tokio::test]
async fn a_segment_that_is_full_is_followed_by_another() {
    let segments_of = async |segment_bytes| {
        let dir = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open_with(dir.path(), Options { segment_bytes }).unwrap();
        fill(&store, 0, &[2]).await;
        let segments = dir.path().join("domains/prod.acme.example/segments");
        let first = fs::metadata(segments.join(format!("{:020}.seg", 0))).unwrap().len();
        fill(&store, 2, &[1]).await;
        (first, fs::read_dir(segments).unwrap().count())
    };
    let (length, one) = segments_of(u64::MAX).await;
    assert_eq!(one, 1);
    assert_eq!(segments_of(length).await, (length, 2));
    assert_eq!(segments_of(length + 1).await, (length, 1));
}

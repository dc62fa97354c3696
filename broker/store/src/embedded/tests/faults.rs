//! The engine over a disk that fails: what is told, what is kept, and how it goes on.

use std::path::Path;

use bytes::Bytes;
use countersign_protocol::name::TrustDomain;

use crate::{
    EmbeddedStore, Fault, Faults, Head, Options, Store, StoreError,
    tests::{TINY, all, checkpoint, domain, entries, fill, head_at, open, quick_dir},
};

const BATCHES: [u64; 5] = [1, 3, 2, 1, 4];

/// The failures, and whether the batch that they strike is there afterwards.
const FAULTS: [(Fault, bool); 6] = [
    (Fault::LostWrite, false),
    (Fault::LostReply, true),
    (Fault::Torn(70), false),
    (Fault::FullDisk, false),
    (Fault::FullAtSync, true),
    (Fault::FailedSync, true),
];

fn faulty(path: &Path, options: Options, faults: Faults) -> EmbeddedStore {
    EmbeddedStore::danger_open_faulty(path, options, faults).unwrap()
}

/// The number of entries before each batch, and at the end.
fn bounds() -> Vec<u64> {
    let mut bounds = vec![0];
    BATCHES.iter().for_each(|count| bounds.push(bounds.last().unwrap() + count));
    bounds
}

/// Appends what is missing of [`BATCHES`], as a caller does that was told of an error: it looks.
async fn resume(store: &dyn Store) {
    let there = store.head(&domain()).await.unwrap().size.get();
    let done = bounds().iter().position(|bound| *bound == there).expect("a batch is there in part");
    fill(store, there, &BATCHES[done..]).await;
    assert_eq!(all(store).await.unwrap(), entries(0, 11), "each entry once");
}

/// Says what a log is that failed when it held so many entries.
async fn assert_read_only(store: &dyn Store, fault: Fault, acknowledged: u64) {
    let head = head_at(acknowledged);
    // Who sees that there was no room may open the store again; who sees another failure may not.
    let is_refused = |error: &StoreError| match fault {
        Fault::FullDisk => matches!(error, StoreError::Full { .. }),
        _ => matches!(error, StoreError::ReadOnly { .. }),
    };
    for _ in 0..2 {
        let refused = store.append(&domain(), head, entries(acknowledged, 1)).await;
        assert!(refused.as_ref().is_err_and(is_refused), "{refused:?}");
    }
    assert_eq!(store.head(&domain()).await.unwrap(), head, "nobody hears of what may not be there");
    assert_eq!(all(store).await.unwrap(), entries(0, acknowledged), "reads go on");
    if acknowledged > 0 {
        let refused = store.put_checkpoint(&domain(), checkpoint(head)).await;
        assert!(refused.as_ref().is_err_and(is_refused), "{refused:?}");
    }
}

#[tokio::test]
async fn after_any_failure_it_is_read_only_and_goes_on_when_it_is_opened_again() {
    for options in [Options::default(), TINY] {
        for (fault, is_kept) in FAULTS {
            for (at, batch) in BATCHES.into_iter().enumerate() {
                let dir = quick_dir();
                let store = faulty(dir.path(), options, Faults::at(at, fault));
                fill(&store, 0, &BATCHES[..at]).await;
                let before = bounds()[at];
                let failed = store.append(&domain(), head_at(before), entries(before, batch)).await;
                let told = match fault {
                    Fault::FullDisk => matches!(failed, Err(StoreError::Full { .. })),
                    _ => matches!(failed, Err(StoreError::Io { .. })),
                };
                assert!(told, "{fault:?} at {at}: {failed:?}");
                assert_read_only(&store, fault, before).await;
                let other: TrustDomain = "dev.acme.example".parse().unwrap();
                store.append(&other, Head::EMPTY, entries(0, 1)).await.unwrap();
                drop(store);

                let store = open(dir.path()).unwrap();
                let there = if is_kept { before + batch } else { before };
                assert_eq!(store.head(&domain()).await.unwrap(), head_at(there), "{fault:?} at {at}");
                resume(&store).await;
                assert_eq!(store.head(&other).await.unwrap(), head_at(1), "the other domain went on");
            }
        }
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_while_others_waited_is_there_afterwards() {
    for (fault, _) in FAULTS {
        for at in 0..8 {
            let dir = quick_dir();
            let faults = Faults::at(at, fault);
            let store = faulty(dir.path(), Options::default(), faults.clone());
            let mut acknowledged = 0;
            let mut failures = 0;
            // Some wait for the flush before theirs, and whatever waits then shares one.
            for round in 0..8u64 {
                let domain = domain();
                let from = round * 8;
                let calls: Vec<_> = (from..from + 8)
                    .map(|entry| store.append(&domain, head_at(entry), entries(entry, 1)))
                    .collect();
                for (entry, call) in (from..).zip(calls) {
                    match call.await {
                        Ok(head) => {
                            assert_eq!((head, failures), (head_at(entry + 1), 0), "nothing after a failure");
                            acknowledged = entry + 1;
                        }
                        Err(
                            StoreError::Io { .. } | StoreError::Full { .. } | StoreError::ReadOnly { .. },
                        ) => failures += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            assert!(failures > 0 && faults.flushes() == at + 1, "{fault:?} at {at}");
            drop(store);
            let store = open(dir.path()).unwrap();
            let there = store.head(&domain()).await.unwrap();
            assert!(there.size.get() >= acknowledged, "{fault:?} at {at}: {there} of {acknowledged}");
            assert_eq!(there, head_at(there.size.get()));
            assert_eq!(all(&store).await.unwrap(), entries(0, there.size.get()));
        }
    }
}

#[tokio::test]
async fn a_batch_torn_anywhere_is_whole_or_gone() {
    // Longer than the record of the batch that is torn.
    for bytes in 0..160 {
        let dir = quick_dir();
        let store = faulty(dir.path(), Options::default(), Faults::at(1, Fault::Torn(bytes)));
        fill(&store, 0, &BATCHES[..1]).await;
        store.put_checkpoint(&domain(), checkpoint(head_at(1))).await.unwrap();
        assert!(store.append(&domain(), head_at(1), entries(1, 3)).await.is_err());
        drop(store);
        let store = open(dir.path()).unwrap();
        let there = store.head(&domain()).await.unwrap().size.get();
        let record = crate::embedded::record::length(&entries(1, 3));
        assert_eq!(there, if bytes < record { 1 } else { 4 }, "{bytes} of {record} bytes");
        resume(&store).await;
    }
}

#[tokio::test]
async fn the_error_of_a_full_disk_is_told_as_it_is() {
    let dir = quick_dir();
    let store = faulty(dir.path(), Options::default(), Faults::at(0, Fault::FullDisk));
    let failed = store.append(&domain(), Head::EMPTY, vec![Bytes::from_static(b"x")]).await;
    let Err(StoreError::Full { path, source }) = failed else { panic!("{failed:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert!(path.ends_with(format!("{:020}.seg", 0)), "{}", path.display());
    let refused = store.append(&domain(), Head::EMPTY, entries(0, 1)).await.unwrap_err();
    assert!(refused.to_string().contains(&source.to_string()), "whoever comes later is told why: {refused}");
}

use std::{
    fs,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use countersign_protocol::name::TrustDomain;

use crate::{
    EmbeddedStore, Head, Options, Store, StoreError,
    tests::{TINY, all, checkpoint, domain, entries, fill, head_at, open, size},
};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    for options in [Options::default(), TINY] {
        let dir = tempfile::tempdir().unwrap();
        let mut count = 0;
        for batches in [vec![1, 4], vec![], vec![2], vec![1, 1, 1]] {
            let store = EmbeddedStore::open_with(dir.path(), options).unwrap();
            assert_eq!(store.head(&domain()).await.unwrap(), head_at(count));
            fill(&store, count, &batches).await;
            count += batches.iter().sum::<u64>();
            assert_eq!(all(&store).await.unwrap(), entries(0, count));
            if count > 0 {
                store.put_checkpoint(&domain(), checkpoint(head_at(count))).await.unwrap();
            }
        }
        let store = open(dir.path()).unwrap();
        assert_eq!(all(&store).await.unwrap(), entries(0, 10));
        assert_eq!(store.checkpoint(&domain()).await.unwrap(), Some(checkpoint(head_at(10))));
    }
}

#[tokio::test]
async fn what_was_queued_is_written_before_the_store_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    for i in 0..100 {
        drop(store.append(&domain(), head_at(i), entries(i, 1)));
    }
    drop(store);
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 100));
}

#[tokio::test]
async fn waiting_and_conflicts_leave_nothing_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    drop(store.wait_past(&domain(), size(0)));
    assert!(store.append(&domain(), head_at(3), entries(3, 1)).await.is_err());
    assert_eq!(fs::read_dir(dir.path().join("domains")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_failed_write_makes_the_log_read_only_until_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), TINY).unwrap();
    fill(&store, 0, &[2, 1]).await;
    // A directory stands where the next segment must be.
    let segments = dir.path().join("domains/prod.acme.example/segments");
    let obstacle = segments.join(format!("{:020}.seg", 3));
    fs::create_dir(&obstacle).unwrap();

    let result = store.append(&domain(), head_at(3), entries(3, 1)).await;
    assert!(matches!(&result, Err(StoreError::Io { path, .. }) if *path == obstacle), "{result:?}");
    fs::remove_dir(&obstacle).unwrap();
    let result = store.append(&domain(), head_at(3), entries(3, 1)).await;
    assert!(matches!(result, Err(StoreError::ReadOnly { .. })), "{result:?}");
    let result = store.put_checkpoint(&domain(), checkpoint(head_at(3))).await;
    assert!(matches!(result, Err(StoreError::ReadOnly { .. })), "{result:?}");
    assert_eq!(store.head(&domain()).await.unwrap(), head_at(3));
    assert_eq!(all(&store).await.unwrap(), entries(0, 3), "reads go on");
    let other: TrustDomain = "dev.acme.example".parse().unwrap();
    store.append(&other, Head::EMPTY, entries(0, 1)).await.unwrap();

    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(fill(&store, 3, &[1]).await, head_at(4));
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_makes_the_log_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fill(&store, 0, &[2]).await;
    fs::create_dir(dir.path().join("domains/prod.acme.example/checkpoint.new")).unwrap();
    let result = store.put_checkpoint(&domain(), checkpoint(head_at(2))).await;
    assert!(matches!(result, Err(StoreError::Io { .. })), "{result:?}");
    let result = store.append(&domain(), head_at(2), entries(2, 1)).await;
    assert!(matches!(result, Err(StoreError::ReadOnly { .. })), "{result:?}");
}

#[tokio::test]
async fn a_caller_that_does_not_wait_is_told_when_the_queue_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let large = vec![Bytes::from(vec![1; 60_000]); 64];
    let domain = domain();
    // All at the same head: at most one is written, and none of the others may be lost silently.
    let calls: Vec<_> = (0..64).map(|_| store.append(&domain, Head::EMPTY, large.clone())).collect();
    let (mut written, mut conflicts, mut busy) = (0, 0, 0);
    for call in calls {
        match call.await {
            Ok(_) => written += 1,
            Err(StoreError::Conflict { .. }) => conflicts += 1,
            Err(StoreError::Busy) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((written, written + conflicts + busy), (1, 64));
    assert!(busy > 0, "64 batches of 3.8 MB are more than the queue holds");
}

#[tokio::test]
async fn the_last_flush_is_written_again_when_the_log_is_opened_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open_with(dir.path(), TINY).unwrap();
    fill(&store, 0, &[2, 3]).await;
    drop(store);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let segments =
        [0, 2].map(|first| dir.path().join(format!("domains/prod.acme.example/segments/{first:020}.seg")));
    for segment in &segments {
        fs::File::options().write(true).open(segment).unwrap().set_modified(long_ago).unwrap();
    }
    drop(open(dir.path()).unwrap());
    let is_written = segments.map(|segment| fs::metadata(segment).unwrap().modified().unwrap() > long_ago);
    assert_eq!(is_written, [false, true]);
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 5));
}

use std::{fs, sync::Arc};

use crate::{
    EmbeddedStore, Options, Store as _, StoreError,
    tests::{TINY, all, checkpoint, domain, entries, fill, head_at, open},
};

#[tokio::test]
async fn a_copy_holds_everything_and_goes_on_by_itself() {
    for options in [Options::default(), TINY] {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let store = EmbeddedStore::open_with(&from, options).unwrap();
        fill(&store, 0, &[2, 3, 1]).await;
        store.put_checkpoint(&domain(), checkpoint(head_at(5))).await.unwrap();
        EmbeddedStore::copy(&from, &to).unwrap();
        fill(&store, 6, &[1]).await;

        let copy = EmbeddedStore::open_with(&to, options).unwrap();
        assert_eq!(all(&copy).await.unwrap(), entries(0, 6));
        assert_eq!(copy.checkpoint(&domain()).await.unwrap(), Some(checkpoint(head_at(5))));
        fill(&copy, 6, &[2]).await;
        assert_eq!(all(&store).await.unwrap(), entries(0, 7), "what was copied is as it was");
    }
}

/// Whoever copies sees the writer's files at any moment, also in the middle of a batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_be_copied_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    let store = Arc::new(EmbeddedStore::open_with(&from, TINY).unwrap());
    let writer = Arc::clone(&store);
    let writing = tokio::spawn(async move {
        for count in 0..150 {
            fill(&*writer, count, &[1]).await;
            if count % 7 == 0 {
                writer.put_checkpoint(&domain(), checkpoint(head_at(count + 1))).await.unwrap();
            }
        }
    });
    let mut sizes = Vec::new();
    for number in 0..8 {
        let before = store.head(&domain()).await.unwrap().size.get();
        let to = dir.path().join(number.to_string());
        let source = from.clone();
        let copied = to.clone();
        tokio::task::spawn_blocking(move || EmbeddedStore::copy(&source, &copied)).await.unwrap().unwrap();
        let copy = open(&to).unwrap();
        let size = copy.head(&domain()).await.unwrap().size.get();
        assert!(size >= before, "{size} of {before}");
        assert_eq!(all(&copy).await.unwrap(), entries(0, size));
        sizes.push(size);
    }
    writing.await.unwrap();
    sizes.dedup();
    assert!(sizes.len() > 1, "it was written meanwhile");
}

#[tokio::test]
async fn a_copy_replaces_nothing_and_is_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let refused = EmbeddedStore::copy(&from, &to).unwrap_err();
    assert!(matches!(refused, StoreError::Format { .. }), "{refused}");
    fill(&open(&from).unwrap(), 0, &[1]).await;
    fs::create_dir(&to).unwrap();
    let refused = EmbeddedStore::copy(&from, &to).unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
    fs::remove_dir(&to).unwrap();
    EmbeddedStore::copy(&from, &to).unwrap();

    fs::remove_file(to.join("FORMAT")).unwrap();
    assert!(matches!(open(&to), Err(StoreError::Format { .. })), "one that was interrupted is none");
}

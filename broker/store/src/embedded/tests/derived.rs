//! What is derived from a log is given back where it is of that log, and never harms it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use countersign_protocol::{
    ledger::{Tree, leaf_hash},
    name::TrustDomain,
};

use crate::{
    EmbeddedStore, Head, Options, Recalled, SNAPSHOT_MAX_BYTES, Snapshot, Store, StoreError,
    embedded::derived::Shelf,
    tests::{TINY, all, checkpoint, domain, entries, fill, head_at, open, quick_dir},
};

/// A snapshot of the first entries, of more than one part.
fn snapshot(count: u64) -> Snapshot {
    let bytes: Vec<u8> = (0..150_000u64).map(|at| (at * count % 251) as u8).collect();
    Snapshot { head: head_at(count), bytes: bytes.into() }
}

fn recalled(snapshot: Snapshot) -> Recalled {
    let mut tree = Tree::default();
    entries(0, snapshot.head.size.get()).iter().for_each(|entry| tree.push(leaf_hash(entry)));
    Recalled { snapshot, tree }
}

/// A closed store of eight entries, in which that was kept.
async fn store_with(kept: Option<Snapshot>) -> tempfile::TempDir {
    let dir = quick_dir();
    let store = EmbeddedStore::open_with(dir.path(), TINY).unwrap();
    fill(&store, 0, &[3, 5]).await;
    store.put_checkpoint(&domain(), checkpoint(head_at(8))).await.unwrap();
    if let Some(snapshot) = kept {
        store.put_snapshot(&domain(), snapshot).await.unwrap();
    }
    dir
}

async fn taken(dir: &Path) -> Option<Recalled> {
    open(dir).unwrap().take_snapshot(&domain()).await.unwrap()
}

/// The log is what it was, can be written, and a snapshot is kept again.
async fn assert_whole(dir: &Path, what: &str) {
    let store = open(dir).unwrap();
    assert_eq!(all(&store).await.unwrap(), entries(0, 8), "{what}");
    assert_eq!(store.checkpoint(&domain()).await.unwrap(), Some(checkpoint(head_at(8))), "{what}");
    store.put_snapshot(&domain(), snapshot(7)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    drop(store);
    assert_eq!(taken(dir).await, Some(recalled(snapshot(7))), "{what}");
}

#[tokio::test]
async fn what_was_made_of_the_log_is_given_back_once_with_its_tree() {
    for count in [1, 3, 4, 8] {
        let dir = store_with(Some(snapshot(count))).await;
        let store = open(dir.path()).unwrap();
        assert_eq!(store.take_snapshot(&domain()).await.unwrap(), Some(recalled(snapshot(count))));
        assert_eq!(store.take_snapshot(&domain()).await.unwrap(), None);
        drop(store);
        assert_eq!(taken(dir.path()).await, Some(recalled(snapshot(count))), "at each opening");
    }
}

#[tokio::test]
async fn what_was_made_of_another_log_is_not_given_back() {
    let elsewhere = Head { root: head_at(4).root, ..head_at(3) };
    for head in [elsewhere, head_at(9)] {
        let dir = store_with(Some(Snapshot { head, ..snapshot(3) })).await;
        assert_eq!(taken(dir.path()).await, None);
        assert_whole(dir.path(), "afterwards").await;
    }
}

#[tokio::test]
async fn it_is_given_back_when_the_log_grew_and_not_when_another_began() {
    let dir = store_with(Some(snapshot(8))).await;
    fill(&open(dir.path()).unwrap(), 8, &[2]).await;
    assert_eq!(taken(dir.path()).await, Some(recalled(snapshot(8))));
    fs::remove_dir_all(dir.path().join("domains/prod.acme.example")).unwrap();
    assert_eq!(taken(dir.path()).await, None);
    let store = open(dir.path()).unwrap();
    let other = store.append(&domain(), Head::EMPTY, entries(100, 9)).await.unwrap();
    drop(store);
    assert_eq!(taken(dir.path()).await, None);
    assert_ne!(other, head_at(9));
}

#[tokio::test]
async fn each_domain_has_its_newest() {
    let dir = store_with(None).await;
    let store = open(dir.path()).unwrap();
    let other: TrustDomain = "dev.acme.example".parse().unwrap();
    store.append(&other, Head::EMPTY, entries(0, 2)).await.unwrap();
    for count in [2, 8, 5] {
        store.put_snapshot(&domain(), snapshot(count)).await.unwrap();
    }
    store.put_snapshot(&other, snapshot(2)).await.unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(store.take_snapshot(&other).await.unwrap(), Some(recalled(snapshot(2))));
    assert_eq!(store.take_snapshot(&domain()).await.unwrap(), Some(recalled(snapshot(5))));
}

#[tokio::test]
async fn an_edition_that_a_crash_cut_short_changes_nothing() {
    let dir = store_with(Some(snapshot(3))).await;
    let shelf = Shelf::open(&dir.path().join("derived/db")).unwrap();
    shelf.put_parts(&domain(), &snapshot(8)).unwrap();
    drop(shelf);
    assert_eq!(taken(dir.path()).await, Some(recalled(snapshot(3))));
    assert_whole(dir.path(), "afterwards").await;
}

/// Changes what is in the database, with sled's own hand.
fn change(dir: &Path, prefix: &str, change: impl Fn(&mut [u8])) {
    let database = sled::open(dir.join("derived/db")).unwrap();
    for found in database.scan_prefix(prefix) {
        let (key, mut value) = found.unwrap();
        change(&mut value);
        database.insert(key, value).unwrap();
    }
    database.flush().unwrap();
}

#[tokio::test]
async fn what_somebody_else_put_in_its_place_is_not_given_back() {
    let parts = |dir: &Path| change(dir, "part/", |part| part[0] ^= 1);
    let size = |dir: &Path| change(dir, "label/", |label| label[19] ^= 1);
    let layout = |dir: &Path| change(dir, "label/", |label| label[3] += 1);
    let twin = |dir: &Path| change(dir, "", |_| {});
    for (change, is_given) in [(parts as fn(&Path), false), (size, false), (layout, false), (twin, true)] {
        let dir = store_with(Some(snapshot(3))).await;
        change(dir.path());
        assert_eq!(taken(dir.path()).await.is_some(), is_given);
        assert_whole(dir.path(), "afterwards").await;
    }
}

#[tokio::test]
async fn a_snapshot_beyond_the_limit_is_refused() {
    let dir = store_with(None).await;
    let store = open(dir.path()).unwrap();
    let large = Snapshot { bytes: Bytes::from(vec![0; SNAPSHOT_MAX_BYTES + 1]), ..snapshot(8) };
    let refused = store.put_snapshot(&domain(), large).await;
    assert!(matches!(refused, Err(StoreError::Limit { .. })), "{refused:?}");
}

#[tokio::test]
async fn without_a_place_for_it_the_log_goes_on() {
    let dir = store_with(None).await;
    let store = open(dir.path()).unwrap();
    fs::write(dir.path().join("derived"), "a file").unwrap();
    for _ in 0..2 {
        let failed = store.put_snapshot(&domain(), snapshot(8)).await;
        assert!(matches!(failed, Err(StoreError::Derived { .. })), "{failed:?}");
    }
    assert_eq!(fill(&store, 8, &[1]).await, head_at(9));
    store.put_checkpoint(&domain(), checkpoint(head_at(9))).await.unwrap();
    drop(store);
    let store = open(dir.path()).unwrap();
    assert_eq!(all(&store).await.unwrap(), entries(0, 9));
    store.put_snapshot(&domain(), snapshot(8)).await.unwrap();
}

#[tokio::test]
async fn without_what_is_derived_every_answer_is_the_same() {
    // So large that sled keeps some of it in files of their own.
    let large = Snapshot { bytes: Bytes::from(vec![7; 4_000_000]), ..snapshot(8) };
    let whole = store_with(Some(large.clone())).await;
    type Ruin = (&'static str, fn(&Path));
    let ruin: [Ruin; 8] = [
        ("absent", |derived| fs::remove_dir_all(derived).unwrap()),
        ("empty", |derived| {
            fs::remove_dir_all(derived).unwrap();
            fs::create_dir(derived).unwrap();
        }),
        ("a file", |derived| {
            fs::remove_dir_all(derived).unwrap();
            fs::write(derived, "x").unwrap();
        }),
        ("emptied files", |derived| files(derived).iter().for_each(|file| fs::write(file, "").unwrap())),
        ("garbage", |derived| {
            files(derived).iter().for_each(|file| fs::write(file, vec![0x5a; 9_000]).unwrap());
        }),
        ("which sled panics at", |derived| {
            let lost = files(&derived.join("db/blobs"));
            assert!(!lost.is_empty());
            lost.iter().for_each(|file| fs::remove_file(file).unwrap());
        }),
        ("of another version", |derived| {
            fs::write(derived.join("db/conf"), "segment_size: 524288\nversion: 1.0\n").unwrap();
        }),
        ("read to no end", |derived| fs::write(derived.join("at-work"), "").unwrap()),
    ];
    for (what, ruin) in ruin {
        let dir = copy(whole.path());
        ruin(&dir.path().join("derived"));
        let store = open(dir.path()).unwrap();
        assert_eq!(store.take_snapshot(&domain()).await.unwrap(), None, "{what}");
        store.put_snapshot(&domain(), snapshot(3)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        drop(store);
        assert_eq!(taken(dir.path()).await, Some(recalled(snapshot(3))), "{what}");
        assert_whole(dir.path(), what).await;
    }
    assert_eq!(taken(whole.path()).await, Some(recalled(large)), "the twin");
}

/// The bytes that are flipped of a file. `COUNTERSIGN_FLIPPED_ENTRIES` asks for all; otherwise it is some
/// of where sled keeps something, and a few of the rest of its first segment, which is empty.
fn flipped(length: usize) -> impl Iterator<Item = usize> {
    let all = std::env::var_os("COUNTERSIGN_FLIPPED_ENTRIES").is_some();
    (0..length).filter(move |at| all || at % if *at < 4_000 { 11 } else { 5_003 } == 0)
}

#[tokio::test]
async fn a_flipped_bit_in_what_is_derived_changes_no_answer() {
    let whole = store_with(Some(Snapshot { bytes: Bytes::from(vec![7; 3_000]), ..snapshot(8) })).await;
    let kept = taken(whole.path()).await.unwrap();
    let (mut given, mut not_given) = (0, 0);
    for file in files(&whole.path().join("derived")) {
        let bytes = fs::read(&file).unwrap();
        for at in flipped(bytes.len()) {
            let what = format!("{} at {at}", file.display());
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let dir = copy(whole.path());
            fs::write(dir.path().join(file.strip_prefix(whole.path()).unwrap()), flipped).unwrap();
            let store = EmbeddedStore::open_with(dir.path(), Options::default()).unwrap();
            assert_eq!(all(&store).await.unwrap(), entries(0, 8), "{what}");
            match store.take_snapshot(&domain()).await.unwrap() {
                None => not_given += 1,
                Some(recalled) => {
                    assert_eq!(recalled, kept, "{what}");
                    given += 1;
                }
            }
            store.put_snapshot(&domain(), snapshot(7)).await.unwrap_or_else(|why| panic!("{what}: {why}"));
        }
    }
    assert!(given > 0 && not_given > 0, "{given} given back, {not_given} not");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

/// A copy of a closed store.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = quick_dir();
    for file in files(from) {
        let path = to.path().join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(file, path).unwrap();
    }
    to
}

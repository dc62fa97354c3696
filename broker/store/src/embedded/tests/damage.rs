//! What the disk may do to the files, and what the store then says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    EmbeddedStore, Head, Options, Store, StoreError,
    embedded::{
        record::Record,
        segment::{Header, Salt},
    },
    tests::{TINY, all, checkpoint, domain, entries, fill, head_at, index, open, quick_dir, size},
};

const SEGMENTS: &str = "domains/prod.acme.example/segments";
const CHECKPOINT: &str = "domains/prod.acme.example/checkpoint";

fn segment(dir: &Path, first: u64) -> PathBuf {
    dir.join(SEGMENTS).join(format!("{first:020}.seg"))
}

/// A closed store with these batches, each in a segment of its own or all in one.
async fn store_of(batches: &[u64], options: Options, pinned_at: Option<u64>) -> tempfile::TempDir {
    let dir = quick_dir();
    let store = EmbeddedStore::open_with(dir.path(), options).unwrap();
    fill(&store, 0, batches).await;
    if let Some(at) = pinned_at {
        store.put_checkpoint(&domain(), checkpoint(head_at(at))).await.unwrap();
    }
    dir
}

/// Asserts that the store refuses, naming that file.
#[track_caller]
fn assert_damaged(dir: &Path, file: &Path) {
    match open(dir) {
        Err(StoreError::Damaged { file: named, .. }) => assert_eq!(named, file),
        other => panic!("{} passed for whole: {other:?}", file.display()),
    }
}

fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(all_files(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test]
async fn a_record_cut_anywhere_is_gone_or_whole_and_the_log_goes_on() {
    let dir = store_of(&[2, 3], Options::default(), Some(5)).await;
    let file = segment(dir.path(), 0);
    let before = fs::metadata(&file).unwrap().len();
    fill(&open(dir.path()).unwrap(), 5, &[3]).await;
    let whole = fs::read(&file).unwrap();
    for length in before..=whole.len() as u64 {
        fs::write(&file, &whole[..length as usize]).unwrap();
        let store = open(dir.path()).unwrap();
        let expected = if length == whole.len() as u64 { 8 } else { 5 };
        assert_eq!(all(&store).await.unwrap(), entries(0, expected), "cut at {length}");
        assert_eq!(fill(&store, expected, &[1]).await, head_at(expected + 1));
        drop(store);
        assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, expected + 1));
    }
}

#[tokio::test]
async fn a_torn_record_that_is_long_enough_is_cut_too() {
    let dir = store_of(&[2, 3], Options::default(), None).await;
    let file = segment(dir.path(), 0);
    let before = fs::metadata(&file).unwrap().len() as usize;
    fill(&open(dir.path()).unwrap(), 5, &[3]).await;
    let whole = fs::read(&file).unwrap();
    for at in before..whole.len() {
        let mut torn = whole.clone();
        torn[at..].fill(0);
        if torn == whole {
            continue;
        }
        fs::write(&file, &torn).unwrap();
        assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 5), "zeros from {at}");
        assert_eq!(fs::metadata(&file).unwrap().len() as usize, before, "and it is cut off");
    }
}

#[tokio::test]
async fn a_record_that_the_checkpoint_covers_is_never_cut() {
    let dir = store_of(&[2, 3], Options::default(), Some(5)).await;
    let file = segment(dir.path(), 0);
    let whole = fs::read(&file).unwrap();
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert_damaged(dir.path(), &file);
        assert_eq!(fs::read(&file).unwrap().len(), length, "the evidence is left alone");
    }
}

#[tokio::test]
async fn an_acknowledged_record_is_not_cut_even_without_a_checkpoint() {
    let dir = store_of(&[2, 3, 1], Options::default(), None).await;
    let file = segment(dir.path(), 0);
    let whole = fs::read(&file).unwrap();
    let needle = b"entry 3";
    let at = whole.windows(needle.len()).position(|window| window == needle).unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    fs::write(&file, &flipped).unwrap();
    assert_damaged(dir.path(), &file);
}

#[tokio::test]
async fn a_flush_that_reached_the_disk_in_part_is_cut_at_its_first_gap() {
    // Three records of one flush, of which the disk kept the third and not the second.
    let dir = store_of(&[1, 1], Options::default(), None).await;
    let file = segment(dir.path(), 0);
    let mut bytes = fs::read(&file).unwrap();
    let (header, _) = Header::parse(&bytes).unwrap();
    let mut ends = Vec::new();
    for at in 2..5 {
        let record =
            Record { durable: size(2), first: size(at), entries: entries(at, 1), root: head_at(at + 1).root };
        record.encode(&header.salt, &mut bytes);
        ends.push(bytes.len());
    }
    fs::write(&file, &bytes).unwrap();
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 5), "the twin");
    bytes[ends[0]..ends[1]].fill(0);
    fs::write(&file, &bytes).unwrap();
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 3));
}

#[tokio::test]
async fn an_entry_that_looks_like_a_record_does_not_pass_for_one() {
    let forged = Record { durable: size(9), first: size(9), entries: entries(9, 1), root: head_at(9).root };
    let mut entry = Vec::new();
    forged.encode(&Salt::of_test(0), &mut entry);
    let dir = store_of(&[2], Options::default(), None).await;
    let store = open(dir.path()).unwrap();
    store.append(&domain(), head_at(2), vec![Bytes::from(entry)]).await.unwrap();
    drop(store);
    let file = segment(dir.path(), 0);
    let bytes = fs::read(&file).unwrap();
    // The hash of the record that carries it did not reach the disk.
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 2));
}

/// Entries of the store of which every byte is flipped: `COUNTERSIGN_FLIPPED_ENTRIES` asks for more.
fn flipped_entries() -> u64 {
    std::env::var("COUNTERSIGN_FLIPPED_ENTRIES").map_or(200, |text| text.parse().unwrap())
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_named_or_without_effect() {
    let count = flipped_entries();
    let batches: Vec<_> = [4, 1, 6, 2, 7].into_iter().cycle().take(count as usize / 4).collect();
    let count = batches.iter().sum();
    // Segments of some records each.
    let options = Options { segment_bytes: 4_000 };
    let dir = store_of(&batches, options, Some(count)).await;
    let (written, head) = (entries(0, count), head_at(count));
    for file in all_files(dir.path()) {
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&file, &flipped).unwrap();
            match open(dir.path()) {
                Err(StoreError::Damaged { file: named, offset, .. }) => {
                    assert_eq!(named, file, "byte {at}");
                    assert!(offset <= at as u64, "{} at {at} is said to be at {offset}", file.display());
                }
                Err(StoreError::Format { path, .. }) => assert_eq!(path, file, "byte {at}"),
                Err(other) => panic!("{} at {at}: {other}", file.display()),
                Ok(store) => {
                    assert_eq!(store.head(&domain()).await.unwrap(), head, "{} at {at}", file.display());
                    assert_eq!(all(&store).await.unwrap(), written, "{} at {at}", file.display());
                    let kept = store.checkpoint(&domain()).await.unwrap();
                    assert_eq!(kept, Some(checkpoint(head)), "{} at {at}", file.display());
                }
            }
        }
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), written, "the twin");
}

#[tokio::test]
async fn a_record_that_rots_under_an_open_store_is_refused() {
    let dir = store_of(&[2, 3], Options::default(), None).await;
    let store = open(dir.path()).unwrap();
    let file = segment(dir.path(), 0);
    let mut bytes = fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let result = all(&store).await;
    assert!(matches!(&result, Err(StoreError::Damaged { file: named, .. }) if *named == file), "{result:?}");
    assert_eq!(store.read(&domain(), index(0)..index(2), 1000).await.unwrap(), entries(0, 2));
}

#[tokio::test]
async fn a_log_shorter_than_its_checkpoint_is_refused() {
    let dir = store_of(&[2, 3], TINY, Some(5)).await;
    fs::remove_file(segment(dir.path(), 2)).unwrap();
    assert_damaged(dir.path(), &segment(dir.path(), 0));
    fs::remove_file(segment(dir.path(), 0)).unwrap();
    assert_damaged(dir.path(), &dir.path().join(SEGMENTS));
    fs::remove_dir(dir.path().join(SEGMENTS)).unwrap();
    assert_damaged(dir.path(), &dir.path().join(SEGMENTS));
}

#[tokio::test]
async fn another_log_under_the_checkpoint_is_refused() {
    let dir = store_of(&[2, 3], Options::default(), Some(2)).await;
    let other = tempfile::tempdir().unwrap();
    let store = open(other.path()).unwrap();
    let head = store.append(&domain(), Head::EMPTY, entries(100, 3)).await.unwrap();
    store.append(&domain(), head, entries(103, 9)).await.unwrap();
    drop(store);
    fs::copy(segment(other.path(), 0), segment(dir.path(), 0)).unwrap();
    // The checkpoint's size is in the middle of a batch of the other log.
    assert_damaged(dir.path(), &dir.path().join(CHECKPOINT));
}

#[tokio::test]
async fn a_missing_segment_is_refused() {
    let dir = store_of(&[2, 3, 1], TINY, None).await;
    fs::remove_file(segment(dir.path(), 2)).unwrap();
    assert_damaged(dir.path(), &segment(dir.path(), 5));
    fs::remove_file(segment(dir.path(), 0)).unwrap();
    assert_damaged(dir.path(), &segment(dir.path(), 5));
}

#[tokio::test]
async fn a_broken_record_before_another_segment_is_refused() {
    let dir = store_of(&[2, 3, 1], TINY, None).await;
    let file = segment(dir.path(), 2);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert_damaged(dir.path(), &file);
}

#[tokio::test]
async fn segments_of_others_are_refused() {
    let dir = store_of(&[2, 3], TINY, None).await;
    let segments = dir.path().join(SEGMENTS);
    let elsewhere = dir.path().join("domains/dev.acme.example");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&segments, elsewhere.join("segments")).unwrap();
    assert_damaged(dir.path(), &elsewhere.join("segments").join(format!("{:020}.seg", 0)));
    fs::rename(elsewhere.join("segments"), &segments).unwrap();
    assert_eq!(all(&open(dir.path()).unwrap()).await.unwrap(), entries(0, 5), "the twin");

    fs::write(segments.join("notes.txt"), "").unwrap();
    assert_damaged(dir.path(), &segments.join("notes.txt"));
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_removed() {
    let dir = store_of(&[2], TINY, Some(2)).await;
    let unfinished = dir.path().join(SEGMENTS).join(format!("{:020}.seg.new", 2));
    fs::write(&unfinished, "csi").unwrap();
    fs::write(dir.path().join(CHECKPOINT).with_extension("new"), "prod").unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(all(&store).await.unwrap(), entries(0, 2));
    assert!(!unfinished.exists());
}

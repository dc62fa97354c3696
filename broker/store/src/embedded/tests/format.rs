use std::fs;

use crate::{EmbeddedStore, StoreError, tests::open};

fn format_of(result: Result<EmbeddedStore, StoreError>) -> bool {
    matches!(result, Err(StoreError::Format { path, .. }) if path.ends_with("FORMAT"))
}

#[test]
fn a_second_opening_is_refused_with_the_lock_file_named() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let second = open(dir.path());
    assert!(
        matches!(&second, Err(StoreError::Locked { path }) if *path == dir.path().join("LOCK")),
        "{second:?}"
    );
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn an_unknown_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let format = dir.path().join("FORMAT");
    assert_eq!(fs::read_to_string(&format).unwrap(), "countersign-store 1\n");
    for other in ["countersign-store 2\n", "countersign-store 1", "", "countersign-store 1\n\n"] {
        fs::write(&format, other).unwrap();
        assert!(format_of(open(dir.path())), "{other:?}");
        assert_eq!(fs::read_to_string(&format).unwrap(), other);
    }
}

#[test]
fn a_directory_of_something_else_does_not_become_a_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "important").unwrap();
    assert!(format_of(open(dir.path())));
    let store = dir.path().join("store");
    drop(open(&store).unwrap());
    fs::remove_file(store.join("FORMAT")).unwrap();
    assert!(format_of(open(&store)), "a store that lost its format");
}

#[test]
fn a_crash_before_the_format_was_written_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("LOCK"), "").unwrap();
    fs::write(dir.path().join("FORMAT.new"), "counter").unwrap();
    open(dir.path()).unwrap();
}

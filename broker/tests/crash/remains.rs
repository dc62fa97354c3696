//! What the files hold after a kill, before a broker opens them again: read from a copy, so that
//! whatever a start must mend is still there to be mended.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use countersign_protocol::ledger::LeafIndex;
use countersign_store::{EmbeddedStore, Head, READ_MAX_BYTES, Store as _};

use crate::daemon::DOMAIN;

pub(crate) struct Remains {
    /// Where the log ends.
    pub(crate) head: Head,
    /// The entries from the leaf on that was asked for.
    pub(crate) entries: Vec<Bytes>,
    /// Bytes of a record that is not whole.
    pub(crate) torn: u64,
    /// Files that were being put in place.
    pub(crate) unfinished: usize,
}

impl Remains {
    pub(crate) async fn of(ledger: &Path, from: LeafIndex) -> Self {
        let place = tempfile::tempdir().unwrap();
        let copy = place.path().join("ledger");
        copy_dir(ledger, &copy);
        let files = files(&copy);
        let unfinished = files.iter().filter(|path| path.extension().is_some_and(|it| it == "new")).count();
        let segments = || files.iter().filter(|path| path.extension().is_some_and(|it| it == "seg"));
        let bytes = || segments().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
        let before = bytes();
        let store = EmbeddedStore::open(&copy).unwrap();
        let torn = before - bytes();
        let (domain, mut entries) = (DOMAIN.parse().unwrap(), Vec::new());
        let head = store.head(&domain).await.unwrap();
        let mut next = from;
        while next < head.size.next_leaf() {
            let read = store.read(&domain, next..head.size.next_leaf(), READ_MAX_BYTES).await.unwrap();
            next = next.plus(read.len() as u64).unwrap();
            entries.extend(read);
        }
        Self { head, entries, torn, unfinished }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_dir(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

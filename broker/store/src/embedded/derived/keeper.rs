//! The thread's side: keeps the database usable, or does without.

use std::{
    fs::{self, File},
    io, mem,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

use countersign_protocol::name::TrustDomain;

use super::{
    Request,
    shelf::{Failure, Shelf},
};
use crate::{Snapshot, StoreError, embedded::disk};

const DATABASE: &str = "db";
/// Is there while old files are read. Whoever finds it at a start knows that the process before ended
/// while it read them, perhaps because of them.
const AT_WORK: &str = "at-work";

pub(super) struct Keeper {
    dir: PathBuf,
    shelf: Option<Shelf>,
    /// It failed since the start, so there is none until the next.
    has_failed: bool,
}

impl Keeper {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, shelf: None, has_failed: false }
    }

    pub(super) fn answer(&mut self, request: Request) {
        // Whoever asked may have lost patience, and then nobody listens.
        match request {
            Request::Get(domain, answer) => drop(answer.send(self.get(&domain))),
            Request::Put(domain, snapshot, answer) => drop(answer.send(self.put(&domain, &snapshot))),
        }
    }

    /// What cannot be read is thrown away, all of it: it is not known how far the damage goes.
    fn get(&mut self, domain: &TrustDomain) -> Option<Snapshot> {
        self.marked(|shelf| shelf.get(domain)).unwrap_or_else(|why| {
            tracing::warn!(dir = %self.dir.display(), %why, "what is derived from the ledger is made anew");
            self.throw_away();
            None
        })
    }

    fn put(&mut self, domain: &TrustDomain, snapshot: &Snapshot) -> Result<(), StoreError> {
        if self.has_failed {
            return Err(StoreError::Derived {
                why: "it failed before; there is none until a restart".into(),
            });
        }
        let opened = if self.shelf.is_some() { Ok(()) } else { self.marked(|_| Ok(())) };
        opened.and_then(|()| self.with(|shelf| shelf.put(domain, snapshot))).map_err(|why| {
            tracing::warn!(dir = %self.dir.display(), %why, "no more snapshots are kept until a restart");
            // What it takes of a disk that may be full is given back.
            self.throw_away();
            self.has_failed = true;
            StoreError::Derived { why: why.to_string() }
        })
    }

    /// Reads what a process before has left.
    fn marked<T>(&mut self, read: impl FnOnce(&Shelf) -> Result<T, Failure>) -> Result<T, Failure> {
        disk::create_dir(&self.dir)?;
        let mark = self.dir.join(AT_WORK);
        File::create_new(&mark).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::LastReader,
            _ => Failure::Io(error),
        })?;
        let read = self.with(read)?;
        fs::remove_file(mark)?;
        Ok(read)
    }

    /// Does something with the database, which is opened if it was not yet.
    fn with<T>(&mut self, act: impl FnOnce(&Shelf) -> Result<T, Failure>) -> Result<T, Failure> {
        let shelf = match self.shelf.take() {
            Some(shelf) => shelf,
            None => caught(|| Shelf::open(&self.dir.join(DATABASE)))?,
        };
        // One that has failed is not asked to close itself: it may never come to an end.
        match caught(|| act(&shelf)) {
            Ok(it) => {
                self.shelf = Some(shelf);
                Ok(it)
            }
            Err(why) => {
                mem::forget(shelf);
                Err(why)
            }
        }
    }

    fn throw_away(&self) {
        if let Err(error) = remove(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "it cannot be removed");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelf.take() {
            let _panicked = caught(|| {
                drop(shelf);
                Ok(())
            });
        }
    }
}

fn caught<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panic::catch_unwind(AssertUnwindSafe(act)).unwrap_or(Err(Failure::Panicked))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

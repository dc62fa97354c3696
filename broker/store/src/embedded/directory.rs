//! The store's directory: its format, its lock, its domains.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_protocol::name::TrustDomain;

use super::{disk, recovery::Paths};
use crate::{StoreError, limits::DOMAINS_MAX};

pub(super) const FORMAT: &str = "FORMAT";
pub(super) const FORMAT_LINE: &str = "countersign-store 1";
const LOCK: &str = "LOCK";
pub(super) const DOMAINS: &str = "domains";
const DERIVED: &str = "derived";

/// A directory that is a store, and that nobody else has open.
#[derive(Debug)]
pub(super) struct Directory {
    domains: PathBuf,
    derived: PathBuf,
    /// Shared with whatever may write, so that the store stays locked until the last write.
    lock: Arc<File>,
}

impl Directory {
    /// Locks the directory, then reads its format, or writes it into an empty one.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(path).map_err(StoreError::io(path))?;
        disk::create_dir(&root)?;
        let lock = lock(root.join(LOCK))?;
        let (domains, derived) = (root.join(DOMAINS), root.join(DERIVED));
        let path = root.join(FORMAT);
        match disk::read_if_there(&path)? {
            Some(bytes) if bytes == format!("{FORMAT_LINE}\n").as_bytes() => {}
            // Entries under an unknown format, or somebody's other files, are not ours to touch.
            None if disk::names(&root)? == [LOCK] => {
                disk::replace(&path, format!("{FORMAT_LINE}\n").as_bytes())?;
            }
            _ => return Err(StoreError::Format { path, expected: FORMAT_LINE }),
        }
        disk::create_dir(&domains)?;
        Ok(Self { domains, derived, lock: Arc::new(lock) })
    }

    /// The domains that have, or once were about to have, a log here.
    pub(super) fn domains(&self) -> Result<Vec<TrustDomain>, StoreError> {
        let names = disk::names(&self.domains)?;
        if names.len() > DOMAINS_MAX {
            return Err(StoreError::Limit { what: "domains", got: names.len(), limit: DOMAINS_MAX });
        }
        let what = "not the name of a trust domain";
        let parse = |name: String| {
            let file = self.domains.join(&name);
            name.parse().map_err(|_| StoreError::Damaged { file, offset: 0, what })
        };
        names.into_iter().map(parse).collect()
    }

    pub(super) fn paths(&self, domain: &TrustDomain) -> Paths {
        Paths::new(&self.domains.join(domain.as_str()))
    }

    /// Where what is derived from the logs may be.
    pub(super) fn derived(&self) -> PathBuf {
        self.derived.clone()
    }

    pub(super) fn lock(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }
}

/// An advisory lock that the kernel gives back when the last descriptor is closed, however the
/// process ends.
fn lock(path: PathBuf) -> Result<File, StoreError> {
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(path)(error)),
    }
}

//! A copy of what a broker keeps, apart from its keys, while it may be running.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use countersign_protocol::ledger::TreeSize;
use countersign_store::{EmbeddedStore, Head, Store as _, StoreError};
use thiserror::Error;

use crate::{config::Config, file};

/// Why there is no backup, or none that can be believed.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A file or directory cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ledger cannot be copied, or its copy is not whole.
    #[error("the ledger: {0}")]
    Store(#[from] StoreError),
    /// The reading of the copy was cut short.
    #[error("the copy was not read: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What the copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its ledger.
    pub head: Head,
    /// How much of it a checkpoint covers.
    pub covered: TreeSize,
}

/// Beside a copy, says that it is one. No broker runs on it: its ledger may have gone on elsewhere.
pub(crate) const MARK: &str = "BACKUP";

const MARK_TEXT: &str = "A backup. `countersignd restore` goes on from it; no broker runs on it as it is.\n";

/// Copies the ledger, the policies and the public keys to a new directory, from which
/// [`restore`](crate::restore()) goes on; then opens the copy and checks all of it.
pub async fn backup(config: &Config, to: &Path) -> Result<Copied, BackupError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    };
    if to.exists() {
        let there = io::Error::new(io::ErrorKind::AlreadyExists, "it is there already");
        return Err(io(to)(there));
    }
    file::create_private_dir(to).map_err(io(to))?;
    file::replace(&to.join(MARK), MARK_TEXT.as_bytes()).map_err(io(to))?;
    let ledger = to.join("ledger");
    let (from, copy) = (config.ledger_dir(), ledger.clone());
    let copying = move || EmbeddedStore::copy(&from, &copy).and_then(|()| EmbeddedStore::open(&copy));
    let store = tokio::task::spawn_blocking(copying).await??;
    for (from, name) in [(config.policy_dir(), "policies"), (config.public_dir(), "public")] {
        copy_files(&from, &to.join(name)).map_err(io(&from))?;
    }
    let head = store.head(&config.trust_domain).await?;
    let checkpoint = store.checkpoint(&config.trust_domain).await?;
    let covered = checkpoint.map_or(TreeSize::ZERO, |kept| kept.peek_unverified().size);
    Ok(Copied { head, covered })
}

pub(crate) fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    file::create_private_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        file::replace(&to.join(entry.file_name()), &fs::read(entry.path())?)?;
    }
    Ok(())
}

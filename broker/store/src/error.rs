use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
};

use thiserror::Error;

use crate::Head;

/// Why an engine did not do what it was asked.
///
/// **An error of an append does not mean that nothing was written**, except for `Conflict`, `Limit`
/// and `Busy`: whoever sees another one learns from the log, after a restart, what became of the
/// batch.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    // The caller's view of the log is old.
    /// The head is elsewhere; nothing of the batch was written.
    #[error("the head is at {actual}, not where the batch expects it")]
    Conflict {
        /// The head that is durable now.
        actual: Head,
    },

    // The caller asks for what it may not have.
    /// A size or count is beyond its limit; nothing was written.
    #[error("{got} {what}; the limit is {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be; for an empty batch, how many there must be.
        limit: usize,
    },
    /// The checkpoint contradicts this log, or is older than the one that is kept.
    #[error("the checkpoint is not kept: {why}")]
    Checkpoint {
        /// What is wrong with it.
        why: &'static str,
    },

    // Nobody's fault; later it may go well.
    /// The writer's queue is full; nothing was written.
    #[error("the queue of the ledger's writer is full")]
    Busy,

    /// What is derived from the log is not kept. The log is as it was.
    #[error("nothing that is derived from the ledger is kept: {why}")]
    Derived {
        /// What failed.
        why: String,
    },

    // The machine's.
    /// There is no room. What was written of it is the end of the log, nothing behind it was
    /// acknowledged, and nothing more is written before the store is opened again, which may be done by
    /// the same process: no flush has failed, so what the system holds is what the disk will hold.
    #[error("{path}: no room: {source}", path = path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// A write failed earlier, so what is on the disk is unknown until the next start reads it.
    #[error("the ledger is read-only since a write failed: {cause}")]
    ReadOnly {
        /// The failure.
        cause: String,
    },
    /// What is on the disk is not what was written.
    #[error("{file}, byte {offset}: {what}", file = file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in the file the damage begins.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// Another process, or another part of this one, has the store open.
    #[error("{path} is open elsewhere", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The directory is no store, or one of a version that this program does not know.
    #[error("{path} does not say `{expected}`, so it is not read", path = path.display())]
    Format {
        /// The file that names the format.
        path: PathBuf,
        /// What it must say.
        expected: &'static str,
    },
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its reason.
        source: Arc<io::Error>,
    },
}

impl StoreError {
    /// Gives an I/O error the path that it is about.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source: Arc::new(source) }
    }

    /// The same for the error of a write, as against that of a flush, which tells nothing of what the
    /// disk holds.
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| {
            let source = Arc::new(source);
            match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Self::Full { path, source }
                }
                _ => Self::Io { path, source },
            }
        }
    }
}

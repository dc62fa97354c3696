//! Every bound of the engines, with its reason.

use std::time::Duration;

pub use countersign_protocol::limits::{BATCH_MAX_ENTRIES, PAYLOAD_MAX_BYTES as ENTRY_MAX_BYTES};

/// Bytes of the entries of one batch: 64 of the largest. A batch is held in memory, and read back,
/// as a whole.
pub const BATCH_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Batches that wait for one domain's writer. Behind a slow disk, more of them only wait longer.
pub const QUEUE_MAX_BATCHES: usize = 1024;

/// Bytes of records that wait for one domain's writer or are being written: what one flush carries.
pub const QUEUE_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of entries in one answer to a read; a single larger entry does not exist.
pub const READ_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Entries in one answer to a read: small ones cost memory of their own.
pub const READ_MAX_ENTRIES: usize = 16 * 1024;

/// Trust domains in one store: each has a thread. One broker serves the domains of one
/// organisation.
pub const DOMAINS_MAX: usize = 64;

/// Bytes of a snapshot. It is held in memory as a whole, and a state that is larger is folded.
pub const SNAPSHOT_MAX_BYTES: usize = 1024 * 1024 * 1024;

/// Memory of the database of what is derived: it is read from one end to the other, at starts.
pub(crate) const DERIVED_CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// How long a start waits for what is derived. Reading the largest snapshot takes some seconds.
pub(crate) const DERIVED_WAIT_MAX: Duration = Duration::from_secs(30);

/// Bytes after which a segment file is followed by a new one. Start-up reads a segment as a whole.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

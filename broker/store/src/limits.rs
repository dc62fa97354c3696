//! Every bound of the engines, with its reason.

use std::time::Duration;

pub use countersign_protocol::limits::{BATCH_MAX_ENTRIES, PAYLOAD_MAX_BYTES as ENTRY_MAX_BYTES};

/// Bytes of the entries of one batch: 64 of the largest. A batch is held in memory, and read back,
/// as a whole.
/// Edges: `suite::nothing_beyond_a_limit_is_written`, `suite::the_largest_batch_is_accepted`.
pub const BATCH_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Batches that wait for one domain's writer. Behind a slow disk, more of them only wait longer.
/// Edges: `queue::so_many_batches_wait_and_no_more`.
pub const QUEUE_MAX_BATCHES: usize = 1024;

/// Bytes of records that wait for one domain's writer or are being written: what one flush carries.
/// Edges: `queue::so_many_bytes_wait_or_are_written_and_no_more`.
pub const QUEUE_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of entries in one answer to a read; a single larger entry does not exist.
/// Edges: `suite::a_read_is_bounded_in_bytes_whatever_is_asked_for`.
pub const READ_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Entries in one answer to a read: small ones cost memory of their own.
/// Edges: `suite::a_read_is_bounded_but_never_empty`.
pub const READ_MAX_ENTRIES: usize = 16 * 1024;

/// Trust domains in one store: each has a thread. One broker serves the domains of one
/// organisation.
/// Edges: `suite::domains_are_limited_in_number`.
pub const DOMAINS_MAX: usize = 64;

/// Bytes of a snapshot. It is held in memory as a whole, and a state that is larger is folded.
/// Edges: `derived::a_snapshot_beyond_the_limit_is_refused`.
pub const SNAPSHOT_MAX_BYTES: usize = 1024 * 1024 * 1024;

/// Memory of the database of what is derived: it is read from one end to the other, at starts.
/// Edges: none. It makes starts fast or slow.
pub(crate) const DERIVED_CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// How long a start waits for what is derived. Reading the largest snapshot takes some seconds.
/// Edges: none. What comes too late is folded instead.
pub(crate) const DERIVED_WAIT_MAX: Duration = Duration::from_secs(30);

/// Bytes after which a segment file is followed by a new one. Start-up reads a segment as a whole.
/// Edges: `queue::a_segment_that_is_full_is_followed_by_another`.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

//! Every bound of the command line, with its reason.

use std::time::Duration;

/// How often a command asks for a session that another command has, and how long it pauses in
/// between: five seconds in all, longer than any command but an audit takes.
/// Edges: none. It paces.
pub(crate) const LOCK_ATTEMPTS: u32 = 100;
/// See [`LOCK_ATTEMPTS`].
/// Edges: none. It paces.
pub(crate) const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a file that a person wrote: rights, or a domain's public keys.
/// Edges: `usage::a_file_has_its_size`.
pub(crate) const TEXT_FILE_MAX_BYTES: usize = 256 * 1024;

/// How often a command that has done its work looks whether its session was renewed, and how long it
/// pauses in between: two seconds in all. If the broker does not answer, the next command tries again.
/// Edges: none. It paces.
pub(crate) const RENEWAL_ATTEMPTS: u32 = 100;
/// See [`RENEWAL_ATTEMPTS`].
/// Edges: none. It paces.
pub(crate) const RENEWAL_PAUSE: Duration = Duration::from_millis(20);

/// How long a watch waits for news while it has the session, which other commands want too, and how
/// long it lets go of it where there were none.
/// Edges: none. It paces.
pub(crate) const WATCH_GLANCE: Duration = Duration::from_secs(1);
/// See [`WATCH_GLANCE`].
/// Edges: none. It paces.
pub(crate) const WATCH_REST: Duration = Duration::from_millis(250);

/// Bytes of a line that a person types in answer to a question: the words that are asked for are short.
/// Edges: `terminal::a_line_is_read_up_to_its_limit`.
pub(crate) const LINE_MAX_BYTES: usize = 256;

/// Pieces of a streamed body that are read ahead of what the callee takes, of a chunk each.
/// Edges: none. It paces.
pub(crate) const PIECES_AHEAD: usize = 4;

/// How long a stream may take: as long as any broker lets it.
/// Edges: none. The broker cuts it.
pub(crate) const STREAM_WITHIN: Duration = Duration::from_millis(countersign_protocol::limits::STREAM_MAX_MS);

/// Entries of one shard, unless another number is asked for: some 15 MB.
/// Edges: `archive::a_shard_has_so_many_entries_and_the_rest_waits`.
pub(crate) const SHARD_ENTRIES: u32 = 65_536;

/// Bytes of the entries of one shard, whatever number is asked for: it is read as a whole.
/// Edges: none. What is beyond it begins the next shard.
pub(crate) const SHARD_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a shard's file: its entries, their lengths, and its head, which is a payload.
/// Edges: none. What was written here is shorter, and a longer file is none.
pub(crate) const SHARD_FILE_MAX_BYTES: usize = 3 * SHARD_BYTES;

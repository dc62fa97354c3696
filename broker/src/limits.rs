//! Every bound of the broker's shell, with its reason. The core's are in
//! [`countersign_protocol::limits`].

use std::time::Duration;

use countersign_protocol::time::Lifetime;

/// How long a wait trusts the runtime's timer before it looks at the time of day again. A clock
/// that was set, or a machine that was suspended, is noticed within this time.
pub const CLOCK_SLEEP_MAX: Duration = Duration::from_secs(60);

/// From the first byte to the end of a TLS handshake. An honest one takes two round trips and a
/// millisecond of work; five seconds suffice for a slow link that drops packets.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Handshakes under way on one listener. Each holds a socket and some 20 KB before we know who it
/// is; beyond this the newest displaces one of the source that holds most.
pub const HALF_OPEN_MAX: usize = 512;

/// Open connections of one listener. Each costs some 50 KB with its HTTP/2 state.
pub const CONNECTIONS_MAX: usize = 8_192;

/// Open connections of one instance, or on the enrolment listener of one source. An SDK needs one
/// or two, and a second set while it renews; the rest is room for a process that spreads its load.
pub const CONNECTIONS_PER_HOLDER: usize = 32;

/// How long the listener rests when the system refuses to accept, which out of file descriptors it
/// does at once and for as long as they are out.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Life of a connection on the enrolment listener, which carries one or two calls by someone who is
/// not yet known.
pub const ENROLMENT_CONNECTION_LIFE: Lifetime = Lifetime::from_millis(30_000);

/// How far before now a certificate begins, so that a verifier whose clock is behind accepts it.
pub const CERTIFICATE_BACKDATE_MS: u64 = 30_000;

/// How soon a failed renewal of the broker's own certificate is tried again.
pub const RENEWAL_PAUSE: Lifetime = Lifetime::from_millis(5_000);

/// Decisions that wait for the ledger's writer; beyond this, calls are refused as overloaded. Each
/// call that waits holds one, so this is also how many can be under way.
pub const DECISIONS_WAITING_MAX: usize = 4_096;

/// Entries in one append: the engines' own bound.
pub const WRITER_BATCH_ENTRIES: usize = countersign_store::BATCH_MAX_ENTRIES;

/// Bytes in one append: the engines' own bound.
pub const WRITER_BATCH_BYTES: usize = countersign_store::BATCH_MAX_BYTES;

/// How long commits may go without a checkpoint of their own. Each costs a signature and a write
/// that waits for the disk, and one of the newest size stands for all before it.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(100);

/// Entries after which another snapshot of the state is kept, unless the configuration says
/// otherwise: what a start folds at most, in a second or two.
pub const SNAPSHOT_EVERY: u32 = 100_000;

/// As a part of the ledger, how much it grows before another snapshot is kept, if that is more: a
/// snapshot of many entries takes long to write, and so little of the time is spent on it.
pub const SNAPSHOT_SHARE: u64 = 8;

/// From the end of one snapshot to the beginning of the next.
pub const SNAPSHOT_PAUSE: Duration = Duration::from_secs(1);

/// What a disk that was full must take before the ledger is opened again: thousands of entries.
pub const ROOM_MIN_BYTES: usize = 8 * 1024 * 1024;

/// How often it is tried whether it does.
pub const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// How long streams may go on when the ledger is opened again. No call under way can be answered.
pub const REOPEN_DRAIN: Duration = Duration::from_millis(500);

/// Items of one page, where the caller does not say.
pub const PAGE_DEFAULT: usize = 100;

/// Items of one page, whatever the caller says: more gain nothing over a second call.
pub const PAGE_MAX: usize = 500;

/// Bytes of one page, apart from its last item: clients take messages of 4 MiB by default.
pub const PAGE_BYTES: usize = 1024 * 1024;

/// Items that are looked at for one page, or for one word to a watcher, while everyone else waits
/// for the state: a millisecond or two, where chains are deep. Where few of many are the caller's,
/// pages are short.
pub const PAGE_SCAN_MAX: usize = 1_024;

/// Watches of one service that are open. Each costs a task and what waits for the watcher.
pub const WATCHES_MAX: usize = 4_096;

/// Watches of one service that one instance has open: an SDK opens one for each negotiation that it
/// waits in, and another while the broker has not noticed the end of the one before.
pub const WATCHES_PER_INSTANCE: usize = 16;

/// Messages that wait for one watcher. The next one waits in the feed's task.
pub const WATCH_BUFFER: usize = 2;

/// Negotiations that one look of a watcher takes from the state.
pub const WATCH_LOOK_MAX: usize = 16;

/// How long a watcher may leave the next message waiting before it is cut off.
pub const WATCH_STALL_MAX: Duration = Duration::from_secs(10);

/// How long a watcher hears nothing, at most: after twice that time it may take silence for a
/// failure.
pub const WATCH_HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a watcher's next look waits after a change: whatever happens meanwhile is told together.
pub const WATCH_PAUSE: Duration = Duration::from_millis(5);

/// Life of the authority's certificate: ten years. Its key is changed before, as any key is.
pub const AUTHORITY_LIFE: Lifetime = Lifetime::from_millis(10 * 365 * 24 * 60 * 60 * 1_000);

/// Bytes of a key file, which are a few hundred: a wrong path must not fill the memory.
pub const KEY_FILE_MAX_BYTES: u64 = 16 * 1024;

/// Admins of one domain. Each call by an admin looks through them.
pub const ADMINS_MAX: usize = 64;

/// Grant rules of one domain. Each grant looks through them.
pub const GRANT_RULES_MAX: usize = 1_024;

/// Life of the join token that the operator makes: long enough to walk to another desk.
pub const OPERATOR_TOKEN_LIFE: Lifetime = Lifetime::from_millis(60 * 60 * 1_000);

/// Bytes of a request of a newcomer: a statement, a secret, a key and two signatures.
pub const ENROLMENT_MESSAGE_MAX_BYTES: usize = 16 * 1024;

/// Bytes of any other request: the largest is an invocation with its body, its token and its proof.
pub const MESSAGE_MAX_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of the headers of one request: ours are a deadline and an agent's name.
pub const HEADERS_MAX_BYTES: u32 = 16 * 1024;

/// Requests and streams that one connection has open at once.
pub const STREAMS_PER_CONNECTION: u32 = 1_024;

/// The same on the enrolment listener, where a connection carries one or two calls.
pub const ENROLMENT_STREAMS_PER_CONNECTION: u32 = 4;

/// Calls of one instance that are under way, over all its connections: as many invocations as it may
/// have open, its streams, and some of everything else. Each can hold a decision that waits for the
/// ledger; those are for all instances together.
pub const CALLS_PER_INSTANCE: usize = 1_024 + 512;

/// Calls of all instances that are under way.
pub const CALLS_MAX: usize = 65_536;

/// Bytes of messages that are held for one instance: requests until they are answered, and answers until
/// the instance has taken them. Thirty-two of the largest.
pub const HELD_PER_INSTANCE_BYTES: usize = 32 * MESSAGE_MAX_BYTES;

/// Bytes of messages that are held for all instances together: sixteen that take all they can get.
pub const HELD_MAX_BYTES: usize = 16 * HELD_PER_INSTANCE_BYTES;

/// Bytes of a call that are not counted as held, and of a piece of an answer: as many calls as an
/// instance may have under way hold six mebibytes more, and most calls are never counted.
pub const HELD_UNCOUNTED_BYTES: usize = 4 * 1024;

/// Streams that a peer opened and reset before they were taken up, above which its connection is
/// closed: resetting is free for the peer and not for us.
pub const PENDING_RESETS_MAX: usize = 64;

/// How long a connection may be silent before it is asked whether it is still there, and how long it
/// has to answer. A peer that is gone is noticed within the two together.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// See [`KEEPALIVE_INTERVAL`].
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// From a request to the head of its answer: the longest invocation, and a minute.
pub const REQUEST_MAX: Duration = Duration::from_secs(6 * 60);

/// The same for newcomers, whose requests wait for nothing but the disk.
pub const ENROLMENT_REQUEST_MAX: Duration = Duration::from_secs(20);

/// How long calls under way may go on once the broker has been told to stop.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How soon a decision that could not be made when it was due is tried again.
pub const TICK_PAUSE: Duration = Duration::from_millis(500);

/// How far the broker's clock may be from true time, as it states to clients, in milliseconds. It
/// does not measure this: machines whose clock is disciplined are well within.
pub const CLOCK_UNCERTAINTY_MS: u64 = 1_000;

/// From the opening of a `Serve` stream to its hello, which an honest callee sends at once.
pub const SERVE_HELLO_MAX: Duration = Duration::from_secs(5);

/// `Serve` streams, in all. Each has a task and two short lists.
pub const CALLEE_STREAMS_MAX: usize = 8_192;

/// `Serve` streams of one instance: one that works, one that takes over while the certificate is
/// renewed, and room for connections that died unnoticed.
pub const CALLEE_STREAMS_PER_INSTANCE: usize = 4;

/// Invocations that one stream may hold without an answer; what a callee states is within this.
pub const CALLEE_CAPACITY_MAX: u32 = 1_024;

/// Kilobytes of arguments and bodies that wait for one stream to take them: sixteen of the largest.
/// A callee that does not read holds no more of the broker's memory than this.
pub const CALLEE_WAITING_KIB: usize = 18 * 1_024;

/// Kilobytes that wait for all streams together.
pub const WAITING_KIB: usize = 512 * 1_024;

/// How long an invocation may take where its caller states nothing, in milliseconds.
pub const INVOCATION_DEFAULT: Lifetime = Lifetime::from_millis(30_000);

/// How long an invocation may take at most: it holds its budget and its callee's place for so long.
pub const INVOCATION_MAX: Lifetime = Lifetime::from_millis(5 * 60_000);

/// How long after its deadline an unanswered invocation still holds a place at its callee.
pub const UNANSWERED_MAX: Lifetime = Lifetime::from_millis(60_000);

/// How soon the end of an invocation is recorded again where the ledger's queue was full.
pub const END_PAUSE: Duration = Duration::from_millis(20);

/// Bytes of result bodies that are kept for retries. A body that is displaced is gone; its receipt
/// stays.
pub const RESULTS_MAX_BYTES: usize = 64 * 1_024 * 1_024;

/// What a kept result costs beside its body.
pub const RESULT_OVERHEAD_BYTES: usize = 256;

/// How long a watcher of revocations hears nothing, at most. It is the shortest staleness that a
/// contract can ask for: one that hears nothing for longer takes what it holds for revoked.
pub const REVOCATION_HEARTBEAT: Duration = Duration::from_secs(1);

/// Chains in one message to a watcher of revocations, beyond which the leaves that follow go into
/// the next one. A leaf is never divided.
pub const REVOKED_TOLD_MAX: usize = 1_024;

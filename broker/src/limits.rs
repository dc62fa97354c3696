//! Every bound of the broker's shell, with its reason. The core's are in
//! [`countersign_protocol::limits`].

use std::time::Duration;

use countersign_protocol::time::Lifetime;

/// How often the broker shows that it has not hung.
/// Edges: none. It paces.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// Connections of the listener for metrics. A scraper needs one, and a probe another.
/// Edges: `scrape::whoever_connects_to_the_metrics_and_is_silent_keeps_nobody_out_for_long`.
pub const METRICS_CONNECTIONS_MAX: usize = 16;

/// How long one of them may take, from its beginning to its answer's end.
/// Edges: `scrape::whoever_connects_to_the_metrics_and_is_silent_keeps_nobody_out_for_long`.
pub const METRICS_CONNECTION_LIFE: Duration = Duration::from_secs(5);

/// How long a wait trusts the runtime's timer before it looks at the time of day again. A clock
/// that was set, or a machine that was suspended, is noticed within this time.
/// Edges: none. It paces.
pub const CLOCK_SLEEP_MAX: Duration = Duration::from_secs(60);

/// From the first byte to the end of a TLS handshake. An honest one takes two round trips and a
/// millisecond of work; five seconds suffice for a slow link that drops packets.
/// Edges: `channel::a_silent_handshake_holds_up_nobody_and_ends`.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Handshakes under way on one listener. Each holds a socket and some 20 KB before we know who it
/// is; beyond this the newest displaces one of the source that holds most.
/// Edges: `half_open::a_flood_displaces_its_own_oldest_and_nobody_elses`.
pub const HALF_OPEN_MAX: usize = 512;

/// Open connections of one listener. Each costs some 50 KB with its HTTP/2 state.
/// Edges: `seats::one_holder_does_not_get_the_seats_of_others`.
pub const CONNECTIONS_MAX: usize = 8_192;

/// Open connections of one instance, or on the enrolment listener of one source. An SDK needs one
/// or two, and a second set while it renews; the rest is room for a process that spreads its load.
/// Edges: `channel::one_instance_does_not_take_the_connections_of_others`.
pub const CONNECTIONS_PER_HOLDER: usize = 32;

/// How long the listener rests when the system refuses to accept, which out of file descriptors it
/// does at once and for as long as they are out.
/// Edges: none. It paces.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Life of a connection on the enrolment listener, which carries one or two calls by someone who is
/// not yet known.
/// Edges: `bounds::a_strangers_connection_is_short`.
pub const ENROLMENT_CONNECTION_LIFE: Lifetime = Lifetime::from_millis(30_000);

/// How far before now a certificate begins, so that a verifier whose clock is behind accepts it.
/// Edges: none. It dates a certificate, and bounds nobody.
pub const CERTIFICATE_BACKDATE_MS: u64 = 30_000;

/// How soon a failed renewal of the broker's own certificate is tried again.
/// Edges: none. It paces.
pub const RENEWAL_PAUSE: Lifetime = Lifetime::from_millis(5_000);

/// Decisions that wait for the ledger's writer; beyond this, calls are refused as overloaded. Each
/// call that waits holds one, so this is also how many can be under way.
/// Edges: `tests::a_full_queue_refuses_and_changes_nothing`.
pub const DECISIONS_WAITING_MAX: usize = 4_096;

/// Entries in one append: the engines' own bound.
/// Edges: `writer::one_append_takes_what_an_engine_does`.
pub const WRITER_BATCH_ENTRIES: usize = countersign_store::BATCH_MAX_ENTRIES;

/// Bytes in one append: the engines' own bound.
/// Edges: `writer::one_append_takes_what_an_engine_does`.
pub const WRITER_BATCH_BYTES: usize = countersign_store::BATCH_MAX_BYTES;

/// How long commits may go without a checkpoint of their own. Each costs a signature and a write
/// that waits for the disk, and one of the newest size stands for all before it.
/// Edges: none. It paces.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(100);

/// Entries after which another snapshot of the state is kept, unless the configuration says
/// otherwise: what a start folds at most, in a second or two.
/// Edges: none. It paces.
pub const SNAPSHOT_EVERY: u32 = 100_000;

/// As a part of the ledger, how much it grows before another snapshot is kept, if that is more: a
/// snapshot of many entries takes long to write, and so little of the time is spent on it.
/// Edges: none. It paces.
pub const SNAPSHOT_SHARE: u64 = 8;

/// From the end of one snapshot to the beginning of the next.
/// Edges: none. It paces.
pub const SNAPSHOT_PAUSE: Duration = Duration::from_secs(1);

/// What a disk that was full must take before the ledger is opened again: thousands of entries.
/// Edges: none. It is a margin: a ledger that is opened too early is full again.
pub const ROOM_MIN_BYTES: usize = 8 * 1024 * 1024;

/// How often it is tried whether it does.
/// Edges: none. It paces.
pub const ROOM_PAUSE: Duration = Duration::from_secs(1);

/// How long streams may go on when the ledger is opened again. No call under way can be answered.
/// Edges: none. It paces.
pub const REOPEN_DRAIN: Duration = Duration::from_millis(500);

/// Items of one page, where the caller does not say.
/// Edges: `page::a_page_has_a_size_whatever_is_asked_for`.
pub const PAGE_DEFAULT: usize = 100;

/// Items of one page, whatever the caller says: more gain nothing over a second call.
/// Edges: `page::a_page_has_a_size_whatever_is_asked_for`.
pub const PAGE_MAX: usize = 500;

/// Bytes of one page, apart from its last item: clients take messages of 4 MiB by default.
/// Edges: `page::a_page_ends_before_it_grows_too_large_or_looks_at_too_much`.
pub const PAGE_BYTES: usize = 1024 * 1024;

/// Items that are looked at for one page, or for one word to a watcher, while everyone else waits
/// for the state: a millisecond or two, where chains are deep. Where few of many are the caller's,
/// pages are short.
/// Edges: `page::a_page_ends_before_it_grows_too_large_or_looks_at_too_much`.
pub const PAGE_SCAN_MAX: usize = 1_024;

/// Watches of one service that are open. Each costs a task and what waits for the watcher.
/// Edges: `seats::one_holder_does_not_get_the_seats_of_others`.
pub const WATCHES_MAX: usize = 4_096;

/// Watches of one service that one instance has open: an SDK opens one for each negotiation that it
/// waits in, and another while the broker has not noticed the end of the one before.
/// Edges: `tests::an_instance_has_only_so_many_watches`.
pub const WATCHES_PER_INSTANCE: usize = 16;

/// Messages that wait for one watcher. The next one waits in the feed's task.
/// Edges: `feed::a_watcher_has_so_many_messages_waiting_and_for_so_long`.
pub const WATCH_BUFFER: usize = 2;

/// Negotiations that one look of a watcher takes from the state.
/// Edges: none. It paces: the next look begins where one has ended.
pub const WATCH_LOOK_MAX: usize = 16;

/// How long a watcher may leave the next message waiting before it is cut off.
/// Edges: `feed::a_watcher_has_so_many_messages_waiting_and_for_so_long`.
pub const WATCH_STALL_MAX: Duration = Duration::from_secs(10);

/// How long a watcher hears nothing, at most: after twice that time it may take silence for a
/// failure.
/// Edges: none. It paces, as `watching::silence_is_broken_by_heartbeats` hears.
pub const WATCH_HEARTBEAT: Duration = Duration::from_secs(5);

/// How long after one look a watcher's next look is, at the earliest: whatever happens meanwhile is told together.
/// Edges: none. It paces.
pub const WATCH_PAUSE: Duration = Duration::from_millis(5);

/// Life of the authority's certificate: ten years. Its key is changed before, as any key is.
/// Edges: none. It dates a certificate that the broker makes for itself.
pub const AUTHORITY_LIFE: Lifetime = Lifetime::from_millis(10 * 365 * 24 * 60 * 60 * 1_000);

/// Bytes of a key file, which are a few hundred: a wrong path must not fill the memory.
/// Edges: `keys::a_key_file_has_its_length`.
pub const KEY_FILE_MAX_BYTES: u64 = 16 * 1024;

/// Admins of one domain. Each call by an admin looks through them.
/// Edges: `tests::a_policy_is_bounded_at_every_end`.
pub const ADMINS_MAX: usize = 64;

/// Grant rules of one domain. Each grant looks through them.
/// Edges: `tests::a_policy_is_bounded_at_every_end`.
pub const GRANT_RULES_MAX: usize = 1_024;

/// Life of the join token that the operator makes: long enough to walk to another desk.
/// Edges: none. It is a choice within what a token may live.
pub const OPERATOR_TOKEN_LIFE: Lifetime = Lifetime::from_millis(60 * 60 * 1_000);

/// Bytes of a request of a newcomer: a statement, a secret, a key and two signatures.
/// Edges: `bounds::a_message_has_its_size`.
pub const ENROLMENT_MESSAGE_MAX_BYTES: usize = 16 * 1024;

/// Bytes of any other request: the largest is an invocation with its body, its token and its proof.
/// Edges: `bounds::a_message_has_its_size`.
pub const MESSAGE_MAX_BYTES: usize = 2 * 1024 * 1024;

/// Bytes that the headers of one request stay below: ours are a deadline and an agent's name.
/// Edges: `tests::the_headers_of_a_request_have_a_size`.
pub const HEADERS_MAX_BYTES: u32 = 16 * 1024;

/// Requests and streams that one connection has open at once.
/// Edges: `tests::a_connection_has_so_many_streams_and_no_more`.
pub const STREAMS_PER_CONNECTION: u32 = 1_024;

/// The same on the enrolment listener, where a connection carries one or two calls.
/// Edges: `tests::a_connection_has_so_many_streams_and_no_more`.
pub const ENROLMENT_STREAMS_PER_CONNECTION: u32 = 4;

/// Calls of one instance that are under way, over all its connections: as many invocations as it may
/// have open, its streams, and some of everything else. Each can hold a decision that waits for the
/// ledger; those are for all instances together.
/// Edges: `gate::one_instance_does_not_have_more_calls_under_way_than_it_may`.
pub const CALLS_PER_INSTANCE: usize = 1_024 + 512;

/// Calls of all instances that are under way.
/// Edges: `seats::one_holder_does_not_get_the_seats_of_others`.
pub const CALLS_MAX: usize = 65_536;

/// Bytes of messages that are held for one instance: requests until they are answered, and answers until
/// the instance has taken them. Thirty-two of the largest.
/// Edges: `tests::requests_are_held_until_their_calls_end_whatever_their_pieces`.
pub const HELD_PER_INSTANCE_BYTES: usize = 32 * MESSAGE_MAX_BYTES;

/// Bytes of messages that are held for all instances together: sixteen that take all they can get.
/// Edges: `seats::whatever_grows_takes_all_that_it_asks_for_or_nothing`.
pub const HELD_MAX_BYTES: usize = 16 * HELD_PER_INSTANCE_BYTES;

/// Bytes of a call that are not counted as held, and of a piece of an answer: as many calls as an
/// instance may have under way hold six mebibytes more, and most calls are never counted.
/// Edges: `tests::requests_are_held_until_their_calls_end_whatever_their_pieces`.
pub const HELD_UNCOUNTED_BYTES: usize = 4 * 1024;

/// Streams that a peer opened and reset before they were taken up, above which its connection is
/// closed: resetting is free for the peer and not for us.
/// Edges: `tests::a_peer_resets_so_many_streams_before_they_are_taken_up`.
pub const PENDING_RESETS_MAX: usize = 64;

/// How long a connection may be silent before it is asked whether it is still there, and how long it
/// has to answer. A peer that is gone is noticed within the two together.
/// Edges: `tests::a_peer_that_is_silent_is_asked_and_given_up`.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// See [`KEEPALIVE_INTERVAL`].
/// Edges: `tests::a_peer_that_is_silent_is_asked_and_given_up`.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// From a request to the head of its answer: the longest invocation, and a minute.
/// Edges: `tests::an_answer_takes_so_long_and_no_longer`.
pub const REQUEST_MAX: Duration = Duration::from_secs(6 * 60);

/// The same for newcomers, whose requests wait for nothing but the disk.
/// Edges: `tests::an_answer_takes_so_long_and_no_longer`.
pub const ENROLMENT_REQUEST_MAX: Duration = Duration::from_secs(20);

/// How long calls under way may go on once the broker has been told to stop.
/// Edges: `bounds::a_broker_that_stops_waits_for_what_is_under_way_and_not_for_ever`.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Of that time, what is left for streams and sessions to be told that they end.
/// Edges: none. It paces: what was told nothing ends when the broker starts again.
pub const STOP_LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a collector may take for what it is sent. What it did not take is dropped.
/// Edges: none. No peer waits for it.
pub const SPANS_EXPORT_MAX: Duration = Duration::from_secs(5);

/// How long an admin may let a broker drain: whoever wants longer asks again, at the next one.
/// Edges: `draining::it_drains_for_an_hour_at_most`.
pub const DRAIN_ASKED_MAX: Duration = Duration::from_secs(60 * 60);

/// How often a broker that drains looks whether anything is under way. It walks all that is remembered.
/// Edges: none. It paces.
pub const DRAIN_LOOK: Duration = Duration::from_millis(250);

/// How soon a decision that could not be made when it was due is tried again.
/// Edges: none. It paces.
pub const TICK_PAUSE: Duration = Duration::from_millis(500);

/// How far the broker's clock may be from true time, as it states to clients, in milliseconds. It
/// does not measure this: machines whose clock is disciplined are well within.
/// Edges: none. It is stated, and bounds nobody.
pub const CLOCK_UNCERTAINTY_MS: u64 = 1_000;

/// From the opening of a `Serve` stream to its hello, which an honest callee sends at once.
/// Edges: `callees::a_callee_that_never_says_hello_is_not_waited_for`.
pub const SERVE_HELLO_MAX: Duration = Duration::from_secs(5);

/// `Serve` streams, in all. Each has a task and two short lists.
/// Edges: `seats::one_holder_does_not_get_the_seats_of_others`.
pub const CALLEE_STREAMS_MAX: usize = 8_192;

/// `Serve` streams of one instance: one that works, one that takes over while the certificate is
/// renewed, and room for connections that died unnoticed.
/// Edges: `callees::an_instance_has_only_so_many_streams`.
pub const CALLEE_STREAMS_PER_INSTANCE: usize = 4;

/// Invocations that one stream may hold without an answer; what a callee states is within this.
/// Edges: `callees::a_stream_begins_with_a_hello`.
pub const CALLEE_CAPACITY_MAX: u32 = 1_024;

/// Kilobytes of arguments and bodies that wait for one stream to take them: sixteen of the largest.
/// A callee that does not read holds no more of the broker's memory than this.
/// Edges: `callees::what_waits_for_all_callees_is_bounded_too`.
pub const CALLEE_WAITING_KIB: usize = 18 * 1_024;

/// Kilobytes that wait for all streams together.
/// Edges: `callees::what_waits_for_all_callees_is_bounded_too`.
pub const WAITING_KIB: usize = 512 * 1_024;

/// How long an invocation may take where its caller states nothing, in milliseconds.
/// Edges: `invoke::an_invocation_takes_as_long_as_its_caller_waits_and_no_longer_than_it_may`.
pub const INVOCATION_DEFAULT: Lifetime = Lifetime::from_millis(30_000);

/// How long an invocation may take at most: it holds its budget and its callee's place for so long.
/// Edges: `invoke::an_invocation_takes_as_long_as_its_caller_waits_and_no_longer_than_it_may`.
pub const INVOCATION_MAX: Lifetime = Lifetime::from_millis(5 * 60_000);

/// How long after its deadline an unanswered invocation still holds a place at its callee.
/// Edges: `callees::a_place_comes_back_some_time_after_the_deadline`.
pub const UNANSWERED_MAX: Lifetime = Lifetime::from_millis(60_000);

/// How soon the end of an invocation is recorded again where the ledger's queue was full.
/// Edges: none. It paces.
pub const END_PAUSE: Duration = Duration::from_millis(20);

/// Bytes of result bodies that are kept for retries. A body that is displaced is gone; its receipt
/// stays.
/// Edges: `results::the_oldest_bodies_make_room`.
pub const RESULTS_MAX_BYTES: usize = 64 * 1_024 * 1_024;

/// What a kept result costs beside its body.
/// Edges: `results::the_oldest_bodies_make_room`.
pub const RESULT_OVERHEAD_BYTES: usize = 256;

/// How long a watcher of revocations hears nothing, at most. It is the shortest staleness that a
/// contract can ask for: one that hears nothing for longer takes what it holds for revoked.
/// Edges: none. It paces, as `tests::a_watcher_hears_something_every_second` hears.
pub const REVOCATION_HEARTBEAT: Duration = Duration::from_secs(1);

/// Chains in one message to a watcher of revocations, beyond which the leaves that follow go into
/// the next one. A leaf is never divided.
/// Edges: `revocation_feed::one_word_holds_so_many_chains_but_whole_leaves`.
pub const REVOKED_TOLD_MAX: usize = 1_024;

/// Sessions that one `Serve` stream may be in at once; what a callee states is within this.
/// Edges: `sessions::a_callee_takes_so_many_sessions`.
pub const CALLEE_SESSIONS_MAX: u32 = 256;

/// Sessions of all callers together. Each has a task and a short queue to either side.
/// Edges: `seats::one_holder_does_not_get_the_seats_of_others`.
pub const SESSIONS_MAX: usize = 4_096;

/// From a session's offer to its callee's answer. An honest one verifies and answers at once.
/// Edges: `sessions::a_callee_that_does_not_answer_an_opening_is_not_waited_for`.
pub const SESSION_ANSWER_MAX: Lifetime = Lifetime::from_millis(10_000);

/// From the close of a session to its callee's last head.
/// Edges: `sessions::a_callee_that_does_not_sign_at_the_close_is_not_waited_for`.
pub const SESSION_CLOSE_MAX: Lifetime = Lifetime::from_millis(10_000);

/// Requests of one session that have no result yet. The next one is not read before there is one.
/// Edges: `sessions::a_session_has_so_many_requests_in_flight`.
pub const SESSION_IN_FLIGHT_MAX: usize = 256;

/// Words of a callee that wait for a session's task: a result of each request in flight, and heads. One
/// that says more says what nobody asked for.
/// Edges: `door::a_callee_says_no_more_than_it_was_asked_for`.
pub const SESSION_HEARD_MAX: usize = 2 * SESSION_IN_FLIGHT_MAX + 2;

/// Bytes of results that wait for a session's caller to take them: sixteen of the largest.
/// Edges: `sessions::a_caller_takes_its_results_or_loses_its_session`.
pub const SESSION_UNTAKEN_BYTES: usize = 16 * 1_024 * 1_024;

/// How long a caller may leave the last words of its session waiting.
/// Edges: none. It paces: nothing is lost by it that the ledger does not hold.
pub const SESSION_LAST_WORDS: Duration = Duration::from_secs(2);

/// Streams that one callee may have at once; what it states is within this.
/// Edges: `streams::a_callee_takes_so_many_streams`.
pub const CALLEE_STREAMED_MAX: u32 = 256;

/// Streams of all callers together. Each holds a mebibyte at most: a window of chunks to either side.
/// Edges: `seats::one_holder_does_not_get_the_seats_of_others`.
pub const STREAMS_MAX: usize = 512;

/// How long a caller may leave the last words of its stream waiting.
/// Edges: none. It paces: the receipt is in the ledger.
pub const STREAM_LAST_WORDS: Duration = Duration::from_secs(10);

/// Tokens of chains that need not be verified anew, in bytes of the tokens; verified, each takes some five
/// times its bytes. A chain of one hop has two kilobytes, so thousands of chains are used without a second
/// verification; the others are verified on each use.
/// Edges: `recent::what_was_not_used_for_long_makes_room`.
pub const KNOWN_CHAINS_MAX_BYTES: usize = 16 << 20;

/// Activations that need not be signed anew, in bytes of them twice over, as they are held.
/// Edges: `recent::what_was_not_used_for_long_makes_room`.
pub const KNOWN_ACTIVATIONS_MAX_BYTES: usize = 8 << 20;

/// Chains of one holder that a question whether it can do something verifies, at a millisecond each.
/// Edges: `can::so_many_chains_of_a_holder_are_tried`.
pub const CAN_TRIES_MAX: usize = 8;

/// Other chains of a holder that an answer names.
/// Edges: `can::so_many_other_chains_are_named`.
pub const CAN_INSTEAD_MAX: usize = 4;

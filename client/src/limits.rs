//! Every bound of the SDK, with its reason. The core's are in [`countersign_protocol::limits`].

use std::time::Duration;

use countersign_protocol::time::Lifetime;

/// From the first packet to the end of the TLS handshake. The broker allows five seconds for the
/// handshake alone; the rest is for finding its address.
/// Edges: `connector::a_server_has_so_long_for_its_handshake`.
pub const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long one try of a call waits for its answer. Most take milliseconds; a revocation waits until
/// what is under way beneath it has been forwarded.
/// Edges: `connection::one_try_waits_so_long_for_its_answer`.
pub const CALL_MAX: Duration = Duration::from_secs(15);

/// How long one try of an invocation waits: a callee may take its time.
/// Edges: `connection::one_try_waits_so_long_for_its_answer`.
pub const INVOKE_MAX: Duration = Duration::from_secs(60);

/// Tries of one call whose answer does not come. With the pauses between them they bridge a broker's
/// restart, some seconds.
/// Edges: `connection::a_call_is_tried_so_often_and_no_more`.
pub const TRIES_MAX: u32 = 8;

/// Tries of one call that a busy broker refuses. Fewer: each refusal costs the broker something.
/// Edges: `connection::a_call_is_tried_so_often_and_no_more`.
pub const BUSY_TRIES_MAX: u32 = 4;

/// The pause after the first failed try; each later one is twice as long.
/// Edges: `connection::pauses_grow_from_the_first_to_the_longest`.
pub const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The longest pause between two tries.
/// Edges: `connection::pauses_grow_from_the_first_to_the_longest`.
pub const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How often an idle connection is tried, and how long its answer may take. A broker that vanished
/// without a word is noticed within their sum.
/// Edges: none. It paces; [`SILENCE_MAX`] ends a silent stream, and [`CALL_MAX`] a call.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long a stream that has heartbeats may be silent. Brokers send one every few seconds.
/// Edges: `feed::a_stream_that_is_silent_for_too_long_has_ended`.
pub const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long a wait trusts the runtime's timer before it looks at the time of day again. A clock
/// that was set, or a machine that was suspended, is noticed within this time.
/// Edges: none. It paces.
pub const CLOCK_SLEEP_MAX: Duration = Duration::from_secs(10);

/// Bytes of a message to or from the broker. The largest is a bundle of evidence; an invocation has
/// a body of at most a mebibyte, a token and a proof.
/// Edges: `serving::a_callee_takes_so_many_at_once_and_messages_of_such_a_size`.
pub const MESSAGE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Characters that are kept of a broker's sentence: it is shown to people.
/// Edges: `connection::a_sentence_of_the_broker_is_cut_off`.
pub const SENTENCE_MAX: usize = 1024;

/// How long a move is good for if it is not ordered at once.
/// Edges: none. It dates what this agent signs, and bounds nobody else.
pub const MOVE_LIFE: Lifetime = Lifetime::from_millis(60_000);

/// How long a holder's proof is good for. The broker remembers its nonce for as long.
/// Edges: none. It dates what this agent signs, within what a proof may live.
pub const PROOF_LIFE: Lifetime = Lifetime::from_millis(30_000);

/// Instances whose key is remembered, some 200 bytes each. Beyond this the oldest is asked for again.
/// Edges: `directory::the_oldest_instance_makes_room`.
pub const DIRECTORY_MAX: usize = 4096;

/// Pages of one list that are read. A broker whose list does not end is not believed.
/// Edges: `page::a_list_that_does_not_end_is_given_up`.
pub const PAGES_MAX: usize = 10_000;

/// Invocations that a callee remembers so as never to do one twice, some 500 bytes each without
/// their results. Beyond this the oldest is forgotten, and whatever is as old as it is refused.
/// Edges: `answered::what_fell_out_is_refused_and_never_begins_again`.
pub const SERVED_MAX: usize = 65_536;

/// Bytes of results that a callee keeps to answer the same invocation again. The broker keeps its
/// own, so this is for answers that got lost on the way to it.
/// Edges: `answered::results_are_bounded_and_the_oldest_make_room`.
pub const SERVED_BODIES_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Invocations that a callee works on at once.
/// Edges: `serving::a_callee_takes_so_many_at_once_and_messages_of_such_a_size`.
pub const CAPACITY_MAX: u32 = 1024;

/// Negotiations that a delegator follows at once; further ones wait.
/// Edges: `negotiating::who_asks_beyond_what_a_delegator_follows_waits_for_a_place`.
pub const FOLLOWED_MAX: usize = 1024;

/// How long before the caller's deadline a callee stops working: an answer that comes at the deadline
/// comes too late. A quarter of what is left, where that is less.
/// Edges: `serving::a_handler_that_panics_or_dawdles_is_signed_as_failed_and_others_go_on`.
pub const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// Bytes of an exported identity.
/// Edges: `export::bytes_that_are_too_many_are_not_looked_at`.
pub const EXPORT_MAX_BYTES: usize = 64 * 1024;

/// Requests of a session that are unanswered at once; further ones wait in the order of their calls.
/// Edges: none. It paces: the broker reads no more than as many, and what waits is the caller's own.
pub const SESSION_WINDOW: usize = 256;

/// How long the close of a session waits for its results and the callee's signature.
/// Edges: none. It paces: what was done is in the ledger.
pub const SESSION_CLOSE_MAX: Duration = Duration::from_secs(75);

/// Sessions that a callee is in at once, each of some kilobytes and the verified chain.
/// Edges: none. It is stated in the hello, and what a broker offers beyond it is left.
pub const SERVED_SESSIONS_MAX: u32 = 64;

/// Streams that a callee has at once, each of a mebibyte at most and the verified chain.
/// Edges: none. It is stated in the hello, and what a broker offers beyond it is left.
pub const SERVED_STREAMS_MAX: u32 = 64;

/// Tokens of chains that need not be verified anew, in bytes of the tokens; verified, each takes some five
/// times its bytes. A thousand callers' chains, for the callee of them all.
/// Edges: `recent::what_was_not_used_for_long_makes_room`.
pub const KNOWN_CHAINS_MAX_BYTES: usize = 4 << 20;

/// Activations that need not be verified anew, of some 400 bytes each.
/// Edges: `recent::what_was_not_used_for_long_makes_room`.
pub const KNOWN_ACTIVATIONS_MAX: usize = 4_096;

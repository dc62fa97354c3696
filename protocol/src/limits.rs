//! Every bound of the core, with its reason. `spec/limits.md` states the same numbers.

/// One entry, one signed payload: a ledger leaf carries a 16-bit length in static-CT style tiles.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const PAYLOAD_MAX_BYTES: usize = 65_535;

/// A token is read by every verifier before its first signature is checked, so its size is capped
/// before it is parsed: 16 hops of 1,500 bytes and room for the authority block.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const TOKEN_MAX_BYTES: usize = 28 * 1024;

/// Hops after the authority block. A verifier's cost grows with each one: two signatures.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const CHAIN_MAX_DEPTH: usize = 16;

/// One Biscuit block. Compiled from terms that have limits of their own.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const BLOCK_MAX_BYTES: usize = 8 * 1024;

/// Capabilities in one set of rights: each becomes one alternative of one Datalog check.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const CAPABILITIES_MAX: usize = 32;

/// Actions in one capability.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const ACTIONS_MAX: usize = 16;

/// Constraints in one capability.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const CONSTRAINTS_MAX: usize = 16;

/// Values in one `one of` constraint.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const CHOICES_MAX: usize = 64;

/// Callees that one set of rights may name.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const AUDIENCES_MAX: usize = 16;

/// Segments of a resource name or path: each becomes one Datalog fact of a request.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const SEGMENTS_MAX: usize = 32;

/// Bytes of a resource name, pattern, path or URL.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const NAME_MAX_BYTES: usize = 1024;

/// Bytes of a SPIFFE ID. SPIFFE allows 2,048; a hop carries one, and 256 hold every sensible name.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const SPIFFE_ID_MAX_BYTES: usize = 256;

/// Bytes of an action, argument name or budget unit.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const WORD_MAX_BYTES: usize = 64;

/// Bytes of a text value in an argument or constraint.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const TEXT_MAX_BYTES: usize = 1024;

/// Arguments of one invocation.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const ARGUMENTS_MAX: usize = 32;

/// Bytes of an invocation's opaque body: it is digested, forwarded and never logged.
/// Edges: `attacks::a_body_has_its_limit`.
pub const BODY_MAX_BYTES: usize = 1024 * 1024;

/// Extensions of one signed statement.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const EXTENSIONS_MAX: usize = 8;

/// Bytes of one extension. A peer chooses them, and an entry holds whole statements: eight of these in
/// a receipt, or in a proof, leave half of an entry to the rest.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const EXTENSION_MAX_BYTES: usize = 4 * 1024;

/// Bytes of a key set's text: that many keys of 64 bytes in base64, and the domain.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const KEYS_TEXT_MAX_BYTES: usize = 8 * 1024;

/// Keys of one trust domain, past ones included: each rotation adds one.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const DOMAIN_KEYS_MAX: usize = 64;

/// Signatures of one envelope: two parties, room for one more algorithm each, and a countersigner.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const SIGNATURES_MAX: usize = 5;

/// Rounds of one negotiation; the parties may only agree on fewer.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const ROUNDS_MAX: u32 = 10;

/// Moves of one negotiation. It follows from the rounds and the table, so nothing counts the moves: each
/// round is one move by either side, and one more ends the last.
/// Edges: `negotiation::the_longest_talk_has_the_moves_that_its_rounds_leave_it`.
pub const MOVES_MAX: u32 = 2 * ROUNDS_MAX + 1;

/// Negotiations that one instance may have open: state that a peer makes the broker hold.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const OPEN_NEGOTIATIONS_PER_INSTANCE: usize = 64;

/// Negotiations under one award: requests to so many delegators, of whom one is accepted. The entries that
/// end the others are of one append, with the contract.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const NEGOTIATIONS_PER_AWARD: usize = 16;

/// Negotiations that are remembered for the instance that asked for them, ended ones included: some two
/// kilobytes each. They are remembered for ten minutes, so this is also how many it may ask for in that time.
/// Edges: `negotiation::whoever_asks_and_takes_back_for_ever_is_refused`.
pub const NEGOTIATIONS_PER_INSTANCE: usize = 1024;

/// Life of one negotiation, in milliseconds: one hour.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const NEGOTIATION_MAX_MS: u64 = 60 * 60 * 1000;

/// Life of a holder's proof, in milliseconds. Its nonce is remembered until it expires.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const PROOF_MAX_MS: u64 = 60 * 1000;

/// How far ahead of the broker's clock a peer's *issued at* may be, in milliseconds.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const CLOCK_SKEW_MS: u64 = 30 * 1000;

/// Life of a grant, in milliseconds: 30 days. Everything beneath it ends with it.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const GRANT_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// Sessions that one instance has open as their caller: each costs the broker a task and what waits in it.
/// Edges: `session::an_instance_has_only_so_many_sessions`.
pub const SESSIONS_PER_INSTANCE: usize = 32;

/// Links after which a side of a session signs its head at the latest; what a session states is within
/// this. A bundle of evidence holds a digest of each.
/// Edges: `session::an_opening_states_how_often_heads_are_signed`.
pub const SESSION_SIGN_EVERY_MAX: u32 = 256;

/// The shortest time, in milliseconds, that an opening can leave a side to sign its head in. A shorter one
/// would be broken by a slow network.
/// Edges: `session::an_opening_states_how_often_heads_are_signed`.
pub const SESSION_SIGN_WITHIN_MIN_MS: u64 = 100;

/// The longest such time, in milliseconds: how long a link may stand without a signature.
/// Edges: `session::an_opening_states_how_often_heads_are_signed`.
pub const SESSION_SIGN_WITHIN_MAX_MS: u64 = 60 * 1000;

/// How much later than that, in milliseconds, a head may reach the broker.
/// Edges: `session::a_tail_without_a_signature_is_bounded_in_time`.
pub const SESSION_HEAD_GRACE_MS: u64 = 5 * 1000;

/// How far ahead, in milliseconds, the deadline of a session's request may be: as long as any invocation
/// may take, and a clock that is ahead.
/// Edges: `session::a_request_waits_no_longer_than_it_may`.
pub const SESSION_DEADLINE_MAX_MS: u64 = 5 * 60 * 1000 + CLOCK_SKEW_MS;

/// Bytes of one chunk of a stream. Each costs a signature and its verification; a larger one would hold up
/// what comes behind it.
/// Edges: `tests::a_chunk_has_its_size`.
pub const STREAM_CHUNK_MAX_BYTES: usize = 32 * 1024;

/// Chunks of one side of a stream that the other has not taken: half a mebibyte that a broker holds at most.
/// Edges: `tests::a_side_sends_no_more_than_the_other_takes`.
pub const STREAM_WINDOW: u64 = 16;

/// Chunks of one side of a stream.
/// Edges: `tests::a_side_has_so_many_chunks_and_bytes`.
pub const STREAM_CHUNKS_MAX: u64 = 64 * 1024;

/// Bytes of one side of a stream. Larger things are better kept somewhere and named.
/// Edges: `tests::a_side_has_so_many_chunks_and_bytes`.
pub const STREAM_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// How long a stream may take, in milliseconds: it holds its budget and a place at its callee for so long.
/// Edges: `begin::a_stream_takes_as_long_as_its_caller_waits_and_no_longer_than_it_may`.
pub const STREAM_MAX_MS: u64 = 15 * 60 * 1000;

/// Streams that one instance has open as their caller.
/// Edges: `list::one_caller_has_only_so_many_streams`.
pub const STREAMS_PER_INSTANCE: usize = 16;

/// Invocations of one instance whose RESULT is outstanding.
/// Edges: `limits::endless_open_invocations_are_refused`.
pub const OPEN_INVOCATIONS_PER_INSTANCE: usize = 1024;

/// How long a completed invocation is remembered after its proof expired, in milliseconds: a retry
/// within it is answered with the receipt; a later one is refused as stale, never run again. An ended
/// negotiation is remembered as long.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const RESULT_RETENTION_MS: u64 = 10 * 60 * 1000;

/// DENY entries that one instance can cause in a minute; further ones are only counted.
/// Edges: `denials::further_denials_are_counted_and_told_with_the_next`.
pub const DENIES_PER_MINUTE: u32 = 60;

/// Life of a join token, in milliseconds: one day.
/// Edges: `main::each_decision_is_bounded_where_the_specification_says`.
pub const JOIN_TOKEN_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// Bytes of a join token's text, which is read before anything is known of who wrote it.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const JOIN_TOKEN_MAX_BYTES: usize = 4 * 1024;

/// Life of an instance's certificate, in milliseconds: ten seconds to one hour.
/// Edges: `identity::a_certificate_lives_ten_seconds_at_least_and_an_hour_at_most`.
pub const SVID_MIN_MS: u64 = 10 * 1000;
/// The other end of [`SVID_MIN_MS`].
/// Edges: `identity::a_certificate_lives_ten_seconds_at_least_and_an_hour_at_most`.
pub const SVID_MAX_MS: u64 = 60 * 60 * 1000;

/// Entries of one atomic append.
/// Edges: `suite::nothing_beyond_a_limit_is_written`, `suite::the_largest_batch_is_accepted`.
pub const BATCH_MAX_ENTRIES: usize = 1024;

/// Bytes of a signed checkpoint. Witnesses add signatures to it, and a verifier must accept 16 of
/// them, each of up to 5,000 bytes once they are post-quantum: 16 × 5,000 × 4/3, and some room.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const CHECKPOINT_MAX_BYTES: usize = 128 * 1024;

/// Signatures of one checkpoint: four times what a verifier must accept. Each line is compared
/// with a key, and only those of a known key are verified.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const CHECKPOINT_SIGNATURES_MAX: usize = 64;

/// Entries of one evidence bundle: the keys, the INTENT and the RESULT, every link of the deepest
/// chain, and the admission of its originator, of each holder and of the callee; of a request in a session
/// also the session's opening and answer, and what either side said up to the head that covers it.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const BUNDLE_ENTRIES_MAX: usize =
    3 + (CHAIN_MAX_DEPTH + 1) + (CHAIN_MAX_DEPTH + 3) + 2 + 2 * (SESSION_SIGN_EVERY_MAX as usize + 1);

/// Bytes of one evidence bundle: that many entries of the largest size with their paths, a
/// checkpoint and a policy. It fits the 4 MiB that gRPC receives by default.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const BUNDLE_MAX_BYTES: usize = 3 * 1024 * 1024;

/// Findings that an audit lists; further ones are only counted. A ledger with that many is not one of
/// a conforming broker, and its reader knows enough.
/// Edges: `report::further_findings_are_counted_and_not_listed`.
pub const FINDINGS_MAX: usize = 1000;

/// Bytes of a ledger's origin: what C2SP's cosignatures can carry.
/// Edges: `main::each_form_is_bounded_where_the_specification_says`.
pub const ORIGIN_MAX_BYTES: usize = 255;

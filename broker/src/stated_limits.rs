//! The limits as `GetInfo` states them: under the names of `spec/limits.md`, in ascending order.

use countersign_protocol::limits;

/// A list of constants, each under its own name.
macro_rules! stated {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), limits::$name as u64)),*]
    };
}

/// Every limit of the specification.
pub(crate) fn all() -> Vec<(String, u64)> {
    let mut all = stated![
        PAYLOAD_MAX_BYTES,
        TOKEN_MAX_BYTES,
        CHAIN_MAX_DEPTH,
        BLOCK_MAX_BYTES,
        CAPABILITIES_MAX,
        ACTIONS_MAX,
        CONSTRAINTS_MAX,
        CHOICES_MAX,
        AUDIENCES_MAX,
        SEGMENTS_MAX,
        NAME_MAX_BYTES,
        SPIFFE_ID_MAX_BYTES,
        WORD_MAX_BYTES,
        TEXT_MAX_BYTES,
        ARGUMENTS_MAX,
        BODY_MAX_BYTES,
        BUNDLE_ENTRIES_MAX,
        BUNDLE_MAX_BYTES,
        KEYS_TEXT_MAX_BYTES,
        EXTENSIONS_MAX,
        EXTENSION_MAX_BYTES,
        DOMAIN_KEYS_MAX,
        SIGNATURES_MAX,
        ROUNDS_MAX,
        MOVES_MAX,
        OPEN_NEGOTIATIONS_PER_INSTANCE,
        NEGOTIATIONS_PER_AWARD,
        NEGOTIATIONS_PER_INSTANCE,
        NEGOTIATION_MAX_MS,
        PROOF_MAX_MS,
        CLOCK_SKEW_MS,
        GRANT_MAX_MS,
        OPEN_INVOCATIONS_PER_INSTANCE,
        RESULT_RETENTION_MS,
        DENIES_PER_MINUTE,
        JOIN_TOKEN_MAX_MS,
        JOIN_TOKEN_MAX_BYTES,
        SVID_MIN_MS,
        SVID_MAX_MS,
        BATCH_MAX_ENTRIES,
        CHECKPOINT_MAX_BYTES,
        CHECKPOINT_SIGNATURES_MAX,
        ORIGIN_MAX_BYTES,
        FINDINGS_MAX,
        SESSIONS_PER_INSTANCE,
        SESSION_SIGN_EVERY_MAX,
        SESSION_SIGN_WITHIN_MIN_MS,
        SESSION_SIGN_WITHIN_MAX_MS,
        SESSION_HEAD_GRACE_MS,
        SESSION_DEADLINE_MAX_MS,
        STREAM_CHUNK_MAX_BYTES,
        STREAM_WINDOW,
        STREAM_CHUNKS_MAX,
        STREAM_MAX_BYTES,
        STREAM_MAX_MS,
        STREAMS_PER_INSTANCE,
    ]
    .map(|(name, value)| (name.to_lowercase(), value));
    all.sort();
    all.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_core_is_stated_in_order() {
        let source = include_str!("../../protocol/src/limits.rs");
        let mut declared: Vec<String> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next().map(str::to_lowercase))
            .collect();
        declared.sort();
        let stated: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(stated, declared);
    }
}

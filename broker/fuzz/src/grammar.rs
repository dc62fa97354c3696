//! What holds of every value of the payload grammar.

use std::fmt::Debug;

use countersign_protocol::payload::Payload;

use crate::memory;

/// Reads a value. Whatever is read has no second encoding, so it encodes to what it was read from, and
/// is no longer than its type may be.
pub(crate) fn read<T: Payload + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    match memory::in_proportion(bytes.len(), || T::from_bytes(bytes)) {
        Ok(value) => {
            assert!(bytes.len() <= T::MAX_BYTES, "{} bytes were taken", bytes.len());
            assert_eq!(value.to_bytes(), bytes, "a second encoding of {value:?}");
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

//! Envelopes around anything, signed by anyone.

use countersign_protocol::{
    key::SigningKey,
    payload::Payload as _,
    signed::{Signed, Statement},
};

/// Any bytes as a statement of any type, signed by these keys in this order.
pub fn sealed(payload_type: &'static str, payload: &[u8], keys: &[&SigningKey]) -> Signed {
    let mut sealed =
        Signed { payload_type: payload_type.into(), payload: payload.to_vec(), signatures: Vec::new() };
    keys.iter().for_each(|key| sealed.add_signature(key));
    sealed
}

/// Opens a statement without a look at who signed it, changes it, and signs it again with these keys.
pub fn resign<T: Statement>(signed: &mut Signed, keys: &[&SigningKey], change: impl FnOnce(&mut T)) {
    let mut statement: T = signed.peek_unverified().unwrap();
    change(&mut statement);
    *signed = sealed(T::TYPE, &statement.to_bytes(), keys);
}

/// Edits the encoding of a statement and signs what comes of it, whether it can be read or not.
pub fn resign_bytes(signed: &Signed, keys: &[&SigningKey], edit: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut edited = signed.clone();
    edited.payload = edit(&signed.payload);
    edited.signatures.clear();
    keys.iter().for_each(|key| edited.add_signature(key));
    edited.to_bytes()
}

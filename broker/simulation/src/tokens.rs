//! Tokens that were verified: the signatures and the walk of the same bytes are remembered, as a
//! broker may do.

use std::collections::BTreeMap;

use countersign_protocol::{
    digest::Digest,
    refusal::Refusal,
    token::{Token, UnverifiedToken},
    trust::KeySet,
};

/// Verified and refused tokens, by their bytes.
#[derive(Clone, Debug, Default)]
pub struct Tokens(BTreeMap<Digest, Result<Token, Refusal>>);

impl Tokens {
    /// Verifies a token, once.
    pub fn verify(&mut self, bytes: &[u8], keys: &KeySet) -> Result<Token, Refusal> {
        let known = self.0.entry(Digest::of(bytes));
        known.or_insert_with(|| UnverifiedToken::from_bytes(bytes.to_vec()).verify(keys)).clone()
    }
}

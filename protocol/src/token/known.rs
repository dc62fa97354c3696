//! Chains that were verified of late.
//!
//! A chain is used often, and a new hop mostly goes on from a chain that was seen. What is remembered is
//! what the bytes alone decide, under the domain's keys: signatures, what the blocks say, the walk. Time,
//! activation, revocation, the holder's proof and budgets are no part of a [`Token`] and are looked at on
//! each use, so nothing that ends can be kept alive here.

use std::sync::Arc;

use super::{Recent, Token, UnverifiedToken};
use crate::{digest::ChainId, trust::KeySet};

/// Verified chains by their ids: one for each id, of whatever bytes came last. A signed chain can be
/// wrapped in any number of ways, and must not take the room of others with them.
///
/// It is a value of its user's, who bounds it in bytes of tokens.
#[derive(Debug)]
pub struct KnownChains(Recent<ChainId, Arc<Token>>);

impl KnownChains {
    /// Room for tokens of so many bytes together. Verified, each takes some five times its bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self(Recent::new(max_bytes))
    }

    /// What verifying the token would give, where exactly these bytes were verified under the same key.
    /// `claimed` is what somebody says that the chain's id is.
    pub fn find(&mut self, claimed: ChainId, token: &UnverifiedToken, keys: &KeySet) -> Option<Arc<Token>> {
        let known = self.0.get(&claimed)?;
        let same = known.as_bytes() == token.as_bytes() && known.is_verified_by(keys);
        same.then_some(known)
    }

    /// The longest known chain from which the token goes on, for [`UnverifiedToken::verify_after`].
    pub fn parent(&mut self, token: &UnverifiedToken, keys: &KeySet) -> Option<Arc<Token>> {
        let ids = token.peek_chain_ids(keys.domain()).ok()?;
        ids.into_iter().rev().find_map(|id| self.0.get(&id).filter(|known| known.is_prefix_of(token)))
    }

    /// Remembers a chain.
    pub fn keep(&mut self, token: Arc<Token>) {
        let bytes = token.as_bytes().len();
        self.0.insert(token.chain_id(), token, bytes);
    }

    /// The bytes of all tokens that are remembered.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.weight()
    }
}

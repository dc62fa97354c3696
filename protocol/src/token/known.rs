//! Chains that were verified of late.
//!
//! A chain is used often, and a new hop mostly goes on from a chain that was seen. What is remembered is
//! what the bytes alone decide, under the domain's keys: signatures, what the blocks say, the walk. Time,
//! activation, revocation, the holder's proof and budgets are no part of a [`Token`] and are looked at on
//! each use, so nothing that ends can be kept alive here.

use std::{collections::BTreeMap, mem, sync::Arc};

use super::{Token, UnverifiedToken};
use crate::{digest::ChainId, trust::KeySet};

/// Verified chains by their ids: one for each id, of whatever bytes came last. A signed chain can be
/// wrapped in any number of ways, and must not take the room of others with them.
///
/// It is a value of its user's, who bounds it in bytes of tokens. What was not used for long goes first:
/// there are two halves, and when the younger one is full, the older one is dropped and they change roles.
#[derive(Debug)]
pub struct KnownChains {
    young: Half,
    old: Half,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Half {
    chains: BTreeMap<ChainId, Arc<Token>>,
    bytes: usize,
}

impl KnownChains {
    /// Room for tokens of so many bytes together. Verified, each takes some five times its bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self { young: Half::default(), old: Half::default(), max_bytes }
    }

    /// What verifying the token would give, where exactly these bytes were verified under the same key.
    /// `claimed` is what somebody says that the chain's id is.
    pub fn find(&mut self, claimed: ChainId, token: &UnverifiedToken, keys: &KeySet) -> Option<Arc<Token>> {
        let known = self.get(claimed)?;
        let same = known.as_bytes() == token.as_bytes() && known.is_verified_by(keys);
        same.then_some(known)
    }

    /// The longest known chain from which the token goes on, for [`UnverifiedToken::verify_after`].
    pub fn parent(&mut self, token: &UnverifiedToken, keys: &KeySet) -> Option<Arc<Token>> {
        let ids = token.peek_chain_ids(keys.domain()).ok()?;
        ids.into_iter().rev().find_map(|id| self.get(id).filter(|known| known.is_prefix_of(token)))
    }

    /// Remembers a chain.
    pub fn keep(&mut self, token: Arc<Token>) {
        self.young.insert(token);
        if self.young.bytes > self.max_bytes / 2 {
            self.old = mem::take(&mut self.young);
        }
    }

    /// What is used moves to the younger half.
    fn get(&mut self, id: ChainId) -> Option<Arc<Token>> {
        if let Some(known) = self.young.chains.get(&id) {
            return Some(Arc::clone(known));
        }
        let known = Arc::clone(self.old.chains.get(&id)?);
        self.keep(Arc::clone(&known));
        Some(known)
    }
}

impl Half {
    fn insert(&mut self, token: Arc<Token>) {
        self.bytes += token.as_bytes().len();
        if let Some(before) = self.chains.insert(token.chain_id(), token) {
            self.bytes = self.bytes.saturating_sub(before.as_bytes().len());
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_forge::biscuit::Container;

    use super::*;
    use crate::{
        key::SigningKey,
        token::tests::fixture::{chain, delegate, grant, hop_terms, keys},
        trust::KeySet,
    };

    fn known(tokens: &[&Token]) -> KnownChains {
        let mut known = KnownChains::new(1 << 20);
        tokens.iter().for_each(|token| known.keep(Arc::new((*token).clone())));
        known
    }

    fn bytes(token: &Token) -> UnverifiedToken {
        UnverifiedToken::from_bytes(token.as_bytes().to_vec())
    }

    #[test]
    fn a_chain_is_found_by_exactly_its_bytes() {
        let chain = chain();
        let mut known = known(&[&chain]);
        assert!(known.find(chain.chain_id(), &bytes(&chain), &keys()).is_some(), "the twin");
        assert!(known.find(grant().chain_id(), &bytes(&chain), &keys()).is_none(), "another id is claimed");
        for position in 0..chain.as_bytes().len() {
            let mut flipped = chain.as_bytes().to_vec();
            flipped[position] ^= 1;
            let flipped = UnverifiedToken::from_bytes(flipped);
            assert!(known.find(chain.chain_id(), &flipped, &keys()).is_none(), "byte {position}");
            assert!(known.parent(&flipped, &keys()).is_none_or(|found| found.chain_id() != chain.chain_id()
                || flipped.verify_after(&found, &keys()).is_err()));
        }
    }

    /// Attack line 29: a key that was rotated away signs for nothing that was remembered of it, either.
    #[test]
    fn a_chain_is_not_found_under_other_keys() {
        let chain = chain();
        let mut known = known(&[&chain]);
        let public = |seed| SigningKey::from_seed(&[seed; 32]).public();
        let [domain, other] = ["acme.example", "other.example"].map(|name| name.parse().unwrap());
        let rotated = KeySet::new(domain, public(211), public(202), public(203)).unwrap();
        let foreign = KeySet::new(other, public(201), public(202), public(203)).unwrap();
        for keys in [rotated, foreign] {
            assert!(known.find(chain.chain_id(), &bytes(&chain), &keys).is_none());
            assert_eq!(
                bytes(&chain).verify_after(&chain, &keys).map(|_| ()).unwrap_err(),
                bytes(&chain).verify(&keys).map(|_| ()).unwrap_err()
            );
        }
    }

    #[test]
    fn a_new_hop_goes_on_from_the_longest_chain_that_is_known() {
        let researcher = delegate(&grant(), "planner", &hop_terms("researcher", 1)).verify(&keys()).unwrap();
        let fetcher = delegate(&researcher, "researcher", &hop_terms("fetcher", 2));
        let parent = |known: &[&Token]| {
            super::tests::known(known).parent(&fetcher, &keys()).map(|found| found.chain_id())
        };
        assert_eq!(parent(&[]), None);
        assert_eq!(parent(&[&grant()]), Some(grant().chain_id()));
        assert_eq!(parent(&[&grant(), &researcher]), Some(researcher.chain_id()));
        let another = delegate(&grant(), "planner", &hop_terms("writer", 1)).verify(&keys()).unwrap();
        assert_eq!(parent(&[&another]), None);
    }

    /// Attack line 29: whoever wraps one chain anew and anew takes one place.
    #[test]
    fn one_chain_takes_one_place() {
        let chain = chain();
        let container = Container::read(&"acme.example".parse().unwrap(), chain.as_bytes());
        let wrapped = UnverifiedToken::from_bytes(container.sealed_anew().bytes()).verify(&keys()).unwrap();
        assert_eq!(wrapped.chain_id(), chain.chain_id());
        let mut known = known(&[&chain, &wrapped]);
        assert_eq!((known.young.chains.len(), known.young.bytes), (1, wrapped.as_bytes().len()));
        assert!(known.find(chain.chain_id(), &bytes(&chain), &keys()).is_none());
        assert!(known.find(chain.chain_id(), &bytes(&wrapped), &keys()).is_some());
    }

    #[test]
    fn what_was_not_used_for_long_makes_room() {
        let used = chain();
        let size = used.as_bytes().len();
        let mut known = KnownChains::new(6 * size);
        known.keep(Arc::new(used.clone()));
        for number in 0..40u8 {
            let mut terms = hop_terms("researcher", 1);
            terms.contract = crate::digest::ContractHash::from_bytes([number; 32]);
            known.keep(Arc::new(delegate(&grant(), "planner", &terms).verify(&keys()).unwrap()));
            assert!(known.young.bytes + known.old.bytes <= 6 * size + size, "it is bounded");
            if number < 20 {
                assert!(known.find(used.chain_id(), &bytes(&used), &keys()).is_some(), "it is used");
            }
        }
        assert!(known.find(used.chain_id(), &bytes(&used), &keys()).is_none(), "it was not used");
    }
}

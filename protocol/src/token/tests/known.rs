//! What is remembered of chains, and what is not.

use std::sync::Arc;

use countersign_forge::biscuit::Container;

use super::fixture::*;
use crate::{
    key::SigningKey,
    token::{KnownChains, Token, UnverifiedToken},
    trust::KeySet,
};

fn remembered(tokens: &[&Token]) -> KnownChains {
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
    let mut known = remembered(&[&chain]);
    assert!(known.find(chain.chain_id(), &bytes(&chain), &keys()).is_some(), "the twin");
    assert!(known.find(grant().chain_id(), &bytes(&chain), &keys()).is_none(), "another id is claimed");
    for position in 0..chain.as_bytes().len() {
        let mut flipped = chain.as_bytes().to_vec();
        flipped[position] ^= 1;
        let flipped = UnverifiedToken::from_bytes(flipped);
        assert!(known.find(chain.chain_id(), &flipped, &keys()).is_none(), "byte {position}");
        assert!(
            known.parent(&flipped, &keys()).is_none_or(|found| found.chain_id() != chain.chain_id()
                || flipped.verify_after(&found, &keys()).is_err())
        );
    }
}

/// Attack line 29: a key that was rotated away signs for nothing that was remembered of it, either.
#[test]
fn a_chain_is_not_found_under_other_keys() {
    let chain = chain();
    let mut known = remembered(&[&chain]);
    let public = |seed| SigningKey::from_seed(&[seed; 32]).public();
    let [domain, other] = ["acme.example", "other.example"].map(|name| name.parse().unwrap());
    let rotated = KeySet::new(domain, public(211), public(202), public(203), public(204)).unwrap();
    let foreign = KeySet::new(other, public(201), public(202), public(203), public(204)).unwrap();
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
    let parent = |known: &[&Token]| remembered(known).parent(&fetcher, &keys()).map(|found| found.chain_id());
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
    let mut known = remembered(&[&chain, &wrapped]);
    assert_eq!(known.bytes(), wrapped.as_bytes().len());
    assert!(known.find(chain.chain_id(), &bytes(&chain), &keys()).is_none());
    assert!(known.find(chain.chain_id(), &bytes(&wrapped), &keys()).is_some());
}

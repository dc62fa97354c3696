//! What is pinned, and what a newcomer is given: each as a payload and as a text.

use countersign_protocol::{
    digest::Digest,
    join_token::{JoinSecret, JoinToken},
    ledger::LeafIndex,
    limits::{DOMAIN_KEYS_MAX, JOIN_TOKEN_MAX_BYTES, KEYS_TEXT_MAX_BYTES},
    payload::Payload,
    trust::{DomainKey, KeyPurpose, KeySet},
};

use super::{Seed, Verdict, seeds_of};
use crate::{grammar, keys, memory, vectors};

pub(super) fn key_set(bytes: &[u8]) -> Verdict {
    let read = grammar::read::<KeySet>(bytes);
    let text = std::str::from_utf8(bytes).ok();
    let parsed = text.and_then(|text| {
        let keys: KeySet = memory::in_proportion(text.len(), || text.parse()).ok()?;
        assert_eq!(keys.to_text(), text, "a second text of one set");
        assert!(text.len() <= KEYS_TEXT_MAX_BYTES + 32);
        Some(keys)
    });
    for keys in [&read, &parsed].into_iter().flatten() {
        assert!(keys.keys().len() <= DOMAIN_KEYS_MAX);
        assert_eq!(keys.to_text().parse().as_ref(), Ok(keys));
        KeyPurpose::ALL.iter().for_each(|purpose| check_purpose(keys, *purpose));
    }
    Verdict::of(read.or(parsed))
}

/// IDN-109, counted leaf by leaf at the edges of each key.
fn check_purpose(keys: &KeySet, purpose: KeyPurpose) {
    let of_purpose = || keys.keys().iter().filter(|key| key.purpose == purpose);
    assert_eq!(of_purpose().filter(|key| key.is_in_use()).count(), 1);
    let edges =
        keys.keys().iter().flat_map(|DomainKey { first_leaf, end_leaf, .. }| [*first_leaf, *end_leaf]);
    let edges = edges.flat_map(|edge| [Some(edge), edge.plus(1), LeafIndex::new(edge.get().wrapping_sub(1))]);
    for leaf in edges.flatten() {
        assert!(of_purpose().filter(|key| key.covers(leaf)).count() <= 1, "two keys for leaf {leaf}");
    }
    for key in of_purpose() {
        let same = keys.keys().iter().filter(|other| other.key == key.key).count();
        let same_id = of_purpose().filter(|other| other.id == key.id).count();
        assert_eq!((same, same_id), (1, 1));
    }
}

pub(super) fn seeds() -> Vec<Seed> {
    let vectors = vectors::VECTORS.iter().filter(|vector| vector.input["type"] == "KeySet");
    let vectors = vectors.map(|vector| (vector.id.clone(), vectors::bytes(&vector.input, "payload_b64")));
    let ours = [("scene", countersign_forge::keys()), ("rotated", keys::of_the_vectors())];
    let ours = ours.into_iter().flat_map(|(name, keys)| {
        [(format!("{name}.payload"), keys.to_bytes()), (format!("{name}.text"), keys.to_text().into_bytes())]
    });
    seeds_of(vectors.chain(ours))
}

pub(super) fn join_token(bytes: &[u8]) -> Verdict {
    let read = grammar::read::<JoinToken>(bytes);
    let parsed = std::str::from_utf8(bytes).ok().and_then(|text| {
        let token: JoinToken = memory::in_proportion(text.len(), || text.parse()).ok()?;
        assert_eq!(*token.to_text(), text, "a second text of one token");
        assert!(text.len() <= JOIN_TOKEN_MAX_BYTES + 16);
        Some(token)
    });
    for token in [&read, &parsed].into_iter().flatten() {
        assert_eq!(token.principal.domain(), token.domain);
        assert_eq!(format!("{:?}", token.secret), "JoinSecret(..)");
    }
    Verdict::of(read.or(parsed))
}

pub(super) fn join_token_seeds() -> Vec<Seed> {
    let token = JoinToken {
        domain: countersign_forge::domain(),
        principal: countersign_forge::principal("planner"),
        enrolment: "127.0.0.1:7444".parse().unwrap(),
        broker: "broker.acme.example:7443".parse().unwrap(),
        authority: Digest::of(b"certificate"),
        secret: JoinSecret::try_from(&[3; 32][..]).unwrap(),
    };
    let text = token.to_text();
    let short = text.as_bytes()[..text.len() - 1].to_vec();
    let seeds = [("payload", token.to_bytes()), ("text", text.as_bytes().to_vec()), ("cut-off", short)];
    seeds_of(seeds.map(|(name, bytes)| (name.to_owned(), bytes)))
}

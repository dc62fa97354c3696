//! What a token is, as biscuit-auth has it: our own reader accepts no signature that biscuit-auth refuses,
//! and refuses none that biscuit-auth accepts.
//!
//! The profile is closed, so it refuses much that is a Biscuit. But it says why: TOK-005 stands for a
//! signature, a root or a secret that is not right, TOK-001 and TOK-003 for bytes that are not looked into,
//! and everything else is said of a chain whose signatures were all verified.
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]

mod tokens;

use std::collections::BTreeMap;

use biscuit_auth::{Algorithm, Biscuit, PublicKey, error};
use countersign_protocol::{
    refusal::Refusal,
    token::{KnownChains, Token, UnverifiedToken},
    trust::KeySet,
};
use tokens::Case;

/// Whether biscuit-auth finds all signatures right, under the domain's capability key of that number.
fn is_signed(token: &[u8], keys: &KeySet) -> bool {
    let choose = |stated: Option<u32>| {
        let root = stated.and_then(|number| keys.capability_key(number));
        let root = root.ok_or(error::Format::UnknownPublicKey)?;
        PublicKey::from_bytes(root.key.as_bytes(), Algorithm::Ed25519)
    };
    match Biscuit::from(token, choose) {
        Ok(_) => true,
        // It has come to the blocks.
        Err(error) => matches!(error, error::Token::Format(error::Format::BlockDeserializationError(_))),
    }
}

/// How often each rule refused, and how often none did.
type Tally = BTreeMap<&'static str, usize>;

fn compare(case: &Case, tally: &mut Tally) -> Result<Token, Refusal> {
    let Case { name, token, keys } = case;
    let ours = UnverifiedToken::from_bytes(token.clone()).verify(keys);
    let rule = ours.as_ref().map_or_else(Refusal::rule, |_| "accepted");
    *tally.entry(rule).or_default() += 1;
    match rule {
        "TOK-001" | "TOK-003" => {}
        "TOK-005" => assert!(!is_signed(token, keys), "{name}: biscuit-auth finds it signed; we do not"),
        _ => assert!(is_signed(token, keys), "{name}: {rule}, but biscuit-auth does not find it signed"),
    }
    ours
}

#[test]
fn what_is_signed_for_us_is_signed_for_biscuit_and_the_reverse() {
    let mut tally = Tally::new();
    for case in tokens::vectors().into_iter().chain(tokens::hostile()) {
        let _ = compare(&case, &mut tally);
    }
    for rule in ["accepted", "TOK-005", "TOK-010", "TOK-021", "CHN-001", "CHN-002"] {
        assert!(tally.get(rule).is_some_and(|count| *count > 0), "nothing that ends as {rule}: {tally:?}");
    }
}

#[test]
fn no_flipped_bit_is_taken_for_signed_by_one_of_the_two() {
    let mut tally = Tally::new();
    let honest = tokens::honest(1);
    assert!(compare(&honest, &mut tally).is_ok(), "the twin");
    for bit in 0..8 * honest.token.len() {
        let _ = compare(&honest.flipped(bit), &mut tally);
    }
    assert_eq!(tally.get("accepted"), Some(&1), "only the twin: {tally:?}");
    assert!(tally["TOK-005"] > 1_000, "{tally:?}");
}

/// What is remembered changes no answer: not of a token that goes on from a known chain, and not of one
/// that only looks so.
#[test]
fn a_token_after_a_known_chain_is_what_it_is_by_itself() {
    let honest = tokens::honest(2);
    let mut known = KnownChains::new(1 << 20);
    let parent = tokens::honest(1);
    let parent = UnverifiedToken::from_bytes(parent.token).verify(&parent.keys).unwrap();
    known.keep(parent.into());
    let mut after_a_parent = 0;
    let mut same = |case: &Case| {
        let alone = UnverifiedToken::from_bytes(case.token.clone()).verify(&case.keys);
        let token = UnverifiedToken::from_bytes(case.token.clone());
        let Some(parent) = known.parent(&token, &case.keys) else { return };
        after_a_parent += 1;
        let after = token.verify_after(&parent, &case.keys);
        let told = |verified: Result<Token, Refusal>| verified.map(|token| format!("{token:?}"));
        assert_eq!(told(after), told(alone), "{}", case.name);
    };
    same(&honest);
    (0..8 * honest.token.len()).step_by(5).map(|bit| honest.flipped(bit)).for_each(|case| same(&case));
    tokens::hostile().iter().for_each(&mut same);
    assert!(after_a_parent > 1_000, "{after_a_parent}");
}

/// What a hop costs a message: with SPIFFE ids and three constraints, and what its activation adds.
#[test]
fn a_hop_and_an_activation_have_so_many_bytes() {
    let [one, two] = [1, 2].map(|hops| tokens::constrained(hops).len());
    assert_eq!(two - one, 1_137, "a hop");
    assert_eq!(tokens::activation().len(), 256, "an activation");
}

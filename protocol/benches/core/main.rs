//! What a decision of the core costs, in verifications of one signature on the same machine.
//!
//! `cargo bench -p countersign-protocol --bench core`
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot build its input must stop")]
#![expect(clippy::expect_used, reason = "a measurement that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a measurement that cannot build its input must stop")]

mod chain;
mod measure;

use std::{hint::black_box, sync::Arc};

use countersign_forge::keys;
use countersign_protocol::{
    payload::Payload as _,
    signed::Signed,
    token::{ActiveToken, KnownChains, Presentation, UnverifiedToken},
};
use ed25519_dalek::{Signer as _, SigningKey};

use chain::{Chain, now};
use measure::Table;

fn main() {
    decisions();
    refusals();
    sizes();
}

/// One strict verification of a signature over 300 bytes: V.
fn one_verification() -> impl FnMut() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let (message, verifying) = ([9; 300], key.verifying_key());
    let signature = key.sign(&message);
    move || verifying.verify_strict(black_box(&message), black_box(&signature)).expect("it is signed")
}

fn decisions() {
    let chains: Vec<Chain> = [1, 4, 8].map(Chain::new).into();
    let actives: Vec<ActiveToken> = chains.iter().map(Chain::active).collect();
    let (request, keys) = (chain::request(), keys());
    let mut table = Table::new("Decisions", "V", one_verification());
    for chain in &chains {
        let (signatures, keys) = (2 * chain.hops + 2, &keys);
        table = table.row(format!("cold, {} hops ({signatures} signatures)", chain.hops), move || {
            let token = UnverifiedToken::from_bytes(black_box(&chain.token).clone()).verify(keys).unwrap();
            chain.decide(&ActiveToken::new(token, chain.activation.clone()).unwrap()).unwrap();
        });
    }
    for chain in &chains {
        let (keys, mut known) = (&keys, KnownChains::new(1 << 20));
        known.keep(Arc::new(chain.parent().verify(keys).unwrap()));
        table = table.row(format!("hop {} on a known chain", chain.hops), move || {
            let token = UnverifiedToken::from_bytes(black_box(&chain.token).clone());
            let parent = known.parent(&token, keys).expect("it is known");
            let token = token.verify_after(&parent, keys).unwrap();
            chain.decide(&ActiveToken::new(token, chain.activation.clone()).unwrap()).unwrap();
        });
    }
    for chain in &chains {
        let (keys, mut known) = (&keys, KnownChains::new(1 << 20));
        let token = UnverifiedToken::from_bytes(chain.token.clone()).verify(keys).unwrap();
        known.keep(Arc::new(token));
        table = table.row(format!("warm, {} hops", chain.hops), move || {
            let token = UnverifiedToken::from_bytes(black_box(&chain.token).clone());
            let token = known.find(chain.activation.chain_id, &token, keys).expect("it is known");
            chain.decide(&ActiveToken::new(token, chain.activation.clone()).unwrap()).unwrap();
        });
    }
    for (chain, active) in chains.iter().zip(&actives) {
        let request = &request;
        table = table.row(format!("native decision, {} hops", chain.hops), move || {
            active.token().table().decide(black_box(request), now()).expect("allowed");
        });
    }
    table.print();
}

/// Refusing must not cost more than accepting, or whoever is refused can make the broker work.
fn refusals() {
    let chain = Chain::new(4);
    let active = chain.active();
    let request = chain::request();
    let accept = || chain.decide(&active).expect("allowed");
    let bad = chain.with_a_bad_signature();
    let stranger = chain.signed_by_a_stranger();
    let refuse = |proof: &[u8]| {
        let proof = Signed::from_bytes(black_box(proof)).unwrap();
        let presented = Presentation { proof: &proof, request: &request, body: b"" };
        active.permit(&presented, now()).expect_err("refused");
    };
    let mut wider = request.clone();
    wider.action = "list".parse().unwrap();
    let wider_proof = chain.proof_for(&wider);
    Table::new("Refusing", "accept, warm, 4 hops", accept)
        .row("bad proof", || refuse(&bad))
        .row("wrong holder", || refuse(&stranger))
        .row("beyond the chain's rights", || {
            let proof = Signed::from_bytes(black_box(&wider_proof)).unwrap();
            let presented = Presentation { proof: &proof, request: &wider, body: b"" };
            active.permit(&presented, now()).expect_err("refused");
        })
        .print();
}

fn sizes() {
    let [one, two] = [1, 2].map(Chain::new);
    let hop = two.token.len() - one.token.len();
    println!("\nA hop with SPIFFE ids and 3 constraints: {hop} bytes. An activation: {} bytes.", {
        chain::signed_activation(&one).len()
    });
}

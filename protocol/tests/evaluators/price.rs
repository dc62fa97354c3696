//! What a decision costs, in verifications of one signature on the same machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::{Duration, Instant},
};

use countersign_protocol::token::Table;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::{
    cast,
    chains::Chain,
    datalog::Datalog,
    plain::{Capability, Link, Request, Rule, Value},
};

/// The table of a token that is used often has to cost next to nothing beside a signature.
#[test]
#[ignore = "measures: cargo test --release -p countersign-protocol --test evaluators -- --ignored --nocapture price"]
fn the_price_of_a_decision() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let (message, verifying) = ([9; 300], key.verifying_key());
    let signature = key.sign(&message);
    let verify = cheapest(200, || verifying.verify_strict(black_box(&message), &signature).unwrap());
    println!("verify_strict: {verify:?}");
    for hops in [0, 3, 8] {
        let chain = Chain::sign((0..=hops).map(link).collect(), Some(true));
        let (leaf, ancestors) = chain.core.split_last().unwrap();
        let table = Table::compile(ancestors, leaf);
        let datalog = Datalog::of(&chain.token, leaf.chain_id);
        let (request, now) = (request().to_core().unwrap(), cast::at(cast::NOW + 50));
        let native = cheapest(20_000, || table.decide(black_box(&request), now).unwrap());
        let second = cheapest(200, || assert!(datalog.allows(black_box(&request), cast::NOW + 50)));
        let ratio = |cost: Duration| cost.as_secs_f64() / verify.as_secs_f64();
        println!(
            "{hops} hops, 3 constraints: table {native:?}, {:.4} of a verification; Datalog {second:?}, {:.2}",
            ratio(native),
            ratio(second)
        );
        assert!(ratio(native) < 0.02, "an allocation or a search has crept in: {native:?} of {verify:?}");
    }
}

/// Every hop says something new, so that none is merged with the one above.
fn link(hop: u32) -> Link {
    let constraints = BTreeMap::from([
        ("max_bytes".to_owned(), Rule::IntRange(1, 4096 - i64::from(hop))),
        ("format".to_owned(), Rule::TextIn(["csv", "json", "parquet"].map(str::to_owned).into())),
        ("from".to_owned(), Rule::IpIn(vec![10, 1, 0, 0], 16)),
    ]);
    let resource = "file:/data/eu/**".to_owned();
    Link {
        capabilities: vec![Capability {
            resource,
            actions: BTreeSet::from(["read".to_owned()]),
            constraints,
        }],
        audiences: BTreeSet::from(["spiffe://acme.example/service/files".to_owned()]),
        from: cast::NOW,
        until: cast::NOW + 100,
        delegations_left: 16 - hop,
    }
}

fn request() -> Request {
    Request {
        callee: "spiffe://acme.example/service/files".to_owned(),
        action: "read".to_owned(),
        resource: "file:/data/eu/2026/q3.csv".to_owned(),
        arguments: BTreeMap::from([
            ("format".to_owned(), Value::Text("csv".to_owned())),
            ("from".to_owned(), Value::Ip(vec![10, 1, 2, 3])),
            ("max_bytes".to_owned(), Value::Int(1000)),
        ]),
    }
}

/// The cheapest of some rounds: what the machine does besides only adds.
fn cheapest(times: u32, mut work: impl FnMut()) -> Duration {
    let mut round = || {
        #[expect(clippy::disallowed_methods, reason = "it measures")]
        let begun = Instant::now();
        (0..times).for_each(|_| work());
        begun.elapsed() / times
    };
    (0..15).map(|_| round()).min().unwrap()
}

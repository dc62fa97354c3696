//! The walk and the Datalog are two opinions. Here the second is taken from biscuit-auth alone, over
//! facts that are written down again from the specification's table (CHN-010), and both must agree on
//! every request: one that is too strict would deny what was signed, one that is too lax would be no
//! second opinion.

use std::net::IpAddr;

use biscuit_auth::builder::{bytes, int, string};
use biscuit_auth::{
    Algorithm, AuthorizerBuilder, Biscuit, PublicKey, builder::Fact, builder::Term, builder::fact,
};
use countersign_protocol::{
    capability::{Request, Value},
    time::Timestamp,
    token::Token,
};
use proptest::{
    prelude::*,
    sample::{Index, select},
};

use crate::{
    chain::{allows, at, chain, domain_key, edits, grants},
    universe::UNIVERSE,
};

fn one(name: &str, terms: Vec<Term>) -> Fact {
    fact(name, &terms)
}

fn facts(token: &Token, request: &Request, now: Timestamp) -> Vec<Fact> {
    let (scheme, path) = request.resource.as_str().split_once(":/").unwrap();
    let segments: Vec<&str> = path.split('/').collect();
    let mut facts = vec![
        one("countersign_verified", vec![bytes(token.chain_id().as_bytes())]),
        one("time_ms", vec![int(now.as_millis() as i64)]),
        one("audience", vec![string(request.callee.as_str())]),
        one("action", vec![string(request.action.as_str())]),
        one("scheme", vec![string(scheme)]),
        one("depth", vec![int(segments.len() as i64)]),
    ];
    for (position, segment) in segments.iter().enumerate() {
        facts.push(one("segment", vec![int(position as i64), string(segment)]));
    }
    for argument in request.arguments.iter() {
        let name = string(argument.name.as_str());
        facts.push(match &argument.value {
            Value::Text(text) => one("text", vec![name, string(text.as_str())]),
            Value::Int(number) => one("int", vec![name, int(*number)]),
            Value::Path(path) => one("path", vec![name, string(&closed(path.as_str()))]),
            Value::Ip(ip) => one("ip", vec![name, string(&bits(ip.get()))]),
            Value::Url(url) => {
                let url = url::Url::parse(url.as_str()).unwrap();
                let (host, port) = (url.host_str().unwrap(), url.port_or_known_default().unwrap());
                let path = closed(url.path().trim_end_matches('/'));
                one(
                    "url",
                    vec![name, string(url.scheme()), string(host), int(i64::from(port)), string(&path)],
                )
            }
        });
    }
    facts
}

fn closed(path: &str) -> String {
    if path == "/" { path.to_owned() } else { format!("{path}/") }
}

fn bits(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("4:{:032b}", u32::from(ip)),
        IpAddr::V6(ip) => format!("6:{:0128b}", u128::from(ip)),
    }
}

fn datalog_allows(token: &Token, request: &Request, now: Timestamp) -> bool {
    let root = PublicKey::from_bytes(domain_key(201).public().as_bytes(), Algorithm::Ed25519).unwrap();
    let biscuit = Biscuit::from(token.as_bytes(), root).unwrap();
    let builder = AuthorizerBuilder::new().code("allow if true").unwrap();
    let builder = facts(token, request, now).into_iter().try_fold(builder, AuthorizerBuilder::fact).unwrap();
    let limits =
        biscuit_auth::AuthorizerLimits { max_time: std::time::Duration::from_secs(60), ..Default::default() };
    builder.build(&biscuit).unwrap().authorize_with_limits(limits).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_walk_and_the_datalog_agree(
        rights in grants(),
        hops in prop::collection::vec(prop::collection::vec(edits(), 0..2), 0..3),
        uses in prop::collection::vec((any::<Index>(), any::<bool>(), select(vec![0, 15, 50])), 6),
    ) {
        let prefixes = chain(rights, &hops, &Default::default());
        let token = prefixes.last().unwrap();
        // Half of the requests are ones that the leaf's capabilities allow: chance alone meets few.
        let allowed: Vec<&Request> =
            UNIVERSE.iter().filter(|request| token.leaf().rights.allows(request)).collect();
        for (index, within, now) in uses {
            let request = match within && !allowed.is_empty() {
                true => allowed[index.index(allowed.len())],
                false => index.get(&UNIVERSE),
            };
            let walk = token.links().all(|link| allows(link, request, at(now)));
            prop_assert_eq!(walk, datalog_allows(token, request, at(now)), "{:?}", request);
        }
    }
}

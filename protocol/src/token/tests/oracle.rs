//! biscuit-auth is the oracle: it reads what we write, and writes the same from Datalog text.

use biscuit_auth::{Algorithm, Biscuit, BlockBuilder, KeyPair, PrivateKey, PublicKey};

use super::fixture::*;
use crate::{
    capability::{Capability, Constraint, IntSet, Rule, UrlPrefix},
    contract::Rebind,
    key::SigningKey,
    payload::{Ascending, Bounded, Payload},
    token::{HopTerms, Token, append_rebind, compile, container::Container},
};

/// A hop with every kind of constraint, and pieces that Biscuit's default symbols name.
fn rich_terms() -> HopTerms {
    let constraint = |name: &str, rule| Constraint { argument: name.parse().unwrap(), rule };
    let texts =
        |list: &[&str]| Ascending::new(list.iter().map(|text| text.parse().unwrap()).collect()).unwrap();
    let rich = Capability {
        resource: "db:/*/query/**".parse().unwrap(),
        actions: Ascending::new(["write", "read"].map(|action| action.parse().unwrap()).into()).unwrap(),
        constraints: Bounded::new(vec![
            constraint("a", Rule::TextIn(texts(&["zebra", "read", "apple"]))),
            constraint("b", Rule::IntIn(IntSet::new(vec![5, -3, 0]).unwrap())),
            constraint("c", Rule::IpIn("10.1.0.0/16".parse().unwrap())),
            constraint("d", Rule::PathUnder("/data/eu".parse().unwrap())),
            constraint("e", Rule::UrlUnder(url_prefix("*.example.com"))),
            constraint("f", Rule::UrlUnder(url_prefix("api.example.com"))),
        ])
        .unwrap(),
    };
    let mut terms = hop_terms("fetcher", 2);
    let plain = capability("file:/data/q3.csv", &["read"], Some(9));
    terms.rights.capabilities = Bounded::new(vec![rich, plain]).unwrap();
    terms
}

fn url_prefix(host: &str) -> UrlPrefix {
    UrlPrefix {
        scheme: "https".parse().unwrap(),
        host: host.parse().unwrap(),
        port: 443,
        path: "/v1".parse().unwrap(),
    }
}

/// The same block as Datalog text.
fn rich_source(terms: &crate::token::HopTerms) -> String {
    let rights = &terms.rights;
    format!(
        r#"
        hop(hex:{payload});
        check if time_ms($now), $now >= {from}, $now < {until};
        check if audience($callee), {{"{audience}"}}.contains($callee);
        check if action($action), scheme("db"), segment(1, "query"), depth($depth),
            text("a", $x0), int("b", $x1), ip("c", $x2), path("d", $x3),
            url("e", "https", $x4, 443, $y4), url("f", "https", "api.example.com", 443, $y5),
            {{"read", "write"}}.contains($action), $depth > 2,
            {{"apple", "read", "zebra"}}.contains($x0), {{-3, 0, 5}}.contains($x1),
            $x2.starts_with("4:0000101000000001"), $x3.starts_with("/data/eu/"),
            $x4.ends_with(".example.com"), $y4.starts_with("/v1/"), $y5.starts_with("/v1/")
          or action($action), scheme("file"), segment(0, "data"), segment(1, "q3.csv"), depth(2),
            int("max_bytes", $x0),
            {{"read"}}.contains($action), $x0 >= 1, $x0 <= 9;
        "#,
        payload = hex::encode(terms.to_bytes()),
        from = rights.not_before.as_millis(),
        until = rights.not_after.as_millis(),
        audience = rights.audiences[0],
    )
}

fn biscuit_key(seed: &[u8]) -> KeyPair {
    KeyPair::from(&PrivateKey::from_bytes(seed, Algorithm::Ed25519).unwrap())
}

#[test]
fn a_compiled_block_is_what_biscuit_builds_from_the_same_datalog() {
    let terms = rich_terms();
    let root = biscuit_key(&[201; 32]);
    let grant = Biscuit::from(grant().as_bytes(), root.public()).unwrap();
    let builder = BlockBuilder::new().code(rich_source(&terms)).unwrap();
    let grantor = biscuit_key(&*key("planner").to_seed());
    let block = grant.third_party_request().unwrap().create_block(&grantor.private(), builder).unwrap();
    let theirs = grant.append_third_party(grantor.public(), block).unwrap().container().to_proto().blocks;
    let ours = compile::hop_block(&terms);
    assert_eq!(hex::encode(&theirs[0].block), hex::encode(ours));
}

/// Ours, appended by biscuit-auth with the derived next key, is byte for byte the token that we append.
#[test]
fn our_hop_is_what_biscuit_appends() {
    let researcher = delegate(&grant(), "planner", &hop_terms("researcher", 1));
    let container = Container::read(researcher.as_bytes()).unwrap();
    let root = PublicKey::from_bytes(capability_key().public().as_bytes(), Algorithm::Ed25519).unwrap();
    let reread = Biscuit::from(researcher.as_bytes(), root).unwrap();
    assert_eq!(reread.to_vec().unwrap(), researcher.as_bytes());
    assert_eq!(container.write(), researcher.as_bytes());
    assert_eq!(reread.external_public_keys()[1].unwrap().to_bytes(), key("planner").public().as_bytes());
}

/// The authority signature is over the same bytes as biscuit-auth's own.
#[test]
fn our_grant_is_what_biscuit_builds() {
    let token = grant();
    let container = Container::read(token.as_bytes()).unwrap();
    let rights = &grant_terms().rights;
    let source = format!(
        r#"
        grant(hex:{});
        check if countersign_verified($chain);
        check if time_ms($now), $now >= {}, $now < {};
        check if audience($callee), {{"spiffe://acme.example/service/files"}}.contains($callee);
        check if action($action), scheme("file"), segment(0, "data"), depth($depth),
            {{"list", "read"}}.contains($action), $depth > 1;
        "#,
        hex::encode(grant_terms().to_bytes()),
        rights.not_before.as_millis(),
        rights.not_after.as_millis(),
    );
    let theirs = Biscuit::builder()
        .code(source)
        .unwrap()
        .root_key_id(1)
        .build_with_key_pair(
            &biscuit_key(&[201; 32]),
            biscuit_auth::datalog::SymbolTable::new(),
            &biscuit_key(&container.next_secret),
        )
        .unwrap();
    assert_eq!(hex::encode(theirs.to_vec().unwrap()), hex::encode(token.as_bytes()));
}

/// TOK-012: a verifier that knows only Biscuit refuses rather than half-checks.
#[test]
fn a_plain_biscuit_verifier_refuses() {
    let root = PublicKey::from_bytes(capability_key().public().as_bytes(), Algorithm::Ed25519).unwrap();
    let biscuit = Biscuit::from(chain().as_bytes(), root).unwrap();
    let facts = format!(
        r#"time_ms({NOW_MS}); audience("spiffe://acme.example/service/files"); action("read"); scheme("file");
        segment(0, "data"); segment(1, "eu"); segment(2, "q3.csv"); depth(3); int("max_bytes", 10);"#
    );
    let authorize = |extra: &str| {
        let code = format!("{facts} {extra} allow if true;");
        biscuit_auth::AuthorizerBuilder::new().code(code).unwrap().build(&biscuit).unwrap().authorize()
    };
    assert!(authorize("").is_err());
    assert!(authorize("countersign_verified(hex:00);").is_ok(), "the twin");
}

/// A rebind is what Biscuit builds from its one fact; and whoever reads nothing but Datalog comes to the
/// answers of the table for the chain that was taken over, which are those for the chain before.
#[test]
fn a_rebind_is_what_biscuit_builds_and_changes_no_answer() {
    let terms = HopTerms { rebind: Rebind::Domain, ..hop_terms("researcher", 1) };
    let hop = delegate(&grant(), "planner", &terms).verify(&keys()).unwrap();
    let terms = super::rebind::terms();
    let rebound = append_rebind(&hop, &terms, &SigningKey::from_seed(&[204; 32])).verify(&keys()).unwrap();
    let root = biscuit_key(&[201; 32]).public();
    let read = |token: &Token| Biscuit::from(token.as_bytes(), root).unwrap();
    let builder =
        BlockBuilder::new().code(format!("rebind(hex:{});", hex::encode(terms.to_bytes()))).unwrap();
    let signer = biscuit_key(&[204; 32]);
    let block = read(&hop).third_party_request().unwrap().create_block(&signer.private(), builder).unwrap();
    let theirs = read(&hop).append_third_party(signer.public(), block).unwrap().container().to_proto().blocks;
    assert_eq!(hex::encode(&theirs[1].block), hex::encode(compile::rebind_block(&terms)));

    for (action, path, bytes) in
        [("read", "eu", 4096), ("read", "eu", 4097), ("list", "eu", 1), ("read", "..", 1)]
    {
        let facts = format!(
            r#"countersign_verified(hex:00); time_ms({NOW_MS}); audience("spiffe://acme.example/service/files");
            action("{action}"); scheme("file"); segment(0, "data"); segment(1, "{path}"); depth(2);
            int("max_bytes", {bytes}); allow if true;"#
        );
        let answer = |token: &Token| {
            let authorizer = biscuit_auth::AuthorizerBuilder::new().code(&facts).unwrap();
            authorizer.build(&read(token)).unwrap().authorize().is_ok()
        };
        assert_eq!(answer(&rebound), answer(&hop), "{action} {path} {bytes}");
        if path != ".." {
            let request = request(action, &format!("file:/data/{path}"), bytes);
            assert_eq!(rebound.table().decide(&request, now()).is_ok(), answer(&rebound), "{action} {bytes}");
        }
    }
}

//! Chains that are too deep, too large, too empty, or dear to evaluate.

use super::fixture::*;
use crate::{
    capability::{Argument, Arguments, Capability, Constraint, Request, Rights, Rule, Value},
    limits::{BLOCK_MAX_BYTES, CHAIN_MAX_DEPTH},
    payload::{Ascending, Bounded, Payload, Reader, Writer},
    refusal::Reason,
    token::{
        GrantTerms, HopTerms, Token, UnverifiedToken,
        datalog::{Block, Predicate, Term},
        mint::append_payload,
        mint_grant,
    },
};

fn reason(token: &UnverifiedToken) -> Reason {
    token.verify(&keys()).expect_err("it must be refused").reason()
}

/// Attack line 4: a middle link that lacks a field, one field after the other.
#[test]
fn a_middle_link_that_lacks_a_field_is_refused() {
    let full = hop_terms("researcher", 1).to_bytes();
    let hop = |terms: Vec<u8>| {
        let fact = Predicate { name: "hop", terms: vec![Term::Bytes(terms)] };
        let checks = crate::token::compile::rights_checks(&rights(1));
        append_payload(&grant(), Block { version: 5, facts: vec![fact], checks }.to_bytes(), &key("planner"))
    };
    let middle = hop(full.clone()).verify(&keys()).expect("the twin");
    assert!(delegate(&middle, "researcher", &hop_terms("fetcher", 2)).verify(&keys()).is_ok());
    for missing in 1..=5 {
        assert_eq!(reason(&hop(without(&full, &[4], missing))), Reason::TokenMalformed, "field {missing}");
    }
    let rights = rights(1).to_bytes();
    for missing in 1..=5 {
        let terms = with(&full, 3, &without(&rights, &[3, 4, 6], missing));
        assert_eq!(reason(&hop(terms)), Reason::TokenMalformed, "field {missing} of the rights");
    }
    assert_eq!(reason(&hop(Vec::new())), Reason::TokenMalformed, "nothing at all");
}

/// The fields of a message, each with its tag. Which of them are varints, the caller knows.
fn fields(message: &[u8], varints: &[u32]) -> Vec<(u32, Vec<u8>)> {
    let mut reader = Reader::new(message);
    let mut fields = Vec::new();
    for number in 1..=6 {
        if varints.contains(&number) {
            let value = reader.varint(number).unwrap();
            let mut writer = Writer::default();
            writer.varint(number, value.unwrap_or_default());
            fields.extend(value.map(|_| (number, writer.into_bytes())));
            continue;
        }
        while let Some(bytes) = reader.bytes(number).unwrap() {
            let mut writer = Writer::default();
            writer.bytes(number, bytes);
            fields.push((number, writer.into_bytes()));
        }
    }
    fields
}

fn without(message: &[u8], varints: &[u32], missing: u32) -> Vec<u8> {
    let fields = fields(message, varints);
    assert!(fields.iter().any(|(number, _)| *number == missing), "there is a field {missing}");
    fields.into_iter().filter(|(number, _)| *number != missing).flat_map(|(_, bytes)| bytes).collect()
}

fn with(message: &[u8], changed: u32, value: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(changed, value);
    let value = writer.into_bytes();
    let fields = fields(message, &[4]).into_iter();
    fields.flat_map(|(number, bytes)| if number == changed { value.clone() } else { bytes }).collect()
}

/// Attack line 5: what leaves no delegation has no child, however narrow.
#[test]
fn a_link_that_leaves_no_delegation_has_no_child() {
    let last = |left| {
        let mut terms = hop_terms("researcher", 1);
        terms.rights.delegations_left = left;
        let parent = delegate(&grant(), "planner", &terms).verify(&keys()).unwrap();
        let mut child = hop_terms("fetcher", 2);
        child.rights.delegations_left = 0;
        delegate(&parent, "researcher", &child)
    };
    assert!(last(1).verify(&keys()).is_ok(), "the twin");
    assert_eq!(reason(&last(0)), Reason::RightsWidened);
}

/// Holders A, B, C…: a chain of so many hops, each as narrow as the one before.
fn deep(hops: usize) -> UnverifiedToken {
    let names: Vec<String> = (0..=hops).map(|number| char::from(b'A' + number as u8).to_string()).collect();
    let narrowed = |hop: usize| Rights {
        delegations_left: (CHAIN_MAX_DEPTH - hop.min(CHAIN_MAX_DEPTH)) as u32,
        ..rights(0)
    };
    let terms = GrantTerms { holder: holder(&names[0]), rights: narrowed(0), ..grant_terms() };
    let mut token = mint_grant(&terms, 1, &capability_key());
    for hop in 1..=hops {
        // Beyond the depth nothing verifies, so the last one is put on what is below.
        let parent = token.verify(&keys()).expect("it is within the depth");
        let terms = HopTerms { holder: holder(&names[hop]), rights: narrowed(hop), ..hop_terms("x", 1) };
        token = delegate(&parent, &names[hop - 1], &terms);
    }
    token
}

/// Attack line 17: depth is a verifier's bound, not a builder's.
#[test]
fn a_chain_has_sixteen_hops_at_most() {
    assert_eq!(deep(CHAIN_MAX_DEPTH).verify(&keys()).map(|token| token.depth()), Ok(CHAIN_MAX_DEPTH));
    assert_eq!(reason(&deep(CHAIN_MAX_DEPTH + 1)), Reason::ChainTooDeep);
}

#[test]
fn a_block_beyond_its_size_is_refused_before_it_is_read() {
    let sized =
        |bytes: usize| append_payload(&grant(), vec![0; bytes], &key("planner")).verify(&keys()).unwrap_err();
    let (largest, larger) = (sized(BLOCK_MAX_BYTES), sized(BLOCK_MAX_BYTES + 1));
    assert_eq!(larger.rule(), "TOK-001", "{larger}");
    assert_ne!(largest.rule(), "TOK-001", "the twin is read, and refused for what it says: {largest}");
}

/// Attack line 17: the dearest chain that fits its limits is decided, not given up; time is no limit on
/// authority.
#[test]
fn the_dearest_chain_is_still_decided() {
    let choices = |name: &str| Constraint {
        argument: name.parse().unwrap(),
        rule: Rule::TextIn(
            Ascending::new((0..4).map(|n| format!("{name}{n}").parse().unwrap()).collect()).unwrap(),
        ),
    };
    let capability = |number: usize| Capability {
        resource: format!("file:/data/eu/{number}/**").parse().unwrap(),
        constraints: Bounded::new(["a", "b", "c"].map(choices).into()).unwrap(),
        ..capability("file:/x", &["read"], None)
    };
    let dear = |hop: u64| {
        let capabilities = Bounded::new((0..16).map(capability).collect()).unwrap();
        Rights { capabilities, ..rights(hop) }
    };
    let grant = GrantTerms { rights: dear(0), ..grant_terms() };
    let grant = mint_grant(&grant, 1, &capability_key()).verify(&keys()).unwrap();
    let hop = |parent: &Token, grantor: &str, name: &str, hop: u64| {
        let terms = HopTerms { rights: dear(hop), ..hop_terms(name, hop) };
        delegate(parent, grantor, &terms).verify(&keys()).unwrap()
    };
    let researcher = hop(&grant, "planner", "researcher", 1);
    let token = activate(hop(&researcher, "researcher", "fetcher", 2));
    let ask = |last: &str| {
        let arguments = ["a0", "b1", last].into_iter().zip(["a", "b", "c"]);
        let argument = |(text, name): (&str, &str)| Argument {
            name: name.parse().unwrap(),
            value: Value::Text(text.parse().unwrap()),
        };
        let request = Request {
            arguments: Arguments::new(arguments.map(argument).collect()).unwrap(),
            ..request("read", "file:/data/eu/15/x", 0)
        };
        let signed = signed_proof(&token, &request);
        token.permit(&presentation(&signed, &request), now()).map(|_| ()).map_err(|refusal| refusal.reason())
    };
    assert_eq!(ask("c3"), Ok(()));
    assert_eq!(ask("c4"), Err(Reason::CheckFailed));
}

/// Attack line 9: text from a model stays text, whatever it looks like.
#[test]
fn text_that_looks_like_datalog_is_text() {
    let hostile = [
        r#"x"); allow if true; check if action("read"#,
        "{param}",
        "$x || true",
        "]; // ",
        "x\u{0}y",
        "check if true or",
    ];
    for text in hostile {
        let rule = Rule::TextIn(Ascending::new(vec![text.parse().unwrap()]).unwrap());
        let constraint = Constraint { argument: "max_bytes".parse().unwrap(), rule };
        let mut wanted = capability("file:/data/eu/**", &["read"], None);
        wanted.constraints = Bounded::new(vec![constraint]).unwrap();
        let mut wide = capability("file:/data/**", &["read"], None);
        wide.constraints = Bounded::default();
        let terms = GrantTerms {
            rights: Rights { capabilities: Bounded::new(vec![wide]).unwrap(), ..rights(0) },
            ..grant_terms()
        };
        let grant = mint_grant(&terms, 1, &capability_key()).verify(&keys()).unwrap();
        let terms = HopTerms {
            rights: Rights { capabilities: Bounded::new(vec![wanted]).unwrap(), ..rights(1) },
            ..hop_terms("fetcher", 1)
        };
        let token = activate(delegate(&grant, "planner", &terms).verify(&keys()).unwrap());
        let ask = |value: &str| {
            let value = Value::Text(value.parse().unwrap());
            let argument = Argument { name: "max_bytes".parse().unwrap(), value };
            let arguments = Arguments::new(vec![argument]).unwrap();
            let request = Request { arguments, ..good_request() };
            let signed = signed_proof(&token, &request);
            token
                .permit(&presentation(&signed, &request), now())
                .map(|_| ())
                .map_err(|refusal| refusal.reason())
        };
        assert_eq!(ask(text), Ok(()), "{text}");
        assert_eq!(ask("x"), Err(Reason::CheckFailed), "{text}");
    }
}

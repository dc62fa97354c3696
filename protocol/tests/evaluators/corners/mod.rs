//! Every spelling that has ever been a hole somewhere: whether it is a name, and where it is, what
//! follows, decided by three.

mod spellings;

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::{
    capability::{Cidr, HostPattern, PathName, ResourceName, ResourcePattern, Text, UrlName},
    name::{PrincipalId, Word},
};

use spellings::all;

use crate::{
    agree::Panel,
    brute::{self, spelling},
    cast,
    plain::{Capability, Link, Request, Rule, Value},
    tally::Tally,
};

/// The core's parser of that kind.
fn parses(kind: &str, text: &str) -> bool {
    match kind {
        "text" => text.parse::<Text>().is_ok(),
        "word" => text.parse::<Word>().is_ok(),
        "resource" => text.parse::<ResourceName>().is_ok(),
        "pattern" => text.parse::<ResourcePattern>().is_ok(),
        "path" => text.parse::<PathName>().is_ok(),
        "url" => text.parse::<UrlName>().is_ok(),
        "host" => text.parse::<HostPattern>().is_ok(),
        "principal" => text.parse::<PrincipalId>().is_ok(),
        "block" => text.parse::<Cidr>().is_ok(),
        other => panic!("nothing is a {other}"),
    }
}

#[test]
fn every_corner_is_read_alike() {
    let mut seen: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for (kind, expected, text) in all() {
        assert_eq!(parses(kind, &text), expected, "the core's reading of the {kind} {text:?}");
        assert_eq!(spelling::is(kind, &text), expected, "brute force's reading of the {kind} {text:?}");
        *seen.entry((kind, expected)).or_default() += 1;
    }
    assert_eq!(seen.len(), 18, "every kind has good and bad ones: {seen:?}");
}

/// The names among the published vectors, read by brute force.
#[test]
fn every_vector_of_a_name_is_read_alike() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/vectors/name");
    let (mut good, mut bad) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let vector: serde_json::Value = serde_json::from_str(&text).unwrap();
        let [kind, text] = ["kind", "text"].map(|key| vector["input"][key].as_str().unwrap());
        if ["domain", "instance", "origin", "uuid"].contains(&kind) {
            continue;
        }
        let expected = vector["expect"]["verdict"] == "accept";
        assert_eq!(spelling::is(kind, text), expected, "{}", vector["id"]);
        assert_eq!(parses(kind, text), expected, "{}", vector["id"]);
        *(if expected { &mut good } else { &mut bad }) += 1;
    }
    assert!(good >= 15 && bad >= 70, "{good} {bad}");
}

/// Each good pattern and constraint in a chain of its own, against each good value: three say the same.
#[test]
fn every_corner_is_decided_alike() {
    let tally = Tally::default();
    let good = |wanted: &str| -> Vec<String> {
        all().into_iter().filter(|(kind, is, _)| *is && *kind == wanted).map(|(.., text)| text).collect()
    };
    let mut decided = 0;
    let mut ask = |link: Link, requests: Vec<Request>| {
        let panel = Panel::sign(vec![link]);
        for request in requests {
            panel.ask(&request, cast::NOW + 1, &tally).unwrap_or_else(|error| panic!("{error}"));
            decided += 1;
        }
    };
    let resources = || good("resource").into_iter().map(|resource| Request { resource, ..request() });
    for pattern in good("pattern").into_iter().chain(good("resource")) {
        let capability = Capability { resource: pattern, ..capability() };
        ask(Link { capabilities: vec![capability], ..link() }, resources().collect());
    }
    let values: Vec<Request> = values(&good).into_iter().map(with).collect();
    for rule in rules(&good) {
        let capability = Capability { constraints: BTreeMap::from([("n".to_owned(), rule)]), ..capability() };
        ask(Link { capabilities: vec![capability], ..link() }, values.clone());
    }
    let principals = good("principal");
    for audience in &principals {
        let link = Link { audiences: BTreeSet::from([audience.clone()]), ..link() };
        ask(link, principals.iter().map(|callee| Request { callee: callee.clone(), ..request() }).collect());
    }
    assert!(decided > 5_000, "{decided}");
    tally.check_kinds();
}

fn rules(good: &dyn Fn(&str) -> Vec<String>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = good("path").into_iter().map(Rule::PathUnder).collect();
    rules.extend(good("text").into_iter().map(|text| Rule::TextIn(BTreeSet::from([text]))));
    rules.extend(good("block").iter().map(|text| {
        let (bytes, length) = brute::block(text).unwrap();
        Rule::IpIn(bytes, length)
    }));
    let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    rules.extend(
        ends.iter()
            .flat_map(|min| ends.iter().map(move |max| (*min, *max)))
            .filter_map(|(min, max)| (min <= max).then_some(Rule::IntRange(min, max))),
    );
    rules.extend(ends.map(|number| Rule::IntIn(BTreeSet::from([number]))));
    for host in good("host") {
        for (scheme, port, path) in [
            ("https", 443, "/"),
            ("http", 80, "/"),
            ("https", 80, "/"),
            ("https", 8443, "/"),
            ("https", 443, "/a"),
        ] {
            let (scheme, host, path) = (scheme.to_owned(), host.clone(), path.to_owned());
            rules.push(Rule::UrlUnder { scheme, host, port, path });
        }
    }
    rules
}

fn values(good: &dyn Fn(&str) -> Vec<String>) -> Vec<Value> {
    let mut values: Vec<Value> = good("path").into_iter().map(Value::Path).collect();
    values.extend(good("text").into_iter().map(Value::Text));
    values.extend(good("url").into_iter().map(Value::Url));
    values.extend([i64::MIN, i64::MIN + 1, -2, -1, 0, 1, 2, i64::MAX - 1, i64::MAX].map(Value::Int));
    for block in good("block") {
        let (first, length) = brute::block(&block).unwrap();
        let mut last = first.clone();
        (length..first.len() as u32 * 8).for_each(|place| last[place as usize / 8] |= 1 << (7 - place % 8));
        values.extend([first, last].map(Value::Ip));
    }
    // Not an address at all: the mapped ones, and ones of another length.
    let mapped = [&[0; 10][..], &[0xff, 0xff, 10, 0, 0, 1]].concat();
    values.extend([mapped, vec![], vec![10, 0, 0], vec![0; 15], vec![0; 17]].map(Value::Ip));
    values
}

fn with(value: Value) -> Request {
    Request { arguments: BTreeMap::from([("n".to_owned(), value)]), ..request() }
}

fn request() -> Request {
    Request {
        callee: "spiffe://acme.example/service/files".to_owned(),
        action: "read".to_owned(),
        resource: "file:/a".to_owned(),
        arguments: BTreeMap::new(),
    }
}

fn capability() -> Capability {
    Capability {
        resource: "file:/**".to_owned(),
        actions: BTreeSet::from(["read".to_owned()]),
        constraints: BTreeMap::new(),
    }
}

fn link() -> Link {
    Link {
        capabilities: vec![capability()],
        audiences: BTreeSet::from(["spiffe://acme.example/service/files".to_owned()]),
        from: cast::NOW,
        until: cast::NOW + 2,
        delegations_left: 0,
    }
}

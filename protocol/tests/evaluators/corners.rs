//! Every spelling that has ever been a hole somewhere, as data: whether it is a name, and where it is,
//! what follows, decided by three.

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::{
    capability::{Cidr, HostPattern, PathName, ResourceName, ResourcePattern, Text, UrlName},
    name::{PrincipalId, Word},
};

use crate::{
    agree::Panel,
    brute::{self, spelling},
    cast,
    plain::{Capability, Link, Request, Rule, Value},
    tally::Tally,
};

/// Kind, whether it is one, and the text.
const CORNERS: &[(&str, bool, &str)] = &[
    // Dots, slashes, and what stands for them.
    ("resource", true, "file:/a"),
    ("resource", true, "file:/a/b"),
    ("resource", true, "file:/a/b/c"),
    ("resource", true, "file:/..."),
    ("resource", true, "file:/.a/a."),
    ("resource", true, "file:/a/..b"),
    ("resource", false, "file:/a/../b"),
    ("resource", false, "file:/a/.."),
    ("resource", false, "file:/./a"),
    ("resource", false, "file:/a//b"),
    ("resource", false, "file://a"),
    ("resource", false, "file:/a/"),
    ("resource", false, "file:/"),
    ("resource", false, "file:"),
    ("resource", false, "file"),
    ("resource", false, ":/a"),
    ("resource", false, ""),
    ("resource", false, "/a"),
    ("resource", false, "file:a"),
    ("resource", false, "file:/a\\b"),
    ("resource", false, "file:/a/..%2Fb"),
    ("resource", false, "file:/a%5Cb"),
    ("resource", false, "file:/%2E%2E/a"),
    ("resource", false, "file:/%2e%2e/a"),
    ("resource", false, "file:/.%2E/a"),
    ("resource", false, "file:/a?b"),
    ("resource", false, "file:/a#b"),
    ("resource", false, "file:/a b"),
    ("resource", false, " file:/a"),
    ("resource", false, "file:/a\n"),
    ("resource", false, "file:/a\0"),
    ("resource", false, "file:/*"),
    ("resource", false, "file:/**"),
    ("resource", true, "file:/%2A"),
    // Case.
    ("resource", true, "file:/A"),
    ("resource", false, "File:/a"),
    ("resource", false, "FILE:/a"),
    // Percent-encoding.
    ("resource", true, "file:/a%20b"),
    ("resource", true, "file:/%25"),
    ("resource", true, "file:/%252E%252E"),
    ("resource", true, "file:/%5E%60%7B%7C%7D"),
    ("resource", true, "file:/-._~!$&'()+,;=:@"),
    ("resource", false, "file:/%61"),
    ("resource", false, "file:/%2D"),
    ("resource", false, "file:/%3A"),
    ("resource", false, "file:/%c3%a9"),
    ("resource", false, "file:/%C3%a9"),
    ("resource", false, "file:/%"),
    ("resource", false, "file:/%2"),
    ("resource", false, "file:/%2G"),
    ("resource", false, "file:/%+1"),
    ("resource", false, "file:/%00"),
    ("resource", false, "file:/%1F"),
    ("resource", false, "file:/%7F"),
    ("resource", false, "file:/%C2%85"),
    ("resource", true, "file:/%C2%A0"),
    ("resource", false, "file:/%C0%AF"),
    ("resource", false, "file:/%C0%80"),
    ("resource", false, "file:/%ED%A0%80"),
    ("resource", false, "file:/%F4%90%80%80"),
    ("resource", false, "file:/%C3"),
    ("resource", false, "file:/%FF"),
    // Unicode: two texts that look alike are two names, and neither stands as it is.
    ("resource", true, "file:/%C3%A9"),
    ("resource", true, "file:/e%CC%81"),
    ("resource", true, "file:/%EF%BC%8E%EF%BC%8E"),
    ("resource", true, "file:/%E2%80%AE"),
    ("resource", false, "file:/é"),
    ("resource", false, "file:/а"),
    ("resource", false, "fi\u{13a}e:/a"),
    // Schemes.
    ("resource", true, "f:/a"),
    ("resource", true, "a+b-c.d0:/a"),
    ("resource", false, "0a:/a"),
    ("resource", false, "+a:/a"),
    ("resource", false, "a_b:/a"),
    ("resource", true, "a:/b:/c"),
    // Patterns.
    ("pattern", true, "file:/**"),
    ("pattern", true, "file:/*"),
    ("pattern", true, "file:/a"),
    ("pattern", true, "file:/a/*"),
    ("pattern", true, "file:/a/**"),
    ("pattern", true, "file:/*/b"),
    ("pattern", true, "file:/*/**"),
    ("pattern", true, "file:/*/*/*"),
    ("pattern", true, "file:/%2A"),
    ("pattern", true, "file:/%C3%A9"),
    ("pattern", true, "f:/**"),
    ("pattern", true, "a:/**"),
    ("pattern", false, "file:/**/a"),
    ("pattern", false, "file:/a*"),
    ("pattern", false, "file:/***"),
    ("pattern", false, "file:/a/**b"),
    ("pattern", false, "*:/a"),
    ("pattern", false, "**"),
    ("pattern", false, "file:/**/"),
    ("pattern", false, "file:/a/../**"),
    // Paths.
    ("path", true, "/"),
    ("path", true, "/a"),
    ("path", true, "/a/b"),
    ("path", true, "/ab"),
    ("path", true, "/A"),
    ("path", true, "/%C3%A9"),
    ("path", true, "/e%CC%81"),
    ("path", true, "/..."),
    ("path", true, "/a%20b"),
    ("path", true, "/%2A"),
    ("path", false, ""),
    ("path", false, "a"),
    ("path", false, "//"),
    ("path", false, "//a"),
    ("path", false, "/a/"),
    ("path", false, "/a//b"),
    ("path", false, "/a/./b"),
    ("path", false, "/a/../b"),
    ("path", false, "/.."),
    ("path", false, "/%2E%2E"),
    ("path", false, "/a%2Fb"),
    ("path", false, "/%61"),
    ("path", false, "/*"),
    ("path", false, "/é"),
    ("path", false, "\\a"),
    // URLs: scheme and form.
    ("url", true, "https://example.com/"),
    ("url", true, "http://example.com/"),
    ("url", false, "HTTPS://example.com/"),
    ("url", false, "https:/example.com/"),
    ("url", false, "https:example.com/"),
    ("url", false, "//example.com/"),
    ("url", false, "ftp://example.com/"),
    ("url", false, "javascript://example.com/%0aalert(1)"),
    ("url", false, "https://example.com"),
    ("url", false, "https:///example.com/"),
    ("url", false, " https://example.com/"),
    ("url", false, "https://example.com/ "),
    ("url", false, "https://exa\tmple.com/"),
    ("url", false, "https:\\\\example.com/"),
    ("url", false, ""),
    // Hosts.
    ("url", true, "https://a.example.com/"),
    ("url", true, "https://a.b.example.com/"),
    ("url", true, "https://badexample.com/"),
    ("url", true, "https://com/"),
    ("url", true, "https://_a.example.com/"),
    ("url", true, "https://-a-.example.com/"),
    ("url", true, "https://xn--mnchen-3ya.example.com/"),
    ("url", false, "https://xn--a.example.com/"),
    ("url", false, "https://münchen.example.com/"),
    ("url", false, "https://EXAMPLE.com/"),
    ("url", false, "https://example.com./"),
    ("url", false, "https://.example.com/"),
    ("url", false, "https://a..example.com/"),
    ("url", false, "https://./"),
    ("url", false, "https://*.example.com/"),
    ("url", false, "https://ex%61mple.com/"),
    ("url", false, "https://example.com%00.evil.example/"),
    ("url", false, "https://exam ple.com/"),
    ("url", false, "https://ex\u{430}mple.com/"),
    ("url", false, "https://example\u{3002}com/"),
    ("url", false, "https://exam\u{ad}ple.com/"),
    // User-info.
    ("url", false, "https://user@example.com/"),
    ("url", false, "https://user:word@example.com/"),
    ("url", false, "https://@example.com/"),
    ("url", false, "https://example.com@evil.example/"),
    ("url", false, "https://example.com\\@evil.example/"),
    ("url", false, "https://example.com/@a"),
    ("url", false, "https://example.com/?@"),
    // Ports.
    ("url", true, "https://example.com:1/"),
    ("url", true, "https://example.com:80/"),
    ("url", true, "http://example.com:443/"),
    ("url", true, "https://example.com:8443/"),
    ("url", true, "https://example.com:65535/"),
    ("url", false, "https://example.com:443/"),
    ("url", false, "http://example.com:80/"),
    ("url", false, "https://example.com:0/"),
    ("url", false, "https://example.com:/"),
    ("url", false, "https://example.com:08443/"),
    ("url", false, "https://example.com:65536/"),
    ("url", false, "https://example.com:-1/"),
    ("url", false, "https://example.com:+80/"),
    ("url", false, "https://example.com:8443:1/"),
    ("url", false, "https://example.com:٨/"),
    // Addresses as hosts.
    ("url", true, "https://10.0.0.1/"),
    ("url", true, "https://0.0.0.0/"),
    ("url", false, "https://10.0.0.01/"),
    ("url", false, "https://10.0.1/"),
    ("url", false, "https://167772161/"),
    ("url", false, "https://0x0a000001/"),
    ("url", false, "https://0xa.0.0.1/"),
    ("url", false, "https://010.0.0.1/"),
    ("url", false, "https://10.0.0.256/"),
    ("url", false, "https://10.0.0.1.2/"),
    ("url", false, "https://a.1/"),
    ("url", false, "https://a.0x/"),
    ("url", true, "https://a.0y/"),
    ("url", true, "https://1.a/"),
    ("url", true, "https://[2001:db8::1]/"),
    ("url", true, "https://[2001:db8::1]:8443/"),
    ("url", true, "https://[::]/"),
    ("url", true, "https://[::1]/"),
    ("url", true, "https://[::a00:1]/"),
    ("url", true, "https://[1:0:0:2::3]/"),
    ("url", true, "https://[1:0:2:3:4:5:6:7]/"),
    ("url", true, "https://[::ffff:0:a00:1]/"),
    ("url", true, "https://[64:ff9b::a00:1]/"),
    ("url", false, "https://[2001:DB8::1]/"),
    ("url", false, "https://[2001:0db8::1]/"),
    ("url", false, "https://[2001:db8:0:0:0:0:0:1]/"),
    ("url", false, "https://[2001:db8::0:1]/"),
    ("url", true, "https://[1::2:0:0:3]/"),
    ("url", false, "https://[1:0:0:0:2::3]/"),
    ("url", false, "https://[1:0:0:2:0:0:0:3]/"),
    ("url", false, "https://[::1:2:3:4:5:6:7]/"),
    ("url", false, "https://[::10.0.0.1]/"),
    ("url", false, "https://[::ffff:10.0.0.1]/"),
    ("url", false, "https://[::ffff:a00:1]/"),
    ("url", false, "https://[fe80::1%25eth0]/"),
    ("url", false, "https://[::1/"),
    ("url", false, "https://::1/"),
    ("url", false, "https://[]/"),
    ("url", false, "https://[1]/"),
    ("url", false, "https://[:::]/"),
    ("url", false, "https://[1:2:3:4:5:6:7:8:9]/"),
    ("url", false, "https://[10.0.0.1]/"),
    // Paths and queries of URLs.
    ("url", true, "https://example.com/a"),
    ("url", true, "https://example.com/a/"),
    ("url", true, "https://example.com/a/b"),
    ("url", true, "https://example.com/ab"),
    ("url", true, "https://example.com/A"),
    ("url", true, "https://example.com/%C3%A9"),
    ("url", true, "https://example.com/a?"),
    ("url", true, "https://example.com/?q=/../b"),
    ("url", true, "https://example.com/a?b?c"),
    ("url", true, "https://example.com/?%zz"),
    ("url", true, "https://example.com/?[]{}|\\^`"),
    ("url", false, "https://example.com//"),
    ("url", false, "https://example.com//a"),
    ("url", false, "https://example.com/a//"),
    ("url", false, "https://example.com/a//b"),
    ("url", false, "https://example.com/a/../b"),
    ("url", false, "https://example.com/a/."),
    ("url", false, "https://example.com/%2e%2e/b"),
    ("url", false, "https://example.com/a%2Fb"),
    ("url", false, "https://example.com/a\\b"),
    ("url", false, "https://example.com/a;b|c"),
    ("url", true, "https://example.com/a;b=c"),
    ("url", false, "https://example.com/*"),
    ("url", false, "https://example.com/é"),
    ("url", false, "https://example.com/a#"),
    ("url", false, "https://example.com/a#b"),
    ("url", false, "https://example.com/?a#b"),
    ("url", false, "https://example.com/?'"),
    ("url", false, "https://example.com/?\""),
    ("url", false, "https://example.com/?<"),
    ("url", false, "https://example.com/? "),
    ("url", false, "https://example.com/?\u{7f}"),
    ("url", false, "https://example.com/?\u{1}"),
    ("url", false, "https://example.com/?é"),
    ("url", false, "https://example.com?q"),
    // Host patterns.
    ("host", true, "example.com"),
    ("host", true, "a.example.com"),
    ("host", true, "com"),
    ("host", true, "*.example.com"),
    ("host", true, "*.b.example.com"),
    ("host", true, "*.badexample.com"),
    ("host", true, "xn--mnchen-3ya.example.com"),
    ("host", true, "10.0.0.1"),
    ("host", true, "[::1]"),
    ("host", true, "[2001:db8::1]"),
    ("host", false, "*"),
    ("host", false, "*."),
    ("host", false, "*.com"),
    ("host", false, "*.*.com"),
    ("host", false, "*example.com"),
    ("host", false, "a.*.com"),
    ("host", false, "*..example.com"),
    ("host", false, "*.a..example.com"),
    ("host", false, ".example.com"),
    ("host", false, "a..example.com"),
    ("host", false, "*.example.com."),
    ("host", false, "example.com:443"),
    ("host", false, "u@example.com"),
    ("host", false, "Example.com"),
    ("host", false, "*.10.0.0.1"),
    ("host", false, "*.0.0.1"),
    ("host", false, "*.[::1]"),
    ("host", false, "::1"),
    ("host", false, "[::ffff:10.0.0.1]"),
    ("host", false, "[::ffff:a00:1]"),
    ("host", false, "0x7f.1"),
    ("host", false, "example.com/"),
    ("host", false, "example.com?"),
    ("host", false, "example.com#"),
    ("host", false, ""),
    // Blocks of addresses, as people write them.
    ("block", true, "0.0.0.0/0"),
    ("block", true, "10.0.0.0/8"),
    ("block", true, "10.0.0.0/31"),
    ("block", true, "10.0.0.1/32"),
    ("block", true, "128.0.0.0/1"),
    ("block", true, "::/0"),
    ("block", true, "::/96"),
    ("block", true, "2001:db8::/32"),
    ("block", true, "2001:db8::1/128"),
    ("block", true, "::a00:0/104"),
    ("block", true, "2001:DB8::/32"),
    ("block", false, "10.0.0.1/31"),
    ("block", false, "10.0.0.0/33"),
    ("block", false, "10.0.0.0/+8"),
    ("block", false, "10.0.0.0/08"),
    ("block", false, "10.0.0.0/-1"),
    ("block", false, "10.0.0.0/"),
    ("block", false, "10.0.0.0"),
    ("block", false, "010.0.0.0/8"),
    ("block", false, "10/8"),
    ("block", false, "2001:db8::1/127"),
    ("block", false, "2001:db8::/129"),
    ("block", false, "::ffff:10.0.0.0/104"),
    ("block", false, "::ffff:0:0/96"),
    ("block", false, "[::]/0"),
    // Words, texts and principals.
    ("word", true, "read"),
    ("word", true, "r0_-.:"),
    ("word", false, ""),
    ("word", false, "Read"),
    ("word", false, "0read"),
    ("word", false, "re ad"),
    ("word", false, "re/ad"),
    ("word", false, "réad"),
    ("text", true, " "),
    ("text", true, "\0"),
    ("text", true, "é"),
    ("text", true, "e\u{301}"),
    ("text", true, "x"),
    ("text", true, "X"),
    ("text", true, "x\"); allow if true"),
    ("text", false, ""),
    ("principal", true, "spiffe://acme.example/service/files"),
    ("principal", true, "spiffe://acme.example/service/Files"),
    ("principal", true, "spiffe://acme.example/service/files/eu"),
    ("principal", true, "spiffe://other.example/service/files"),
    ("principal", false, "spiffe://acme.example/service/files/"),
    ("principal", false, "spiffe://acme.example/service//files"),
    ("principal", false, "spiffe://acme.example/service/../files"),
    ("principal", false, "spiffe://acme.example/service/i/files"),
    ("principal", false, "spiffe://acme.example/service/fil%65s"),
    ("principal", false, "spiffe://ACME.example/service/files"),
    ("principal", false, "spiffe://acme.example:443/service/files"),
    ("principal", false, "spiffe://u@acme.example/service/files"),
    ("principal", false, "spiffe://acme.example./service/files"),
    ("principal", false, "spiffe://-acme.example/service/files"),
    ("principal", false, "spiffe://acme.example/robot/files"),
    ("principal", false, "spiffe://acme.example/service"),
];

/// Texts of the greatest length and one byte or part more.
fn maximal() -> Vec<(&'static str, bool, String)> {
    let deep = |parts: usize| vec!["a"; parts].join("/");
    let long = |before: &str, bytes: usize| format!("{before}{}", "a".repeat(bytes - before.len()));
    let domain = |bytes: usize| format!("spiffe://{}/service/x", "a".repeat(bytes));
    vec![
        ("resource", true, format!("file:/{}", deep(32))),
        ("resource", false, format!("file:/{}", deep(33))),
        ("resource", true, long("file:/", 1024)),
        ("resource", false, long("file:/", 1025)),
        ("resource", true, format!("{}:/a", "s".repeat(64))),
        ("resource", false, format!("{}:/a", "s".repeat(65))),
        ("pattern", true, format!("file:/{}/**", deep(31))),
        ("pattern", false, format!("file:/{}/**", deep(32))),
        ("pattern", true, format!("file:/{}", deep(32))),
        ("path", true, format!("/{}", deep(32))),
        ("path", false, format!("/{}", deep(33))),
        ("path", true, long("/", 1024)),
        ("path", false, long("/", 1025)),
        ("url", true, long("https://example.com/", 1024)),
        ("url", false, long("https://example.com/", 1025)),
        ("url", true, format!("https://example.com/{}/", deep(32))),
        ("url", false, format!("https://example.com/{}", deep(33))),
        ("word", true, "w".repeat(64)),
        ("word", false, "w".repeat(65)),
        ("text", true, "t".repeat(1024)),
        ("text", false, "t".repeat(1025)),
        ("text", true, "é".repeat(512)),
        ("text", false, "é".repeat(513)),
        ("principal", true, long("spiffe://acme.example/service/", 256)),
        ("principal", false, long("spiffe://acme.example/service/", 257)),
        ("principal", true, domain(128)),
        ("principal", false, domain(129)),
    ]
}

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

fn all() -> Vec<(&'static str, bool, String)> {
    let listed = CORNERS.iter().map(|(kind, is, text)| (*kind, *is, (*text).to_owned()));
    listed.chain(maximal()).collect()
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

//! Constraints on arguments: a parent's rule, and a child's that is within it or not.

use countersign_protocol::{
    capability::{Cidr, IntSet, Rule, UrlPrefix},
    payload::Ascending,
};
use serde_json::json;

use super::{OP, Shelf, cast, pair, widened};

pub(super) fn fill(shelf: &mut Shelf) {
    let one = |argument: &str, rule: &Rule| {
        vec![cast::capability("file:/data/**", &["read"], vec![cast::constraint(argument, rule.clone())])]
    };
    for family in [numbers_and_texts(), places(), urls()].concat() {
        let (twin, parent) = (format!("constraint-{}", family.name), one("n", &family.parent));
        let draft = shelf.accept(OP, &format!("narrowing.{twin}")).rule("TOK-030");
        let why = "The child's constraint is within the parent's.";
        draft.because(why).given(json!({}), pair(parent.clone(), one("n", &family.child)));
        for (id, rule, why) in &family.bad {
            let draft = widened(shelf, &format!("constraint-{id}"), &twin, "capability").because(why);
            let draft = draft.at("/child/capabilities/0/constraints/0");
            draft.given(json!({}), pair(parent.clone(), one("n", rule)));
        }
        let other = if matches!(family.parent, Rule::TextIn(_)) { ints(&[1]) } else { texts(&["1"]) };
        let draft =
            widened(shelf, &format!("constraint-{}-of-another-type", family.name), &twin, "capability");
        let draft = draft.because("Rules of two types are never within one another.");
        draft.at("/child/capabilities/0/constraints/0").given(json!({}), pair(parent, one("n", &other)));
    }
    let bare = vec![cast::capability("file:/data/**", &["read"], vec![])];
    let parent = one("n", &cast::range(1, 9));
    let draft =
        widened(shelf, "constraint-dropped", "constraint-added", "capability").because("No limit any more.");
    draft.at("/child/capabilities/0/constraints/0").given(json!({}), pair(parent.clone(), bare.clone()));
    let draft = widened(shelf, "constraint-on-another-argument", "constraint-added", "capability");
    let draft =
        draft.because("A limit on something else.").at("/child/capabilities/0/constraints/0/argument");
    draft.given(json!({}), pair(parent.clone(), one("m", &cast::range(1, 9))));
    let draft = shelf.accept(OP, "narrowing.constraint-added").rule("TOK-030").because("The same limit.");
    draft.given(json!({}), pair(parent.clone(), one("n", &cast::range(1, 9))));
    let draft = shelf.accept(OP, "narrowing.constraint-new").rule("TOK-030").because("A limit that is new.");
    draft.given(json!({}), pair(bare, parent));
}

/// A parent's rule, a child's that is within it, and others that are not.
#[derive(Clone)]
struct Family {
    name: &'static str,
    parent: Rule,
    child: Rule,
    bad: Vec<(&'static str, Rule, &'static str)>,
}

fn texts(texts: &[&str]) -> Rule {
    Rule::TextIn(Ascending::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap())
}

fn ints(numbers: &[i64]) -> Rule {
    Rule::IntIn(IntSet::new(numbers.to_vec()).unwrap())
}

fn path(text: &str) -> Rule {
    Rule::PathUnder(text.parse().unwrap())
}

pub(super) fn block(text: &str) -> Rule {
    Rule::IpIn(text.parse::<Cidr>().unwrap())
}

fn url(scheme: &str, host: &str, port: u32, path: &str) -> Rule {
    let (scheme, host, path) = (scheme.parse().unwrap(), host.parse().unwrap(), path.parse().unwrap());
    Rule::UrlUnder(UrlPrefix { scheme, host, port, path })
}

fn numbers_and_texts() -> Vec<Family> {
    let range = cast::range;
    vec![
        Family {
            name: "texts",
            parent: texts(&["eu", "us"]),
            child: texts(&["eu"]),
            bad: vec![
                ("text-added", texts(&["cn", "eu"]), "A text more."),
                ("text-in-capitals", texts(&["EU"]), "Text is compared byte by byte."),
            ],
        },
        Family {
            name: "integers",
            parent: ints(&[1, 2, 3]),
            child: ints(&[1, 3]),
            bad: vec![("integer-added", ints(&[1, 4]), "A number more.")],
        },
        Family {
            name: "range",
            parent: range(1, 4096),
            child: range(1, 4096),
            bad: vec![
                ("range-begins-lower", range(0, 4096), "From zero instead of one."),
                ("range-ends-higher", range(1, 4097), "One more."),
                ("range-without-bounds", range(i64::MIN, i64::MAX), "Every number."),
            ],
        },
        Family {
            name: "integers-in-a-range",
            parent: range(0, 9),
            child: ints(&[0, 9]),
            bad: vec![
                ("integer-outside-a-range", ints(&[0, 10]), "Ten."),
                ("negative-integer-outside-a-range", ints(&[-1, 9]), "Minus one."),
            ],
        },
        Family {
            name: "range-in-integers",
            parent: ints(&[1, 2, 3, 7]),
            child: range(1, 3),
            bad: vec![
                ("range-over-a-gap", range(3, 7), "4, 5 and 6 are not listed."),
                ("range-beyond-integers", range(2, 4), "4 is not listed."),
                (
                    "range-of-all-over-integers",
                    range(i64::MIN, i64::MAX),
                    "A check must not walk it number by number.",
                ),
            ],
        },
    ]
}

fn places() -> Vec<Family> {
    vec![
        Family {
            name: "folder",
            parent: path("/data"),
            child: path("/data/eu"),
            bad: vec![
                (
                    "folder-with-the-prefix",
                    path("/database"),
                    "/data is no prefix of /database, segment by segment.",
                ),
                ("folder-above", path("/"), "The root."),
            ],
        },
        Family {
            name: "addresses",
            parent: block("10.1.0.0/16"),
            child: block("10.1.2.0/24"),
            bad: vec![
                ("addresses-beside", block("10.2.2.0/24"), "Another block."),
                ("addresses-around", block("10.0.0.0/15"), "One bit less."),
                ("addresses-of-the-other-family", block("a01::/16"), "The same leading bits, as IPv6."),
            ],
        },
        Family {
            name: "all-ipv6",
            parent: block("::/0"),
            child: block("2001:db8::/32"),
            bad: vec![("ipv4-in-all-ipv6", block("10.0.0.0/8"), "All IPv6 addresses hold no IPv4 address.")],
        },
    ]
}

fn urls() -> Vec<Family> {
    vec![
        Family {
            name: "url",
            parent: url("https", "*.example.com", 443, "/v1"),
            child: url("https", "api.example.com", 443, "/v1/x"),
            bad: vec![
                ("url-scheme", url("http", "api.example.com", 443, "/v1/x"), "In the clear."),
                ("url-port", url("https", "api.example.com", 8443, "/v1/x"), "Another port."),
                (
                    "url-domain-itself",
                    url("https", "example.com", 443, "/v1/x"),
                    "The domain itself is not beneath itself.",
                ),
                (
                    "url-host-with-the-suffix",
                    url("https", "badexample.com", 443, "/v1/x"),
                    "No label ends there.",
                ),
                (
                    "url-host-with-the-prefix",
                    url("https", "api.example.com.evil.test", 443, "/v1/x"),
                    "A domain of somebody else.",
                ),
                (
                    "url-path-with-the-prefix",
                    url("https", "api.example.com", 443, "/v10"),
                    "/v1 is no prefix of /v10.",
                ),
                ("url-path-above", url("https", "api.example.com", 443, "/"), "The whole host."),
            ],
        },
        Family {
            name: "url-domain-in-domain",
            parent: url("https", "*.example.com", 443, "/"),
            child: url("https", "*.eu.example.com", 443, "/"),
            bad: vec![(
                "url-domain-around",
                url("https", "*.notexample.com", 443, "/"),
                "Another domain with the suffix.",
            )],
        },
        Family {
            name: "url-host",
            parent: url("https", "api.example.com", 443, "/"),
            child: url("https", "api.example.com", 443, "/v1"),
            bad: vec![
                ("url-domain-for-a-host", url("https", "*.example.com", 443, "/v1"), "All hosts for one."),
                (
                    "url-beneath-a-host",
                    url("https", "x.api.example.com", 443, "/v1"),
                    "A host beneath the host.",
                ),
            ],
        },
    ]
}

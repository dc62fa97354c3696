//! The subset relation of capabilities against brute force over a small universe.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]

use countersign_protocol::{
    capability::{Argument, Arguments, Capability, Constraint, IntRange, IntSet, Request, Rule, Value},
    payload::{Ascending, Bounded, Payload},
};
use proptest::{prelude::*, sample::select};

const RESOURCES: &[&str] =
    &["file:/a", "file:/b", "file:/a/a", "file:/a/b", "file:/b/a", "file:/a/a/a", "db:/a"];
const PATTERNS: &[&str] = &[
    "file:/a",
    "file:/*",
    "file:/**",
    "file:/a/*",
    "file:/a/**",
    "file:/*/a",
    "file:/a/a",
    "file:/*/*/*",
    "db:/**",
];
const ACTIONS: &[&str] = &["read", "write"];
const PATHS: &[&str] = &["/", "/a", "/a/b", "/ab"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.0.1.1", "::a00:1", "2001:db8::1"];
const BLOCKS: &[&str] = &["10.0.0.0/8", "10.0.0.0/24", "0.0.0.0/0", "::/0", "2001:db8::/32"];
const URLS: &[&str] = &[
    "https://a.example.com/v1",
    "https://example.com/v1/x",
    "https://a.example.com/v10",
    "http://a.example.com/v1",
];
const PREFIXES: &[(&str, &str, u32, &str)] = &[
    ("https", "*.example.com", 443, "/"),
    ("https", "a.example.com", 443, "/v1"),
    ("https", "*.example.com", 443, "/v1"),
    ("http", "a.example.com", 80, "/"),
    ("https", "example.com", 443, "/v1/x"),
];

fn values() -> Vec<Option<Value>> {
    let texts = ["x", "y"].map(|text| Value::Text(text.parse().unwrap()));
    let ints = (-1..4).map(Value::Int);
    let paths = PATHS.iter().map(|path| Value::Path(path.parse().unwrap()));
    let ips = ADDRESSES
        .iter()
        .map(|ip| Value::Ip(countersign_protocol::capability::IpName::new(ip.parse().unwrap()).unwrap()));
    let urls = URLS.iter().map(|url| Value::Url(url.parse().unwrap()));
    texts.into_iter().chain(ints).chain(paths).chain(ips).chain(urls).map(Some).chain([None]).collect()
}

fn universe() -> Vec<Request> {
    let mut requests = Vec::new();
    for resource in RESOURCES {
        for action in ACTIONS {
            for value in values() {
                let arguments = value.map(|value| Argument { name: "n".parse().unwrap(), value });
                requests.push(Request {
                    callee: "spiffe://acme.example/service/files".parse().unwrap(),
                    action: action.parse().unwrap(),
                    resource: resource.parse().unwrap(),
                    arguments: Arguments::new(arguments.into_iter().collect()).unwrap(),
                });
            }
        }
    }
    requests
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        prop::sample::subsequence(vec!["x", "y", "z"], 1..=3).prop_map(|texts| {
            Rule::TextIn(Ascending::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap())
        }),
        prop::sample::subsequence(vec![-1, 0, 1, 2, 3], 1..=5)
            .prop_map(|numbers| Rule::IntIn(IntSet::new(numbers).unwrap())),
        (-2i64..4, 0i64..4).prop_map(|(min, more)| Rule::IntRange(IntRange { min, max: min + more })),
        select(PATHS).prop_map(|path| Rule::PathUnder(path.parse().unwrap())),
        select(BLOCKS).prop_map(|block| Rule::IpIn(block.parse().unwrap())),
        select(PREFIXES).prop_map(|(scheme, host, port, path)| {
            Rule::UrlUnder(countersign_protocol::capability::UrlPrefix {
                scheme: scheme.parse().unwrap(),
                host: host.parse().unwrap(),
                port,
                path: path.parse().unwrap(),
            })
        }),
    ]
}

fn capabilities() -> impl Strategy<Value = Capability> {
    let actions = prop::sample::subsequence(ACTIONS.to_vec(), 1..=2);
    (select(PATTERNS), actions, prop::option::of(rules())).prop_map(|(resource, actions, rule)| {
        let constraints = rule.map(|rule| Constraint { argument: "n".parse().unwrap(), rule });
        Capability {
            resource: resource.parse().unwrap(),
            actions: Ascending::new(actions.iter().map(|action| action.parse().unwrap()).collect()).unwrap(),
            constraints: Bounded::new(constraints.into_iter().collect()).unwrap(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Sound: what is contained allows nothing that its container does not.
    #[test]
    fn containment_is_sound(wide in capabilities(), narrow in capabilities()) {
        if wide.contains(&narrow) {
            for request in universe() {
                prop_assert!(!narrow.allows(&request) || wide.allows(&request), "{request:?}");
            }
        }
    }

    /// Not vacuous: it is a partial order that every capability is part of.
    #[test]
    fn containment_is_reflexive_and_transitive(a in capabilities(), b in capabilities(), c in capabilities()) {
        prop_assert!(a.contains(&a));
        prop_assert!(!(a.contains(&b) && b.contains(&c)) || a.contains(&c));
    }

    #[test]
    fn a_capability_has_one_encoding(capability in capabilities()) {
        let bytes = capability.to_bytes();
        prop_assert_eq!(Capability::from_bytes(&bytes).map(|read| read.to_bytes()), Ok(bytes));
    }
}

/// Rules of one type: where every value of the universe agrees, containment must see it.
#[test]
fn containment_is_not_too_timid() {
    let range = |min, max| Rule::IntRange(IntRange { min, max });
    let set = |numbers: &[i64]| Rule::IntIn(IntSet::new(numbers.to_vec()).unwrap());
    assert!(range(0, 9).contains(&range(0, 9)));
    assert!(range(0, 9).contains(&set(&[0, 9])));
    assert!(set(&[1, 2, 3]).contains(&range(1, 3)));
    assert!(!set(&[1, 2, 3]).contains(&range(1, 4)));
    assert!(!set(&[1, 3]).contains(&range(1, 3)));
    assert!(!set(&[1]).contains(&range(i64::MIN, i64::MAX)));
    assert!(!range(0, 9).contains(&set(&[0, 10])));
}

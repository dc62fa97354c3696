//! A small universe: every request that the tests can make, and capabilities that may allow them.

use std::sync::LazyLock;

use countersign_protocol::{
    capability::{
        Argument, Arguments, Capability, Constraint, IntRange, IntSet, IpName, Request, Rule, UrlPrefix,
        Value,
    },
    name::PrincipalId,
    payload::{Ascending, Bounded},
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
    "file:/*/**",
    "file:/a/a",
    "file:/*/*/*",
    "db:/**",
];
const ACTIONS: &[&str] = &["read", "write"];
const PATHS: &[&str] = &["/", "/a", "/a/b", "/ab", "/a/b/c"];
const ADDRESSES: &[&str] = &["10.0.0.1", "10.0.0.0", "10.0.1.1", "9.255.255.255", "::a00:1", "2001:db8::1"];
const BLOCKS: &[&str] =
    &["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "::a00:0/104"];
const URLS: &[&str] = &[
    "https://a.example.com/v1",
    "https://a.example.com/v1/",
    "https://a.example.com:8443/v1",
    "https://a.b.example.com/v1/x?q=/../y",
    "https://example.com/v1/x",
    "https://a.badexample.com/v1",
    "https://a.example.com/v10",
    "https://[2001:db8::1]/v1",
    "http://a.example.com/v1",
];
const PREFIXES: &[(&str, &str, u32, &str)] = &[
    ("https", "*.example.com", 443, "/"),
    ("https", "*.b.example.com", 443, "/"),
    ("https", "*.badexample.com", 443, "/"),
    ("https", "a.example.com", 443, "/v1"),
    ("https", "a.example.com", 8443, "/"),
    ("https", "*.example.com", 443, "/v1"),
    ("https", "[2001:db8::1]", 443, "/"),
    ("http", "a.example.com", 80, "/"),
    ("https", "example.com", 443, "/v1/x"),
];
const CALLEES: &[&str] = &["spiffe://acme.example/service/files", "spiffe://acme.example/service/mail"];

/// Every value that an argument can have here.
pub(crate) fn values() -> Vec<Value> {
    let texts = ["x", "y"].map(|text| Value::Text(text.parse().unwrap()));
    let ints = [i64::MIN, -1, 0, 1, 2, 3, i64::MAX].map(Value::Int);
    let paths = PATHS.iter().map(|path| Value::Path(path.parse().unwrap()));
    let ips = ADDRESSES.iter().map(|ip| Value::Ip(IpName::new(ip.parse().unwrap()).unwrap()));
    let urls = URLS.iter().map(|url| Value::Url(url.parse().unwrap()));
    texts.into_iter().chain(ints).chain(paths).chain(ips).chain(urls).collect()
}

/// Every request of the universe. Arguments are `n`, any value or none, and `m`, a number or none.
pub(crate) static UNIVERSE: LazyLock<Vec<Request>> = LazyLock::new(|| {
    let mut requests = Vec::new();
    let first: Vec<Option<Value>> = values().into_iter().map(Some).chain([None]).collect();
    let second = [None, Some(Value::Int(0)), Some(Value::Int(2))];
    for (resource, action) in RESOURCES.iter().flat_map(|resource| ACTIONS.iter().map(move |a| (resource, a)))
    {
        for (n, m) in first.iter().flat_map(|n| second.iter().map(move |m| (n, m))) {
            let named = [("n", n), ("m", m)].map(|(name, value)| {
                value.clone().map(|value| Argument { name: name.parse().unwrap(), value })
            });
            requests.push(Request {
                callee: CALLEES[0].parse().unwrap(),
                action: action.parse().unwrap(),
                resource: resource.parse().unwrap(),
                arguments: Arguments::new(named.into_iter().flatten().collect()).unwrap(),
            });
        }
    }
    requests
});

/// Any rule of any type.
pub(crate) fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        prop::sample::subsequence(vec!["x", "y", "z"], 1..=3).prop_map(|texts| {
            Rule::TextIn(Ascending::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap())
        }),
        prop::sample::subsequence(vec![i64::MIN, -1, 0, 1, 2, 3, i64::MAX], 1..=5)
            .prop_map(|numbers| Rule::IntIn(IntSet::new(numbers).unwrap())),
        (-2i64..4, 0i64..4).prop_map(|(min, more)| Rule::IntRange(IntRange { min, max: min + more })),
        select(vec![(i64::MIN, 0), (0, i64::MAX), (i64::MIN, i64::MAX), (i64::MAX, i64::MAX)])
            .prop_map(|(min, max)| Rule::IntRange(IntRange { min, max })),
        select(PATHS).prop_map(|path| Rule::PathUnder(path.parse().unwrap())),
        select(BLOCKS).prop_map(|block| Rule::IpIn(block.parse().unwrap())),
        select(PREFIXES).prop_map(|(scheme, host, port, path)| {
            Rule::UrlUnder(UrlPrefix {
                scheme: scheme.parse().unwrap(),
                host: host.parse().unwrap(),
                port,
                path: path.parse().unwrap(),
            })
        }),
    ]
}

/// Any capability, with constraints on none, one or both of the arguments.
pub(crate) fn capabilities() -> impl Strategy<Value = Capability> {
    let actions = prop::sample::subsequence(ACTIONS.to_vec(), 1..=2);
    let second =
        (-1i64..3, 0i64..3).prop_map(|(min, more)| Rule::IntRange(IntRange { min, max: min + more }));
    let constraints = (prop::option::weighted(0.3, second), prop::option::of(rules()));
    (select(PATTERNS), actions, constraints).prop_map(|(resource, actions, (m, n))| {
        let named = [("m", m), ("n", n)]
            .map(|(name, rule)| rule.map(|rule| Constraint { argument: name.parse().unwrap(), rule }));
        Capability {
            resource: resource.parse().unwrap(),
            actions: Ascending::new(actions.iter().map(|action| action.parse().unwrap()).collect()).unwrap(),
            constraints: Bounded::new(named.into_iter().flatten().collect()).unwrap(),
        }
    })
}

/// One or both callees.
pub(crate) fn audiences() -> impl Strategy<Value = Ascending<PrincipalId, 1, 16>> {
    prop::sample::subsequence(CALLEES.to_vec(), 1..=2).prop_map(|callees| {
        Ascending::new(callees.iter().map(|callee| callee.parse().unwrap()).collect()).unwrap()
    })
}

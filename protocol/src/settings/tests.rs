use super::*;
use crate::time::{Lifetime, Timestamp};

const SCOPE: &str = r#"
audiences = ["spiffe://prod.acme.example/service/files", "spiffe://prod.acme.example/service/api"]
delegations_left = 3
budget = { unit = "calls", ceiling = 500, per_call = 1, window = { ceiling = 50, length = "1m" } }

[[capability]]
resource = "file:/data/**"
actions = ["files:read", "files:list"]

[[capability]]
resource = "api:/orders/*"
actions = ["http:get"]
constraints = [
    { argument = "url", url = "https://*.example.com:8443/v1" },
    { argument = "home", url = "http://[2001:db8::1]/" },
    { argument = "limit", range = { min = -5, max = 1000 } },
    { argument = "region", one_of = ["eu", "\"quoted\" \\ \u0000"] },
    { argument = "shards", one_of = [1, 0, -1] },
    { argument = "version", equals = 2 },
    { argument = "tier", equals = "gold" },
    { argument = "path", path_prefix = "/data/eu" },
    { argument = "peer", cidr = "10.1.0.0/16" },
]
"#;

fn scope(text: &str) -> Result<Scope, Problems> {
    read("rights.toml", text, Scope::read)
}

#[test]
fn a_scope_reads_back_as_it_is_written() {
    let read = scope(SCOPE).unwrap();
    assert_eq!(read.capabilities.len(), 2);
    assert_eq!(read.capabilities[1].constraints.len(), 9);
    let mut text = String::new();
    read.write("", &mut text).unwrap();
    assert_eq!(scope(&text).as_ref(), Ok(&read), "{text}");
    let mut again = String::new();
    scope(&text).unwrap().write("", &mut again).unwrap();
    assert_eq!(again, text, "one text for one scope");
}

#[test]
fn times_are_added_when_rights_are_granted() {
    let read = scope(SCOPE).unwrap();
    let now = Timestamp::new(1_000).unwrap();
    let rights = read.between(now, Lifetime::from_millis(500)).unwrap();
    assert_eq!((rights.not_before, rights.not_after.as_millis()), (now, 1_500));
    assert!(read.between(now, Lifetime::from_millis(0)).is_none());
    use crate::payload::Payload as _;
    assert_eq!(crate::capability::Rights::from_bytes(&rights.to_bytes()), Ok(rights));
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let text = r#"
audiences = ["spiffe://prod.acme.example/service/files", "files"]
delegations_left = 17
budget = { unit = "Calls", ceiling = 5, per_call = 6, limit = 1 }
audience = []

[[capability]]
resource = "file:/data/../etc"
actions = []
constraints = [
    { argument = "a" },
    { argument = "a", equals = 1, cidr = "10.0.0.0/8" },
    { argument = "b", one_of = ["x", 1] },
    { argument = "c", cidr = "10.0.0.1/8" },
    { argument = "d", range = { min = 2, max = 1 } },
    { argument = "e", equals = 1.5 },
    { argument = "f", url = "https://user@example.com/" },
]
"#;
    let problems = scope(text).unwrap_err();
    let told: Vec<_> = problems.list().iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    let expected = [
        (2, "audiences[1]"),
        (3, "delegations_left"),
        (4, "budget.unit"),
        (4, "budget.per_call"),
        (4, "budget.limit"),
        (5, "audience"),
        (8, "capability[0].resource"),
        (9, "capability[0].actions"),
        (11, "capability[0].constraints[0]"),
        (12, "capability[0].constraints[1]"),
        (13, "capability[0].constraints[2].one_of"),
        (14, "capability[0].constraints[3].cidr"),
        (15, "capability[0].constraints[4].range"),
        (16, "capability[0].constraints[5].equals"),
        (17, "capability[0].constraints[6].url"),
    ];
    assert_eq!(told, expected, "{problems}");
    let first = problems.to_string().lines().next().unwrap().to_owned();
    assert_eq!(
        first,
        "rights.toml:2: audiences[1]: it is \"files\", which is refused: not of the form \
         spiffe://<trust domain>/<agent|human|service>/<name>; expected a principal such as \
         \"spiffe://prod.acme.example/agent/planner\""
    );
}

#[test]
fn nothing_is_read_as_everything_when_it_is_absent() {
    let problems = scope("").unwrap_err();
    let keys: Vec<_> = problems.list().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["audiences", "budget", "delegations_left", "capability"]);
    let empty = SCOPE.replace("[\"http:get\"]", "[]");
    assert_eq!(scope(&empty).unwrap_err().list().len(), 1);
    let none = SCOPE.split("[[capability]]").next().unwrap();
    assert_eq!(scope(none).unwrap_err().list()[0].key, "capability");
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let problems = scope("a = 1\nb = \nc = \"x").unwrap_err();
    assert!(problems.list().iter().all(|problem| problem.wrong.starts_with("it is not TOML")), "{problems}");
    assert_eq!(problems.list()[0].line, 2);
}

/// Attack line 13: no fraction is rounded to a number, least of all to one that means *none*.
#[test]
fn a_fraction_is_no_count() {
    for (whole, fraction, key) in [
        ("delegations_left = 3", "delegations_left = 0.9", "delegations_left"),
        ("ceiling = 500", "ceiling = 0.5", "budget.ceiling"),
        ("per_call = 1", "per_call = 1.0", "budget.per_call"),
    ] {
        assert!(scope(SCOPE).is_ok(), "the twin");
        let problems = scope(&SCOPE.replacen(whole, fraction, 1)).unwrap_err();
        let keys: Vec<_> = problems.list().iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, [key], "{problems}");
    }
}

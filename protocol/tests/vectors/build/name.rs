//! Names have one spelling: look-alikes are refused, not repaired.

use serde_json::json;

use super::Shelf;

/// A kind of name, the sentence on it, a good name, and names that look like it.
struct Family {
    kind: &'static str,
    rule: &'static str,
    twin: (&'static str, &'static str),
    bad: &'static [(&'static str, &'static str, &'static str)],
}

pub(super) fn fill(shelf: &mut Shelf) {
    for family in FAMILIES {
        let (slug, text) = family.twin;
        let id = |slug: &str| format!("name.{}-{slug}", family.kind);
        let given = |text: &str| json!({ "kind": family.kind, "text": text });
        let summary = format!("A good {}.", family.kind);
        shelf
            .accept("parse_name", &id(slug))
            .rule(family.rule)
            .because(&summary)
            .given(json!({}), given(text));
        for (slug, text, why) in family.bad {
            let draft = shelf.reject("parse_name", &id(slug), &id(family.twin.0)).rule(family.rule);
            let draft = draft.reason("NAME_NOT_NORMAL").because(why).at("/text").flag("Normalization");
            draft.given(json!({}), given(text));
        }
    }
    for (kind, slug, text, why) in ALSO_GOOD {
        let rule = if matches!(kind, "url" | "host") { "TOK-033" } else { "TOK-031" };
        let draft = shelf.accept("parse_name", &format!("name.{kind}-{slug}")).rule(rule);
        draft.because(why).given(json!({}), json!({ "kind": kind, "text": text }));
    }
}

const ALSO_GOOD: [(&str, &str, &str, &str); 10] = [
    (
        "resource",
        "encoded",
        "file:/data/r%C3%A9sum%C3%A9%20%25",
        "What cannot stand as it is is percent-encoded.",
    ),
    ("resource", "dots", "file:/data/...", "Three dots are a name."),
    ("resource", "case", "file:/Data", "Case is part of a name."),
    ("pattern", "star", "file:/*/eu/**", "A star for one segment, two at the end."),
    ("path", "root", "/", "The root."),
    ("url", "query", "https://api.example.com/v1?q=/../x", "A query is not looked at."),
    ("url", "slash", "https://api.example.com/v1/", "One slash at the end."),
    ("url", "port", "http://api.example.com:8080/v1", "A port that is not the scheme's own."),
    ("url", "address", "https://[2001:db8::1]/v1", "An address as a host."),
    ("host", "exact", "api.example.com", "One host."),
];

const FAMILIES: &[Family] = &[
    Family {
        kind: "resource",
        rule: "TOK-031",
        twin: ("plain", "file:/data/eu/q3.csv"),
        bad: &[
            ("parent-segment", "file:/data/../etc/passwd", "A segment that climbs."),
            ("dot-segment", "file:/data/./q3.csv", "A segment that stays."),
            ("empty-segment", "file:/data//q3.csv", "Two slashes."),
            ("trailing-slash", "file:/data/eu/", "A slash at the end."),
            ("no-segment", "file:/", "Nothing after the slash."),
            ("no-slash", "file:data", "No slash after the scheme."),
            ("no-scheme", "/data/eu", "No scheme."),
            ("upper-case-scheme", "FILE:/data/eu", "A scheme in capitals."),
            ("encoded-letter", "file:/d%61ta/eu", "A letter that could stand as it is."),
            ("encoded-dots", "file:/data/%2E%2E/etc", "Dots in disguise."),
            ("encoded-slash", "file:/data/..%2Fetc", "A slash in disguise."),
            ("encoded-backslash", "file:/data/..%5Cetc", "A backslash in disguise."),
            ("lower-case-encoding", "file:/data/%c3%a9", "Percent-encoding has one spelling, in capitals."),
            ("encoded-twice-cut", "file:/data/%2", "Percent-encoding that ends early."),
            ("encoded-nothing", "file:/data/x%00.csv", "A zero byte, where C programs stop."),
            ("overlong-encoding", "file:/data/%C0%AF", "A slash as overlong UTF-8."),
            ("encoded-control", "file:/data/%C2%85", "A control character beyond ASCII."),
            ("star", "file:/data/*", "A star is for patterns."),
            ("space", "file:/data/q 3.csv", "A space."),
            ("query", "file:/data/eu?x", "A query."),
            ("fragment", "file:/data/eu#x", "A fragment."),
            ("look-alike", "file:/d\u{430}ta/eu", "A Cyrillic letter."),
            ("full-width-dot", "file:/data/\u{ff0e}\u{ff0e}/etc", "Full-width dots."),
            ("backslash", "file:/data\\..\\etc", "Backslashes."),
            (
                "too-many-segments",
                "f:/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3",
                "33 segments.",
            ),
        ],
    },
    Family {
        kind: "pattern",
        rule: "TOK-031",
        twin: ("open", "file:/data/**"),
        bad: &[
            ("stars-in-the-middle", "file:/**/data", "Two stars before the end."),
            ("three-stars", "file:/data/***", "Three stars."),
            ("star-in-a-segment", "file:/data/q*", "A star within a segment."),
            ("parent-segment", "file:/data/../**", "A pattern that climbs."),
            ("any-scheme", "*:/data", "A star for the scheme."),
        ],
    },
    Family {
        kind: "path",
        rule: "TOK-031",
        twin: ("plain", "/data/eu"),
        bad: &[
            ("relative", "data/eu", "Relative to what?"),
            ("parent-segment", "/data/../etc", "A path that climbs."),
            ("empty-segment", "//data", "Two slashes."),
            ("trailing-slash", "/data/eu/", "A slash at the end."),
            ("encoded-dot", "/data/%2E%2E", "Dots in disguise."),
            ("empty", "", "Nothing."),
        ],
    },
    Family {
        kind: "url",
        rule: "TOK-033",
        twin: ("plain", "https://api.example.com/v1/x"),
        bad: &[
            ("user-info", "https://api.example.com@evil.example/v1", "The host is evil.example."),
            ("upper-case-host", "https://API.example.com/v1", "A host in capitals."),
            ("upper-case-scheme", "HTTPS://api.example.com/v1", "A scheme in capitals."),
            ("default-port", "https://api.example.com:443/v1", "The port that the scheme has anyway."),
            ("port-zero", "https://api.example.com:0/v1", "A port that no constraint can name."),
            ("root-dot", "https://api.example.com./v1", "The root's dot after the host."),
            ("dot-first", "https://.example.com/v1", "A host that ends like those beneath a domain."),
            ("empty-label", "https://api..example.com/v1", "Two dots in the host."),
            ("query-control", "https://api.example.com/v1?\u{7f}", "A control character in the query."),
            ("no-path", "https://api.example.com", "No path."),
            ("parent-segment", "https://api.example.com/v1/../admin", "A path that climbs."),
            ("encoded-dots", "https://api.example.com/v1/%2e%2e/admin", "Dots in disguise."),
            ("empty-segment", "https://api.example.com//v1", "Two slashes."),
            ("two-slashes-alone", "https://api.example.com//", "An empty segment, and no root with a slash."),
            ("two-slashes-at-the-end", "https://api.example.com/v1//", "Two slashes at the end."),
            ("encoded-letter", "https://api.example.com/%761", "A letter in disguise."),
            ("encoded-slash", "https://api.example.com/v1%2Fx", "A slash in disguise."),
            ("fragment", "https://api.example.com/v1#x", "A fragment, which never reaches the server."),
            (
                "backslash",
                "https://api.example.com\\@evil.example/",
                "Readers differ on where the host ends.",
            ),
            ("hexadecimal-address", "https://0x7f.1/v1", "An IPv4 address in disguise."),
            ("mapped-address", "https://[::ffff:7f00:1]/v1", "An IPv4 address in IPv6's clothes."),
            ("star-host", "https://*.example.com/v1", "A star in a host."),
            ("look-alike-host", "https://ex\u{430}mple.com/v1", "A Cyrillic letter in the host."),
            ("one-slash", "https:/api.example.com/v1", "One slash after the scheme."),
            ("other-scheme", "ftp://api.example.com/v1", "Neither http nor https."),
            ("tab", "https://api.example.com/v1\t", "A tab, which browsers drop."),
        ],
    },
    Family {
        kind: "host",
        rule: "TOK-033",
        twin: ("beneath", "*.example.com"),
        bad: &[
            ("any", "*", "Every host."),
            ("one-label", "*.com", "Every host of a top-level domain."),
            ("star-in-the-middle", "a.*.com", "A star within a name."),
            ("star-in-a-label", "*a.example.com", "A star within a label."),
            ("root-dot", "*.example.com.", "The root's dot."),
            ("empty-label", "*..example.com", "Two dots."),
            ("port", "*.example.com:443", "A port."),
            ("user-info", "u@example.com", "User-info."),
            ("address", "*.10.0.0.1", "Names beneath an address."),
            ("upper-case", "*.Example.com", "A capital."),
        ],
    },
    Family {
        kind: "domain",
        rule: "IDN-100",
        twin: ("plain", "prod.acme.example"),
        bad: &[
            ("upper-case", "Prod.acme.example", "A capital."),
            ("empty-label", "prod..example", "Two dots."),
            ("root-dot", "prod.acme.example.", "A dot at the end."),
            ("hyphen", "-prod.acme.example", "A hyphen at the beginning of a label."),
            ("underscore", "prod_1.acme.example", "An underscore."),
            ("port", "prod.acme.example:443", "A port."),
            ("look-alike", "pr\u{43e}d.acme.example", "A Cyrillic letter."),
            ("empty", "", "Nothing."),
        ],
    },
    Family {
        kind: "principal",
        rule: "IDN-100",
        twin: ("plain", "spiffe://acme.example/agent/planner"),
        bad: &[
            ("climbs", "spiffe://acme.example/agent/../human/alice", "An agent that becomes a human."),
            ("upper-case-scheme", "SPIFFE://acme.example/agent/planner", "A scheme in capitals."),
            ("upper-case-domain", "spiffe://ACME.example/agent/planner", "A domain in capitals."),
            ("port", "spiffe://acme.example:443/agent/planner", "A port."),
            ("user-info", "spiffe://u@acme.example/agent/planner", "User-info."),
            ("unknown-kind", "spiffe://acme.example/robot/planner", "Neither agent, human nor service."),
            ("no-name", "spiffe://acme.example/agent", "A kind without a name."),
            ("trailing-slash", "spiffe://acme.example/agent/planner/", "A slash at the end."),
            ("empty-segment", "spiffe://acme.example/agent//planner", "Two slashes."),
            ("encoded-letter", "spiffe://acme.example/agent/pl%61nner", "A letter in disguise."),
            ("look-alike", "spiffe://acme.example/agent/pl\u{430}nner", "A Cyrillic letter."),
            ("instance-segment", "spiffe://acme.example/agent/planner/i", "What sets an instance apart."),
            ("query", "spiffe://acme.example/agent/planner?x", "A query."),
        ],
    },
    Family {
        kind: "instance",
        rule: "IDN-100",
        twin: ("plain", "spiffe://acme.example/agent/planner/i/01a3185c-5000-7000-8000-000000000001"),
        bad: &[
            ("no-uuid", "spiffe://acme.example/agent/planner", "A principal."),
            (
                "uuid-version-4",
                "spiffe://acme.example/agent/planner/i/01a3185c-5000-4000-8000-000000000001",
                "A UUID of version 4.",
            ),
            (
                "upper-case-uuid",
                "spiffe://acme.example/agent/planner/i/01A3185C-5000-7000-8000-000000000001",
                "A UUID in capitals.",
            ),
            (
                "uuid-without-hyphens",
                "spiffe://acme.example/agent/planner/i/01a3185c500070008000000000000001",
                "A UUID without hyphens.",
            ),
            (
                "twice",
                "spiffe://acme.example/agent/planner/i/01a3185c-5000-7000-8000-000000000001/i/01a3185c-5000-7000-8000-000000000001",
                "An instance of an instance.",
            ),
        ],
    },
    Family {
        kind: "word",
        rule: "CONV-010",
        twin: ("plain", "files:read"),
        bad: &[
            ("upper-case", "Files:read", "A capital."),
            ("digit-first", "1read", "A digit at the beginning."),
            ("space", "files read", "A space."),
            ("quote", "read\"", "A quotation mark, as Datalog text would end with."),
            ("empty", "", "Nothing."),
            ("too-long", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "65 letters."),
        ],
    },
    Family {
        kind: "uuid",
        rule: "CONV-103",
        twin: ("plain", "01a3185c-5000-7000-8000-000000000001"),
        bad: &[
            ("version-4", "01a3185c-5000-4000-8000-000000000001", "Version 4."),
            ("other-variant", "01a3185c-5000-7000-c000-000000000001", "Another variant."),
            ("braces", "{01a3185c-5000-7000-8000-000000000001}", "In braces."),
            ("urn", "urn:uuid:01a3185c-5000-7000-8000-000000000001", "As a URN."),
        ],
    },
    Family {
        kind: "origin",
        rule: "LOG-120",
        twin: ("plain", "prod.acme.example/ledger"),
        bad: &[
            ("space", "prod.acme.example ledger", "A space ends a name in a signature's line."),
            ("plus", "prod.acme.example+ledger", "A plus ends a name in a verifier's key."),
            ("newline", "prod.acme.example\n7", "A line of its own."),
            ("look-alike", "pr\u{43e}d.acme.example/ledger", "A Cyrillic letter."),
            ("empty", "", "Nothing."),
        ],
    },
];

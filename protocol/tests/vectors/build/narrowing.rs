//! When a child's rights are within its parent's.

mod constraints;

use countersign_forge::wire::{Message, edit};
use countersign_protocol::{
    capability::{Capability, Constraint, Rights},
    payload::{Ascending, Bounded, Payload},
};
use serde_json::{Value, json};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};

const OP: &str = "narrow";

pub(super) fn fill(shelf: &mut Shelf) {
    shelf
        .accept(OP, "narrowing.good")
        .rule("TOK-030")
        .because("A child that is narrower in everything.")
        .given(json!({}), input(&cast::rights(0), &cast::rights(1)));
    resources(shelf);
    actions(shelf);
    constraints::fill(shelf);
    several(shelf);
    frame(shelf);
    spellings(shelf);
}

fn input(parent: &Rights, child: &Rights) -> Value {
    json!({ "parent_b64": to_base64(&parent.to_bytes()), "child_b64": to_base64(&child.to_bytes()) })
}

/// Rights with these capabilities, and nothing else of interest.
fn with(capabilities: Vec<Capability>, hop: u64) -> Rights {
    Rights { capabilities: Bounded::new(capabilities).unwrap(), ..cast::rights(hop) }
}

fn pair(parent: Vec<Capability>, child: Vec<Capability>) -> Value {
    input(&with(parent, 0), &with(child, 1))
}

fn widened<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, fault: &str) -> Draft<'a> {
    let draft = shelf.reject(OP, &format!("narrowing.{id}"), &format!("narrowing.{twin}"));
    draft.rule("CHN-002").reason("RIGHTS_WIDENED").fault(fault).flag("PrivilegeEscalation")
}

/// A name for it, a parent's pattern, a child's that is within it, and others that are not.
type Patterns =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const PATTERNS: [Patterns; 4] = [
    (
        "open",
        "file:/data/**",
        "file:/data/eu/**",
        &[
            ("everything", "file:/**", "Everything in place of a folder."),
            (
                "sibling-with-the-prefix",
                "file:/database/**",
                "/data is no prefix of /database, segment by segment.",
            ),
            ("other-case", "file:/Data/eu/**", "Case is part of a name."),
            ("other-scheme", "db:/data/eu/**", "Another scheme."),
            ("folder-itself", "file:/data", "The folder itself is not beneath itself."),
            ("star-for-the-folder", "file:/*/eu/**", "A star where the parent has a name."),
            ("one-deeper-anywhere", "file:/*/*", "Overlaps the parent and is not within it."),
        ],
    ),
    (
        "one-level",
        "file:/data/*",
        "file:/data/eu",
        &[
            ("deeper", "file:/data/eu/q3.csv", "One star is one segment."),
            ("open-below-a-star", "file:/data/**", "Any depth in place of one level."),
        ],
    ),
    (
        "star-in-the-middle",
        "file:/data/*/q3.csv",
        "file:/data/eu/q3.csv",
        &[
            ("other-name-after-a-star", "file:/data/eu/q4.csv", "The star is for the folder only."),
            ("star-after-a-star", "file:/data/*/*", "A star where the parent has a name."),
        ],
    ),
    (
        "literal",
        "file:/data/eu",
        "file:/data/eu",
        &[
            (
                "beneath-a-literal",
                "file:/data/eu/q3.csv",
                "A name stands for itself, not for what is beneath.",
            ),
            ("star-for-a-literal", "file:/data/*", "A star for a name."),
        ],
    ),
];

fn resources(shelf: &mut Shelf) {
    let one = |resource: &str| vec![cast::capability(resource, &["read"], vec![])];
    for (twin, parent, child, bad) in PATTERNS {
        let twin = format!("resource-{twin}");
        let draft = shelf.accept(OP, &format!("narrowing.{twin}")).rule("TOK-030");
        draft.because("The pattern is within the parent's.").given(json!({}), pair(one(parent), one(child)));
        for (id, child, why) in bad {
            let draft = widened(shelf, &format!("resource-{id}"), &twin, "capability").because(why);
            draft.at("/child/capabilities/0/resource").given(json!({}), pair(one(parent), one(child)));
        }
    }
    for (id, parent, child) in [
        ("equal", "file:/data/**", "file:/data/**"),
        ("star-under-open", "file:/data/**", "file:/data/*"),
        ("deep-star-under-open", "file:/data/**", "file:/data/*/*/q3.csv"),
        ("open-under-star", "file:/*/**", "file:/data/eu/**"),
    ] {
        let draft = shelf.accept(OP, &format!("narrowing.resource-{id}")).rule("TOK-030");
        let why = "Everything that the child's pattern holds, the parent's holds.";
        draft.because(why).given(json!({}), pair(one(parent), one(child)));
    }
}

fn actions(shelf: &mut Shelf) {
    let one = |actions: &[&str]| vec![cast::capability("file:/data/**", actions, vec![])];
    let parent = one(&["list", "read"]);
    let draft = shelf.accept(OP, "narrowing.actions").rule("TOK-030").because("One of two actions.");
    draft.given(json!({}), pair(parent.clone(), one(&["read"])));
    let draft = widened(shelf, "action-added", "actions", "capability").because("An action more.");
    draft
        .at("/child/capabilities/0/actions/1")
        .given(json!({}), pair(parent.clone(), one(&["read", "write"])));
    let draft = widened(shelf, "action-in-another-form", "actions", "capability");
    let draft = draft.because("Actions are compared whole.").at("/child/capabilities/0/actions/0");
    draft.given(json!({}), pair(parent, one(&["read.all"])));
}

/// Rights with more than one capability.
fn several(shelf: &mut Shelf) {
    let limited = |max| vec![cast::constraint("n", cast::range(0, max))];
    let capability = |resource: &str, actions: &[&str], limits: Vec<Constraint>| {
        cast::capability(resource, actions, limits)
    };
    let parent = vec![
        capability("file:/data/**", &["read"], limited(10)),
        capability("file:/logs/**", &["list", "read"], vec![]),
    ];
    let child = vec![capability("file:/logs/**", &["read"], vec![])];
    let draft = shelf.accept(OP, "narrowing.second-capability").rule("TOK-030");
    let why = "A child of the parent's second capability; the first is given up.";
    draft.because(why).given(json!({}), pair(parent.clone(), child.clone()));
    let draft = widened(shelf, "capability-added", "second-capability", "capability");
    let more = [child.clone(), vec![capability("mail:/**", &["send"], vec![])]].concat();
    let draft = draft.because("A capability that nobody gave.").at("/child/capabilities/1");
    draft.given(json!({}), pair(parent.clone(), more));
    let draft = widened(shelf, "capabilities-mixed", "second-capability", "capability");
    let mixed = vec![capability("file:/data/**", &["read"], vec![])];
    let why = "The resource of one capability without its limit, as the other has none.";
    let draft = draft.because(why).at("/child/capabilities/0/resource");
    draft.given(json!({}), pair(parent, mixed));

    let halves = vec![
        capability("file:/data/**", &["read"], vec![cast::constraint("n", cast::range(0, 5))]),
        capability("file:/data/**", &["read"], vec![cast::constraint("n", cast::range(6, 10))]),
    ];
    let of = |min, max| {
        vec![capability("file:/data/**", &["read"], vec![cast::constraint("n", cast::range(min, max))])]
    };
    let draft = shelf.accept(OP, "narrowing.half").rule("TOK-030").because("Within the second half.");
    draft.given(json!({}), pair(halves.clone(), of(7, 10)));
    let draft = widened(shelf, "union-of-halves", "half", "capability");
    let why = "Covered by both halves together and within neither: a union is not seen.";
    draft
        .because(why)
        .at("/child/capabilities/0/constraints/0/int_range/min")
        .given(json!({}), pair(halves, of(4, 10)));
}

type Change = fn(&mut Rights);

/// The id, the fault, where, why, and what makes the good child wider.
const FRAME: [(&str, &str, &str, &str, Change); 14] = [
    (
        "audience-added",
        "audience",
        "/child/audiences/0",
        "A callee that the parent does not name, beside one that it does.",
        |r| {
            r.audiences = Ascending::new(vec![cast::principal("files"), cast::principal("other")]).unwrap();
        },
    ),
    ("audience-replaced", "audience", "/child/audiences/0", "A callee that the parent does not name.", |r| {
        r.audiences = Ascending::new(vec![cast::principal("other")]).unwrap();
    }),
    ("begins-earlier", "time", "/child/not_before", "A millisecond before the parent.", |r| {
        r.not_before = cast::at(cast::NOW - 10_001)
    }),
    ("ends-later", "time", "/child/not_after", "A millisecond after the parent.", |r| {
        r.not_after = cast::at(cast::NOW + 3_600_001)
    }),
    ("other-unit", "budget", "/child/budget/unit", "500 cents are not 500 calls.", |r| {
        r.budget.unit = "cents".parse().unwrap()
    }),
    ("higher-ceiling", "budget", "/child/budget/ceiling", "One more than the parent has.", |r| {
        r.budget.ceiling = cast::amount(501)
    }),
    ("more-per-call", "budget", "/child/budget/per_call", "One more per call.", |r| {
        r.budget.per_call = cast::amount(6)
    }),
    ("window-dropped", "budget", "/child/budget/window", "All at once.", |r| r.budget.window = None),
    ("higher-window", "budget", "/child/budget/window/ceiling", "One more in a minute.", |r| {
        r.budget.window = cast::window(101, 60_000)
    }),
    ("shorter-window", "budget", "/child/budget/window/length", "The same in half the time.", |r| {
        r.budget.window = cast::window(90, 30_000)
    }),
    (
        "longer-window",
        "budget",
        "/child/budget/window/length",
        "Windows of other lengths begin elsewhere: half of one can hold all of the other.",
        |r| r.budget.window = cast::window(90, 120_000),
    ),
    ("as-many-delegations", "delegations", "/child/delegations_left", "As many as the parent.", |r| {
        r.delegations_left = 3
    }),
    ("more-delegations", "delegations", "/child/delegations_left", "More than the parent.", |r| {
        r.delegations_left = 4
    }),
    ("most-delegations", "delegations", "/child/delegations_left", "As many as a chain may have.", |r| {
        r.delegations_left = 16
    }),
];

/// Everything beside the capabilities.
fn frame(shelf: &mut Shelf) {
    for (id, fault, path, why, change) in FRAME {
        let mut child = cast::rights(1);
        change(&mut child);
        let draft = widened(shelf, id, "good", fault).because(why).at(path);
        draft.given(json!({}), input(&cast::rights(0), &child));
    }
    let last = Rights { delegations_left: 1, ..cast::rights(0) };
    let none = Rights { delegations_left: 0, ..cast::rights(0) };
    let draft = shelf.accept(OP, "narrowing.last-delegation").rule("TOK-030");
    draft.because("Equal in all but the one delegation that it uses.").given(json!({}), input(&last, &none));
    let draft =
        widened(shelf, "no-delegation-left", "last-delegation", "delegations").at("/parent/delegations_left");
    draft.because("The parent may not delegate at all.").given(json!({}), input(&none, &none));
    let mut free = cast::rights(0);
    free.budget.window = None;
    let draft = shelf.accept(OP, "narrowing.window-new").rule("TOK-030");
    draft.because("A window where the parent has none.").given(json!({}), input(&free, &cast::rights(1)));
}

/// Names that would be within the parent if a reader normalized them: they are no names.
fn spellings(shelf: &mut Shelf) {
    let child = cast::rights(1).to_bytes();
    let resource = |text: &str| {
        edit(&child, &[(1, 0)], |fields| fields[0] = Message::default().bytes(1, text.as_bytes()).done())
    };
    for (id, text, why) in [
        ("climbing", "file:/data/../etc/**", "Begins with /data/ and is not beneath it."),
        ("two-slashes", "file:/data//eu/**", "Two slashes."),
        ("trailing-slash", "file:/data/", "A slash at the end."),
        ("encoded", "file:/%64ata/**", "A letter in disguise."),
        ("encoded-dots", "file:/data/%2e%2e/etc", "Dots in disguise."),
        ("look-alike", "file:/d\u{430}ta/**", "A Cyrillic letter."),
    ] {
        let draft = shelf.reject(OP, &format!("narrowing.spelling-{id}"), "narrowing.good").rule("TOK-031");
        let draft = draft.reason("PAYLOAD_MALFORMED").fault("value").flag("Normalization").because(why);
        let input = json!({ "parent_b64": to_base64(&cast::rights(0).to_bytes()), "child_b64": to_base64(&resource(text)) });
        draft.at("/child/capabilities/0/resource").given(json!({}), input);
    }
    let cidr = |base: &[u8], length: u64| Message::default().bytes(1, base).varint(2, length).done();
    let mapped: Vec<u8> = [&[0; 10][..], &[0xff, 0xff, 10, 1, 2, 0]].concat();
    let capability = cast::capability(
        "file:/data/**",
        &["read"],
        vec![cast::constraint("n", constraints::block("10.1.2.0/24"))],
    );
    let rights = with(vec![capability], 1).to_bytes();
    for (id, path, base, length, why) in [
        ("mapped-block", "", mapped, 120, "A block of IPv4 addresses in IPv6's clothes."),
        ("host-bits", "/base", vec![10, 1, 2, 1], 24, "A bit beyond the length."),
        ("length-of-33", "/length", vec![10, 1, 2, 0], 33, "33 bits of 32."),
    ] {
        let bytes = edit(&rights, &[(1, 0), (3, 0)], |fields| {
            fields[1] = Message::default().bytes(6, &cidr(&base, length)).done();
        });
        let draft = shelf.reject(OP, &format!("narrowing.spelling-{id}"), "narrowing.constraint-addresses");
        let draft = draft.rule("TOK-031").reason("PAYLOAD_MALFORMED").fault("value").flag("Normalization");
        let parent = cast::capability(
            "file:/data/**",
            &["read"],
            vec![cast::constraint("n", constraints::block("10.1.0.0/16"))],
        );
        let parent = to_base64(&with(vec![parent], 0).to_bytes());
        let path = format!("/child/capabilities/0/constraints/0/ip_in{path}");
        let input = json!({ "parent_b64": parent, "child_b64": to_base64(&bytes) });
        draft.because(why).at(&path).given(json!({}), input);
    }
}

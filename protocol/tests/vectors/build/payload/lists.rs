//! Lists within their bounds and sets in their order, and fields that fit together.

use countersign_forge::wire::{Message, edit};
use countersign_protocol::{ledger::LeafIndex, payload::Payload, trust::DomainKey};

use super::{
    super::super::cast, Shelf, arguments, bad, budget, capability, change, extensions, give, long_extension,
    revocation, rights,
};

pub(super) fn fill(shelf: &mut Shelf) {
    lists(shelf);
    fits(shelf);
    choices(shelf);
}

fn lists(shelf: &mut Shelf) {
    let audience = |name: &str| Message::default().bytes(2, cast::principal(name).as_str().as_bytes()).done();
    let draft = bad(shelf, "payload.set-descending", "payload.rights", "CONV-017", "value");
    let bytes = edit(&rights(), &[], |fields| fields.swap(1, 2));
    give(draft.at("/value/audiences").because("Audiences in another order."), "Rights", &bytes);

    let draft = bad(shelf, "payload.set-with-a-repetition", "payload.rights", "CONV-017", "value");
    let bytes = edit(&rights(), &[], |fields| fields.insert(2, audience("files")));
    give(draft.at("/value/audiences/1").because("One audience twice."), "Rights", &bytes);

    let draft = bad(shelf, "payload.set-too-long", "payload.rights", "CONV-017", "value");
    let bytes = edit(&rights(), &[], |fields| {
        let more = (0..15).map(|n| {
            Message::default().bytes(2, format!("spiffe://acme.example/service/z{n:02}").as_bytes()).done()
        });
        fields.splice(3..3, more);
    });
    let draft = draft.flag("Exhaustion");
    give(draft.at("/value/audiences/2").because("Seventeen audiences."), "Rights", &bytes);

    let draft = bad(shelf, "payload.no-capabilities", "payload.rights", "CONV-017", "value");
    let bytes = edit(&rights(), &[], |fields| drop(fields.remove(0)));
    let draft = draft.flag("PrivilegeEscalation");
    give(draft.at("/value/capabilities/0").because("An empty list is not everything."), "Rights", &bytes);

    let draft = bad(shelf, "payload.no-actions", "payload.capability", "CONV-017", "value");
    let bytes = edit(&capability(), &[], |fields| drop(fields.drain(1..3)));
    let draft = draft.flag("PrivilegeEscalation");
    give(draft.at("/value/actions/0").because("No action is not any action."), "Capability", &bytes);

    let draft = bad(shelf, "payload.two-keys", "payload.key-set", "CONV-017", "value");
    let bytes = edit(&cast::key_set().to_bytes(), &[], |fields| fields.truncate(3));
    give(draft.at("/value/keys/2").because("A domain without a key for its checkpoints."), "KeySet", &bytes);

    key_sets(shelf);

    let draft =
        bad(shelf, "payload.extension-too-long", "payload.long-extension", "CONV-010", "inconsistent");
    let draft = draft.flag("Exhaustion").because("An extension of 4,097 bytes.");
    give(draft.at("/value/list/0/bytes"), "Extensions", &long_extension(4097));

    let draft = bad(shelf, "payload.integers-unpacked", "payload.capability", "CONV-016", "wire_type");
    let numbers = Message::default().varint(3, 14).done();
    let bytes = edit(&capability(), &[(3, 2)], |fields| fields[1] = numbers);
    let why = "A list of one integer, as a field of that number.";
    give(draft.at("/value/constraints/2/int_in").because(why), "Capability", &bytes);

    let draft = bad(shelf, "payload.integers-descending", "payload.capability", "CONV-017", "value");
    let numbers = Message::default().bytes(3, &[14, 0, 1]).done();
    let bytes = edit(&capability(), &[(3, 2)], |fields| fields[1] = numbers);
    give(draft.at("/value/constraints/2/int_in").because("7, 0, -1."), "Capability", &bytes);

    let draft = bad(shelf, "payload.empty-packed-list", "payload.capability", "CONV-016", "stated_default");
    let bytes =
        edit(&capability(), &[(3, 3)], |fields| fields.insert(1, Message::default().bytes(3, &[]).done()));
    give(draft.at("/form/0").because("An empty list of integers, stated."), "Capability", &bytes);

    let draft = bad(shelf, "payload.integer-in-list-not-minimal", "payload.capability", "CONV-012", "varint");
    let numbers = Message::default().bytes(3, &[1, 0, 0x8e, 0]).done();
    let bytes = edit(&capability(), &[(3, 2)], |fields| fields[1] = numbers);
    give(draft.at("/value/constraints/2/int_in/2").because("7 in two bytes."), "Capability", &bytes);
}

/// What fields must satisfy together.
fn fits(shelf: &mut Shelf) {
    let draft = bad(shelf, "payload.nothing-per-call", "payload.budget", "CONV-010", "inconsistent");
    let bytes = edit(&budget(), &[], |fields| drop(fields.remove(2)));
    let draft = draft.flag("PrivilegeEscalation");
    give(draft.at("/value/per_call").because("Calls that cost nothing use up no budget."), "Budget", &bytes);

    let draft = bad(shelf, "payload.per-call-above-ceiling", "payload.budget", "CONV-010", "inconsistent");
    let bytes = varint_at(&budget(), &[], 1, (2, 4));
    give(draft.at("/value/ceiling").because("A ceiling of 4 and 5 per call."), "Budget", &bytes);

    let draft = bad(shelf, "payload.per-call-above-window", "payload.budget", "CONV-010", "inconsistent");
    let bytes = varint_at(&budget(), &[(4, 0)], 0, (1, 4));
    give(draft.at("/value/window/ceiling").because("A window of 4 and 5 per call."), "Budget", &bytes);

    let draft = bad(shelf, "payload.never-valid", "payload.rights", "CONV-010", "inconsistent");
    let bytes = varint_at(&rights(), &[], 4, (4, cast::NOW - 10_000));
    give(draft.at("/value/not_after").because("An end at the beginning."), "Rights", &bytes);

    let draft = bad(
        shelf,
        "payload.seventeen-delegations",
        "payload.rights-at-their-limits",
        "CONV-010",
        "inconsistent",
    );
    let edges = varint_at(&rights(), &[], 4, (4, 253_402_300_799_999));
    let bytes = varint_at(&edges, &[], 6, (6, 17));
    give(draft.at("/value/delegations_left").because("One more than a chain may have."), "Rights", &bytes);
}

/// Constraints, arguments and targets of which there is one too many or none.
fn choices(shelf: &mut Shelf) {
    let draft =
        bad(shelf, "payload.range-from-high-to-low", "payload.capability", "CONV-010", "inconsistent");
    let bytes = varint_at(&capability(), &[(3, 3), (4, 0)], 1, (2, 11));
    give(draft.at("/value/constraints/3/int_range/max").because("From -5 to -6."), "Capability", &bytes);

    let draft =
        bad(shelf, "payload.two-rules-in-one-constraint", "payload.capability", "CONV-010", "inconsistent");
    let range = Message::default().varint(1, 1).varint(2, 14);
    let bytes =
        edit(&capability(), &[(3, 2)], |fields| fields.push(Message::default().message(4, range).done()));
    let draft = draft.flag("PrivilegeEscalation");
    let why = "One of -1, 0, 7, and between -1 and 7: readers may check one of them.";
    give(draft.at("/value/constraints/2/int_range").because(why), "Capability", &bytes);

    let draft =
        bad(shelf, "payload.constraint-without-a-rule", "payload.capability", "CONV-010", "inconsistent");
    let bytes = edit(&capability(), &[(3, 1)], |fields| drop(fields.pop()));
    let draft = draft.flag("PrivilegeEscalation");
    give(
        draft.at("/value/constraints/1/path_under").because("No rule is not any rule."),
        "Capability",
        &bytes,
    );

    let draft = bad(
        shelf,
        "payload.two-constraints-on-one-argument",
        "payload.capability",
        "CONV-010",
        "inconsistent",
    );
    let bytes = edit(&capability(), &[], |fields| fields.insert(4, fields[3].clone()));
    give(draft.at("/value/constraints/1").because("A constraint twice."), "Capability", &bytes);

    let draft = bad(shelf, "payload.argument-of-two-types", "payload.arguments", "CONV-010", "inconsistent");
    let bytes =
        edit(&arguments(), &[(1, 3)], |fields| fields.push(Message::default().bytes(4, b"/etc").done()));
    let draft = draft.flag("PrivilegeEscalation");
    give(draft.at("/value/list/3/path").because("Text and path at once."), "Arguments", &bytes);

    let draft = bad(shelf, "payload.argument-name-twice", "payload.arguments", "CONV-010", "inconsistent");
    let second = Message::default().bytes(1, b"region").bytes(2, b"us");
    let bytes =
        edit(&arguments(), &[], |fields| fields.insert(4, Message::default().message(1, second).done()));
    let draft = draft.flag("PrivilegeEscalation");
    let why = "Two regions: one is checked, the other is used.";
    give(draft.at("/value/list/4").because(why), "Arguments", &bytes);

    let draft = bad(shelf, "payload.extension-twice", "payload.extensions", "CONV-010", "inconsistent");
    let bytes = edit(&extensions(), &[], |fields| fields.push(fields[1].clone()));
    give(draft.at("/value/list/2").because("One extension twice."), "Extensions", &bytes);

    let draft = bad(shelf, "payload.two-targets", "payload.revoke-request", "CONV-010", "inconsistent");
    let target = cast::instance("planner");
    let bytes = edit(&revocation(), &[], |fields| {
        fields.insert(3, Message::default().bytes(4, target.as_str().as_bytes()).done());
    });
    give(draft.at("/value/instance").because("A chain and an instance to revoke."), "RevokeRequest", &bytes);

    let draft = bad(shelf, "payload.no-target", "payload.revoke-request", "CONV-010", "inconsistent");
    let bytes = edit(&revocation(), &[], |fields| drop(fields.remove(2)));
    give(draft.at("/value/chain").because("Nothing to revoke."), "RevokeRequest", &bytes);
    changes(shelf);
}

/// Changes that are not for the side that asks, or not shown as a breach is.
fn changes(shelf: &mut Shelf) {
    const SIDE: usize = 2;
    const EVIDENCE: usize = 5;
    let draft =
        bad(shelf, "payload.breach-by-an-admin", "payload.change-request", "CONV-010", "inconsistent");
    let bytes = varint_at(&change(), &[], SIDE, (3, 3));
    let draft = draft.flag("PrivilegeEscalation").at("/value/side");
    give(draft.because("An admin is no side of the contract."), "ChangeRequest", &bytes);

    let draft = bad(shelf, "payload.breach-of-nothing", "payload.change-request", "CONV-010", "inconsistent");
    let bytes = edit(&change(), &[], |fields| drop(fields.remove(EVIDENCE)));
    let draft = draft.at("/value/evidence");
    give(draft.because("A breach that nothing shows."), "ChangeRequest", &bytes);
}

/// Another number in that field of a message, at that position.
fn varint_at(bytes: &[u8], path: &[(u64, usize)], position: usize, field: (u64, u64)) -> Vec<u8> {
    edit(bytes, path, |fields| fields[position] = Message::default().varint(field.0, field.1).done())
}

/// Key sets in which a leaf has two keys, or none.
fn key_sets(shelf: &mut Shelf) {
    type Change = fn(&mut Vec<DomainKey>);
    let cases: [(&str, &str, &str, Change); 6] = [
        ("overlapping-keys", "keys/1/end_leaf", "Two capability keys for leaf 100.", |keys| {
            keys[1].end_leaf = LeafIndex::new(101).unwrap();
        }),
        ("two-keys-in-use", "keys/3/end_leaf", "An activation key that never ended.", |keys| {
            keys[3].end_leaf = LeafIndex::ZERO;
        }),
        ("no-key-in-use", "keys/4/end_leaf", "Nobody signs the checkpoints to come.", |keys| {
            keys[4].end_leaf = LeafIndex::new(100).unwrap();
        }),
        ("key-for-no-leaf", "keys/1/first_leaf", "A key that ended where it began.", |keys| {
            keys[1].first_leaf = LeafIndex::new(100).unwrap();
        }),
        ("key-number-twice", "keys/1/id", "Two capability keys of number one.", |keys| keys[1].id = 1),
        ("key-for-two-purposes", "keys/2/key", "The checkpoint key signs activations as well.", |keys| {
            keys[2].key = keys[4].key;
        }),
    ];
    for (id, path, why, change) in cases {
        let mut keys = cast::domain_keys();
        change(&mut keys);
        let domain = Message::default().bytes(1, b"acme.example").done();
        let keys = keys.iter().map(|key| Message::default().bytes(2, &key.to_bytes()).done());
        let bytes = [domain].into_iter().chain(keys).collect::<Vec<_>>().concat();
        let draft = bad(shelf, &format!("payload.{id}"), "payload.key-set", "IDN-109", "inconsistent");
        let draft = draft.flag("PrivilegeEscalation").because(why);
        give(draft.at(&format!("/value/{path}")), "KeySet", &bytes);
    }
}

//! The strict payload grammar: one encoding for each value.

use countersign_protocol::{
    capability::{Argument, Arguments, IntSet, IpName, Rule, UrlPrefix, Value as Argued},
    digest::{ChainId, Digest},
    extension::{Criticality, Extensions},
    grant::GrantRequest,
    ledger::{InclusionProof, LeafIndex, TreeSize},
    payload::{Ascending, Payload},
    revocation::RevokeRequest,
};
use serde_json::{Value, json};

use super::{
    super::{
        cast,
        read::to_base64,
        wire::{Message, edit, long_varint, varint},
    },
    Draft, Shelf,
};

const OP: &str = "decode_payload";

pub(super) fn fill(shelf: &mut Shelf) {
    accepted(shelf);
    fields(shelf);
    integers(shelf);
    values(shelf);
    lists(shelf);
    fits(shelf);
    sizes(shelf);
}

fn input(message: &str, bytes: &[u8]) -> Value {
    json!({ "type": message, "payload_b64": to_base64(bytes) })
}

fn give(draft: Draft<'_>, message: &str, bytes: &[u8]) {
    draft.given(json!({}), input(message, bytes));
}

fn bad<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, rule: &str, fault: &str) -> Draft<'a> {
    shelf.reject(OP, id, twin).rule(rule).reason("PAYLOAD_MALFORMED").fault(fault).flag("Ambiguity")
}

pub(super) fn budget() -> Vec<u8> {
    cast::rights(0).budget.to_bytes()
}

fn rights() -> Vec<u8> {
    cast::rights(0).to_bytes()
}

/// A capability with a constraint of every kind, in order of the arguments.
fn capability() -> Vec<u8> {
    let texts = Ascending::new(["eu", "us"].map(|text| text.parse().unwrap()).into()).unwrap();
    let url = UrlPrefix {
        scheme: "https".parse().unwrap(),
        host: "*.example.com".parse().unwrap(),
        port: 443,
        path: "/v1".parse().unwrap(),
    };
    let constraints = vec![
        cast::constraint("addresses", Rule::IpIn("10.1.0.0/16".parse().unwrap())),
        cast::constraint("folder", Rule::PathUnder("/data".parse().unwrap())),
        cast::constraint("level", Rule::IntIn(IntSet::new(vec![-1, 0, 7]).unwrap())),
        cast::constraint("max_bytes", cast::range(-5, 4096)),
        cast::constraint("region", Rule::TextIn(texts)),
        cast::constraint("target", Rule::UrlUnder(url)),
    ];
    cast::capability("file:/data/**", &["list", "read"], constraints).to_bytes()
}

fn arguments() -> Vec<u8> {
    let argument = |name: &str, value| Argument { name: name.parse().unwrap(), value };
    let list = vec![
        argument("address", Argued::Ip(IpName::new("10.1.2.3".parse().unwrap()).unwrap())),
        argument("folder", Argued::Path("/data/eu".parse().unwrap())),
        argument("offset", Argued::Int(0)),
        argument("region", Argued::Text("eu".parse().unwrap())),
        argument("target", Argued::Url("https://api.example.com/v1/x".parse().unwrap())),
    ];
    Arguments::new(list).unwrap().to_bytes()
}

fn extensions() -> Vec<u8> {
    let first = cast::extensions(Criticality::Ignorable).to_bytes();
    let second = Message::default().bytes(1, b"example.later").varint(2, 1).bytes(3, &[0]);
    Extensions::from_bytes(&[first, Message::default().message(1, second).done()].concat())
        .unwrap()
        .to_bytes()
}

fn grant_request() -> Vec<u8> {
    GrantRequest {
        domain: "acme.example".parse().unwrap(),
        grant_id: cast::uuid(16).parse().unwrap(),
        originator: cast::instance("alice"),
        holder: cast::instance("planner"),
        rights: cast::rights(0),
        issued: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
    .to_bytes()
}

fn revocation() -> Vec<u8> {
    RevokeRequest {
        domain: "acme.example".parse().unwrap(),
        sender: cast::instance("alice"),
        chain: Some(ChainId::from_bytes(Digest::of(b"a chain").to_array())),
        instance: None,
        chains: 3,
        request_id: cast::uuid(17).parse().unwrap(),
        issued: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
    .to_bytes()
}

fn inclusion() -> Vec<u8> {
    InclusionProof { index: LeafIndex::ZERO, size: TreeSize::new(300).unwrap(), path: Vec::new() }.to_bytes()
}

fn accepted(shelf: &mut Shelf) {
    let all: [(&str, &str, &str, Vec<u8>); 9] = [
        ("budget", "Budget", "A budget with a window.", budget()),
        ("rights", "Rights", "Rights with a list, a set and messages within messages.", rights()),
        (
            "capability",
            "Capability",
            "A constraint of every kind, negative numbers among them.",
            capability(),
        ),
        (
            "arguments",
            "Arguments",
            "An argument of every kind; the number zero is stated in a message.",
            arguments(),
        ),
        ("extensions", "Extensions", "Two extensions, ascending by id.", extensions()),
        (
            "grant-request",
            "GrantRequest",
            "A whole statement; its extensions are an empty message.",
            grant_request(),
        ),
        ("revoke-request", "RevokeRequest", "One of two optional fields.", revocation()),
        ("key-set", "KeySet", "Keys in use and keys that were.", cast::key_set().to_bytes()),
        ("inclusion-proof", "InclusionProof", "Index zero is absent, and so is the empty path.", inclusion()),
    ];
    for (name, message, summary, bytes) in all {
        let draft = shelf.accept(OP, &format!("payload.{name}")).rule("CONV-010").because(summary);
        give(draft, message, &bytes);
    }
    let edges = edit(&rights(), &[], |fields| {
        fields[6] = Message::default().varint(6, 16).done();
        fields[4] = Message::default().varint(4, 253_402_300_799_999).done();
    });
    let draft = shelf.accept(OP, "payload.rights-at-their-limits").rule("CONV-010");
    give(draft.because("The last millisecond of the year 9999, and sixteen delegations."), "Rights", &edges);
    let most =
        edit(&budget(), &[], |fields| fields[1] = Message::default().varint(2, i64::MAX as u64).done());
    let draft = shelf.accept(OP, "payload.budget-largest").rule("CONV-010");
    give(draft.because("The largest amount, 2^63 - 1."), "Budget", &most);
}

/// Which fields stand, and in which order.
fn fields(shelf: &mut Shelf) {
    let unknown = Message::default().varint(9, 1).done();
    let draft = bad(shelf, "payload.unknown-field-at-the-end", "payload.budget", "CONV-015", "unexpected");
    let bytes = [budget(), unknown.clone()].concat();
    give(draft.at("/form/0").because("A field that the type does not have."), "Budget", &bytes);

    let draft = bad(shelf, "payload.unknown-field-within", "payload.rights", "CONV-015", "unexpected");
    let bytes = edit(&rights(), &[(5, 0)], |fields| fields.push(unknown));
    give(draft.at("/form/0").because("An unknown field of a message within the message."), "Rights", &bytes);

    let indexed = Message::default().varint(1, 5).varint(2, 300).done();
    let draft = shelf.accept(OP, "payload.inclusion-proof-of-entry-5").rule("CONV-011");
    give(draft.because("Index, then size."), "InclusionProof", &indexed);
    let twin = "payload.inclusion-proof-of-entry-5";
    let draft = bad(shelf, "payload.field-twice", twin, "CONV-015", "unexpected");
    let bytes = edit(&indexed, &[], |fields| fields.push(Message::default().varint(2, 999).done()));
    let why = "Two sizes: protobuf libraries take the last one, an auditor might see the first.";
    give(draft.at("/form/0").because(why), "InclusionProof", &bytes);

    let draft = bad(shelf, "payload.message-twice", "payload.rights", "CONV-015", "unexpected");
    let bytes = edit(&rights(), &[], |fields| fields.insert(6, fields[5].clone()));
    give(draft.at("/form/0").because("Two budgets, which protobuf libraries would merge."), "Rights", &bytes);

    let draft = bad(shelf, "payload.descending-fields", twin, "CONV-011", "unexpected");
    let bytes = edit(&indexed, &[], |fields| fields.swap(0, 1));
    give(draft.at("/form/0").because("Size, then index."), "InclusionProof", &bytes);

    let draft = bad(shelf, "payload.trailing-zero-byte", "payload.budget", "CONV-015", "unexpected");
    give(
        draft.at("/form/0").because("A byte after the last field."),
        "Budget",
        &[budget(), vec![0]].concat(),
    );

    let draft = bad(shelf, "payload.trailing-cut-tag", "payload.budget", "CONV-012", "varint");
    let why = "The beginning of a tag after the last field.";
    give(draft.at("/form/0").because(why), "Budget", &[budget(), vec![0x80]].concat());

    let draft = bad(shelf, "payload.missing-text", "payload.budget", "CONV-010", "missing");
    let bytes = edit(&budget(), &[], |fields| drop(fields.remove(0)));
    give(draft.at("/value/unit").because("No unit: an amount of nothing."), "Budget", &bytes);

    let draft = bad(shelf, "payload.missing-message", "payload.rights", "CONV-010", "missing");
    let bytes = edit(&rights(), &[], |fields| drop(fields.remove(5)));
    let draft = draft.flag("PrivilegeEscalation");
    give(
        draft.at("/value/budget").because("No budget, which is not a budget without end."),
        "Rights",
        &bytes,
    );

    let draft = bad(shelf, "payload.missing-extensions", "payload.grant-request", "CONV-010", "missing");
    let bytes = edit(&grant_request(), &[], |fields| drop(fields.pop()));
    let why = "Extensions are stated even where there are none.";
    give(draft.at("/value/extensions").because(why), "GrantRequest", &bytes);

    let draft = bad(shelf, "payload.group", "payload.budget", "CONV-015", "unexpected");
    let bytes = [budget(), vec![0x2b, 0x2c]].concat();
    give(draft.at("/form/0").because("An empty group, as old protobuf has them."), "Budget", &bytes);
}

fn integers(shelf: &mut Shelf) {
    let long = |tag: u64, value: u64| [varint(tag), long_varint(value)].concat();
    let draft = bad(shelf, "payload.long-varint", "payload.budget", "CONV-012", "varint");
    let bytes = edit(&budget(), &[], |fields| fields[2] = long(3 << 3, 5));
    give(draft.at("/form/0").because("Five per call, in two bytes."), "Budget", &bytes);

    let draft = bad(shelf, "payload.long-tag", "payload.budget", "CONV-012", "varint");
    let bytes = edit(&budget(), &[], |fields| fields[2] = [long_varint(3 << 3), varint(5)].concat());
    give(draft.at("/form/0").because("A tag in two bytes."), "Budget", &bytes);

    let draft = bad(shelf, "payload.long-length", "payload.budget", "CONV-012", "varint");
    let bytes = edit(&budget(), &[], |fields| {
        fields[0] = [varint(1 << 3 | 2), long_varint(5), b"calls".into()].concat()
    });
    give(draft.at("/form/0").because("A length in two bytes."), "Budget", &bytes);

    let draft = shelf.accept(OP, "payload.nothing-stated").rule("CONV-013");
    give(draft.because("Two zeros and an empty list are no bytes at all."), "InclusionProof", &[]);
    let draft = bad(shelf, "payload.varint-beyond-64-bits", "payload.nothing-stated", "CONV-012", "varint");
    let bytes = [vec![0x10], vec![0x80; 9], vec![0x02]].concat();
    let why = "A size of 2^64, which is zero for whoever drops the bit.";
    give(draft.at("/form/0").because(why), "InclusionProof", &bytes);

    let draft = bad(shelf, "payload.zero-stated", "payload.inclusion-proof", "CONV-013", "stated_default");
    let bytes = edit(&inclusion(), &[], |fields| fields.insert(0, Message::default().varint(1, 0).done()));
    give(draft.at("/form/0").because("Index zero, stated."), "InclusionProof", &bytes);

    let draft = bad(shelf, "payload.amount-beyond-63-bits", "payload.budget-largest", "CONV-010", "value");
    let bytes = edit(&budget(), &[], |fields| fields[1] = Message::default().varint(2, 1 << 63).done());
    let why = "A ceiling that is negative for whoever reads it as a signed number.";
    give(draft.at("/value/ceiling").because(why).flag("PrivilegeEscalation"), "Budget", &bytes);

    let draft = bad(shelf, "payload.number-beyond-32-bits", "payload.rights", "CONV-010", "value");
    let bytes = edit(&rights(), &[], |fields| fields[6] = Message::default().varint(6, (1 << 32) + 3).done());
    let why = "Delegations that are three for whoever keeps 32 bits.";
    give(draft.at("/value/delegations_left").because(why), "Rights", &bytes);

    let draft = bad(shelf, "payload.time-missing", "payload.rights", "CONV-010", "missing");
    let bytes = edit(&rights(), &[], |fields| drop(fields.remove(4)));
    let draft = draft.flag("PrivilegeEscalation");
    give(draft.at("/value/not_after").because("No end, which is not for ever."), "Rights", &bytes);

    let draft =
        bad(shelf, "payload.time-of-the-year-10000", "payload.rights-at-their-limits", "CONV-010", "value");
    let bytes = edit(&rights(), &[], |fields| {
        fields[6] = Message::default().varint(6, 16).done();
        fields[4] = Message::default().varint(4, 253_402_300_800_000).done();
    });
    give(draft.at("/value/not_after").because("A millisecond after the last one."), "Rights", &bytes);
}

fn values(shelf: &mut Shelf) {
    let draft = bad(shelf, "payload.integer-as-bytes", "payload.budget", "CONV-010", "wire_type");
    let bytes = edit(&budget(), &[], |fields| fields[1] = Message::default().bytes(2, &varint(500)).done());
    give(draft.at("/value/ceiling").because("The ceiling as bytes instead of a varint."), "Budget", &bytes);

    let draft = bad(shelf, "payload.bytes-as-integer", "payload.rights", "CONV-010", "wire_type");
    let bytes = edit(&rights(), &[(5, 0)], |fields| fields[0] = Message::default().varint(1, 5).done());
    give(draft.at("/value/budget/unit").because("The unit as a varint instead of text."), "Rights", &bytes);

    let draft =
        bad(shelf, "payload.length-beyond-the-end", "payload.inclusion-proof", "CONV-010", "truncated");
    let bytes = [inclusion(), vec![0x1a, 33, 1, 2, 3]].concat();
    give(draft.at("/form/0").because("A hash that runs past the end."), "InclusionProof", &bytes);

    let draft = bad(shelf, "payload.code-zero", "payload.extensions", "CONV-014", "missing");
    let bytes = edit(&extensions(), &[(1, 1)], |fields| drop(fields.remove(1)));
    let draft = draft.flag("PrivilegeEscalation");
    let why = "Neither critical nor ignorable: zero is no code.";
    give(draft.at("/value/list/1/criticality").because(why), "Extensions", &bytes);

    let draft = bad(shelf, "payload.code-unknown", "payload.extensions", "CONV-014", "value");
    let bytes = edit(&extensions(), &[(1, 1)], |fields| fields[1] = Message::default().varint(2, 3).done());
    give(draft.at("/value/list/1/criticality").because("A third kind of extension."), "Extensions", &bytes);

    let draft = bad(shelf, "payload.empty-bytes", "payload.extensions", "CONV-010", "stated_default");
    let bytes = edit(&extensions(), &[(1, 1)], |fields| fields[2] = Message::default().bytes(3, &[]).done());
    give(draft.at("/value/list/1/bytes").because("Bytes that are there and empty."), "Extensions", &bytes);

    let draft = bad(shelf, "payload.uuid-of-version-4", "payload.revoke-request", "CONV-010", "value");
    let mut id = hex::decode(cast::uuid(17).replace('-', "")).unwrap();
    id[6] = 0x40;
    let bytes = edit(&revocation(), &[], |fields| fields[4] = Message::default().bytes(6, &id).done());
    give(draft.at("/value/request_id").because("A UUID that tells no time."), "RevokeRequest", &bytes);

    let draft = bad(shelf, "payload.short-digest", "payload.revoke-request", "CONV-010", "value");
    let bytes = edit(&revocation(), &[], |fields| fields[2] = Message::default().bytes(3, &[7; 31]).done());
    give(draft.at("/value/chain").because("A chain id of 31 bytes."), "RevokeRequest", &bytes);

    let draft = bad(shelf, "payload.invalid-utf-8", "payload.arguments", "CONV-010", "value");
    let overlong = Message::default().bytes(2, &[0xc0, 0xaf]).done();
    let bytes = edit(&arguments(), &[(1, 3)], |fields| fields[1] = overlong);
    let why = "Text with a slash in two bytes, which no UTF-8 has.";
    give(draft.at("/value/list/3/text").because(why), "Arguments", &bytes);

    let draft = bad(shelf, "payload.key-not-on-the-curve", "payload.key-set", "CONV-102", "value");
    let bytes = edit(&cast::key_set().to_bytes(), &[(2, 0)], |fields| {
        fields[2] = Message::default().bytes(3, &not_a_point()).done();
    });
    give(draft.at("/value/keys/0/key").because("32 bytes that are no point."), "KeySet", &bytes);

    let draft = bad(shelf, "payload.small-order-key", "payload.key-set", "CONV-102", "value");
    let identity = [&[1u8][..], &[0; 31]].concat();
    let bytes = edit(&cast::key_set().to_bytes(), &[(2, 0)], |fields| {
        fields[2] = Message::default().bytes(3, &identity).done();
    });
    let why = "A capability key under which anyone can sign.";
    give(draft.at("/value/keys/0/key").because(why).flag("Forgery"), "KeySet", &bytes);
}

/// The smallest y from 2 on that belongs to no point.
fn not_a_point() -> [u8; 32] {
    let encoded = |y: u8| [&[y][..], &[0; 31]].concat().try_into().unwrap();
    let on_curve = |bytes: &[u8; 32]| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_ok();
    (2..).map(encoded).find(|bytes| !on_curve(bytes)).unwrap()
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
    let varint_at = |bytes: Vec<u8>, path: &[(u64, usize)], position: usize, number: u64, value: u64| {
        edit(&bytes, path, |fields| fields[position] = Message::default().varint(number, value).done())
    };
    let draft = bad(shelf, "payload.nothing-per-call", "payload.budget", "CONV-010", "inconsistent");
    let bytes = edit(&budget(), &[], |fields| drop(fields.remove(2)));
    let draft = draft.flag("PrivilegeEscalation");
    give(draft.at("/value/per_call").because("Calls that cost nothing use up no budget."), "Budget", &bytes);

    let draft = bad(shelf, "payload.per-call-above-ceiling", "payload.budget", "CONV-010", "inconsistent");
    let bytes = varint_at(budget(), &[], 1, 2, 4);
    give(draft.at("/value/ceiling").because("A ceiling of 4 and 5 per call."), "Budget", &bytes);

    let draft = bad(shelf, "payload.per-call-above-window", "payload.budget", "CONV-010", "inconsistent");
    let bytes = varint_at(budget(), &[(4, 0)], 0, 1, 4);
    give(draft.at("/value/window/ceiling").because("A window of 4 and 5 per call."), "Budget", &bytes);

    let draft = bad(shelf, "payload.never-valid", "payload.rights", "CONV-010", "inconsistent");
    let bytes = varint_at(rights(), &[], 4, 4, cast::NOW - 10_000);
    give(draft.at("/value/not_after").because("An end at the beginning."), "Rights", &bytes);

    let draft = bad(
        shelf,
        "payload.seventeen-delegations",
        "payload.rights-at-their-limits",
        "CONV-010",
        "inconsistent",
    );
    let edges = varint_at(rights(), &[], 4, 4, 253_402_300_799_999);
    let bytes = varint_at(edges, &[], 6, 6, 17);
    give(draft.at("/value/delegations_left").because("One more than a chain may have."), "Rights", &bytes);

    let draft =
        bad(shelf, "payload.range-from-high-to-low", "payload.capability", "CONV-010", "inconsistent");
    let bytes = varint_at(capability(), &[(3, 3), (4, 0)], 1, 2, 11);
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
}

fn sizes(shelf: &mut Shelf) {
    let sized = |bytes: usize| {
        let extension = Message::default().bytes(1, b"example.large").varint(2, 2);
        Message::default().message(1, extension.bytes(3, &vec![7; bytes])).done()
    };
    let most = 65_535 - (sized(60_000).len() - 60_000);
    let draft = shelf.accept(OP, "payload.largest").rule("CONV-019").because("65,535 bytes.");
    give(draft, "Extensions", &sized(most));
    let draft = bad(shelf, "payload.too-large", "payload.largest", "CONV-019", "too_long").flag("Exhaustion");
    give(draft.at("/value/list/0/bytes").because("65,536 bytes."), "Extensions", &sized(most + 1));
}

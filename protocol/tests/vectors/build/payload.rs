//! The strict payload grammar: one encoding for each value.

mod lists;
mod session;
mod stream;
mod values;

use countersign_forge::wire::{Message, edit};
use countersign_protocol::{
    capability::{Argument, Arguments, IntSet, IpName, Rule, UrlPrefix, Value as Argued},
    contract::{ChangeKind, ChangeRequest, Side},
    digest::{ChainId, Digest},
    extension::{Criticality, Extensions},
    grant::GrantRequest,
    ledger::{InclusionProof, LeafIndex, TreeSize},
    payload::{Ascending, Payload},
    revocation::RevokeRequest,
};
use serde_json::{Value, json};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};

const OP: &str = "decode_payload";

pub(super) fn fill(shelf: &mut Shelf) {
    accepted(shelf);
    fields(shelf);
    values::fill(shelf);
    lists::fill(shelf);
    session::fill(shelf);
    stream::fill(shelf);
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

fn long_extension(bytes: usize) -> Vec<u8> {
    let extension = Message::default().bytes(1, b"example.long").varint(2, 2).bytes(3, &vec![7; bytes]);
    Message::default().message(1, extension).done()
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

fn change() -> Vec<u8> {
    ChangeRequest {
        domain: "acme.example".parse().unwrap(),
        sender: cast::instance("alice"),
        side: Side::Grantor,
        chain: ChainId::from_bytes(Digest::of(b"a chain").to_array()),
        kind: ChangeKind::Breach,
        invocation: None,
        evidence: Some(Digest::of(b"what shows it")),
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
    let all: [(&str, &str, &str, Vec<u8>); 11] = [
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
        ("long-extension", "Extensions", "An extension of 4,096 bytes.", long_extension(4096)),
        (
            "grant-request",
            "GrantRequest",
            "A whole statement; its extensions are an empty message.",
            grant_request(),
        ),
        ("revoke-request", "RevokeRequest", "One of two optional fields.", revocation()),
        ("change-request", "ChangeRequest", "A breach with its evidence.", change()),
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

fn sizes(shelf: &mut Shelf) {
    let sized = |bytes: usize| {
        let offer = Message::default().bytes(1, &vec![7; bytes]).bytes(2, &[8; 64]).bytes(3, &[9; 64]);
        offer.varint(4, cast::NOW).done()
    };
    let most = 65_535 - (sized(60_000).len() - 60_000);
    let draft = shelf.accept(OP, "payload.largest").rule("CONV-019").because("65,535 bytes.");
    give(draft, "Offer", &sized(most));
    let draft = bad(shelf, "payload.too-large", "payload.largest", "CONV-019", "too_long").flag("Exhaustion");
    give(draft.at("/value/contract").because("65,536 bytes."), "Offer", &sized(most + 1));
}

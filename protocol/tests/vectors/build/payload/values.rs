//! Values that have another encoding, or are none of their type.

use countersign_forge::wire::{Message, edit, long_varint, varint};
use countersign_protocol::payload::Payload;

use super::{
    super::super::cast, OP, Shelf, arguments, bad, budget, extensions, give, inclusion, revocation, rights,
};

pub(super) fn fill(shelf: &mut Shelf) {
    integers(shelf);
    values(shelf);
    disguises(shelf);
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

/// Arguments in disguise.
fn disguises(shelf: &mut Shelf) {
    let mapped: Vec<u8> = [&[0; 10][..], &[0xff, 0xff, 10, 1, 2, 3]].concat();
    for (id, position, rule, field, path, why, value) in [
        ("mapped-address", 0, "CONV-010", 5, "ip", "An IPv4 address in IPv6's clothes.", &mapped[..]),
        ("address-of-five-bytes", 0, "CONV-010", 5, "ip", "Neither IPv4 nor IPv6.", &[10, 1, 2, 3, 4]),
        ("path-that-climbs", 1, "TOK-031", 4, "path", "A path that climbs.", b"/data/../etc"),
        (
            "url-with-user-info",
            4,
            "TOK-033",
            6,
            "url",
            "The host is evil.example.",
            b"https://a@evil.example/",
        ),
    ] {
        let draft = bad(shelf, &format!("payload.{id}"), "payload.arguments", rule, "value");
        let bytes = edit(&arguments(), &[(1, position)], |fields| {
            fields[1] = Message::default().bytes(field, value).done();
        });
        let draft = draft.because(why).at(&format!("/value/list/{position}/{path}"));
        give(draft.flag("Normalization"), "Arguments", &bytes);
    }
}

/// The smallest y from 2 on that belongs to no point.
fn not_a_point() -> [u8; 32] {
    let encoded = |y: u8| [&[y][..], &[0; 31]].concat().try_into().unwrap();
    let on_curve = |bytes: &[u8; 32]| ed25519_dalek::VerifyingKey::from_bytes(bytes).is_ok();
    (2..).map(encoded).find(|bytes| !on_curve(bytes)).unwrap()
}

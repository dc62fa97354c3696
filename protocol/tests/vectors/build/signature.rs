//! Ed25519 by the strict rule, the encoding that is signed, and envelopes.

use countersign_forge::{
    ed25519::{self, plus_order},
    envelope::sealed,
    wire::{Message, edit},
};
use countersign_protocol::{
    extension::Extensions,
    grant::GrantRequest,
    payload::Payload,
    signed::{Signed, Statement, signed_bytes},
};
use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION},
    traits::{Identity as _, IsIdentity as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};

const TYPE: &str = "application/vnd.countersign.example.v1";
const MESSAGE: &[u8] = b"pay 10 to bob";

pub(super) fn fill(shelf: &mut Shelf) {
    plain(shelf);
    strict(shelf);
    mixed(shelf);
    envelopes(shelf);
    envelope_forms(shelf);
}

fn input(payload_type: &str, payload: &[u8], key: &[u8], signature: &[u8]) -> Value {
    json!({
        "payload_type": payload_type,
        "payload_b64": to_base64(payload),
        "key": hex::encode(key),
        "signature": hex::encode(signature),
    })
}

fn give(draft: Draft<'_>, key: &[u8], signature: &[u8]) {
    draft.given(json!({}), input(TYPE, MESSAGE, key, signature));
}

fn bad<'a>(shelf: &'a mut Shelf, id: &str, why: &str) -> Draft<'a> {
    let draft = shelf.reject("verify_signature", id, "signature.good").rule("CONV-102");
    draft.reason("SIGNATURE_INVALID").because(why)
}

fn alice() -> [u8; 32] {
    cast::public("alice").to_array()
}

fn good() -> [u8; 64] {
    ed25519::sign(&cast::seed("alice"), &signed_bytes(TYPE, MESSAGE))
}

/// Other keys, other bytes, other types.
fn plain(shelf: &mut Shelf) {
    let draft = shelf.accept("verify_signature", "signature.good").rule("CONV-020");
    give(draft.because("alice's signature over the encoding of type and payload."), &alice(), &good());
    let of = |name: &str, message: &[u8]| ed25519::sign(&cast::seed(name), message);
    let unprefixed = [TYPE.as_bytes(), MESSAGE].concat();
    let other_type = signed_bytes("application/vnd.countersign.example.v2", MESSAGE);
    let digest = cast::sha256(&signed_bytes(TYPE, MESSAGE));
    for (id, rule, flag, why, signature) in [
        (
            "by-another-key",
            "CONV-102",
            "Forgery",
            "mallory's signature under alice's key.",
            of("mallory", &signed_bytes(TYPE, MESSAGE)),
        ),
        (
            "over-another-payload",
            "CONV-102",
            "Forgery",
            "It is over another amount.",
            of("alice", &signed_bytes(TYPE, b"pay 99 to bob")),
        ),
        (
            "over-another-type",
            "CONV-020",
            "Replay",
            "The same bytes as another kind of statement.",
            of("alice", &other_type),
        ),
        (
            "without-encoding",
            "CONV-020",
            "Replay",
            "The payload as it is, without type and lengths.",
            of("alice", MESSAGE),
        ),
        (
            "without-lengths",
            "CONV-020",
            "Replay",
            "Type and payload joined without their lengths.",
            of("alice", &unprefixed),
        ),
        (
            "over-the-digest",
            "CONV-020",
            "Ambiguity",
            "The hash was signed in place of the bytes.",
            of("alice", &digest),
        ),
    ] {
        let draft = bad(shelf, &format!("signature.{id}"), why).rule(rule).flag(flag);
        give(draft.at("/signature/equation"), &alice(), &signature);
    }
    let draft = bad(shelf, "signature.nothing", "64 zero bytes.").at("/signature").flag("Forgery");
    give(draft, &alice(), &[0; 64]);
}

/// What lax verifiers accept: small-order points, second encodings, S beyond the group's order.
fn strict(shelf: &mut Shelf) {
    let (a, _) = secret("alice");
    let draft = bad(shelf, "signature.s-plus-order", "S + L: the same signature in other bytes.");
    give(draft.at("/signature/s").flag("Malleability"), &alice(), &plus_order(good()));

    let identity: [u8; 32] = EdwardsPoint::identity().compress().to_bytes();
    let p_plus_one: [u8; 32] = [&[0xee][..], &[0xff; 30], &[0x7f]].concat().try_into().unwrap();
    let order_eight = EIGHT_TORSION[1].compress().to_bytes();
    for (id, key, why) in [
        ("small-order-key", identity, "The identity as a key: [S]B = R holds for every message."),
        ("small-order-key-not-canonical", p_plus_one, "The identity as a key, written as y = p + 1."),
        (
            "order-eight-key",
            order_eight,
            "A key of order 8, under which anyone can sign every eighth message.",
        ),
    ] {
        let draft = bad(shelf, &format!("signature.{id}"), why).at("/key").flag("Forgery").resigned();
        give(draft, &key, &nonces(b"small").find_map(|r| under_torsion(&key, r, true)).unwrap());
    }
    for (id, r, why) in [
        ("small-order-commitment", identity, "R is the identity and S = k a: the equation holds."),
        ("small-order-commitment-not-canonical", p_plus_one, "R is the identity, written as y = p + 1."),
    ] {
        let draft = bad(shelf, &format!("signature.{id}"), why).flag("Ambiguity").resigned();
        give(draft.at("/signature/commitment"), &alice(), &join(&r, &(challenge(&r, &alice()) * a)));
    }
    let r = nonces(b"torsion").next().unwrap();
    let r_mixed = (B * r + EIGHT_TORSION[1]).compress();
    let draft = bad(shelf, "signature.commitment-with-torsion", "R + T: it holds with the cofactor only.");
    let signature = join(r_mixed.as_bytes(), &(r + challenge(r_mixed.as_bytes(), &alice()) * a));
    give(draft.at("/signature/equation").flag("Ambiguity").resigned(), &alice(), &signature);
}

/// R = [r]B and S = r, if the challenge makes the key's torsion vanish, or if it does not.
fn under_torsion(key: &[u8; 32], r: Scalar, vanishes: bool) -> Option<[u8; 64]> {
    let point = curve25519_dalek::edwards::CompressedEdwardsY(*key).decompress().unwrap();
    let commitment = (B * r).compress();
    let gone = (point * challenge(commitment.as_bytes(), key)).is_identity();
    (gone == vanishes).then(|| join(commitment.as_bytes(), &r))
}

/// Nonces that anyone can make again.
fn nonces(label: &'static [u8]) -> impl Iterator<Item = Scalar> {
    (0u32..).map(move |n| Scalar::from_bytes_mod_order_wide(&wide(&[label, &n.to_le_bytes()])))
}

/// A key with a torsion component: some messages verify without the cofactor, some only with it.
fn mixed(shelf: &mut Shelf) {
    let (a, _) = secret("alice");
    let key = B * a + EIGHT_TORSION[1];
    let bytes = key.compress().to_bytes();
    let sign = |vanishes: bool| {
        nonces(b"mixed").find_map(|r| {
            let commitment = (B * r).compress();
            let k = challenge(commitment.as_bytes(), &bytes);
            let gone = (EIGHT_TORSION[1] * k).is_identity();
            (gone == vanishes).then(|| join(commitment.as_bytes(), &(r + k * a)))
        })
    };
    let draft = shelf.accept("verify_signature", "signature.mixed-order-key").rule("CONV-102");
    let why = "A + T is a key; here [k]T vanishes, so that the equation holds as it stands.";
    give(draft.because(why), &bytes, &sign(true).unwrap());
    let draft =
        shelf.reject("verify_signature", "signature.mixed-order-key-cofactor", "signature.mixed-order-key");
    let draft = draft
        .rule("CONV-102")
        .reason("SIGNATURE_INVALID")
        .flag("Ambiguity")
        .at("/signature/equation")
        .resigned();
    give(draft.because("Here it holds with the cofactor only."), &bytes, &sign(false).unwrap());
}

fn request() -> GrantRequest {
    GrantRequest {
        domain: "acme.example".parse().unwrap(),
        grant_id: cast::uuid(16).parse().unwrap(),
        originator: cast::instance("alice"),
        holder: cast::instance("planner"),
        rights: cast::rights(0),
        issued: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
}

fn opened(draft: Draft<'_>, signers: &[&str], statement: &[u8]) {
    let signers: Vec<String> = signers.iter().map(|name| cast::public(name).to_string()).collect();
    let input = json!({ "type": "GrantRequest", "signers": signers, "statement_b64": to_base64(statement) });
    draft.given(json!({}), input);
}

fn refused<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, rule: &str, fault: &str) -> Draft<'a> {
    let malformed = rule != "CONV-030" && rule != "CONV-020";
    let reason = if malformed { "PAYLOAD_MALFORMED" } else { "SIGNATURE_INVALID" };
    shelf.reject("open_statement", id, twin).rule(rule).reason(reason).fault(fault)
}

/// Who signed, and in which order.
fn envelopes(shelf: &mut Shelf) {
    let signed = request().sign(&cast::key("alice"));
    let digest = json!({ "digest": hex::encode(cast::sha256(&signed.payload)) });
    let (one, two) = ("signature.statement", "signature.statement-of-two");
    let draft = shelf.accept("open_statement", one).rule("CONV-030").because("alice's grant request.");
    opened(draft.output(digest.clone()), &["alice"], &signed.to_bytes());
    let mut both = signed.clone();
    both.add_signature(&cast::key("planner"));
    let draft = shelf.accept("open_statement", two).rule("CONV-030").because("Two signers, in their order.");
    opened(draft.output(digest), &["alice", "planner"], &both.to_bytes());

    let draft = refused(shelf, "signature.other-signer", one, "CONV-030", "signers").flag("Forgery");
    let draft =
        draft.because("Signed by mallory, with its own key.").at("/statement/signatures/0/key").resigned();
    opened(draft, &["alice"], &request().sign(&cast::key("mallory")).to_bytes());
    let draft = refused(shelf, "signature.forged", one, "CONV-030", "signature").flag("Forgery");
    let draft = draft.because("Says that alice signed; mallory did.").at("/statement/signatures/0/signature");
    let mut forged = request().sign(&cast::key("mallory"));
    forged.signatures[0].key = cast::public("alice");
    opened(draft, &["alice"], &forged.to_bytes());
    let draft = refused(shelf, "signature.of-another-statement", one, "CONV-030", "signature").flag("Replay");
    let draft =
        draft.because("alice's signature over another request.").at("/statement/signatures/0/signature");
    let other = GrantRequest { issued: cast::at(cast::NOW + 1), ..request() }.sign(&cast::key("alice"));
    let moved = Signed { signatures: other.signatures, ..signed.clone() };
    opened(draft, &["alice"], &moved.to_bytes());

    let changed = |change: fn(&mut Signed)| {
        let mut changed = both.clone();
        change(&mut changed);
        changed.to_bytes()
    };
    for (id, path, why, bytes) in [
        (
            "signatures-swapped",
            "/statement/signatures",
            "Two good signatures in the other order.",
            changed(|s| s.signatures.swap(0, 1)),
        ),
        (
            "signature-missing",
            "/statement/signatures/1",
            "planner did not sign.",
            changed(|s| s.signatures.truncate(1)),
        ),
        (
            "signature-added",
            "/statement/signatures/2",
            "mallory signed as well.",
            changed(|s| s.add_signature(&cast::key("mallory"))),
        ),
        (
            "signature-twice",
            "/statement/signatures/2",
            "planner signed twice.",
            changed(|s| s.signatures.push(s.signatures[1].clone())),
        ),
    ] {
        let draft = refused(shelf, &format!("signature.{id}"), two, "CONV-030", "signers").at(path);
        opened(draft.because(why).flag("Forgery"), &["alice", "planner"], &bytes);
    }
    let draft = refused(shelf, "signature.no-signature", one, "CONV-030", "signers").flag("Forgery");
    let unsigned = Signed { signatures: Vec::new(), ..signed };
    opened(draft.because("Nobody signed.").at("/statement/signatures/0"), &["alice"], &unsigned.to_bytes());
}

/// What was signed is of another type or malformed, or the envelope is.
fn envelope_forms(shelf: &mut Shelf) {
    let one = "signature.statement";
    let payload = request().to_bytes();
    let seal = |payload_type: &'static str, payload: &[u8]| {
        sealed(payload_type, payload, &[&cast::key("alice")]).to_bytes()
    };
    let good = seal(GrantRequest::TYPE, &payload);
    let draft = refused(shelf, "signature.statement-of-another-type", one, "CONV-010", "type").flag("Replay");
    let draft =
        draft.because("Signed as another kind of statement.").at("/statement/payload_type").resigned();
    opened(draft, &["alice"], &seal("application/vnd.countersign.proof.v1", &payload));
    let draft = refused(shelf, "signature.of-another-type", one, "CONV-020", "signature").flag("Replay");
    let draft = draft.because("The type was changed to the expected one, without signing again.");
    let mut relabelled = Signed::from_bytes(&good).unwrap();
    relabelled.signatures =
        Signed::from_bytes(&seal("application/vnd.countersign.proof.v1", &payload)).unwrap().signatures;
    opened(draft.at("/statement/signatures/0/signature"), &["alice"], &relabelled.to_bytes());
    let draft = refused(shelf, "signature.unknown-field-signed", one, "CONV-015", "unexpected").resigned();
    let draft = draft.because("A good signature over a payload with an unknown field.").flag("Ambiguity");
    let unknown = Message::default().varint(99, 1).done();
    opened(
        draft.at("/form/0"),
        &["alice"],
        &seal(GrantRequest::TYPE, &[payload.clone(), unknown.clone()].concat()),
    );
    let draft = refused(shelf, "signature.descending-fields-signed", one, "CONV-011", "missing").resigned();
    let draft = draft.because("A good signature over fields in another order.").flag("Ambiguity");
    let swapped = edit(&payload, &[], |fields| fields.swap(2, 3));
    opened(draft.at("/form/0"), &["alice"], &seal(GrantRequest::TYPE, &swapped));
    let draft = refused(shelf, "signature.unknown-algorithm", one, "CONV-014", "value");
    let draft = draft.because("An algorithm that this version does not know.").flag("Forgery");
    let bytes = edit(&good, &[(3, 0)], |fields| fields[0] = Message::default().varint(1, 2).done());
    opened(draft.at("/statement/signatures/0/algorithm"), &["alice"], &bytes);
    let draft = refused(shelf, "signature.no-algorithm", one, "CONV-014", "missing").flag("Forgery");
    let bytes = edit(&good, &[(3, 0)], |fields| drop(fields.remove(0)));
    opened(draft.because("No algorithm.").at("/statement/signatures/0/algorithm"), &["alice"], &bytes);
    let draft = refused(shelf, "signature.unknown-field-in-envelope", one, "CONV-015", "unexpected");
    let draft = draft.because("An unknown field beside the signatures.").flag("Ambiguity").at("/form/0");
    opened(draft, &["alice"], &[good, unknown].concat());
}

/// The scalar and the prefix that RFC 8032 makes of a seed.
fn secret(name: &str) -> (Scalar, [u8; 32]) {
    let hash = wide(&[&cast::seed(name)]);
    let mut low: [u8; 32] = *hash.first_chunk().unwrap();
    low[0] &= 248;
    low[31] = low[31] & 63 | 64;
    (Scalar::from_bytes_mod_order(low), *hash.last_chunk().unwrap())
}

fn wide(parts: &[&[u8]]) -> [u8; 64] {
    Sha512::digest(parts.concat()).into()
}

fn challenge(commitment: &[u8], key: &[u8]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&wide(&[commitment, key, &signed_bytes(TYPE, MESSAGE)]))
}

fn join(commitment: &[u8], s: &Scalar) -> [u8; 64] {
    [commitment, s.as_bytes()].concat().try_into().unwrap()
}

//! Contracts: what both sides sign, and what a broker holds an offer and its acceptance against.

mod accepts;
mod offers;
mod world;

use countersign_protocol::{
    payload::Payload,
    signed::{Signed, Statement},
};
use serde_json::json;

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};
use world::{Talk, World};

pub(super) fn fill(shelf: &mut Shelf) {
    signatures(shelf);
    offers::fill(shelf);
    accepts::fill(shelf);
}

/// The contract as the ledger keeps it: the grantor's signature, then the grantee's.
fn signatures(shelf: &mut Shelf) {
    let mut world = World::new();
    let talk = Talk::request(&mut world, "planner", "researcher", 1);
    let body = talk.body(&world);
    let both = |first: &str, second: &str| {
        let mut signed = body.sign(&cast::key(first));
        signed.add_signature(&cast::key(second));
        signed
    };
    let good = both("planner", "researcher");
    let digest = json!({ "digest": body.hash().to_string() });
    let twin = "contract.signed-by-both";
    let draft = shelf.accept("open_statement", twin).rule("CONV-030").output(digest);
    give(draft.because("planner's contract with researcher; its digest is the contract's hash."), &good);
    let forged = |position: usize| {
        let mut forged = good.clone();
        let other = both("mallory", "mallory");
        forged.signatures[position].signature = other.signatures[position].signature;
        forged
    };
    for (id, path, fault, why, signed) in [
        (
            "grantor-forged",
            "/statement/signatures/0/signature",
            "signature",
            "mallory signs in planner's name.",
            forged(0),
        ),
        (
            "grantee-forged",
            "/statement/signatures/1/signature",
            "signature",
            "mallory signs in researcher's name.",
            forged(1),
        ),
        (
            "signed-by-the-grantor-alone",
            "/statement/signatures/1",
            "signers",
            "researcher did not sign.",
            body.sign(&cast::key("planner")),
        ),
        (
            "signed-by-the-grantor-twice",
            "/statement/signatures/1",
            "signers",
            "planner signs for both.",
            both("planner", "planner"),
        ),
        (
            "signed-in-the-other-order",
            "/statement/signatures",
            "signers",
            "The grantee first.",
            both("researcher", "planner"),
        ),
        (
            "signed-by-the-domain-for-the-grantor",
            "/statement/signatures/0",
            "signers",
            "The broker delegates by itself.",
            both("capability", "researcher"),
        ),
    ] {
        let draft = shelf.reject("open_statement", &format!("contract.{id}"), twin).rule("CONV-030");
        let draft = draft.reason("SIGNATURE_INVALID").fault(fault).because(why).flag("Forgery").at(path);
        give(draft, &signed);
    }
}

fn give(draft: Draft<'_>, signed: &Signed) {
    let signers = ["planner", "researcher"].map(|name| cast::public(name).to_string());
    let statement = to_base64(&signed.to_bytes());
    draft.given(json!({}), json!({ "type": "ContractBody", "signers": signers, "statement_b64": statement }));
}

/// A move over the world's ledger.
fn give_move(draft: Draft<'_>, world: &World, now: u64, sender: &str, made: &Signed) {
    let ledger: Vec<_> = world.entries.iter().map(|entry| to_base64(entry)).collect();
    let sender = cast::instance(sender);
    let context = json!({ "time_ms": now, "sender": sender.as_str(), "ledger_b64": ledger });
    draft.given(context, json!({ "move_b64": to_base64(&made.to_bytes()) }));
}

//! Activations: without the home ledger's word a chain is not usable.

use countersign_forge::{
    biscuit::Container,
    wire::{Message, edit},
};
use countersign_protocol::{
    digest::{ChainId, Digest},
    ledger::{LeafIndex, Origin},
    payload::Payload,
    signed::{Signed, Statement},
    token::{ActivatedBy, Activation},
};
use serde_json::{Value, json};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf, token,
};

const OP: &str = "activate_token";
const GRANT: &str = "activation.grant";
const HOP: &str = "activation.contract";

pub(super) fn fill(shelf: &mut Shelf) {
    let (grant, two) = (token::grant(), token::two());
    let draft = shelf.accept(OP, GRANT).rule("CHN-022").because("A grant, activated by its leaf.");
    give(draft, &grant, &sign(&of(&grant, 107), "activation"));
    let draft = shelf.accept(OP, HOP).rule("CHN-022").because("A chain, activated by its contract's leaf.");
    give(draft, &two, &sign(&of(&two, 107), "activation"));
    signers(shelf);
    subjects(shelf);
    forms(shelf);
}

/// The activation that the home ledger would sign for the chain.
pub(super) fn of(token: &Container, leaf: u64) -> Activation {
    let verified = token.verified(&cast::key_set());
    let (activated_by, subject) = match verified.leaf().contract {
        Some(contract) => (ActivatedBy::Contract, Digest::from_bytes(contract.to_array())),
        None => (ActivatedBy::Grant, verified.grant().evidence.digest),
    };
    let domain = verified.grant().domain.clone();
    let chain_id = ChainId::from_bytes(*token.chain_ids().last().unwrap());
    let (origin, leaf) = (Origin::of(&domain), LeafIndex::new(leaf).unwrap());
    Activation { domain, chain_id, activated_by, subject, leaf, origin }
}

pub(super) fn sign(activation: &Activation, signer: &str) -> Vec<u8> {
    activation.sign(&cast::key(signer)).to_bytes()
}

fn give(draft: Draft<'_>, token: &Container, activation: &[u8]) {
    let input = json!({ "token_b64": to_base64(&token.bytes()), "activation_b64": to_base64(activation) });
    draft.given(context(), input);
}

fn context() -> Value {
    token::context()
}

fn refuse<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, rule: &str, why: &str) -> Draft<'a> {
    let draft = shelf.reject(OP, &format!("activation.{id}"), twin).rule(rule).because(why);
    draft.reason("NOT_ACTIVATED").flag("PrivilegeEscalation")
}

fn signers(shelf: &mut Shelf) {
    let two = token::two();
    let signer = "/activation/signatures/0/key";
    for (id, name, why) in [
        ("by-the-capability-key", "capability", "A key of the domain that signs something else."),
        ("by-the-checkpoint-key", "checkpoint", "A key of the domain that signs something else."),
        ("by-the-holder", "fetcher", "The holder activates its own chain."),
        ("by-the-grantor", "researcher", "The grantor activates what it offered."),
        ("by-a-key-no-longer-in-use", "activation-old", "The key of leaves before the ninetieth."),
    ] {
        let draft = refuse(shelf, id, HOP, "CHN-020", why).at(signer).resigned();
        give(draft, &two, &sign(&of(&two, 107), name));
    }
    retired(shelf);
    let draft = refuse(shelf, "forged", HOP, "CHN-020", "mallory signs in the activation key's name.");
    let mut forged = of(&two, 107).sign(&cast::key("mallory"));
    forged.signatures[0].key = cast::public("activation");
    give(draft.at("/activation/signatures/0/signature"), &two, &forged.to_bytes());
    let draft =
        refuse(shelf, "not-signed", HOP, "CHN-020", "Nobody signed it.").at("/activation/signatures/0");
    let unsigned = Signed { signatures: Vec::new(), ..of(&two, 107).sign(&cast::key("activation")) };
    give(draft, &two, &unsigned.to_bytes());
    let draft = refuse(shelf, "signed-twice", HOP, "CHN-020", "A second signature, by the checkpoint key.");
    let mut twice = of(&two, 107).sign(&cast::key("activation"));
    twice.add_signature(&cast::key("checkpoint"));
    give(draft.at("/activation/signatures/1"), &two, &twice.to_bytes());
}

/// Keys that were in use before, what they signed, and what they would like to sign.
fn retired(shelf: &mut Shelf) {
    let (old, one) = (token::old(), token::one());
    let mut accept = |id: &str, rule: &str, why: &str, token: &Container, leaf: u64, signer: &str| {
        let id = format!("activation.{id}");
        give(shelf.accept(OP, &id).rule(rule).because(why), token, &sign(&of(token, leaf), signer));
    };
    let why = "A leaf of before, by the key of before.";
    accept("early-leaf", "CHN-020", why, &old, 89, "activation-old");
    let why = "The last leaf of a capability key that is retired now.";
    accept("last-leaf-of-a-retired-key", "TOK-008", why, &old, 99, "activation");
    let why = "A hop on a grant that could not have been recorded earlier.";
    accept("first-leaf-after-a-grant", "TOK-008", why, &one, 101, "activation");
    let why = "A grant of before, handed on afterwards.";
    let handed_on = old.clone().hop(&cast::hop_terms("researcher", 1), &cast::key("planner"));
    accept("late-hop-of-an-old-grant", "TOK-008", why, &handed_on, 107, "activation");

    let why = "The key of leaves from the ninetieth on.";
    let draft = refuse(shelf, "by-a-key-not-yet-in-use", "activation.early-leaf", "CHN-020", why);
    let draft = draft.at("/activation/signatures/0/key").resigned();
    give(draft, &old, &sign(&of(&old, 89), "activation"));
    for (id, twin, why, token) in [
        (
            "grant-by-a-retired-key",
            "last-leaf-of-a-retired-key",
            "A capability key that was retired signs a grant of today.",
            &old,
        ),
        (
            "grant-by-a-later-key",
            "first-leaf-after-a-grant",
            "The capability key signed for no leaf before this one.",
            &one,
        ),
    ] {
        let draft = shelf.reject(OP, &format!("activation.{id}"), &format!("activation.{twin}"));
        let draft = draft.rule("TOK-008").because(why).reason("TOKEN_UNTRUSTED").flag("PrivilegeEscalation");
        let draft = draft.at("/activation/payload/leaf").resigned();
        give(draft, token, &sign(&of(token, 100), "activation"));
    }
}

fn subjects(shelf: &mut Shelf) {
    let two = token::two();
    let mut change = |id: &str, rule: &str, path: &str, why: &str, change: &dyn Fn(&mut Activation)| {
        let mut activation = of(&two, 107);
        change(&mut activation);
        let draft = refuse(shelf, id, HOP, rule, why).at(path).resigned();
        give(draft, &two, &sign(&activation, "activation"));
    };
    let parent = ChainId::from_bytes(two.chain_ids()[1]);
    let subject = "/activation/payload/subject";
    change(
        "of-another-domain",
        "CHN-021",
        "/activation/payload/domain",
        "Another domain's ledger.",
        &|activation| {
            activation.domain = "other.example".parse().unwrap();
        },
    );
    change(
        "of-the-parent-chain",
        "CHN-021",
        "/activation/payload/chain_id",
        "The chain above is active; this hop is an offer.",
        &|activation| {
            activation.chain_id = parent;
        },
    );
    let log = "/activation/payload/origin";
    change("of-another-log", "CHN-023", log, "A leaf of a copy of the ledger.", &|activation| {
        activation.origin = "acme.example/copy".parse().unwrap();
    });
    change("of-another-contract", "CHN-022", subject, "Another contract's leaf.", &|activation| {
        activation.subject = Digest::of(b"another contract");
    });
    change("of-the-contract-above", "CHN-022", subject, "The contract of the hop before.", &|activation| {
        activation.subject = Digest::from_bytes([1; 32]);
    });
    change(
        "by-a-grant",
        "CHN-022",
        "/activation/payload/activated_by",
        "A contract's hop activated as a grant.",
        &|activation| {
            activation.activated_by = ActivatedBy::Grant;
        },
    );
    let grant = token::grant();
    let mut activation = of(&grant, 107);
    activation.activated_by = ActivatedBy::Contract;
    let draft =
        refuse(shelf, "grant-by-a-contract", GRANT, "CHN-022", "A grant activated as a contract's hop.");
    give(draft.at("/activation/payload/activated_by").resigned(), &grant, &sign(&activation, "activation"));
    let mut activation = of(&grant, 107);
    activation.subject = Digest::of(b"another request");
    let draft =
        refuse(shelf, "of-another-grant-request", GRANT, "CHN-022", "Another request of the originator.");
    give(draft.at(subject).resigned(), &grant, &sign(&activation, "activation"));
}

fn forms(shelf: &mut Shelf) {
    let two = token::two();
    let sealed = |payload_type: &'static str, payload: Vec<u8>| {
        let mut signed = Signed { payload_type: payload_type.into(), payload, signatures: Vec::new() };
        signed.add_signature(&cast::key("activation"));
        signed.to_bytes()
    };
    let payload = of(&two, 107).to_bytes();
    let draft = refuse(shelf, "of-another-type", HOP, "CHN-020", "Signed as another kind of statement.");
    let other = sealed("application/vnd.countersign.receipt.v1", payload.clone());
    give(draft.at("/activation/payload_type").resigned(), &two, &other);
    let draft =
        refuse(shelf, "with-unknown-field", HOP, "CHN-020", "A good signature over an unknown field.");
    let unknown = edit(&payload, &[], |fields| fields.push(Message::default().varint(9, 1).done()));
    give(draft.at("/form/0").resigned(), &two, &sealed(Activation::TYPE, unknown));
}

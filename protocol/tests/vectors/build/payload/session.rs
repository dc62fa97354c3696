//! What is said in sessions.

use countersign_forge::wire::{Message, edit};
use countersign_protocol::{
    capability::Amount,
    digest::{ChainId, Digest, SessionLink, SpkiHash},
    extension::Extensions,
    ledger::LeafIndex,
    payload::Payload,
    receipt::ActionOutcome,
    session::{
        EphemeralKey, SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult, Side,
    },
    time::Lifetime,
    token::Nonce,
};

use super::{super::Shelf, OP, bad, cast, give};

fn key(byte: u8) -> EphemeralKey {
    EphemeralKey::try_from(&[byte; 32][..]).unwrap()
}

fn link() -> SessionLink {
    SessionLink::from_bytes(Digest::of(b"a link").to_array())
}

fn opening() -> Vec<u8> {
    SessionOpening {
        domain: "acme.example".parse().unwrap(),
        session_id: cast::uuid(18).parse().unwrap(),
        chain_id: ChainId::from_bytes(Digest::of(b"a chain").to_array()),
        activation_leaf: LeafIndex::new(7).unwrap(),
        caller: cast::instance("planner"),
        callee: cast::instance("files").principal().clone(),
        key: key(9),
        sign_every: 64,
        sign_within: Lifetime::from_millis(1_000),
        nonce: Nonce::try_from(&[5; 16][..]).unwrap(),
        issued: cast::at(cast::NOW),
        expires: cast::at(cast::NOW).plus(Lifetime::from_millis(30_000)),
        channel: SpkiHash::from_bytes(Digest::of(b"a channel").to_array()),
        extensions: Extensions::none(),
    }
    .to_bytes()
}

fn answer() -> Vec<u8> {
    SessionAnswer {
        domain: "acme.example".parse().unwrap(),
        session_id: cast::uuid(18).parse().unwrap(),
        opening: Digest::of(b"an opening"),
        callee: cast::instance("files"),
        key: key(8),
        answered: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
    .to_bytes()
}

fn head() -> Vec<u8> {
    SessionHead {
        domain: "acme.example".parse().unwrap(),
        session_id: cast::uuid(18).parse().unwrap(),
        side: Side::Callee,
        count: 300,
        link: link(),
        signed: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
    .to_bytes()
}

fn request() -> Vec<u8> {
    SessionRequest {
        seq: 1,
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Digest::of(b"arguments"),
        deadline: cast::at(cast::NOW),
    }
    .to_bytes()
}

fn result() -> Vec<u8> {
    SessionResult {
        number: 1,
        seq: 2,
        request: link(),
        outcome: ActionOutcome::Done,
        result: Digest::of(b"result"),
        cost: Amount::ZERO,
        finished: cast::at(cast::NOW),
    }
    .to_bytes()
}

pub(super) fn fill(shelf: &mut Shelf) {
    let all: [(&str, &str, &str, Vec<u8>); 5] = [
        ("session-opening", "SessionOpening", "The one proof of a session.", opening()),
        ("session-answer", "SessionAnswer", "The callee takes it.", answer()),
        ("session-head", "SessionHead", "Three hundred links of the callee.", head()),
        ("session-request", "SessionRequest", "The first request.", request()),
        ("session-result", "SessionResult", "A result that cost nothing, which is absent.", result()),
    ];
    for (name, message, summary, bytes) in all {
        let draft = shelf.accept(OP, &format!("payload.{name}")).rule("CONV-010").because(summary);
        give(draft, message, &bytes);
    }
    let unsigned = edit(&opening(), &[], |fields| fields[7] = Message::default().varint(8, 257).done());
    let twin = "payload.session-opening";
    let draft = bad(shelf, "payload.session-opening-hardly-signed", twin, "CONV-010", "inconsistent");
    let draft = draft.at("/value/sign_every");
    give(draft.because("More links between two heads than may be."), "SessionOpening", &unsigned);
}

//! What is signed in streams.

use countersign_forge::wire::{Message, edit};
use countersign_protocol::{
    digest::Digest,
    extension::Extensions,
    payload::Payload,
    session::Side,
    stream::{Part, StreamAccount, StreamHead, StreamSum},
};

use super::{super::Shelf, OP, bad, cast, give};

/// Two chunks of the caller's, by the rule for links.
fn sum() -> StreamSum {
    StreamSum::begin(Side::Caller, &Digest::of(b"a proof")).with(b"once").with(b"upon a time")
}

fn head() -> Vec<u8> {
    StreamHead {
        domain: "acme.example".parse().unwrap(),
        invocation_id: cast::uuid(19).parse().unwrap(),
        side: Side::Caller,
        sum: sum(),
        part: Part::Last,
        signed: cast::at(cast::NOW),
        extensions: Extensions::none(),
    }
    .to_bytes()
}

pub(super) fn fill(shelf: &mut Shelf) {
    let sent = StreamSum::begin(Side::Callee, &Digest::of(b"a proof")).with(b"");
    let account = StreamAccount { received: sum(), sent }.to_bytes();
    for (name, message, summary, bytes) in [
        ("stream-head", "StreamHead", "The last of two chunks of the caller.", head()),
        ("stream-account", "StreamAccount", "Two chunks received, and an empty last one sent.", account),
    ] {
        let draft = shelf.accept(OP, &format!("payload.{name}")).rule("CONV-010").because(summary);
        give(draft, message, &bytes);
    }
    let endless = edit(&head(), &[], |fields| fields[4] = Message::default().varint(5, 3).done());
    let draft =
        bad(shelf, "payload.stream-head-neither-last-nor-not", "payload.stream-head", "CONV-010", "value");
    give(draft.at("/value/part").because("A part is 1 or 2."), "StreamHead", &endless);
}

//! Streams: a use whose body and result are one chunk each, signed for by either side.

use countersign_protocol::{
    digest::Digest,
    key::{PublicKey, SigningKey},
    session::Side,
    signed::{Signed, Statement},
    stream::{OpenedHead, Part, StreamAccount, StreamHeads, StreamReader, StreamSum, StreamWriter},
    time::Timestamp,
    token::Proof,
};

/// What each side sends.
const CHUNK: &[u8] = b"a chunk";

/// The signature of one side over its only chunk, under that proof.
pub fn head(proof: &Signed, side: Side, key: &SigningKey, now: Timestamp) -> Signed {
    let said: Proof = proof.peek_unverified().unwrap();
    StreamWriter::new(&said, &proof.digest(), side).next(CHUNK, Part::Last, now).sign(key)
}

/// Whether that is the caller's, as its callee finds out.
pub fn is_asked(proof: &Signed, head: &Signed, key: PublicKey) -> bool {
    let said: Proof = proof.peek_unverified().unwrap();
    let mut reader = StreamReader::new(&said, &proof.digest(), Side::Caller, key);
    reader.take(CHUNK, head.clone()).is_ok()
}

/// What both sides sent, as a receipt tells it.
pub fn account(proof: &Digest) -> StreamAccount {
    let sum = |side| StreamSum::begin(side, proof).with(CHUNK);
    StreamAccount { received: sum(Side::Caller), sent: sum(Side::Callee) }
}

/// The heads that it ends with, if each is signed by that side's key.
pub fn heads(asked: &Signed, told: &Signed, [caller, callee]: [PublicKey; 2]) -> Option<StreamHeads> {
    let asked = Some(OpenedHead::open(asked.clone(), caller).ok()?);
    Some(StreamHeads { asked, told: OpenedHead::open(told.clone(), callee).ok()? })
}

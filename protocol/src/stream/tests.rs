use super::*;
use crate::{
    digest::{ChainId, Digest, SpkiHash},
    extension::Extensions,
    id::InvocationId,
    key::SigningKey,
    ledger::LeafIndex,
    limits::{STREAM_CHUNK_MAX_BYTES, STREAM_CHUNKS_MAX, STREAM_MAX_BYTES, STREAM_WINDOW},
    payload::Payload as _,
    refusal::Refusal,
    session::Side,
    signed::{Signed, Statement as _},
    time::Timestamp,
    token::{Nonce, Proof, Via},
};
use rand::{SeedableRng, rngs::StdRng};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn now() -> Timestamp {
    Timestamp::new(1_800_000_000_000).unwrap()
}

fn proof() -> Proof {
    let mut rng = StdRng::seed_from_u64(7);
    let caller = "spiffe://acme.example/agent/planner/i/01900000-0000-7000-8000-000000000001";
    Proof {
        domain: "acme.example".parse().unwrap(),
        invocation_id: InvocationId::new(now(), &mut rng),
        chain_id: ChainId::from_bytes([1; 32]),
        activation_leaf: LeafIndex::new(1).unwrap(),
        caller: caller.parse().unwrap(),
        callee: "spiffe://acme.example/agent/files".parse().unwrap(),
        action: "read".parse().unwrap(),
        resource: "file:/data".parse().unwrap(),
        arguments: Digest::of(b""),
        nonce: Nonce::new(&mut rng),
        issued: now(),
        expires: now(),
        via: Via::Stream,
        channel: SpkiHash::from_bytes([2; 32]),
        extensions: Extensions::none(),
    }
}

fn digest() -> Digest {
    Digest::of(b"proof")
}

/// Both ends of the caller's side.
fn ends() -> (StreamWriter, StreamReader) {
    let proof = proof();
    let writer = StreamWriter::new(&proof, &digest(), Side::Caller);
    (writer, StreamReader::new(&proof, &digest(), Side::Caller, key().public()))
}

fn chunk(writer: &mut StreamWriter, data: &[u8]) -> Signed {
    writer.next(data, Part::Further, now()).sign(&key())
}

fn rule<T>(taken: Result<T, Refusal>) -> Option<&'static str> {
    taken.err().map(|refusal| refusal.rule())
}

#[test]
fn chunks_are_taken_in_their_order_and_end_with_the_last() {
    let (mut writer, mut reader) = ends();
    let (one, two) = (chunk(&mut writer, b"one"), chunk(&mut writer, b"two"));
    assert_eq!(rule(reader.clone().take(b"two", two.clone())), Some("STR-014"), "the first was dropped");
    reader.take(b"one", one.clone()).unwrap();
    assert_eq!(rule(reader.clone().take(b"one", one)), Some("STR-014"), "a second time");
    assert_eq!(rule(reader.clone().take(b"twO", two.clone())), Some("STR-014"), "altered");
    reader.take(b"two", two).unwrap();
    assert!(!reader.is_over());
    let last = writer.next(b"", Part::Last, now()).sign(&key());
    assert!(reader.take(b"", last).unwrap().is_last());
    assert!(reader.is_over());
    assert_eq!((reader.sum().count, reader.sum().bytes), (3, 6));
    assert_eq!(reader.sum(), writer.sum());
    let more = chunk(&mut writer, b"more");
    assert_eq!(rule(reader.take(b"more", more)), Some("STR-010"));
}

#[test]
fn a_chunk_divided_otherwise_is_another_chunk() {
    let begin = StreamSum::begin(Side::Caller, &digest());
    assert_ne!(begin.with(b"ab").with(b"c").link, begin.with(b"a").with(b"bc").link);
    assert_ne!(begin.with(b"abc").link, begin.with(b"abc").with(b"").link);
    assert_ne!(begin, StreamSum::begin(Side::Callee, &digest()), "the other side");
    assert_ne!(begin, StreamSum::begin(Side::Caller, &Digest::of(b"another proof")));
}

#[test]
fn a_chunk_is_worth_nothing_elsewhere_or_by_another_key() {
    let (mut writer, reader) = ends();
    let head = writer.next(b"one", Part::Further, now());
    let take = |head: &StreamHead, by: &SigningKey| rule(reader.clone().take(b"one", head.sign(by)));
    assert_eq!(take(&head, &key()), None, "the twin");
    assert_eq!(take(&head, &SigningKey::from_seed(&[8; 32])), Some("STR-012"));
    let id = InvocationId::new(now(), &mut StdRng::seed_from_u64(8));
    let other = StreamHead { invocation_id: id, ..head.clone() };
    assert_eq!(take(&other, &key()), Some("STR-013"));
    let other = StreamHead { domain: "other.example".parse().unwrap(), ..head.clone() };
    assert_eq!(take(&other, &key()), Some("STR-013"));
    assert_eq!(take(&StreamHead { side: Side::Callee, ..head.clone() }, &key()), Some("STR-013"));
    let again = StreamReader::new(&proof(), &Digest::of(b"a retry's proof"), Side::Caller, key().public());
    assert_eq!(rule({ again }.take(b"one", head.sign(&key()))), Some("STR-014"), "another proof");
    let mut bent = head.sign(&key());
    bent.payload = StreamHead { part: Part::Last, ..head }.to_bytes();
    assert_eq!(rule({ reader }.take(b"one", bent)), Some("STR-012"));
}

#[test]
fn a_chunk_has_its_size() {
    let (writer, reader) = ends();
    let take = |size: usize, part: Part| {
        let data = vec![7; size];
        let head = writer.clone().next(&data, part, now()).sign(&key());
        rule(reader.clone().take(&data, head))
    };
    assert_eq!(take(STREAM_CHUNK_MAX_BYTES, Part::Further), None);
    assert_eq!(take(STREAM_CHUNK_MAX_BYTES + 1, Part::Further), Some("STR-011"));
    assert_eq!(take(STREAM_CHUNK_MAX_BYTES + 1, Part::Last), Some("STR-011"));
    assert_eq!(
        (take(0, Part::Further), take(0, Part::Last), take(1, Part::Last)),
        (Some("STR-015"), None, None)
    );
}

#[test]
fn a_side_has_so_many_chunks_and_bytes() {
    let at = |count: u64, bytes: u64| {
        let (mut writer, mut reader) = ends();
        let link = writer.sum.link;
        writer.sum = StreamSum { count: count - 1, bytes: bytes - 3, link };
        reader.sum = writer.sum.clone();
        let one = chunk(&mut writer, b"one");
        rule(reader.take(b"one", one))
    };
    assert_eq!(at(STREAM_CHUNKS_MAX, STREAM_MAX_BYTES), None);
    assert_eq!(at(STREAM_CHUNKS_MAX + 1, 100), Some("STR-016"));
    assert_eq!(at(2, STREAM_MAX_BYTES + 1), Some("STR-016"));
}

#[test]
fn a_side_sends_no_more_than_the_other_takes() {
    let mut window = StreamWindow::default();
    for _ in 0..STREAM_WINDOW {
        window.send().unwrap();
    }
    assert!(!window.has_room());
    assert_eq!(rule(window.clone().send()), Some("STR-020"));
    assert_eq!(rule(window.clone().take(STREAM_WINDOW + 1)), Some("STR-021"), "more than was sent");
    window.take(1).unwrap();
    assert_eq!(rule(window.clone().take(1)), Some("STR-021"), "nothing more");
    window.send().unwrap();
    assert_eq!(rule(window.send()), Some("STR-020"));
    assert_eq!(window.taken(), 1);
}

//! Streams: what both sides signed is what their end is recorded with, explained by and audited against.

use countersign_forge::World;
use countersign_protocol::{
    capability::Amount,
    digest::{ChainId, Digest},
    domain::{Begin, End, Entry, Event, InvocationEnded, InvocationOutcome},
    explain::Proven,
    id::InvocationId,
    key::SigningKey,
    payload::Payload,
    receipt::{OpenedReceipt, Receipt},
    refusal::{Reason, Refusal},
    session::Side,
    signed::{Signed, Statement},
    stream::{OpenedHead, Part, StreamAccount, StreamHead, StreamHeads, StreamSum, StreamWriter},
    token::{Presentation, Proof, Via},
};

use crate::{
    audit::audit,
    explain::{bundle, ledger, relogged, see_again, used, verify},
    invocation::{begin, chain, end, present, proof, receipt, request},
};

/// Begins a stream.
fn begin_stream(world: &mut World, caller: &str, chain: ChainId) -> Result<(InvocationId, Signed), Reason> {
    let id = world.invocation_id();
    let proof = Proof { via: Via::Stream, ..proof(world, caller, chain, id) };
    let signed = proof.sign(&world.agent(caller).key);
    present_stream(world, caller, chain, &signed).map(|_| (id, signed))
}

fn present_stream(world: &mut World, on: &str, chain: ChainId, proof: &Signed) -> Result<Vec<Event>, Reason> {
    let (actor, callee, request) = (world.agent(on).actor(), world.agent("files").id, request());
    let presented = Presentation { proof, request: &request, body: b"" };
    let permit = world.active(chain).permit(&presented, world.now).map_err(|refusal| refusal.reason())?;
    let begin = Begin { permit: &permit, proof, callee: Some(&callee) };
    world.decide(|state, context| state.decide_begin_stream(context, &actor, &begin))
}

/// The end of a stream; a test changes what it likes.
#[derive(Clone)]
struct Ending {
    asked: Option<(StreamHead, SigningKey)>,
    told: (StreamHead, SigningKey),
    receipt: Receipt,
}

impl Ending {
    /// Both sides sent two chunks.
    fn honest(world: &World, caller: &str, signed: &Signed) -> Self {
        let proof: Proof = signed.peek_unverified().unwrap();
        let digest = signed.digest();
        let head = |side, by: &str| {
            let mut writer = StreamWriter::new(&proof, &digest, side);
            writer.next(b"one", Part::Further, world.now);
            (writer.next(b"two", Part::Last, world.now), world.agent(by).key)
        };
        let (asked, told) = (head(Side::Caller, caller), head(Side::Callee, "files"));
        let account = StreamAccount { received: asked.0.sum.clone(), sent: told.0.sum.clone() };
        let receipt = Receipt { result: account.digest(), ..receipt(world, signed, 1) };
        Self { asked: Some(asked), told, receipt }
    }

    /// By whoever signs for it.
    fn decide(&self, world: &mut World, id: InvocationId) -> Result<Vec<Event>, Refusal> {
        let open = |(head, key): &(StreamHead, SigningKey)| OpenedHead::open(head.sign(key), key.public());
        let asked = self.asked.as_ref().map(|asked| open(asked).unwrap());
        let heads = StreamHeads { asked, told: open(&self.told).unwrap() };
        let files = world.agent("files").key;
        let receipt = OpenedReceipt::open(self.receipt.sign(&files), files.public()).unwrap();
        world.judge(|state, context| state.decide_end(context, id, &End::Streamed(&receipt, &heads)))
    }
}

/// A stream that both sides ended well.
pub(crate) fn streamed(world: &mut World, caller: &str, chain: ChainId) -> InvocationId {
    let (id, proof) = begin_stream(world, caller, chain).unwrap();
    let events = Ending::honest(world, caller, &proof).decide(world, id).unwrap();
    events.iter().for_each(|event| world.record(event));
    id
}

fn rule<T>(decided: Result<T, Refusal>) -> Option<&'static str> {
    decided.err().map(|refusal| refusal.rule())
}

#[test]
fn a_stream_ends_with_the_words_of_both_sides() {
    let (mut world, [_, _, leaf]) = chain();
    let id = streamed(&mut world, "fetcher", leaf);
    let invocation = world.state.invocation(&id).unwrap();
    assert_eq!(invocation.via, Via::Stream);
    assert!(matches!(invocation.outcome, Some((InvocationOutcome::Receipted, Some(_)))));
    let Event::InvocationEnded(ended) = &world.entries.last().unwrap().event else { panic!("no end") };
    assert!(ended.asked.is_some() && ended.told.is_some());
    assert!(audit(&world).is_clean());
}

/// One change each, with everything else as honest parties would say it.
#[test]
fn heads_that_are_not_both_sides_words_on_it_end_no_stream() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, proof) = begin_stream(&mut world, "fetcher", leaf).unwrap();
    let honest = Ending::honest(&world, "fetcher", &proof);
    let (other, mallory) = (world.invocation_id(), world.agent("mallory").key);
    let mut decide = |change: &dyn Fn(&mut Ending)| {
        let mut ending = honest.clone();
        change(&mut ending);
        rule(ending.decide(&mut world, id))
    };
    assert_eq!(decide(&|_| {}), None, "the twin");
    let told: [&dyn Fn(&mut Ending); 5] = [
        &|it| it.told.0.part = Part::Further,
        &|it| it.told.0.side = Side::Caller,
        &|it| it.told.0.invocation_id = other,
        &|it| it.told.0.domain = "other.example".parse().unwrap(),
        &|it| it.told.1 = mallory.clone(),
    ];
    assert_eq!(told.map(|change| decide(change)), [Some("STR-041"); 5]);
    fn asked(ending: &mut Ending) -> &mut (StreamHead, SigningKey) {
        ending.asked.as_mut().unwrap()
    }
    let wrong: [&dyn Fn(&mut Ending); 4] = [
        &|it| asked(it).0.side = Side::Callee,
        &|it| asked(it).0.invocation_id = other,
        &|it| asked(it).0.domain = "other.example".parse().unwrap(),
        &|it| asked(it).1 = mallory.clone(),
    ];
    assert_eq!(wrong.map(|change| decide(change)), [Some("STR-042"); 4]);
    let another: [&dyn Fn(&mut Ending); 4] = [
        &|it| it.receipt.result = Digest::of(b"content"),
        &|it| asked(it).0.sum.bytes += 1,
        &|it| it.told.0.sum.count += 1,
        &|it| it.asked = None,
    ];
    assert_eq!(another.map(|change| decide(change)), [Some("STR-043"); 4]);
    assert_eq!(decide(&|it| it.receipt.cost = Amount::new(2).unwrap()), Some("API-042"));
}

#[test]
fn a_callee_may_have_received_nothing() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, proof) = begin_stream(&mut world, "fetcher", leaf).unwrap();
    let mut ending = Ending::honest(&world, "fetcher", &proof);
    ending.asked = None;
    let received = StreamSum::begin(Side::Caller, &proof.digest());
    let account = StreamAccount { received, sent: ending.told.0.sum.clone() };
    ending.receipt.result = account.digest();
    assert_eq!(rule(ending.decide(&mut world, id)), None);
}

#[test]
fn a_stream_and_an_invocation_at_once_are_two_things() {
    let (mut world, [_, _, leaf]) = chain();
    let (stream, by_stream) = begin_stream(&mut world, "fetcher", leaf).unwrap();
    let files = world.agent("files").key;
    let bare = receipt(&world, &by_stream, 1).sign(&files);
    let opened = OpenedReceipt::open(bare.clone(), files.public()).unwrap();
    for how in [End::Receipt(&bare), End::Opened(&opened)] {
        let ended = world.judge(|state, context| state.decide_end(context, stream, &how));
        assert_eq!(rule(ended), Some("STR-044"));
    }
    let (whole, at_once) = begin(&mut world, "fetcher", leaf).unwrap();
    let heads = Ending::honest(&world, "fetcher", &at_once);
    assert_eq!(rule(heads.decide(&mut world, whole)), Some("STR-040"));
    // Neither is a retry of the other, and neither proof is for the other's way.
    let other = Proof { via: Via::Broker, ..proof(&mut world, "fetcher", leaf, stream) };
    let signed = other.sign(&world.agent("fetcher").key);
    assert_eq!(present(&mut world, "fetcher", leaf, &signed), Err(Reason::InvocationConflict));
    assert_eq!(present_stream(&mut world, "fetcher", leaf, &signed), Err(Reason::ProofInvalid));
    let id = world.invocation_id();
    for via in [Via::Stream, Via::Direct] {
        let signed = Proof { via, ..proof(&mut world, "fetcher", leaf, id) };
        let signed = signed.sign(&world.agent("fetcher").key);
        assert_eq!(present(&mut world, "fetcher", leaf, &signed), Err(Reason::ProofInvalid));
    }
}

#[test]
fn evidence_shows_what_went_each_way() {
    let (mut world, _, leaf) = used();
    let id = streamed(&mut world, "researcher", leaf);
    let explained = verify(&bundle(&world, id, leaf)).unwrap();
    assert!(explained.proven.contains(&Proven::Streamed { received: 6, sent: 6 }));
    let account = explained.end.unwrap().streamed.unwrap();
    assert_eq!((account.received.count, account.sent.count), (2, 2));
}

/// A broker that rewrites its ledger, with every proof redone, is believed in nothing that a side did not sign.
#[test]
fn a_broker_cannot_say_that_other_chunks_went_through() {
    let (mut world, _, leaf) = used();
    let id = streamed(&mut world, "researcher", leaf);
    let good = bundle(&world, id, leaf);
    let seen = |change: &dyn Fn(&mut InvocationEnded)| {
        let mut entries = ledger(&world);
        let last = entries.last_mut().unwrap();
        let Ok(Entry { time, event: Event::InvocationEnded(mut ended) }) = Entry::from_bytes(last) else {
            panic!("no end")
        };
        change(&mut ended);
        *last = Entry { time, event: Event::InvocationEnded(ended) }.to_bytes();
        see_again(&mut entries);
        rule(verify(&relogged(&good, &entries)))
    };
    assert_eq!(seen(&|_| {}), None, "the twin");
    let (files, researcher) = (world.agent("files").key, world.agent("researcher").key);
    let again = |signed: &Option<Signed>, key: &SigningKey, change: &dyn Fn(&mut StreamHead)| {
        let mut head: StreamHead = signed.as_ref().unwrap().peek_unverified().unwrap();
        change(&mut head);
        Some(head.sign(key))
    };
    let lies: [&dyn Fn(&mut InvocationEnded); 9] = [
        &|it| it.told = None,
        &|it| it.asked = None,
        &|it| (it.asked, it.told) = (None, None),
        &|it| std::mem::swap(&mut it.asked, &mut it.told),
        &|it| it.told = again(&it.told, &researcher, &|_| {}),
        &|it| it.asked = again(&it.asked, &files, &|_| {}),
        &|it| it.told = again(&it.told, &files, &|head| head.part = Part::Further),
        &|it| it.told = again(&it.told, &files, &|head| head.sum.bytes += 1),
        &|it| it.asked = again(&it.asked, &researcher, &|head| head.side = Side::Callee),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        assert_eq!(seen(lie), Some("LOG-050"), "lie {number}");
    }
}

/// Nor that there were chunks where there were none.
#[test]
fn a_broker_cannot_make_a_stream_of_anything_else() {
    let (world, id, leaf) = used();
    let good = bundle(&world, id, leaf);
    let mut entries = ledger(&world);
    let last = entries.last_mut().unwrap();
    let Ok(Entry { time, event: Event::InvocationEnded(ended) }) = Entry::from_bytes(last) else {
        panic!("no end")
    };
    let ended = InvocationEnded { told: ended.receipt.clone(), ..ended };
    *last = Entry { time, event: Event::InvocationEnded(ended) }.to_bytes();
    assert_eq!(rule(verify(&relogged(&good, &entries))), Some("LOG-050"));
}

#[test]
fn an_audit_holds_the_end_of_a_stream_against_its_heads() {
    let (mut world, _, leaf) = used();
    let (id, proof) = begin_stream(&mut world, "researcher", leaf).unwrap();
    let ending = Ending::honest(&world, "researcher", &proof);
    let events = ending.decide(&mut world, id).unwrap();
    let [Event::InvocationEnded(ended)] = &events[..] else { panic!("{events:?}") };
    let clean = |ended: InvocationEnded| {
        let mut world = world.clone();
        world.record(&Event::InvocationEnded(ended));
        audit(&world).is_clean()
    };
    assert!(clean(ended.clone()), "the twin");
    assert!(!clean(InvocationEnded { told: None, ..ended.clone() }));
    assert!(!clean(InvocationEnded { asked: None, ..ended.clone() }));
    assert!(!clean(InvocationEnded { asked: ended.told.clone(), ..ended.clone() }));
    assert!(!clean(InvocationEnded { receipt: None, ..ended.clone() }));
    let unknown = InvocationEnded { outcome: InvocationOutcome::Unknown, receipt: None, ..ended.clone() };
    assert!(!clean(unknown), "heads without a receipt");
    // An invocation at once has none.
    let (id, proof) = begin(&mut world, "researcher", leaf).unwrap();
    let signed = receipt(&world, &proof, 1).sign(&world.agent("files").key);
    let events = world.judge(|state, context| state.decide_end(context, id, &End::Receipt(&signed))).unwrap();
    let [Event::InvocationEnded(whole)] = &events[..] else { panic!("{events:?}") };
    let clean = |ended: InvocationEnded| {
        let mut world = world.clone();
        world.record(&Event::InvocationEnded(ended));
        audit(&world).is_clean()
    };
    assert!(clean(whole.clone()), "the twin");
    assert!(!clean(InvocationEnded { told: ended.told.clone(), ..whole.clone() }));
    let _ = end(&mut world, id, &End::Receipt(&signed)).unwrap();
}

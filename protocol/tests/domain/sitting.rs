//! Explaining requests of sessions: what signatures show of them, and what only the broker says.

use countersign_protocol::{
    capability::Amount,
    digest::{ChainId, Digest, SessionLink},
    domain::{Entry, Event, InvocationOutcome, SessionCause},
    explain::{Attested, Bundle, Explanation, Proven, ProvenEntry},
    id::InvocationId,
    payload::{Bounded, Payload},
    refusal::Reason,
    session::{SessionAnswer, SessionHead, SessionOpening, Side},
    signed::Statement,
};

use crate::{
    explain::{bundle, ledger, relogged, see_again, verify},
    invocation::{begin, request},
    session::Sitting,
};

/// Three requests with their results, of which both sides have signed for the first two.
fn used() -> Sitting {
    let mut sitting = Sitting::begin(10);
    for _ in 0..2 {
        sitting.ask().unwrap();
        sitting.tell(1).unwrap();
    }
    sitting.sign(Side::Caller).unwrap();
    sitting.sign(Side::Callee).unwrap();
    sitting.ask().unwrap();
    sitting.tell(1).unwrap();
    sitting
}

fn shown(sitting: &Sitting, seq: u64) -> Bundle {
    bundle(&sitting.world, InvocationId::in_session(sitting.id(), seq), sitting.chain)
}

fn explained(sitting: &Sitting, seq: u64) -> Explanation {
    verify(&shown(sitting, seq)).unwrap()
}

#[test]
fn what_both_sides_signed_for_is_proven() {
    let sitting = used();
    for seq in [1, 2] {
        let explanation = explained(&sitting, seq);
        let caller = sitting.world.agent("planner").id;
        assert!(explanation.proven.contains(&Proven::RequestedInSession(caller)), "{seq}");
        let settled = Amount::new(1).unwrap();
        assert!(explanation.proven.contains(&Proven::ResultedInSession { settled }), "{seq}");
        assert!(!explanation.attested.contains(&Attested::RequestInSession));
        assert!(!explanation.attested.contains(&Attested::ResultInSession));
        let end = explanation.end.unwrap();
        assert_eq!((end.outcome, end.result.unwrap().seq), (InvocationOutcome::InSession, seq));
        assert_eq!(explanation.session, Some(sitting.id()));
        assert_eq!(explanation.resource, request().resource);
    }
}

/// A tail that was uncovered when the session ended stays so.
#[test]
fn a_tail_that_nobody_signed_for_is_session_attested() {
    let mut sitting = used();
    sitting.end(SessionCause::CallerLeft).unwrap();
    let explanation = explained(&sitting, 3);
    assert!(explanation.attested.contains(&Attested::RequestInSession));
    assert!(explanation.attested.contains(&Attested::ResultInSession));
    assert!(!explanation.proven.iter().any(|it| matches!(it, Proven::RequestedInSession(_))));
    assert!(!explanation.proven.iter().any(|it| matches!(it, Proven::ResultedInSession { .. })));
}

#[test]
fn what_is_open_or_unknown_is_said_to_be_so_and_a_late_result_is_shown() {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    assert!(explained(&sitting, 1).attested.contains(&Attested::StillOpen));
    let id = InvocationId::in_session(sitting.id(), 1);
    let end = countersign_protocol::domain::End::Unknown;
    sitting.world.decide(|state, context| state.decide_end(context, id, &end)).unwrap();
    assert!(explained(&sitting, 1).attested.contains(&Attested::NoReceiptCame));
    sitting.tell(0).unwrap();
    sitting.sign(Side::Callee).unwrap();
    let explanation = explained(&sitting, 1);
    assert!(explanation.attested.contains(&Attested::NoReceiptCame));
    assert!(explanation.proven.contains(&Proven::ResultedInSession { settled: Amount::ZERO }));
}

/// The ledger of a broker that wrote one entry otherwise, with proofs that its own key vouches for.
fn rewritten(sitting: &Sitting, change: impl Fn(&Sitting, &mut Event)) -> Result<Explanation, Reason> {
    let mut entries = ledger(&sitting.world);
    for bytes in &mut entries {
        let Entry { time, mut event } = Entry::from_bytes(bytes).unwrap();
        change(sitting, &mut event);
        *bytes = Entry { time, event }.to_bytes();
    }
    see_again(&mut entries);
    let bundle = relogged(&shown(sitting, 1), &entries);
    bundle.verify(&countersign_forge::keys()).map_err(|refusal| refusal.reason())
}

#[test]
fn what_a_broker_writes_otherwise_than_was_said_is_not_believed() {
    type Writes = fn(&Sitting, &mut Event);
    let cases: [(&str, Writes); 19] = [
        ("an opening that the holder did not sign", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            let opening: SessionOpening = e.opening.peek_unverified().unwrap();
            e.opening = opening.sign(&s.world.agent("mallory").key);
        }),
        ("an opening for another channel", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            let mut opening: SessionOpening = e.opening.peek_unverified().unwrap();
            opening.channel = s.world.agent("mallory").spki;
            e.opening = opening.sign(&s.world.agent("planner").key);
        }),
        ("another chain", |_, e| {
            let Event::SessionOpened(e) = e else { return };
            e.chain = vec![ChainId::from_bytes([7; 32])];
        }),
        ("a longer chain", |_, e| {
            let Event::SessionOpened(e) = e else { return };
            e.chain.insert(0, ChainId::from_bytes([7; 32]));
        }),
        ("another originator", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            e.originator = s.world.agent("mallory").id.principal().clone();
        }),
        ("another callee", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            e.callee = s.world.agent("alice").id;
        }),
        ("an answer that the callee did not give", |s, e| {
            let Event::SessionAnswered(e) = e else { return };
            let answer: SessionAnswer = e.answer.peek_unverified().unwrap();
            e.answer = answer.sign(&s.world.agent("mallory").key);
        }),
        ("an answer to another opening", |s, e| {
            let Event::SessionAnswered(e) = e else { return };
            let mut answer: SessionAnswer = e.answer.peek_unverified().unwrap();
            answer.opening = Digest::of(b"another");
            e.answer = answer.sign(&s.world.agent("files").key);
        }),
        ("a request that was not made", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.request.resource = "file:/data/eu/other.csv".parse().unwrap();
        }),
        ("a request beyond the chain", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.request.resource = "file:/etc/shadow".parse().unwrap();
        }),
        ("a request of no number", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            if e.request.seq == 1 {
                e.request.seq = 0;
            }
        }),
        ("a request after its deadline", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.request.deadline = countersign_protocol::time::Timestamp::new(1).unwrap();
        }),
        ("another link before it", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.before_link = SessionLink::from_bytes([7; 32]);
        }),
        ("another reserve", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.reserved = Amount::new(2).unwrap();
        }),
        ("a result that was not given", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.result.result = Digest::of(b"another");
        }),
        ("a result for another request", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.result.request = SessionLink::from_bytes([7; 32]);
        }),
        ("a dearer result", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            (e.result.cost, e.settled) = (Amount::new(2).unwrap(), Amount::new(2).unwrap());
        }),
        ("another settlement", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.settled = Amount::ZERO;
        }),
        ("a head that nobody signed", |s, e| {
            let Event::SessionSigned(e) = e else { return };
            let head: SessionHead = e.head.peek_unverified().unwrap();
            e.head = head.sign(&s.world.agent("mallory").key);
        }),
    ];
    let sitting = used();
    rewritten(&sitting, |_, _| {}).unwrap();
    for (what, change) in cases {
        assert_eq!(rewritten(&sitting, change).map(drop), Err(Reason::BundleInvalid), "{what}");
    }
}

/// What is missing, superfluous or out of place makes a bundle worthless.
#[test]
fn a_bundle_holds_just_what_leads_to_the_heads() {
    let mut sitting = used();
    let (_, alone) = begin(&mut sitting.world, "planner", sitting.chain).unwrap();
    let alone = alone.digest();
    let honest = shown(&sitting, 1);
    let kind = |entry: &ProvenEntry| Entry::from_bytes(&entry.entry).unwrap().event.kind().name();
    let wanted = ["SessionOpened", "SessionAnswered", "SessionIntent", "SessionResulted"];
    for (at, entry) in honest.entries.iter().enumerate() {
        let name = kind(entry);
        if !wanted.contains(&name) {
            continue;
        }
        let mut entries = honest.entries.to_vec();
        entries.remove(at);
        let entries = Bounded::new(entries).unwrap();
        let without = Bundle { entries, ..honest.clone() };
        assert_eq!(verify(&without).unwrap_err().reason(), Reason::BundleInvalid, "without {name} {at}");
    }
    // An entry that is there and needed by nobody: the third request, the INTENT of another invocation.
    let other = shown(&sitting, 3);
    let intents = sitting.world.entries.iter().filter(|entry| matches!(entry.event, Event::Intent(_)));
    assert!(intents.count() == 1 && alone != Digest::of(b""));
    for more in other.entries.iter().filter(|entry| kind(entry) == "SessionIntent") {
        let mut entries = honest.entries.to_vec();
        entries.push(more.clone());
        entries.sort_by_key(|entry| entry.leaf);
        let with = Bundle { entries: Bounded::new(entries).unwrap(), ..honest.clone() };
        assert_eq!(verify(&with).unwrap_err().reason(), Reason::BundleInvalid);
    }
}

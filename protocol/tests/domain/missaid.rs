//! What a broker that lies shows of a session: entries that it wrote otherwise, left out or added.

use countersign_protocol::{
    capability::Amount,
    digest::{ChainId, Digest, SessionLink},
    domain::{End, Entry, Event, SessionPassed},
    explain::{Bundle, ProvenEntry},
    id::{InvocationId, SessionId},
    ledger::TreeSize,
    payload::{Bounded, Payload},
    session::{SessionAnswer, SessionHead, SessionOpening, Side},
    signed::Statement,
};

use crate::{
    explain::{bundle, ledger, relogged, see_again, verify},
    invocation::begin,
    session::Sitting,
    sitting::{shown, used},
};

/// One request with its result, which nobody has signed for.
fn once() -> Sitting {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    sitting.tell(1).unwrap();
    sitting
}

fn said(bundle: &Bundle) -> String {
    verify(bundle).unwrap_err().detail().to_owned()
}

/// The ledger of a broker that wrote an entry otherwise, with proofs that its own key vouches for.
fn rewritten(sitting: &Sitting, mut change: impl FnMut(&mut Event)) -> Bundle {
    let mut entries = ledger(&sitting.world);
    for bytes in &mut entries {
        let Entry { time, mut event } = Entry::from_bytes(bytes).unwrap();
        change(&mut event);
        *bytes = Entry { time, event }.to_bytes();
    }
    see_again(&mut entries);
    relogged(&shown(sitting, 1), &entries)
}

/// The ledger of a broker that wrote two entries in the other order.
fn swapped(sitting: &Sitting, one: &str, other: &str) -> Bundle {
    let at = |name: &str| sitting.world.entries.iter().position(|entry| entry.event.kind().name() == name);
    let (one, other) = (at(one).unwrap(), at(other).unwrap());
    let mut entries = sitting.world.entries.clone();
    let (before, after) = (entries[one].event.clone(), entries[other].event.clone());
    (entries[one].event, entries[other].event) = (after, before);
    for (size, entry) in (0..).zip(&mut entries) {
        if let Event::SessionIntent(intent) = &mut entry.event {
            intent.seen_size = TreeSize::new(size).unwrap();
        }
    }
    let mut entries: Vec<_> = entries.iter().map(Payload::to_bytes).collect();
    see_again(&mut entries);
    relogged(&shown(sitting, 1), &entries)
}

fn without(bundle: &Bundle, unwanted: impl Fn(&Event) -> bool) -> Bundle {
    let event = |entry: &ProvenEntry| Entry::from_bytes(&entry.entry).unwrap().event;
    let entries = bundle.entries.iter().filter(|entry| !unwanted(&event(entry))).cloned().collect();
    Bundle { entries: Bounded::new(entries).unwrap(), ..bundle.clone() }
}

fn is_head_of(side: Side) -> impl Fn(&Event) -> bool {
    move |event| match event {
        Event::SessionSigned(event) => {
            event.head.peek_unverified::<SessionHead>().is_ok_and(|head| head.side == side)
        }
        _ => false,
    }
}

#[test]
fn what_a_broker_writes_otherwise_than_was_said_is_not_believed() {
    type Writes = fn(&Sitting, &mut Event);
    let cases: [(&str, &str, Writes); 22] = [
        ("an opening that the holder did not sign", "does not belong to this holder", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            let opening: SessionOpening = e.opening.peek_unverified().unwrap();
            e.opening = opening.sign(&s.world.agent("mallory").key);
        }),
        ("an opening for another channel", "was for another channel", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            let mut opening: SessionOpening = e.opening.peek_unverified().unwrap();
            opening.channel = s.world.agent("mallory").spki;
            e.opening = opening.sign(&s.world.agent("planner").key);
        }),
        ("another chain", "names another chain", |_, e| {
            let Event::SessionOpened(e) = e else { return };
            e.chain = vec![ChainId::from_bytes([7; 32])];
        }),
        ("a longer chain", "contract of a link is missing", |_, e| {
            let Event::SessionOpened(e) = e else { return };
            e.chain.insert(0, ChainId::from_bytes([7; 32]));
        }),
        ("another originator", "names another originator", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            e.originator = s.world.agent("mallory").id.principal().clone();
        }),
        ("another callee", "went to another callee", |s, e| {
            let Event::SessionOpened(e) = e else { return };
            e.callee = s.world.agent("alice").id;
        }),
        ("an answer that the callee did not give", "session-answer.v1", |s, e| {
            let Event::SessionAnswered(e) = e else { return };
            let answer: SessionAnswer = e.answer.peek_unverified().unwrap();
            e.answer = answer.sign(&s.world.agent("mallory").key);
        }),
        ("an answer to another opening", "answered to something else", |s, e| {
            let Event::SessionAnswered(e) = e else { return };
            let mut answer: SessionAnswer = e.answer.peek_unverified().unwrap();
            answer.opening = Digest::of(b"another");
            e.answer = answer.sign(&s.world.agent("files").key);
        }),
        ("a request that was not made", "What is shown does not lead", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.request.resource = "file:/data/eu/other.csv".parse().unwrap();
        }),
        ("a request beyond the chain", "No capability of", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.request.resource = "file:/etc/shadow".parse().unwrap();
        }),
        ("a request of no number", "between what is shown is missing", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            if e.request.seq == 1 {
                e.request.seq = 0;
            }
        }),
        ("a request after its deadline", "after its deadline", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.request.deadline = countersign_protocol::time::Timestamp::new(1).unwrap();
        }),
        ("another link before it", "What is shown does not lead", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.before_link = SessionLink::from_bytes([7; 32]);
        }),
        ("another reserve", "reserved another amount", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.reserved = Amount::new(2).unwrap();
        }),
        ("a result that was not given", "What is shown does not lead", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.result.result = Digest::of(b"another");
        }),
        ("a result for another request", "for another request", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.result.request = SessionLink::from_bytes([7; 32]);
        }),
        ("a dearer result", "cost more than", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            (e.result.cost, e.settled) = (Amount::new(2).unwrap(), Amount::new(2).unwrap());
        }),
        ("another settlement", "settled another amount", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.settled = Amount::ZERO;
        }),
        ("a head that nobody signed", "session-head.v1", |s, e| {
            let Event::SessionSigned(e) = e else { return };
            let head: SessionHead = e.head.peek_unverified().unwrap();
            e.head = head.sign(&s.world.agent("mallory").key);
        }),
        ("a result of another session", "Something is of another session", |_, e| {
            let Event::SessionResulted(e) = e else { return };
            e.session_id = SessionId::first();
        }),
        ("another ledger before it", "decided on another ledger", |_, e| {
            let Event::SessionIntent(e) = e else { return };
            e.seen_size = TreeSize::new(0).unwrap();
        }),
        ("a passed request in its place", "The INTENT is missing", |_, e| {
            let Event::SessionIntent(intent) = e else { return };
            let (session_id, request) = (intent.session_id, intent.request.clone());
            let (reason, rule) = ("check_failed".parse().unwrap(), "chn-008".parse().unwrap());
            *e = Event::SessionPassed(SessionPassed { session_id, request, reason, rule });
        }),
    ];
    let sitting = used();
    verify(&rewritten(&sitting, |_| {})).unwrap();
    for (what, why, change) in cases {
        let detail = said(&rewritten(&sitting, |event| change(&sitting, event)));
        assert!(detail.contains(why), "{what}: {detail}");
    }
}

/// What is missing, superfluous or out of place makes a bundle worthless.
#[test]
fn a_bundle_holds_just_what_leads_to_the_heads() {
    let honest = shown(&used(), 1);
    type Unwanted = Box<dyn Fn(&Event) -> bool>;
    let cases: [(&str, Unwanted); 6] = [
        ("The session's opening is missing", Box::new(|event| matches!(event, Event::SessionOpened(_)))),
        ("The session's answer is missing", Box::new(|event| matches!(event, Event::SessionAnswered(_)))),
        ("The INTENT is missing", Box::new(|event| matches!(event, Event::SessionIntent(_)))),
        ("A signature is shown, and no result", Box::new(|event| matches!(event, Event::SessionResulted(_)))),
        ("Later requests are shown, and no signature", Box::new(is_head_of(Side::Caller))),
        ("Later results are shown, and no signature", Box::new(is_head_of(Side::Callee))),
    ];
    for (why, unwanted) in cases {
        let detail = said(&without(&honest, unwanted));
        assert!(detail.contains(why), "{why}: {detail}");
    }
    let shown_once = |event: &Event| matches!(event, Event::SessionIntent(it) if it.request.seq == 1);
    assert_eq!(said(&without(&honest, shown_once)), "It is another request.", "the second in its place");
}

/// Nothing is shown that is needed by nobody: a third request, an invocation beside the session.
#[test]
fn a_bundle_of_a_session_is_of_nothing_else() {
    let mut sitting = used();
    let (id, _) = begin(&mut sitting.world, "planner", sitting.chain).unwrap();
    let honest = shown(&sitting, 1);
    verify(&honest).unwrap();
    let alone = bundle(&sitting.world, id, sitting.chain);
    for (other, why) in [
        (&shown(&sitting, 3), "What is shown does not lead to what was signed."),
        (&alone, "It is a request of a session and something else."),
    ] {
        let mut entries = honest.entries.to_vec();
        let known = |leaf| honest.entries.iter().any(|entry| entry.leaf == leaf);
        let intent = |entry: &ProvenEntry| {
            let event = Entry::from_bytes(&entry.entry).unwrap().event;
            matches!(event, Event::Intent(_) | Event::SessionIntent(_))
        };
        entries.extend(other.entries.iter().filter(|it| !known(it.leaf) && intent(it)).cloned());
        assert_eq!(entries.len(), honest.entries.len() + 1, "{why}");
        entries.sort_by_key(|entry| entry.leaf);
        let with = Bundle { entries: Bounded::new(entries).unwrap(), ..honest.clone() };
        assert_eq!(said(&with), why);
    }
}

/// Entries of a session come in the order in which things were said.
#[test]
fn what_is_shown_in_another_order_is_not_believed() {
    let sitting = once();
    let used_first = said(&swapped(&sitting, "SessionAnswered", "SessionIntent"));
    assert_eq!(used_first, "It was used before it was opened and answered.");
    let answered_first = said(&swapped(&sitting, "SessionIntent", "SessionResulted"));
    assert_eq!(answered_first, "Its result came before it was permitted.");
}

/// A request and a result have numbers from one on, and are the invocation that is asked about.
#[test]
fn a_request_is_the_invocation_that_the_bundle_names() {
    let sitting = once();
    let of = |invocation_id, bundle: Bundle| said(&Bundle { invocation_id, ..bundle });
    let second = InvocationId::in_session(sitting.id(), 2);
    assert_eq!(of(second, shown(&sitting, 1)), "It is another request.");

    let unnumbered = rewritten(&sitting, |event| match event {
        Event::SessionIntent(event) => event.request.seq = 0,
        Event::SessionResulted(event) => event.result.seq = 0,
        _ => {}
    });
    assert_eq!(of(InvocationId::in_session(sitting.id(), 0), unnumbered), "It has no number.");
    let unnumbered = rewritten(&sitting, |event| {
        if let Event::SessionResulted(event) = event {
            event.result.number = 0;
        }
    });
    assert_eq!(said(&unnumbered), "It has no number.");

    let other = SessionId::first();
    let moved = rewritten(&sitting, |event| match event {
        Event::SessionIntent(event) => event.session_id = other,
        Event::SessionResulted(event) => event.session_id = other,
        _ => {}
    });
    assert_eq!(of(InvocationId::in_session(other, 1), moved), "It is of another session.");
}

#[test]
fn an_end_is_of_the_invocation_and_after_its_intent() {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    let id = InvocationId::in_session(sitting.id(), 1);
    sitting.world.decide(|state, context| state.decide_end(context, id, &End::Unknown)).unwrap();
    verify(&shown(&sitting, 1)).unwrap();
    let other = rewritten(&sitting, |event| {
        if let Event::InvocationEnded(event) = event {
            event.invocation_id = InvocationId::first();
        }
    });
    let early = swapped(&sitting, "SessionIntent", "InvocationEnded");
    for bundle in [other, early] {
        assert_eq!(said(&bundle), "It ends another invocation, or ended before it began.");
    }
}

//! What callees say in sessions, and what both sides sign there.

use countersign_forge::{Change, World, domain, rights};
use countersign_protocol::{
    capability::Amount,
    contract,
    domain::{End, Event, InvocationOutcome},
    refusal::Reason,
    session::{SessionAnswer, SessionHead, SessionResult, Side},
    signed::Statement,
};

use crate::session::{Sitting, answer, id_of, opening, present};

/// One change to a statement, who signs it, and what comes of that.
type Case<T> = (&'static str, Change<T>, &'static str, Result<(), Reason>);

/// The broker cannot answer in a callee's place, nor a callee in another's.
#[test]
fn an_answer_is_the_callees_and_for_this_opening() {
    let cases: [Case<SessionAnswer>; 7] = [
        ("as it should be", |_, _| {}, "files", Ok(())),
        ("by another", |_, _| {}, "mallory", Err(Reason::CalleeFault)),
        (
            "another domain",
            |_, a| a.domain = "other.example".parse().unwrap(),
            "files",
            Err(Reason::CalleeFault),
        ),
        ("another session", |w, a| a.session_id = id_of(w, 0), "files", Err(Reason::CalleeFault)),
        (
            "another opening",
            |_, a| a.opening = countersign_protocol::digest::Digest::of(b"another"),
            "files",
            Err(Reason::CalleeFault),
        ),
        ("another callee", |w, a| a.callee = w.agent("fetcher").id, "files", Err(Reason::CalleeFault)),
        ("a critical extension", |_, a| a.extensions = critical(), "files", Err(Reason::ExtensionUnknown)),
    ];
    for (what, change, by, outcome) in cases {
        let mut world = World::new();
        let chain = world.grant(rights(10, 3)).unwrap();
        let signed = opening(&mut world, "planner", chain).sign(&world.agent("planner").key);
        present(&mut world, "planner", chain, &signed).unwrap();
        assert_eq!(answer(&mut world, &signed, change, by).map(drop), outcome, "{what}");
        if outcome.is_ok() {
            let again = answer(&mut world, &signed, |_, _| {}, "files");
            assert_eq!(again, Err(Reason::SessionOver), "one answer");
        }
    }
}

#[test]
fn a_result_is_the_next_one_for_what_was_asked_and_within_its_reserve() {
    type Told = fn(&SessionResult) -> SessionResult;
    let cases: [(&str, Told); 5] = [
        ("out of order", |it| SessionResult { number: 2, ..it.clone() }),
        ("for nothing that was asked", |it| SessionResult { seq: 2, ..it.clone() }),
        ("for another request", |it| SessionResult { request: other_link(), ..it.clone() }),
        ("dearer", |it| SessionResult { cost: Amount::new(2).unwrap(), ..it.clone() }),
        ("of no number", |it| SessionResult { number: 0, ..it.clone() }),
    ];
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    let honest = sitting.strands.result(1, sitting.world.now);
    for (what, change) in cases {
        assert_eq!(sitting.tell_this(change(&honest)), Err(Reason::CalleeFault), "{what}");
    }
    sitting.tell_this(honest.clone()).unwrap();
    let again = SessionResult { number: 2, ..honest };
    assert_eq!(sitting.tell_this(again), Err(Reason::CalleeFault), "one result for a request");
}

/// A late result settles nothing, and is known all the same: the links after it rest on it.
#[test]
fn a_late_result_settles_nothing_and_is_recorded() {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    let id = sitting.invocation(1);
    sitting.world.decide(|state, context| state.decide_end(context, id, &End::Unknown)).unwrap();
    assert_eq!(sitting.available(), 9);
    sitting.tell(0).unwrap();
    assert_eq!(sitting.available(), 9, "what was unknown stays settled at its maximum");
    let outcome = sitting.world.state.invocation(&id).unwrap().outcome.clone().unwrap().0;
    assert_eq!(outcome, InvocationOutcome::InSession);
    let twice = SessionResult { seq: 1, ..sitting.strands.result(0, sitting.world.now) };
    assert_eq!(sitting.tell_this(twice), Err(Reason::CalleeFault));
}

#[test]
fn a_budget_that_is_used_up_in_a_session_ends_its_chain() {
    let mut sitting = Sitting::begin(1);
    sitting.ask().unwrap();
    let events = sitting.tell(1).unwrap();
    assert!(matches!(&events[1], Event::ChainClosed(closed) if closed.state == contract::State::Fulfilled));
    assert_eq!(sitting.ask(), Err(Reason::ContractNotActive));
}

/// A receipt stands for an invocation of its own, never for a request of a session.
#[test]
fn a_receipt_does_not_end_a_request_of_a_session() {
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    let files = sitting.world.agent("files");
    let invocation = sitting.invocation(1);
    let receipt = countersign_protocol::receipt::Receipt {
        domain: domain(),
        invocation_id: invocation,
        chain_id: sitting.chain,
        proof: sitting.opening.digest(),
        callee: files.id.clone(),
        outcome: countersign_protocol::receipt::ActionOutcome::Done,
        result: countersign_protocol::digest::Digest::of(b""),
        cost: Amount::new(1).unwrap(),
        finished: sitting.world.now,
        extensions: countersign_protocol::extension::Extensions::none(),
    };
    let signed = receipt.sign(&files.key);
    let ended =
        sitting.world.decide(|state, context| state.decide_end(context, invocation, &End::Receipt(&signed)));
    assert_eq!(ended, Err(Reason::CalleeFault));
}

/// A head that does not match, of another session, of the other side, by somebody else.
#[test]
fn a_head_is_over_just_what_its_side_said() {
    let cases: [Case<SessionHead>; 9] = [
        ("as it should be", |_, _| {}, "planner", Ok(())),
        ("by the callee", |_, _| {}, "files", Err(Reason::ProofInvalid)),
        ("by a stranger", |_, _| {}, "mallory", Err(Reason::ProofInvalid)),
        ("fewer links", |_, h| h.count -= 1, "planner", Err(Reason::ProofInvalid)),
        ("more links", |_, h| h.count += 1, "planner", Err(Reason::ProofInvalid)),
        (
            "another link",
            |_, h| h.link = countersign_protocol::digest::SessionLink::from_bytes([7; 32]),
            "planner",
            Err(Reason::ProofInvalid),
        ),
        ("another session", |w, h| h.session_id = id_of(w, 0), "planner", Err(Reason::ProofInvalid)),
        (
            "another domain",
            |_, h| h.domain = "other.example".parse().unwrap(),
            "planner",
            Err(Reason::ProofInvalid),
        ),
        ("the other side", |_, h| h.side = Side::Callee, "planner", Err(Reason::ProofInvalid)),
    ];
    for (what, change, by, outcome) in cases {
        let mut sitting = Sitting::begin(10);
        sitting.ask().unwrap();
        sitting.ask().unwrap();
        assert_eq!(sitting.sign_changed(Side::Caller, change, by).map(drop), outcome, "{what}");
    }
    let mut sitting = Sitting::begin(10);
    sitting.ask().unwrap();
    let extended = sitting.sign_changed(Side::Caller, |_, h| h.extensions = critical(), "planner");
    assert_eq!(extended, Err(Reason::ExtensionUnknown));
}

fn other_link() -> countersign_protocol::digest::SessionLink {
    countersign_protocol::digest::SessionLink::from_bytes([7; 32])
}

fn critical() -> countersign_protocol::extension::Extensions {
    use countersign_protocol::extension::{Criticality, Extension, Extensions};
    let id = "new".parse().unwrap();
    Extensions::new(vec![Extension { id, criticality: Criticality::Critical, bytes: vec![1] }]).unwrap()
}

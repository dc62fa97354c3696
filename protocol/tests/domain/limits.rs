//! How long, how often and how many: each bound from just outside, with its twin just inside.

use countersign_forge::{Change, Talk, World, domain, rights};
use countersign_protocol::{
    id::NegotiationId,
    limits::{NEGOTIATION_MAX_MS, OPEN_INVOCATIONS_PER_INSTANCE},
    negotiation::{Move, MoveKind},
    refusal::Reason,
    time::{Lifetime, Timestamp},
};

use crate::invocation::begin;
use crate::session::Sitting;

/// An opening that would be accepted, changed in one thing.
fn opened(change: Change<Move>) -> Result<(), Reason> {
    let mut world = World::new();
    let talk = Talk::new(&mut world, "planner", "researcher");
    // What it would send, taken from a world in which it was accepted.
    let mut elsewhere = world.clone();
    talk.request(&mut elsewhere, rights(1, 1)).unwrap();
    let sent = elsewhere.state.negotiation(&talk.id).unwrap();
    let mut made = talk.bare(&mut world, "researcher", MoveKind::Request);
    made.request = Some(countersign_protocol::negotiation::Request {
        rights: rights(1, 1),
        purpose: sent.purpose,
        deadline: sent.deadline,
        max_rounds: sent.max_rounds,
        award: None,
    });
    change(&mut world, &mut made);
    talk.send(&mut world, "researcher", &made).map(drop)
}

fn after(world: &World, millis: u64) -> Timestamp {
    world.now.plus(Lifetime::from_millis(millis))
}

/// Attack line 20: how long and how far a negotiation may go is bounded when it opens.
#[test]
fn an_opening_keeps_the_bounds_of_a_negotiation() {
    let cases: [(&str, Change<Move>, Result<(), Reason>); 10] = [
        ("as long as may be", |w, m| deadline(m, after(w, NEGOTIATION_MAX_MS)), Ok(())),
        ("more", |w, m| deadline(m, after(w, NEGOTIATION_MAX_MS + 1)), Err(Reason::LimitExceeded)),
        ("none", |w, m| deadline(m, w.now), Err(Reason::LimitExceeded)),
        ("ten rounds", |_, m| rounds(m, 10), Ok(())),
        ("eleven", |_, m| rounds(m, 11), Err(Reason::LimitExceeded)),
        ("no round", |_, m| rounds(m, 0), Err(Reason::LimitExceeded)),
        ("a fresh id", |w, m| made_before(w, m, 30_000), Ok(())),
        ("an old one", |w, m| made_before(w, m, 30_001), Err(Reason::LimitExceeded)),
        ("a move of one millisecond", |w, m| m.deadline = after(w, 1), Ok(())),
        ("a late move", |w, m| m.deadline = w.now, Err(Reason::DeadlinePassed)),
    ];
    for (what, change, outcome) in cases {
        assert_eq!(opened(change), outcome, "{what}");
    }
}

fn deadline(made: &mut Move, at: Timestamp) {
    made.request.as_mut().unwrap().deadline = at;
}

fn rounds(made: &mut Move, rounds: u32) {
    made.request.as_mut().unwrap().max_rounds = rounds;
}

/// Names it by an id made now, and sends it so much later.
fn made_before(world: &mut World, made: &mut Move, millis: u64) {
    made.negotiation_id = NegotiationId::new(world.now, &mut world.rng);
    made.transcript = countersign_protocol::negotiation::empty_transcript(&domain(), made.negotiation_id);
    world.pass(millis);
    made.deadline = after(world, 1);
    deadline(made, after(world, 1));
}

/// Attack line 16: nobody needs to have noticed yet that the time is over.
#[test]
fn a_negotiation_is_over_at_its_deadline_also_before_it_is_ended() {
    let mut world = World::new();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(1, 1)).unwrap();
    world.pass(599_999);
    assert!(talk.plain(&mut world.clone(), "planner", MoveKind::Reject).is_ok(), "the twin");
    world.pass(1);
    assert_eq!(talk.plain(&mut world, "planner", MoveKind::Reject), Err(Reason::DeadlinePassed));
}

/// Attack line 36: what one caller can make the broker hold open has a bound, and others have theirs.
#[test]
fn endless_open_invocations_are_refused() {
    let mut world = World::new();
    let first = world.grant(rights(1000, 5)).unwrap();
    let second = world.grant(rights(1000, 5)).unwrap();
    let theirs = world.contract(second, "planner", "researcher", rights(1, 4)).unwrap();
    for number in 0..OPEN_INVOCATIONS_PER_INSTANCE {
        let chain = if number < 1000 { first } else { second };
        assert!(begin(&mut world, "planner", chain).is_ok(), "{number}");
    }
    assert_eq!(begin(&mut world, "planner", second).map(drop), Err(Reason::Overloaded));
    assert!(begin(&mut world.clone(), "researcher", theirs).is_ok(), "others have their own");
    let mut sitting = Sitting::within(world, second, "planner");
    assert_eq!(sitting.ask(), Err(Reason::Overloaded), "nor in a session");
}

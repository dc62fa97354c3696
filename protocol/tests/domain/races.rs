//! Promises that cannot all be kept, and moves of which one can be first.

use countersign_forge::{Talk, World, rights};
use countersign_protocol::{
    negotiation::{MoveKind, State},
    refusal::Reason,
    signed::Statement,
    time::Lifetime,
};

/// Attack line 22: an offer reserves nothing, so there may be many; what is there is given once, to
/// whoever accepts first.
#[test]
fn one_budget_that_was_offered_to_many_is_given_once() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talks = ["researcher", "fetcher", "mallory"].map(|name| Talk::new(&mut world, "planner", name));
    for (talk, calls) in talks.iter_mut().zip([300, 300, 200]) {
        talk.request(&mut world, rights(calls, 4)).unwrap();
        talk.offer(&mut world, grant, rights(calls, 4)).unwrap();
    }
    let [first, second, third] = &talks;
    assert!(second.accept(&mut world).is_ok(), "the twin");
    assert_eq!(first.accept(&mut world), Err(Reason::BudgetExceeded));
    assert_eq!(world.state.negotiation(&first.id).unwrap().state, State::Offered, "nothing happened");
    assert!(third.accept(&mut world).is_ok(), "what is left");
    assert_eq!(world.state.chain(&grant).unwrap().account.available().get(), 0);
}

/// Attack line 21: the first in the ledger wins. Ids and deadlines, which each side chooses for itself,
/// break no tie.
#[test]
fn nothing_that_a_peer_chooses_breaks_a_tie() {
    for (accept_first, accept_lower) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = World::new();
        let grant = world.grant(rights(500, 5)).unwrap();
        let mut talk = Talk::new(&mut world, "planner", "researcher");
        talk.request(&mut world, rights(5, 4)).unwrap();
        talk.offer(&mut world, grant, rights(5, 4)).unwrap();
        let mut accept = talk.acceptance(&mut world);
        let mut withdraw = talk.bare(&mut world, "planner", MoveKind::Withdraw);
        let (lower, higher) = match accept_lower {
            true => (&mut accept, &mut withdraw),
            false => (&mut withdraw, &mut accept),
        };
        if lower.request_id > higher.request_id {
            std::mem::swap(&mut lower.request_id, &mut higher.request_id);
        }
        lower.deadline = world.now.plus(Lifetime::from_millis(1));
        let accept = accept.sign(&world.agent("researcher").key);
        let withdraw = withdraw.sign(&world.agent("planner").key);
        let (mut moves, end) = match accept_first {
            true => ([("researcher", accept), ("planner", withdraw)], State::Finalized),
            false => ([("planner", withdraw), ("researcher", accept)], State::Terminated),
        };
        let answers = moves.each_mut().map(|(by, signed)| world.submit(by, signed).map(drop));
        assert_eq!(answers, [Ok(()), Err(Reason::MoveNotAllowed)]);
        assert_eq!(world.state.negotiation(&talk.id).unwrap().state, end);
    }
}

//! One request to several delegators: one acceptance, and the end of the others with it.

use countersign_forge::{Talk, World, rights};
use countersign_protocol::{
    domain::{EndCause, Event},
    id::{AwardId, NegotiationId},
    negotiation::{Move, MoveKind, State},
    refusal::Reason,
};

use crate::invocation::chain;

pub(crate) fn award(world: &mut World) -> AwardId {
    AwardId::new(world.now, &mut world.rng)
}

/// Asks one delegator under an award.
pub(crate) fn ask(world: &mut World, who: &str, whom: &str, award: AwardId) -> (Talk, Result<(), Reason>) {
    let talk = Talk::new(world, whom, who);
    let mut wish = world.stage().wish(rights(1, 1));
    wish.award = Some(award);
    let bare = talk.bare(world, who, MoveKind::Request);
    let asked = talk.send(world, who, &Move { request: Some(wish), ..bare }).map(drop);
    (talk, asked)
}

fn state(world: &World, id: NegotiationId) -> State {
    world.state.negotiation(&id).unwrap().state
}

/// mallory asks planner, researcher and fetcher; all of them offer what they hold.
fn three() -> (World, AwardId, [Talk; 3]) {
    let (mut world, chains) = chain();
    let award = award(&mut world);
    let talks = [0, 1, 2].map(|at| {
        let (mut talk, asked) = ask(&mut world, "mallory", ["planner", "researcher", "fetcher"][at], award);
        asked.unwrap();
        talk.offer(&mut world, chains[at], rights(1, 1)).unwrap();
        talk
    });
    (world, award, talks)
}

#[test]
fn one_acceptance_ends_all_others_in_one_commit() {
    let (mut world, _, [planner, researcher, fetcher]) = three();
    let events = researcher.accept(&mut world).unwrap();
    let [Event::Moved(_), Event::ContractFinalized(made), others @ ..] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(made.negotiation_id, researcher.id);
    let ended: Vec<_> = others
        .iter()
        .map(|event| match event {
            Event::NegotiationEnded(ended) if ended.cause == EndCause::Awarded => ended.negotiation_id,
            other => panic!("{other:?}"),
        })
        .collect();
    let mut expected = [planner.id, fetcher.id];
    expected.sort();
    assert_eq!(ended, expected);
    for other in [planner, fetcher] {
        assert_eq!(state(&world, other.id), State::Terminated);
        let negotiation = world.state.negotiation(&other.id).unwrap();
        assert_eq!((negotiation.ended, negotiation.outcome), (Some(EndCause::Awarded), None));
        assert_eq!(other.accept(&mut world).map(drop), Err(Reason::MoveNotAllowed), "a second acceptance");
        let withdrawn = other.plain(&mut world, &other.grantor, MoveKind::Withdraw).map(drop);
        assert_eq!(withdrawn, Err(Reason::MoveNotAllowed));
    }
    assert_eq!(world.state.instance(&world.agent("mallory").id).unwrap().negotiating, 0);
}

/// An acceptance that is refused awards nothing.
#[test]
fn a_refused_acceptance_ends_nothing() {
    let (mut world, _, [planner, researcher, fetcher]) = three();
    let mut other = researcher.acceptance(&mut world);
    other.accept.as_mut().unwrap().contract = planner.last_offer.as_ref().unwrap().hash();
    assert_eq!(researcher.send(&mut world, "mallory", &other).map(drop), Err(Reason::AcceptMismatch));
    for talk in [&planner, &researcher, &fetcher] {
        assert_eq!(state(&world, talk.id), State::Offered);
    }
    assert!(fetcher.accept(&mut world).is_ok(), "the twin");
}

#[test]
fn nothing_more_is_asked_under_an_award_that_was_made() {
    let (mut world, award, [planner, ..]) = three();
    planner.accept(&mut world).unwrap();
    let (_, asked) = ask(&mut world, "mallory", "fetcher", award);
    assert_eq!(asked, Err(Reason::AlreadyAwarded));
    let fresh = self::award(&mut world);
    assert_eq!(ask(&mut world, "mallory", "fetcher", fresh).1, Ok(()), "the twin");
}

/// Whoever learns an award's id can neither end what another one asked for, nor learn whether it did.
#[test]
fn an_award_is_its_senders_own() {
    let (mut world, award, [planner, researcher, fetcher]) = three();
    let grant = world.state.negotiation(&planner.id).unwrap().offer.as_ref().unwrap().parent;
    world.join("guest");
    let (mut own, asked) = ask(&mut world, "guest", "planner", award);
    assert_eq!(asked, Ok(()));
    own.offer(&mut world, grant, rights(1, 1)).unwrap();
    let events = own.accept(&mut world).unwrap();
    assert_eq!(events.len(), 2, "it ends nobody else's");
    for talk in [&planner, &researcher, &fetcher] {
        assert_eq!(state(&world, talk.id), State::Offered);
    }
    assert!(researcher.accept(&mut world).is_ok(), "and awards nothing to them");
}

/// What had ended keeps its end, and an award is forgotten with its last negotiation.
#[test]
fn an_award_ends_what_is_open_and_is_forgotten_with_it() {
    let (mut world, award, [planner, researcher, fetcher]) = three();
    planner.plain(&mut world, "planner", MoveKind::Withdraw).unwrap();
    assert_eq!(researcher.accept(&mut world).unwrap().len(), 3);
    assert_eq!(world.state.negotiation(&planner.id).unwrap().ended, None);
    assert_eq!(state(&world, fetcher.id), State::Terminated);
    let mallory = world.agent("mallory").id;
    assert_eq!(world.state.asked_for(&mallory, award).count(), 3);
    world.pass(600_000);
    world.stay("planner");
    assert_eq!(world.state.asked_for(&mallory, award).count(), 0);
    let (_, late) = ask(&mut world, "mallory", "planner", award);
    assert_eq!(late, Err(Reason::LimitExceeded), "its id is too old to be used again");
}

/// An id's time has 48 bits, of which those after the year 9999 are no time.
#[test]
fn an_award_is_of_a_time() {
    let (mut world, _) = chain();
    let mut bytes = award(&mut world).as_bytes().to_vec();
    bytes[..6].fill(0xff);
    let (_, asked) = ask(&mut world, "mallory", "planner", AwardId::try_from(&bytes[..]).unwrap());
    assert_eq!(asked, Err(Reason::LimitExceeded));
}

//! What a domain forgets, so that no peer's ids fill it, and what does not come back with that.

use countersign_protocol::{
    domain::Event,
    extension::Extensions,
    ledger::LeafIndex,
    negotiation::{Move, MoveKind, Request},
    refusal::Reason,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
};

use countersign_forge::{Talk, World, domain, rights};

/// What is too old is forgotten with the next entry.
fn go_on(world: &mut World, millis: u64) {
    world.pass(millis);
    world.stay("mallory");
}

fn revocation(world: &mut World) -> (RevokeRequest, Signed) {
    let chain = world.grant(rights(1, 1)).unwrap();
    let (alice, request_id) = (world.agent("alice"), world.request_id());
    let request = RevokeRequest {
        domain: domain(),
        sender: alice.id,
        chain: Some(chain),
        instance: None,
        chains: 1,
        request_id,
        issued: world.now,
        extensions: Extensions::none(),
    };
    let signed = request.sign(&alice.key);
    (request, signed)
}

/// Attack line 36: the ids of revocations are a peer's to choose.
#[test]
fn a_revocation_is_remembered_for_as_long_as_it_could_come_again() {
    let mut world = World::new();
    let (request, signed) = revocation(&mut world);
    let alice = world.agent("alice").actor();
    let send = |world: &mut World| {
        world
            .decide(|state, context| state.decide_revoke(context, &alice, &signed))
            .map(|events| events.len())
    };
    assert_eq!(send(&mut world), Ok(1));
    go_on(&mut world, 30_000);
    assert_eq!(send(&mut world), Ok(0), "the twin: its reply may have been lost");
    assert!(world.state.revocation(&request.request_id).is_some());
    go_on(&mut world, 1);
    assert_eq!(world.state.revocation(&request.request_id), None);
    assert_eq!(send(&mut world), Err(Reason::StatementStale), "too old to be a second one");
}

/// Attack line 36: so are the ids of negotiations.
#[test]
fn an_ended_negotiation_is_forgotten_when_no_retry_can_ask_for_it() {
    let mut world = World::new();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let reject = talk.bare(&mut world, "planner", MoveKind::Reject).sign(&world.agent("planner").key);
    assert_eq!(world.submit("planner", &reject).map(|events| events.len()), Ok(1));
    world.pass(500_000);
    let open = Talk::new(&mut world, "planner", "mallory");
    open.request(&mut world, rights(1, 1)).unwrap();

    go_on(&mut world, 99_999);
    assert!(world.state.negotiation(&talk.id).is_some());
    assert_eq!(world.submit("planner", &reject), Ok(vec![]), "the twin: its reply may have been lost");
    go_on(&mut world, 1);
    assert!(world.state.negotiation(&talk.id).is_none());
    assert!(world.state.negotiation(&open.id).is_some(), "an open one is not forgotten");
    assert_eq!(world.submit("planner", &reject), Err(Reason::NegotiationUnknown));
    let changed: Vec<_> = world.state.negotiations_changed_from(LeafIndex::ZERO).map(|(id, _)| *id).collect();
    assert_eq!(changed, [open.id]);

    // Its id tells its time, and no other negotiation is opened under it.
    let again = |world: &mut World, talk: &Talk| {
        let mut made: Move = talk.bare(world, "researcher", MoveKind::Request);
        let deadline = made.deadline;
        let purpose = countersign_protocol::digest::Digest::of(b"again");
        made.request = Some(Request { rights: rights(1, 1), purpose, deadline, max_rounds: 5, award: None });
        talk.send(world, "researcher", &made)
    };
    assert_eq!(again(&mut world, &talk), Err(Reason::LimitExceeded));
    let fresh = Talk::new(&mut world, "planner", "researcher");
    assert!(matches!(again(&mut world, &fresh).as_deref(), Ok([Event::Moved(_)])), "the twin");
}

/// What came of it stays: only the talk is forgotten.
#[test]
fn a_contract_outlives_its_negotiation() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(2, 4)).unwrap();
    talk.offer(&mut world, grant, rights(2, 4)).unwrap();
    talk.accept(&mut world).unwrap();
    let leaf = world.state.negotiation(&talk.id).unwrap().outcome.unwrap();
    go_on(&mut world, 600_000);
    assert!(world.state.negotiation(&talk.id).is_none());
    world.stay("files");
    assert_eq!(crate::invocation::begin(&mut world, "researcher", leaf).map(|_| ()), Ok(()));
}

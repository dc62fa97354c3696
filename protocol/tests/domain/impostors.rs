//! Statements in another's name, and under an id that stands for something else already.

use countersign_forge::{Agent, Change, Talk, World, domain, principal, rights};
use countersign_protocol::{
    capability::Request,
    digest::{Digest, SpkiHash},
    domain::Event,
    extension::Extensions,
    grant::GrantRequest,
    id::{GrantId, InstanceUuid},
    name::{InstanceId, PrincipalId},
    negotiation::{self, MoveKind},
    refusal::Reason,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    time::Lifetime,
};

use crate::invocation::{begin, chain, present_request, proof_of, request};

fn grant_request(world: &mut World) -> GrantRequest {
    GrantRequest {
        domain: domain(),
        grant_id: GrantId::new(world.now, &mut world.rng),
        originator: world.agent("alice").id,
        holder: world.agent("planner").id,
        rights: rights(500, 5),
        issued: world.now,
        extensions: Extensions::none(),
    }
}

fn ask(world: &mut World, by: &Agent, request: &GrantRequest) -> Result<usize, Reason> {
    let signed = request.sign(&by.key);
    let decided = world.decide(|state, context| state.decide_grant(context, &by.actor(), &signed));
    decided.map(|events| events.len())
}

/// planner asks in alice's name: the rule would give it what alice may give.
#[test]
fn a_grant_is_asked_for_in_ones_own_name_and_once() {
    let mut world = World::new();
    let (alice, planner) = (world.agent("alice"), world.agent("planner"));
    let asked = grant_request(&mut world);
    assert_eq!(ask(&mut world, &planner, &asked), Err(Reason::ChannelMismatch));
    assert_eq!(ask(&mut world, &alice, &asked), Ok(1), "the twin");
    assert_eq!(ask(&mut world, &alice, &asked), Ok(0), "its reply may have been lost");
    let other = GrantRequest { rights: rights(1, 1), ..asked };
    assert_eq!(ask(&mut world, &alice, &other), Err(Reason::IdAlreadyUsed), "other rights under its id");
}

/// What no rule of the operator allows is not granted, however little it is.
#[test]
fn a_grant_stays_within_a_rule() {
    let mut world = World::new();
    let alice = world.agent("alice");
    let cases: [(&str, Change<GrantRequest>); 4] = [
        ("to whom", |w, r| r.holder = w.agent("researcher").id),
        ("how much", |_, r| r.rights = rights(1001, 5)),
        ("how far", |_, r| r.rights = rights(500, 7)),
        ("how long", |_, r| r.rights.not_after = r.issued.plus(Lifetime::from_millis(86_400_001))),
    ];
    for (what, change) in cases {
        let mut asked = grant_request(&mut world);
        change(&mut world, &mut asked);
        assert_eq!(ask(&mut world, &alice, &asked), Err(Reason::GrantNotAllowed), "{what}");
        // Attack line 24: what the rules are is not told, whoever asks.
        let (signed, actor) = (asked.sign(&alice.key), alice.actor());
        let refusal = world.judge(|state, context| state.decide_grant(context, &actor, &signed)).unwrap_err();
        assert_eq!(refusal.detail(), format!("It is for {}.", asked.holder.principal()), "{what}");
    }
    let mut asked = grant_request(&mut world);
    asked.rights.not_after = asked.issued.plus(Lifetime::from_millis(86_400_000));
    assert_eq!(ask(&mut world, &alice, &asked), Ok(1), "the twin");
}

fn revoke(world: &mut World, by: &Agent, request: &RevokeRequest) -> Result<usize, Reason> {
    let signed: Signed = request.sign(&by.key);
    let decided = world.decide(|state, context| state.decide_revoke(context, &by.actor(), &signed));
    decided.map(|events| events.len())
}

/// Attack line 29: a right for a process that was cut off, or never let in.
#[test]
fn a_grant_is_for_a_live_instance() {
    let mut world = World::new();
    let (alice, root, planner) = (world.agent("alice"), world.agent("root"), world.agent("planner"));
    let mut asked = grant_request(&mut world);
    assert_eq!(ask(&mut world.clone(), &alice, &asked), Ok(1), "the twin");
    let request_id = world.request_id();
    let cut_off = RevokeRequest {
        domain: domain(),
        sender: root.id.clone(),
        chain: None,
        instance: Some(planner.id),
        chains: 0,
        request_id,
        issued: world.now,
        extensions: Extensions::none(),
    };
    assert_eq!(revoke(&mut world, &root, &cut_off), Ok(1));
    assert_eq!(ask(&mut world, &alice, &asked), Err(Reason::InstanceUnknown), "revoked");
    asked.holder = stranger(&mut world, "planner");
    assert_eq!(ask(&mut world, &alice, &asked), Err(Reason::InstanceUnknown), "never admitted");
}

/// An instance that nobody has admitted.
fn stranger(world: &mut World, name: &str) -> InstanceId {
    principal(name).instance(InstanceUuid::new(world.now, &mut world.rng))
}

/// fetcher revokes in researcher's name; and one request is one revocation.
#[test]
fn a_revocation_is_asked_for_in_ones_own_name_and_once() {
    let (mut world, [_, _, leaf]) = chain();
    let (researcher, fetcher) = (world.agent("researcher"), world.agent("fetcher"));
    let request_id = world.request_id();
    let asked = RevokeRequest {
        domain: domain(),
        sender: researcher.id.clone(),
        chain: Some(leaf),
        instance: None,
        chains: 1,
        request_id,
        issued: world.now,
        extensions: Extensions::none(),
    };
    assert_eq!(revoke(&mut world, &fetcher, &asked), Err(Reason::ChannelMismatch));
    assert_eq!(revoke(&mut world, &researcher, &asked), Ok(1), "the twin");
    assert_eq!(revoke(&mut world, &researcher, &asked), Ok(0), "its reply may have been lost");
    let other = RevokeRequest { chains: 0, ..asked };
    assert_eq!(revoke(&mut world, &researcher, &other), Err(Reason::IdAlreadyUsed));
    let request_id = world.request_id();
    let nobody = stranger(&mut world, "guest");
    let absent = RevokeRequest { request_id, chain: None, instance: Some(nobody), ..other };
    assert_eq!(revoke(&mut world, &researcher, &absent), Err(Reason::NotFound));
}

/// A certificate over another key, and one for an instance that was never admitted.
#[test]
fn a_channel_is_that_of_the_admitted_instance() {
    let mut world = World::new();
    let asked = grant_request(&mut world);
    let mut copied = world.agent("alice");
    copied.spki = SpkiHash::from_bytes([4; 32]);
    assert_eq!(ask(&mut world, &copied, &asked), Err(Reason::ChannelMismatch));
    let mut unknown = world.agent("alice");
    unknown.id = stranger(&mut world, "alice");
    assert_eq!(ask(&mut world, &unknown, &asked), Err(Reason::InstanceUnknown));
    let alice = world.agent("alice");
    assert_eq!(ask(&mut world, &alice, &asked), Ok(1), "the twin");
}

/// Whoever is certified under the broker's name is believed to be the broker: not even an admin can
/// let anyone in under it.
#[test]
fn nobody_joins_under_the_brokers_name() {
    let mut world = World::new();
    let root = world.agent("root").actor();
    let mut issue = |who: PrincipalId| {
        let (secret, expires) = (Digest::of(b"secret"), world.now.plus(Lifetime::from_millis(60_000)));
        let issued = world
            .decide(|state, context| state.decide_join_token(context, Some(&root), secret, &who, expires));
        issued.map(|events| matches!(events[..], [Event::JoinTokenIssued(_)]))
    };
    assert_eq!(issue(domain().broker()), Err(Reason::IdAlreadyUsed));
    assert_eq!(issue(principal("files")), Ok(true), "the twin");
}

/// Attack line 8: the id of an invocation that was allowed, for another resource.
#[test]
fn an_invocation_id_stands_for_one_request() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    let again = |world: &mut World, request: &Request| {
        let signed = proof_of(world, "fetcher", leaf, id, request).sign(&world.agent("fetcher").key);
        present_request(world, "fetcher", leaf, &signed, request).map(|events| events.len())
    };
    let other = Request { resource: "file:/data/eu/q4.csv".parse().unwrap(), ..request() };
    assert_eq!(again(&mut world, &other), Err(Reason::InvocationConflict));
    assert_eq!(again(&mut world, &request()), Ok(0), "the twin: a retry");
}

/// Attack line 24: an opening under the id of somebody else's negotiation is refused, and learns of it
/// only if it would have been accepted otherwise.
#[test]
fn a_negotiation_cannot_be_opened_over_anothers() {
    let mut world = World::new();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let over = Talk { grantee: "mallory".into(), last_offer: None, grantor: "planner".into(), id: talk.id };
    let mut made = Talk::new(&mut world, "planner", "mallory").bare(&mut world, "mallory", MoveKind::Request);
    made.negotiation_id = over.id;
    made.transcript = negotiation::empty_transcript(&domain(), over.id);
    let deadline = world.now.plus(Lifetime::from_millis(600_000));
    let purpose = Digest::of(b"why");
    let opening = |max_rounds| negotiation::Request {
        rights: rights(1, 1),
        purpose,
        deadline,
        max_rounds,
        award: None,
    };
    made.request = Some(opening(11));
    assert_eq!(over.send(&mut world, "mallory", &made), Err(Reason::LimitExceeded), "as if there were none");
    made.request = Some(opening(5));
    assert_eq!(over.send(&mut world, "mallory", &made), Err(Reason::IdAlreadyUsed));
    assert!(talk.plain(&mut world, "planner", MoveKind::Reject).is_ok(), "the twin: it goes on as it was");
}

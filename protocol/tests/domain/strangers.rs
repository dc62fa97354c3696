//! What everyone is held to alike: the clock, unknown critical extensions, and what a stranger is told.

use countersign_forge::{START_MS, Talk, World, configuration, domain, keys, rights};
use countersign_protocol::{
    capability::Amount,
    domain::{Decision, End, State},
    extension::{Criticality, Extension, Extensions},
    grant::GrantRequest,
    id::GrantId,
    identity::RenewStatement,
    negotiation::{Move, MoveKind, Request},
    receipt::Receipt,
    refusal::{Reason, Refusal, Viewer},
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    time::Timestamp,
    token::Proof,
};

use crate::invocation::{begin, chain, proof, receipt, request};

/// The refusal itself, which the other tests have no need of.
fn refused(
    world: &World,
    decide: impl Fn(&State, &countersign_protocol::domain::Context<'_>) -> Decision,
) -> Refusal {
    let mut refusal = None;
    let _ = world.clone().decide(|state, context| {
        let decided = decide(state, context);
        refusal = decided.as_ref().err().cloned();
        decided
    });
    refusal.unwrap()
}

fn revocation(world: &mut World, by: &str, chain: countersign_protocol::digest::ChainId) -> Signed {
    let request_id = world.request_id();
    let request = RevokeRequest {
        domain: domain(),
        sender: world.agent(by).id,
        chain: Some(chain),
        instance: None,
        chains: 1,
        request_id,
        issued: world.now,
        extensions: Extensions::none(),
    };
    request.sign(&world.agent(by).key)
}

/// Attack line 24: whether a thing is absent or another's, a stranger is told the same.
#[test]
fn a_stranger_cannot_tell_absent_from_forbidden() {
    let (mut world, [_, _, leaf]) = chain();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let absent = Talk::new(&mut world, "planner", "researcher");
    let mallory = world.agent("mallory");
    let actor = mallory.actor();

    let no_chain = countersign_protocol::digest::ChainId::from_bytes([7; 32]);
    let [there, not_there] = [leaf, no_chain].map(|chain| {
        let signed = revocation(&mut world, "mallory", chain);
        refused(&world, |state, context| state.decide_revoke(context, &actor, &signed))
    });
    assert_ne!(there.reason(), not_there.reason(), "an operator can tell");
    assert_eq!(there.view(Viewer::Stranger), not_there.view(Viewer::Stranger));

    let moves = [&talk, &absent].map(|talk| {
        let made = talk.bare(&mut world, "mallory", MoveKind::Withdraw).sign(&mallory.key);
        refused(&world, |state, context| state.decide_move(context, &actor, &made))
    });
    assert_ne!(moves[0].reason(), moves[1].reason(), "an operator can tell");
    assert_eq!(moves[0].view(Viewer::Stranger), moves[1].view(Viewer::Stranger));
}

/// A rule's number says what was wrong: two faults that share a reason are two rules.
#[test]
fn each_rule_has_one_meaning() {
    let mut world = World::new();
    let talk = Talk::new(&mut world, "planner", "researcher");
    let opening = |world: &mut World, max_rounds| {
        let mut made = talk.bare(world, "researcher", MoveKind::Request);
        let (purpose, deadline) = (countersign_protocol::digest::Digest::of(b"why"), made.deadline);
        made.request = Some(Request { rights: rights(1, 1), purpose, deadline, max_rounds, award: None });
        made
    };
    let rule = |world: &World, by: &str, made: &Move| {
        let agent = world.agent(by);
        let signed = made.sign(&agent.key);
        let refusal = refused(world, |state, context| state.decide_move(context, &agent.actor(), &signed));
        (refusal.rule(), refusal.reason())
    };
    let endless = opening(&mut world, 11);
    assert_eq!(rule(&world, "researcher", &endless), ("NEG-023", Reason::LimitExceeded));
    let good = opening(&mut world, 1);
    talk.send(&mut world, "researcher", &good).unwrap();
    let strange = talk.bare(&mut world, "mallory", MoveKind::Reject);
    assert_eq!(rule(&world, "mallory", &strange), ("NEG-002", Reason::NotAParty));
    let mut elsewhere = talk.bare(&mut world, "planner", MoveKind::Reject);
    elsewhere.audience = world.agent("mallory").id.principal().clone();
    assert_eq!(rule(&world, "planner", &elsewhere), ("NEG-024", Reason::NotAParty));

    let second = refused(&world, |state, context| state.decide_keys(context, &keys()));
    assert_eq!((second.rule(), second.reason()), ("LOG-001", Reason::IdAlreadyUsed));
}

fn critical() -> Extensions {
    let extension =
        Extension { id: "later".parse().unwrap(), criticality: Criticality::Critical, bytes: vec![1] };
    Extensions::new(vec![extension]).unwrap()
}

/// Attack line 19: what a reader does not know and must, it refuses, whoever signed it.
#[test]
fn an_unknown_critical_extension_is_refused_in_every_statement() {
    let (mut world, [grant, _, leaf]) = chain();
    let agent = |name: &str| world.agent(name);
    let (alice, planner, fetcher, files) =
        (agent("alice"), agent("planner"), agent("fetcher"), agent("files"));
    let reason = Reason::ExtensionUnknown;

    let asked = GrantRequest {
        domain: domain(),
        grant_id: GrantId::new(world.now, &mut world.rng),
        originator: alice.id.clone(),
        holder: planner.id.clone(),
        rights: rights(1, 1),
        issued: world.now,
        extensions: critical(),
    };
    let signed = asked.sign(&alice.key);
    let decided = world.decide(|state, context| state.decide_grant(context, &alice.actor(), &signed));
    assert_eq!(decided, Err(reason), "grant request");

    let renewal = RenewStatement {
        domain: domain(),
        instance: planner.id.clone(),
        spki: planner.spki,
        configuration: configuration(),
        generation: 1,
        issued: world.now,
        extensions: critical(),
    };
    let signed = renewal.sign(&planner.key);
    let decided = world.decide(|state, context| state.decide_renew(context, &planner.actor(), &signed));
    assert_eq!(decided, Err(reason), "renewal");

    let mut talk = Talk::new(&mut world, "planner", "mallory");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let made = Move { extensions: critical(), ..talk.bare(&mut world, "planner", MoveKind::Reject) };
    assert_eq!(talk.send(&mut world, "planner", &made), Err(reason), "move");
    let mut body = talk.body(&mut world, grant, rights(1, 1));
    body.extensions = critical();
    assert_eq!(talk.offer_body(&mut world, &body), Err(reason), "contract");

    let request_id = world.request_id();
    let revocation = RevokeRequest {
        domain: domain(),
        sender: alice.id.clone(),
        chain: Some(leaf),
        instance: None,
        chains: 1,
        request_id,
        issued: world.now,
        extensions: critical(),
    };
    let signed = revocation.sign(&alice.key);
    let decided = world.decide(|state, context| state.decide_revoke(context, &alice.actor(), &signed));
    assert_eq!(decided, Err(reason), "revocation");

    let id = world.invocation_id();
    let used = Proof { extensions: critical(), ..proof(&mut world, "fetcher", leaf, id) }.sign(&fetcher.key);
    let presented =
        countersign_protocol::token::Presentation { proof: &used, request: &request(), body: b"" };
    let permit = world.active(leaf).permit(&presented, world.now);
    assert_eq!(permit.unwrap_err().reason(), reason, "proof");

    let (id, proof) = begin(&mut world, "fetcher", leaf).unwrap();
    let done = Receipt { extensions: critical(), ..receipt(&world, &proof, 1) }.sign(&files.key);
    let decided = world.decide(|state, context| state.decide_end(context, id, &End::Receipt(&done)));
    assert_eq!(decided, Err(reason), "receipt");
    assert_eq!(world.state.chain(&leaf).unwrap().account.balance().settled, Amount::ZERO);
}

/// Attack line 16: a broker whose clock is behind its ledger decides nothing at all.
#[test]
fn a_clock_that_went_back_decides_nothing() {
    let (mut world, [_, _, leaf]) = chain();
    world.pass(1);
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    let alice = world.agent("alice").actor();
    let signed = revocation(&mut world, "alice", leaf);
    world.now = Timestamp::new(START_MS).unwrap();
    let any = Refusal::new("CHN-030", Reason::Revoked, "");
    let who = alice.instance.principal().clone();
    let secret = countersign_protocol::digest::Digest::of(b"secret");
    let attested = countersign_protocol::domain::Attested {
        attestor: "any".parse().unwrap(),
        evidence: secret,
        spki: alice.spki,
    };
    type Decide<'a> = Box<dyn Fn(&State, &countersign_protocol::domain::Context<'_>) -> Decision + 'a>;
    let decisions: Vec<Decide<'_>> = vec![
        Box::new(|state, context| state.decide_keys(context, &keys())),
        Box::new(|state, context| state.decide_join_token(context, None, secret, &who, context.now)),
        Box::new(|state, context| state.decide_join(context, &signed, &attested)),
        Box::new(|state, context| state.decide_renew(context, &alice, &signed)),
        Box::new(|state, context| state.decide_grant(context, &alice, &signed)),
        Box::new(|state, context| state.decide_move(context, &alice, &signed)),
        Box::new(|state, context| state.decide_revoke(context, &alice, &signed)),
        Box::new(|state, context| state.decide_end(context, id, &End::Cancelled)),
        Box::new(|state, context| state.decide_tick(context)),
        Box::new(|state, context| state.decide_denied(context, &alice, &any, None, None, 0)),
    ];
    for (number, decide) in decisions.iter().enumerate() {
        let refusal = refused(&world, decide);
        assert_eq!(
            (refusal.rule(), refusal.reason()),
            ("TIM-003", Reason::ClockWentBack),
            "decision {number}"
        );
    }
    assert_eq!(begin(&mut world, "fetcher", leaf).map(|_| ()), Err(Reason::ClockWentBack));
    world.pass(1);
    assert!(begin(&mut world, "fetcher", leaf).is_ok(), "the twin: as late as the last entry");
}

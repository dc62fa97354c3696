//! How sessions end: by time, by too many refusals, by a side that leaves, by the ledger.

use countersign_forge::session::session_answer;
use countersign_protocol::{
    capability::Request,
    domain::InvocationOutcome,
    limits::{DENIES_PER_MINUTE, SESSION_HEAD_GRACE_MS},
    payload::Payload,
    signed::{Signed, Statement},
};
use countersign_wire::v1::{OpenSessionRequest, ServedSession};

use super::{
    sessions::{answer, first, hear, serve, sitting, tell, wanted},
    world::{World, refused, rights, until},
};

/// Whoever signs too late for what it said has no session any more: a caller for its requests, a callee for
/// its results.
#[tokio::test]
async fn a_head_that_is_overdue_ends_the_session() {
    // The forge's sessions are signed within ten seconds.
    let overdue = 10_000 + SESSION_HEAD_GRACE_MS + 1;
    let (world, _, mut callee, mut caller) = sitting(4).await;
    caller.ask_for(&wanted(), 60_000).await;
    hear(&mut callee).await;
    world.pass(overdue);
    assert_eq!(caller.end().await.as_deref(), Some("DEADLINE_PASSED"));

    let (world, _, mut callee, mut caller) = sitting(4).await;
    let asked = caller.ask_for(&wanted(), 60_000).await;
    hear(&mut callee).await;
    caller.sign().await;
    answer(&callee, &mut caller, &asked, b"content").await;
    caller.next().await.unwrap();
    world.pass(overdue);
    assert_eq!(caller.end().await.as_deref(), Some("CALLEE_FAULT"));
}

#[tokio::test]
async fn whoever_has_more_refused_than_may_be_recorded_has_no_session() {
    let (_, _, _callee, mut caller) = sitting(4).await;
    let wide = Request { resource: "file:/etc/shadow".parse().unwrap(), ..wanted() };
    for seq in 1..=u64::from(DENIES_PER_MINUTE) {
        caller.ask_for(&wide, 20_000).await;
        assert_eq!(caller.next().await.unwrap().refusal.unwrap().seq, seq);
    }
    caller.ask_for(&wide, 20_000).await;
    assert_eq!(caller.end().await.as_deref(), Some("OVERLOADED"));
}

#[tokio::test]
async fn a_callee_that_leaves_ends_the_session() {
    let (_, _, mut callee, mut caller) = sitting(4).await;
    caller.ask().await;
    hear(&mut callee).await;
    tell(&callee, caller.strands.id, ServedSession { leave: true, ..Default::default() }).await;
    assert_eq!(caller.end().await.as_deref(), Some("CALLEE_UNAVAILABLE"));
    assert_eq!(caller.outcome(1), Some(InvocationOutcome::Unknown), "it had that one");
}

#[tokio::test]
async fn a_session_ends_with_the_ledger() {
    let (world, _, _callee, mut caller) = sitting(4).await;
    world.store.fail();
    caller.ask().await;
    assert_eq!(caller.end().await.as_deref(), Some("LEDGER_UNAVAILABLE"));
}

#[tokio::test]
async fn an_opening_that_cannot_be_read_is_refused() {
    let world = World::new().await;
    let chain = world.grant(rights(5, 5)).await;
    let (message, signed, _) = first(&world, chain);
    let mut other = signed;
    other.payload = b"something else".to_vec();
    for opening in [vec![], vec![1], other.to_bytes()] {
        let message = OpenSessionRequest { opening, ..message.clone() };
        let opened =
            world.mediation.0.open_session(world.agent("planner").actor(), tokio_stream::iter([Ok(message)]));
        assert_eq!(refused(opened.await), "PAYLOAD_MALFORMED");
    }
}

/// What was permitted before the callee's instance was revoked is not forwarded to it after.
#[tokio::test]
async fn nothing_is_forwarded_in_a_session_to_a_revoked_callee() {
    let (world, _, mut callee, mut caller) = sitting(4).await;
    world.store.hold();
    caller.ask().await;
    until(|| world.look(|state| state.open_invocations().count() == 1)).await;
    let revoking = {
        let (world, signed) = (world.clone(), world.instance_revocation("root", "files"));
        tokio::spawn(async move {
            let actor = world.agent("root").actor();
            world.decide(|state, context| state.decide_revoke(context, &actor, &signed)).await.unwrap();
        })
    };
    until(|| world.look(|state| state.epoch() == 1)).await;
    world.store.let_go();
    revoking.await.unwrap();
    assert_eq!(caller.end().await.as_deref(), Some("CALLEE_UNAVAILABLE"));
    assert_eq!(caller.outcome(1), Some(InvocationOutcome::Cancelled));
    callee.end().await.unwrap();
}

/// What is decided is ended, also where its caller hangs up before it is durable.
#[tokio::test]
async fn a_session_whose_caller_hangs_up_while_it_opens_ends() {
    let world = World::new().await;
    let chain = world.grant(rights(5, 5)).await;
    let mut callee = serve(&world, 4, 4).await.unwrap();
    let (message, ..) = first(&world, chain);
    world.store.hold();
    let opening = {
        let world = world.clone();
        tokio::spawn(async move {
            let actor = world.agent("planner").actor();
            world.mediation.0.open_session(actor, tokio_stream::iter([Ok(message)])).await.map(drop)
        })
    };
    until(|| world.look(|state| state.open_sessions().count() == 1)).await;
    opening.abort();
    world.store.let_go();
    let offered = hear(&mut callee).await;
    let id = offered.session_id.parse().unwrap();
    let signed = Signed::from_bytes(&offered.opening).unwrap();
    let answer = world.say(|stage| session_answer(stage.rng, stage.now, &callee.agent, &signed));
    let answer = answer.sign(&callee.agent.key).to_bytes();
    tell(&callee, id, ServedSession { answer, ..Default::default() }).await;
    until(|| world.look(|state| state.open_sessions().count() == 0)).await;
    assert!(hear(&mut callee).await.over);
}

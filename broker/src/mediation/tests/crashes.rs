//! A ledger that cannot be written, and a broker that stops in between.

use std::time::Duration;

use countersign_protocol::{domain::InvocationOutcome, time::Timestamp};

use super::world::{START_MS, World, refused, rights, until};
use crate::mediation::settle_unknown;

#[tokio::test]
async fn nothing_is_forwarded_before_its_intent_is_durable() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    world.store.hold();
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    callee.hears_nothing().await;
    world.store.let_go();
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    assert!(sending.await.unwrap().is_ok());
}

#[tokio::test]
async fn nothing_is_forwarded_where_its_intent_cannot_be_written() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    world.store.fail();
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "LEDGER_UNAVAILABLE");
    callee.hears_nothing().await;
    assert!(world.mediation.0.open.all().is_empty());
}

#[tokio::test]
async fn nothing_is_answered_before_its_result_is_durable() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let id = call.proof.invocation_id;
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    world.store.hold();
    callee.done(&asked, b"content").await;
    until(|| world.look(|state| state.invocation(&id).unwrap().ended.is_some())).await;
    let retry = world.sending("fetcher", &world.again(&call));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!sending.is_finished() && !retry.is_finished());
    world.store.let_go();
    assert_eq!(sending.await.unwrap().unwrap(), retry.await.unwrap().unwrap());
}

/// A clock that is behind for a moment decides nothing; the result is recorded when it is right again.
#[tokio::test]
async fn a_result_waits_for_a_clock_that_went_back() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    world.pass(10);
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    let now = world.now();
    world.clock.set(Timestamp::new(START_MS).unwrap());
    callee.done(&asked, b"content").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!sending.is_finished());
    world.clock.set(now);
    assert_eq!(sending.await.unwrap().unwrap().body, b"content");
}

#[tokio::test]
async fn a_result_that_cannot_be_written_is_withheld() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    let retry = world.sending("fetcher", &world.again(&call));
    callee.hears_nothing().await;
    world.store.fail();
    callee.done(&asked, b"content").await;
    assert_eq!(refused(sending.await.unwrap()), "LEDGER_UNAVAILABLE");
    assert_eq!(refused(retry.await.unwrap()), "LEDGER_UNAVAILABLE");
    assert_eq!(refused(world.send("fetcher", &world.again(&call)).await), "LEDGER_UNAVAILABLE");
}

#[tokio::test]
async fn an_intent_that_a_crash_left_open_ends_as_unknown_and_costs_its_reserve() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let id = call.proof.invocation_id;
    let _sending = world.sending("fetcher", &call);
    callee.next().await;

    let restarted = world.restarted().await;
    let early = restarted.send("fetcher", &restarted.again(&call)).await;
    assert_eq!(refused(early), "DEADLINE_EXCEEDED", "nobody here will hear of its end");
    assert_eq!(settle_unknown(&restarted.domain).await, Ok(1));
    assert_eq!(settle_unknown(&restarted.domain).await, Ok(0));
    let known = restarted.look(|state| state.invocation(&id).unwrap().clone());
    assert_eq!(known.outcome, Some((InvocationOutcome::Unknown, None)));
    assert_eq!(restarted.available(leaf), 9);
    let mut asked = restarted.willing("files", 4).await;
    assert_eq!(refused(restarted.send("fetcher", &restarted.again(&call)).await), "OUTCOME_UNKNOWN");
    assert!(asked.try_recv().is_err(), "it is not done again");
    let fresh = restarted.call("fetcher", leaf);
    assert!(restarted.send("fetcher", &fresh).await.is_ok(), "the twin");
}

#[tokio::test]
async fn many_that_a_crash_left_open_all_end() {
    let (world, [_, first, _]) = World::with_chain().await;
    let leaf = world.contract(first, "researcher", "mallory", rights(80, 1)).await.unwrap();
    let _stuck = world.serve("files", 100).await;
    let sending: Vec<_> = (0..80).map(|_| world.sending("mallory", &world.call("mallory", leaf))).collect();
    until(|| world.available(leaf) == 0).await;
    world.domain.read(|_, _| Ok(())).await.unwrap();

    let restarted = world.restarted().await;
    assert_eq!(settle_unknown(&restarted.domain).await, Ok(80));
    let chain = restarted.look(|state| state.chain(&leaf).unwrap().clone());
    assert_eq!(chain.state.name(), "FULFILLED", "the budget is used up");
    drop(sending);
}

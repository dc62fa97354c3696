//! Calls that work, their retries, and their deadlines.

use countersign_protocol::{
    capability::{Argument, Arguments, Value},
    domain::InvocationOutcome,
    limits::{BODY_MAX_BYTES, RESULT_RETENTION_MS},
    payload::Payload,
    receipt::Receipt,
    signed::Signed,
};
use countersign_wire::v1::InvokeResponse;
use tonic::Status;

use super::world::{World, reason, refused, rights, until};
use crate::mediation::RECEIPT_TRAILER;

#[tokio::test]
async fn an_invocation_goes_to_the_callee_and_its_receipt_comes_back() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);

    let asked = callee.next().await;
    let message = call.message();
    assert_eq!(asked.invocation_id, call.proof.invocation_id.to_string());
    assert_eq!((&asked.token, &asked.proof), (&message.token, &message.proof));
    callee.done(&asked, b"content").await;

    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.body, b"content");
    let receipt: Receipt =
        Signed::from_bytes(&response.receipt).unwrap().open(&[callee.agent.key.public()]).unwrap();
    assert_eq!(receipt.invocation_id, call.proof.invocation_id);
    let known = world.look(|state| state.invocation(&call.proof.invocation_id).unwrap().clone());
    assert_eq!(response.intent_leaf, known.intent.get());
    assert_eq!(Some(response.result_leaf), known.ended.map(|leaf| leaf.get()));
    assert_eq!(world.available(leaf), 9);
}

#[tokio::test]
async fn the_callee_gets_an_activation_that_it_can_verify() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    world.send("fetcher", &world.call("fetcher", leaf)).await.unwrap();
    let asked = asked.recv().await.unwrap();
    let keys = world.look(|state| state.keys().unwrap().clone());
    let signed = Signed::from_bytes(&asked.activation).unwrap();
    let activation = countersign_protocol::token::Activation::open(&signed, &keys).unwrap();
    assert_eq!(activation.chain_id, leaf);
}

#[tokio::test]
async fn arguments_and_body_reach_the_callee() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    let mut call = world.call("fetcher", leaf);
    let argument = Argument { name: "lines".parse().unwrap(), value: Value::Int(12) };
    let arguments = Arguments::new(vec![argument]).unwrap();
    call.body = vec![7; BODY_MAX_BYTES];
    call.proof.arguments = arguments.digest(&call.body);
    call.arguments = arguments.to_bytes();
    world.send("fetcher", &call).await.unwrap();
    let asked = asked.recv().await.unwrap();
    assert_eq!(Arguments::from_bytes(&asked.arguments), Ok(arguments));
    assert_eq!(asked.body.len(), BODY_MAX_BYTES);
}

#[tokio::test]
async fn a_retry_gets_the_same_answer_and_is_done_once() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    let first = world.send("fetcher", &call).await.unwrap();
    let second = world.send("fetcher", &world.again(&call)).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(world.available(leaf), 9);
    asked.recv().await.unwrap();
    assert!(asked.try_recv().is_err(), "the callee was asked once");
}

#[tokio::test]
async fn a_retry_needs_no_callee() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    let first = sending.await.unwrap().unwrap();
    drop(callee);
    assert_eq!(world.send("fetcher", &world.again(&call)).await.unwrap(), first);
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "CALLEE_UNAVAILABLE");
}

#[tokio::test]
async fn a_retry_waits_for_what_is_under_way() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 1).await;
    let call = world.call("fetcher", leaf);
    let first = world.sending("fetcher", &call);
    let asked = callee.next().await;
    let second = world.sending("fetcher", &world.again(&call));
    callee.hears_nothing().await;
    assert!(!second.is_finished());
    callee.done(&asked, b"content").await;
    assert_eq!(first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
}

/// An attempt that finds the invocation under way leaves it as it is.
#[tokio::test]
async fn many_retries_wait_for_the_first() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 8).await;
    let call = world.call("fetcher", leaf);
    let first = world.sending("fetcher", &call);
    let asked = callee.next().await;
    let impatient = world.again(&call);
    let status = world.send_for("fetcher", &impatient, Some(0)).await;
    assert_eq!(refused(status), "DEADLINE_EXCEEDED");
    let retries = [0, 1, 2].map(|_| world.sending("fetcher", &world.again(&call)));
    callee.hears_nothing().await;
    assert!(retries.iter().all(|retry| !retry.is_finished()));
    callee.done(&asked, b"content").await;
    let answer = first.await.unwrap().unwrap();
    for retry in retries {
        assert_eq!(retry.await.unwrap().unwrap(), answer);
    }
    assert!(world.mediation.0.open.all().is_empty());
}

#[tokio::test]
async fn a_retry_after_the_last_call_of_a_budget_still_gets_its_answer() {
    let (world, [_, first, _]) = World::with_chain().await;
    let leaf = world.contract(first, "researcher", "mallory", rights(1, 1)).await.unwrap();
    let _asked = world.willing("files", 4).await;
    let call = world.call("mallory", leaf);
    let answer = world.send("mallory", &call).await.unwrap();
    assert_eq!(world.send("mallory", &world.again(&call)).await.unwrap(), answer);
    assert_eq!(refused(world.send("mallory", &world.call("mallory", leaf)).await), "CONTRACT_NOT_ACTIVE");
}

fn receipt_in(status: &Status) -> Signed {
    let trailer = status.metadata().get_bin(RECEIPT_TRAILER).unwrap();
    Signed::from_bytes(&trailer.to_bytes().unwrap()).unwrap()
}

/// The body is gone with the process; the receipt is in the ledger.
#[tokio::test]
async fn a_retry_without_a_kept_body_gets_the_receipt() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    let first: InvokeResponse = world.send("fetcher", &call).await.unwrap();
    let restarted = world.restarted().await;
    let status = restarted.send("fetcher", &restarted.again(&call)).await.unwrap_err();
    assert_eq!(reason(&status), "RESULT_NOT_RETAINED");
    assert_eq!(receipt_in(&status).to_bytes(), first.receipt);
}

#[tokio::test]
async fn an_id_does_not_outlive_its_memory() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    world.send("fetcher", &call).await.unwrap();
    world.pass(RESULT_RETENTION_MS - 1);
    world.send("fetcher", &world.again(&call)).await.unwrap();
    world.pass(1);
    world.send("fetcher", &world.call("fetcher", leaf)).await.unwrap();
    assert_eq!(refused(world.send("fetcher", &world.again(&call)).await), "INVOCATION_ID_STALE");
    assert!(asked.recv().await.is_some() && asked.recv().await.is_some());
    assert!(asked.try_recv().is_err(), "it was not done again");
}

#[tokio::test]
async fn the_same_id_for_another_request_is_a_conflict() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    world.send("fetcher", &call).await.unwrap();
    let mut other = world.again(&call);
    other.proof.resource = "file:/data/eu/q4.csv".parse().unwrap();
    assert_eq!(refused(world.send("fetcher", &other).await), "INVOCATION_CONFLICT");
}

#[tokio::test]
async fn a_callee_that_is_silent_costs_its_caller_the_reserve_and_no_more_time_than_it_gave() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = {
        let (world, call) = (world.clone(), call.clone());
        tokio::spawn(async move { world.send_for("fetcher", &call, Some(1_000)).await })
    };
    let asked = callee.next().await;
    assert_eq!(asked.deadline_ms, world.now().as_millis() + 1_000);
    world.pass(999);
    tokio::task::yield_now().await;
    assert!(!sending.is_finished());
    world.pass(1);
    assert_eq!(refused(sending.await.unwrap()), "DEADLINE_EXCEEDED");
    assert_eq!(world.available(leaf), 9);
    // What comes too late changes nothing, and a retry learns what is known.
    callee.done(&asked, b"content").await;
    assert_eq!(refused(world.send("fetcher", &world.again(&call)).await), "OUTCOME_UNKNOWN");
}

#[tokio::test]
async fn a_call_that_no_callee_took_in_time_is_cancelled_and_costs_nothing() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    world.pass(30_000);
    assert_eq!(refused(sending.await.unwrap()), "INVOCATION_CANCELLED");
    assert_eq!(world.available(leaf), 10);
    callee.hears_nothing().await;
    assert_eq!(refused(world.send("fetcher", &world.again(&call)).await), "INVOCATION_CANCELLED");
}

/// The callee takes it at the very moment at which its time, or its proof's, is over.
#[tokio::test]
async fn what_is_taken_too_late_is_not_forwarded() {
    for (patience, passes, refusal) in [
        (30_000, 29_999, None),
        (30_000, 30_000, Some("INVOCATION_CANCELLED")),
        (60_000, 44_999, None),
        (60_000, 45_000, Some("PROOF_EXPIRED")),
    ] {
        let (world, [_, _, leaf]) = World::with_chain().await;
        let mut callee = world.serve("files", 4).await;
        let sending = {
            let (world, call) = (world.clone(), world.call("fetcher", leaf));
            tokio::spawn(async move { world.send_for("fetcher", &call, Some(patience)).await })
        };
        until(|| world.mediation.mediator().queued() == 1).await;
        world.pass(passes);
        // Before the task that watches the deadline has had its turn.
        let taken = callee.take_now().await;
        assert_eq!(taken.is_none(), refusal.is_some(), "after {passes} ms");
        match (taken, refusal) {
            (Some(asked), _) => {
                callee.done(&asked, b"content").await;
                assert!(sending.await.unwrap().is_ok());
            }
            (None, refusal) => assert_eq!(Some(&*refused(sending.await.unwrap())), refusal),
        }
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_no_intent_without_its_result() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let id = call.proof.invocation_id;
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    callee.done(&asked, b"content").await;
    let outcome =
        |world: &World| world.look(|state| state.invocation(&id).unwrap().outcome.clone().map(|(it, _)| it));
    until(|| outcome(&world) == Some(InvocationOutcome::Receipted)).await;
    // It asks again, and gets what it did not wait for.
    assert_eq!(world.send("fetcher", &world.again(&call)).await.unwrap().body, b"content");
}

#[tokio::test]
async fn what_its_caller_gave_up_before_it_was_forwarded_is_not_forwarded() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let id = call.proof.invocation_id;
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&id).is_some())).await;
    sending.abort();
    let ended = || world.look(|state| state.invocation(&id).unwrap().outcome.clone());
    until(|| matches!(ended(), Some((InvocationOutcome::Cancelled, None)))).await;
    callee.hears_nothing().await;
    assert_eq!(world.available(leaf), 10);
}

#[tokio::test]
async fn a_request_for_another_domain_is_refused() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    let mut message = call.message();
    message.trust_domain = "other.example".into();
    let actor = world.agent("fetcher").actor();
    assert_eq!(refused(world.mediation.0.invoke(actor.clone(), message, None, None).await), "WRONG_DOMAIN");
    assert!(world.mediation.0.invoke(actor, call.message(), None, None).await.is_ok(), "the twin");
}

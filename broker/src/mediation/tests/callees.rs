//! Callees that lie, are silent, leave, or are too many.

use std::time::Duration;

use countersign_protocol::{
    capability::Amount,
    digest::Digest,
    domain::InvocationOutcome,
    extension::{Criticality, Extension, Extensions},
    id::{InstanceUuid, InvocationId},
    limits::{BODY_MAX_BYTES, EXTENSION_MAX_BYTES},
    payload::Payload,
    receipt::Receipt,
    signed::Statement,
    time::Timestamp,
};
use countersign_wire::v1::{Answer, ServeRequest};
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    super::{callee::Takes, callees::Callees},
    world::{START_MS, World, principal, reason, refused, until},
};
use crate::limits::{
    CALLEE_CAPACITY_MAX, CALLEE_STREAMS_PER_INSTANCE, CALLEE_WAITING_KIB, SERVE_HELLO_MAX, UNANSWERED_MAX,
    WAITING_KIB,
};

/// Has the callee answer with a receipt that is changed in one place. What the caller is told, and
/// what is left of a budget of ten.
async fn answered(change: impl FnOnce(&World, &mut Receipt), signer: &str, body: &[u8]) -> (String, u64) {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    let mut receipt = callee.receipt(&asked, b"content");
    change(&world, &mut receipt);
    let key = &world.agent(signer).key;
    let before = world.look(|state| state.tree().size().get());
    callee.answer(&asked, receipt.sign(key).to_bytes(), body).await;
    let outcome = sending.await.unwrap();
    let after = world.look(|state| state.tree().size().get());
    assert_eq!(after, before + 1, "the RESULT and nothing else: {outcome:?}");
    (outcome.map_or_else(|status| reason(&status), |_| "done".into()), world.available(leaf))
}

#[tokio::test]
async fn a_receipt_is_the_callees_own_word_about_this_invocation() {
    let fault = ("CALLEE_FAULT".to_owned(), 9);
    let free = |receipt: &mut Receipt| receipt.cost = Amount::ZERO;
    assert_eq!(answered(|_, receipt| free(receipt), "files", b"content").await, ("done".into(), 10));
    assert_eq!(answered(|_, receipt| free(receipt), "mallory", b"content").await, fault, "another key");
    assert_eq!(answered(|_, receipt| free(receipt), "files", b"other").await, fault, "another body");
    let dear = |_: &World, receipt: &mut Receipt| receipt.cost = Amount::new(2).unwrap();
    assert_eq!(answered(dear, "files", b"content").await, fault, "more than was reserved");
    let proof = |_: &World, receipt: &mut Receipt| receipt.proof = Digest::of(b"another");
    assert_eq!(answered(proof, "files", b"content").await, fault);
    let callee = |world: &World, receipt: &mut Receipt| receipt.callee = world.agent("mallory").id.clone();
    assert_eq!(answered(callee, "files", b"content").await, fault);
    let other: InvocationId = "01900000-0000-7000-8000-000000000001".parse().unwrap();
    let invocation = |_: &World, receipt: &mut Receipt| receipt.invocation_id = other;
    assert_eq!(answered(invocation, "files", b"content").await, fault);
}

/// Attack line 30: whatever is wrong with a receipt is the callee's fault. Its caller is not told that
/// it asked for something wrong, the ledger does not say that it was denied, and it costs what was
/// reserved.
#[tokio::test]
async fn a_receipt_that_cannot_be_taken_is_no_denial_of_its_caller() {
    let carrying = |criticality, bytes: usize| {
        move |_: &World, receipt: &mut Receipt| {
            receipt.cost = Amount::ZERO;
            let extension = Extension { id: "later".parse().unwrap(), criticality, bytes: vec![1; bytes] };
            receipt.extensions = Extensions::new(vec![extension]).unwrap();
        }
    };
    let fault = ("CALLEE_FAULT".to_owned(), 9);
    let unknown = carrying(Criticality::Critical, EXTENSION_MAX_BYTES);
    assert_eq!(answered(unknown, "files", b"content").await, fault, "critical and unknown");
    let small = carrying(Criticality::Ignorable, EXTENSION_MAX_BYTES);
    assert_eq!(answered(small, "files", b"content").await, ("done".into(), 10), "the twin");
}

/// Attack line 36: what a callee makes the broker keep has a bound, whatever it signs.
#[tokio::test]
async fn an_answers_body_has_a_bound() {
    let sized = async |bytes| {
        let body = vec![0; bytes];
        let vouched = |_: &World, receipt: &mut Receipt| receipt.result = Digest::of(&body);
        answered(vouched, "files", &body).await.0
    };
    assert_eq!(sized(BODY_MAX_BYTES).await, "done", "the twin");
    assert_eq!(sized(BODY_MAX_BYTES + 1).await, "CALLEE_FAULT");
}

#[tokio::test]
async fn an_answer_that_is_no_receipt_is_a_fault() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    callee.answer(&asked, b"done, believe me".to_vec(), b"content").await;
    assert_eq!(refused(sending.await.unwrap()), "CALLEE_FAULT");
    let outcome = world.look(|state| state.invocation(&call.proof.invocation_id).unwrap().outcome.clone());
    assert_eq!(outcome, Some((InvocationOutcome::Unknown, None)));
    assert_eq!(refused(world.send("fetcher", &world.again(&call)).await), "OUTCOME_UNKNOWN");
}

/// It can answer only what it was given itself.
#[tokio::test]
async fn a_callee_cannot_answer_for_another() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let thief = world.serve("mallory", 4).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    thief.done(&asked, b"forged").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!sending.is_finished());
    callee.done(&asked, b"content").await;
    assert_eq!(sending.await.unwrap().unwrap().body, b"content");
}

#[tokio::test]
async fn a_second_answer_changes_nothing() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    callee.done(&asked, b"other").await;
    assert_eq!(sending.await.unwrap().unwrap().body, b"content");
    assert_eq!(world.send("fetcher", &world.again(&call)).await.unwrap().body, b"content");
}

#[tokio::test]
async fn what_a_callee_had_when_it_left_is_unknown() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    callee.next().await;
    drop(callee);
    assert_eq!(refused(sending.await.unwrap()), "OUTCOME_UNKNOWN");
    assert_eq!(world.available(leaf), 9, "it costs what was reserved");
}

#[tokio::test]
async fn what_a_callee_had_not_taken_when_it_left_is_cancelled() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    drop(callee);
    assert_eq!(refused(sending.await.unwrap()), "INVOCATION_CANCELLED");
    assert_eq!(world.available(leaf), 10);
}

#[tokio::test]
async fn a_callee_that_says_no_more_cannot_answer_and_is_gone() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    callee.next().await;
    let (silence, _) = mpsc::channel(1);
    callee.say = silence;
    assert_eq!(refused(sending.await.unwrap()), "OUTCOME_UNKNOWN");
    assert_eq!(reason(&callee.end().await.unwrap()), "CALLEE_UNAVAILABLE");
}

#[tokio::test]
async fn a_callee_gets_no_more_than_it_takes_at_once() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 2).await;
    let first = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    let second = world.sending("fetcher", &world.call("fetcher", leaf));
    let _ = callee.next().await;
    let third = world.call("fetcher", leaf);
    assert_eq!(refused(world.send("fetcher", &third).await), "CALLEE_UNAVAILABLE");
    assert!(world.look(|state| state.invocation(&third.proof.invocation_id).is_none()), "no INTENT");
    callee.done(&asked, b"content").await;
    first.await.unwrap().unwrap();
    // The same id, as the refusal says; now there is a place.
    let third = world.sending("fetcher", &world.again(&third));
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    third.await.unwrap().unwrap();
    assert!(!second.is_finished());
}

/// A place is given back by an answer, and not by a deadline: otherwise a callee that hangs would be
/// given more and more.
#[tokio::test]
async fn a_callee_that_hangs_is_given_no_more() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 1).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    world.pass(30_000);
    assert_eq!(refused(sending.await.unwrap()), "DEADLINE_EXCEEDED");
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "CALLEE_UNAVAILABLE");
    callee.done(&asked, b"late").await;
    let (again, call) = (world.clone(), world.call("fetcher", leaf));
    until(|| again.mediation.0.callees.reserve(&call.proof.callee, 1, again.now()).is_some()).await;
    let sending = world.sending("fetcher", &call);
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    assert!(sending.await.unwrap().is_ok());
}

/// One that answers nothing to what it refuses is not left without places.
#[tokio::test]
async fn a_place_comes_back_some_time_after_the_deadline() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 1).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    callee.next().await;
    world.pass(30_000);
    assert_eq!(refused(sending.await.unwrap()), "DEADLINE_EXCEEDED");
    world.pass(UNANSWERED_MAX.as_millis() - 1);
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "CALLEE_UNAVAILABLE");
    world.pass(1);
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    assert!(sending.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_callee_that_leaves_before_the_intent_is_durable_is_asked_nothing() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let callee = world.serve("files", 4).await;
    world.store.hold();
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    drop(callee);
    world.store.let_go();
    assert_eq!(refused(sending.await.unwrap()), "INVOCATION_CANCELLED");
    assert_eq!(world.available(leaf), 10);
}

#[tokio::test]
async fn a_callee_that_does_not_read_delays_nobody_else() {
    let (mut world, [_, _, leaf]) = World::with_chain().await;
    world.join("files2", "files").await;
    let stuck = world.serve("files", 2).await;
    // Two calls wait at the one that does not read.
    let waiting = [0, 1].map(|_| world.sending("fetcher", &world.call("fetcher", leaf)));
    until(|| world.available(leaf) == 8).await;
    let _asked = world.willing("files2", 4).await;
    for _ in 0..4 {
        world.send("fetcher", &world.call("fetcher", leaf)).await.unwrap();
    }
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    drop(stuck);
    for waiting in waiting {
        assert_eq!(refused(waiting.await.unwrap()), "INVOCATION_CANCELLED");
    }
}

#[tokio::test]
async fn what_waits_for_one_callee_is_bounded_in_bytes() {
    let (world, [_, first, _]) = World::with_chain().await;
    let leaf = world.contract(first, "researcher", "mallory", super::world::rights(50, 1)).await.unwrap();
    let _stuck = world.serve("files", 100).await;
    let mut call = world.call("mallory", leaf);
    let arguments = countersign_protocol::capability::Arguments::new(vec![]).unwrap();
    call.body = vec![7; 1024 * 1024];
    call.proof.arguments = arguments.digest(&call.body);
    let mut waiting = Vec::new();
    loop {
        let fresh = world.call("mallory", leaf);
        let (body, digest) = (call.body.clone(), call.proof.arguments);
        call = fresh;
        (call.body, call.proof.arguments) = (body, digest);
        let sending = world.sending("mallory", &call);
        until(|| {
            sending.is_finished() || world.look(|state| state.invocation(&call.proof.invocation_id).is_some())
        })
        .await;
        if sending.is_finished() {
            assert_eq!(refused(sending.await.unwrap()), "CALLEE_UNAVAILABLE");
            break;
        }
        waiting.push(sending);
    }
    assert_eq!(waiting.len(), 17, "18 MiB, and each call is a little more than one");
}

/// Counted in permits, so that nothing of that size has to wait here.
#[test]
fn what_waits_for_all_callees_is_bounded_too() {
    let (callees, files, now) = (Callees::new(), principal("files"), Timestamp::new(START_MS).unwrap());
    let takes = Takes { capacity: 1, sessions: 0, streams: 0 };
    let (each, all) = (CALLEE_WAITING_KIB as u32, WAITING_KIB as u32);
    let mut rng = StdRng::seed_from_u64(7);
    let mut reserve = |kib: u32| {
        // Each has one stream with places enough, and the one with the most of them is asked.
        callees.add(&files.instance(InstanceUuid::new(now, &mut rng)), takes).unwrap();
        callees.reserve(&files, kib, now).map(|(_, place, room)| (place, room))
    };
    assert!(reserve(each + 1).is_none(), "no callee has as much");
    let mut held: Vec<_> = (0..all / each).map(|_| reserve(each).unwrap()).collect();
    assert!(reserve(all % each + 1).is_none(), "a kilobyte more than is left");
    held.push(reserve(all % each).unwrap());
    assert!(reserve(1).is_none(), "nothing is left");
    held.pop();
    assert!(reserve(1).is_some(), "the twin");
}

#[tokio::test]
async fn a_newer_stream_takes_over_and_the_older_one_finishes_what_it_has() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut old = world.serve("files", 4).await;
    let first = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = old.next().await;
    let mut new = world.serve("files", 4).await;
    let second = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked_new = new.next().await;
    old.done(&asked, b"old").await;
    new.done(&asked_new, b"new").await;
    assert_eq!(first.await.unwrap().unwrap().body, b"old");
    assert_eq!(second.await.unwrap().unwrap().body, b"new");
    // And when the new one goes, the old one is there again.
    drop(new);
    let third = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = old.next().await;
    old.done(&asked, b"old").await;
    assert_eq!(third.await.unwrap().unwrap().body, b"old");
}

#[tokio::test]
async fn an_instance_has_only_so_many_streams() {
    let (world, _) = World::with_chain().await;
    let mut open = Vec::new();
    for _ in 0..CALLEE_STREAMS_PER_INSTANCE {
        open.push(world.serve("files", 1).await);
    }
    assert_eq!(reason(&world.try_serve("files", 1).await.err().unwrap()), "OVERLOADED");
    drop(open.pop());
    // The place is free once the task that listened has noticed.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(world.try_serve("files", 1).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_stream_begins_with_a_hello() {
    let (world, _) = World::with_chain().await;
    let answer = Answer { invocation_id: String::new(), receipt: vec![], body: vec![] };
    let open = async |hello: ServeRequest| {
        let (say, heard) = mpsc::channel(1);
        say.send(Ok(hello)).await.unwrap();
        let actor = world.agent("files").actor();
        world.mediation.0.serve(actor, ReceiverStream::new(heard)).await.err().map(|status| reason(&status))
    };
    let hello = ServeRequest { trust_domain: "acme.example".into(), capacity: 1, ..ServeRequest::default() };
    assert_eq!(open(hello.clone()).await, None, "the twin");
    let most = ServeRequest { capacity: CALLEE_CAPACITY_MAX, ..hello.clone() };
    assert_eq!(open(most).await, None, "the twin");
    let limit = Some("LIMIT_EXCEEDED".to_owned());
    assert_eq!(open(ServeRequest { capacity: 0, ..hello.clone() }).await, limit);
    assert_eq!(open(ServeRequest { capacity: CALLEE_CAPACITY_MAX + 1, ..hello.clone() }).await, limit);
    let elsewhere = ServeRequest { trust_domain: "other.example".into(), ..hello.clone() };
    assert_eq!(open(elsewhere).await, Some("WRONG_DOMAIN".to_owned()));
    let early = ServeRequest { answer: Some(answer), ..hello };
    assert_eq!(open(early).await, Some("PAYLOAD_MALFORMED".to_owned()));
}

#[tokio::test]
async fn a_message_after_the_hello_without_an_answer_ends_the_stream() {
    let (world, _) = World::with_chain().await;
    let mut callee = world.serve("files", 1).await;
    callee.say.send(Ok(ServeRequest::default())).await.unwrap();
    assert_eq!(reason(&callee.end().await.unwrap()), "PAYLOAD_MALFORMED");
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_never_says_hello_is_not_waited_for() {
    let (world, _) = World::with_chain().await;
    let greeted_after = async |pause: Duration| {
        let (say, heard) = mpsc::channel(1);
        let hello =
            ServeRequest { trust_domain: "acme.example".into(), capacity: 1, ..ServeRequest::default() };
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = say.send(Ok(hello)).await;
            std::future::pending::<()>().await;
        });
        let actor = world.agent("files").actor();
        world.mediation.0.serve(actor, ReceiverStream::new(heard)).await.map(drop)
    };
    let tick = Duration::from_millis(5);
    assert!(greeted_after(SERVE_HELLO_MAX - tick).await.is_ok(), "the twin");
    assert_eq!(refused(greeted_after(SERVE_HELLO_MAX + tick).await), "DEADLINE_PASSED");
}

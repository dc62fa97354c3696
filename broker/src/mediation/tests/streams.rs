//! What goes through a stream, what ends it, and what neither side can make of it.

use std::time::Duration;

use countersign_protocol::{
    capability::Amount,
    domain::InvocationOutcome,
    id::InvocationId,
    key::SigningKey,
    limits::{STREAM_CHUNK_MAX_BYTES, STREAM_MAX_MS, STREAM_WINDOW},
    payload::Payload,
    receipt::Receipt,
    session::Side,
    signed::Signed,
    stream::{Part, StreamAccount, StreamHead},
    token::Via,
};
use countersign_wire::v1::{InvokeStreamRequest, InvokeStreamResponse, ServedStream, StreamChunk};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::{
    streaming::*,
    world::{World, reason, refused, rights, until},
};
use crate::limits::{CALLEE_STREAMED_MAX, SERVE_HELLO_MAX};

#[tokio::test]
async fn chunks_go_through_one_by_one_and_the_receipt_is_for_all_of_them() {
    let (world, leaf, call, mut caller, mut serving) = streaming().await;
    for piece in [b"once", b"upon"] {
        let chunk = caller.side.chunk(piece);
        caller.send(chunk).await;
        assert_eq!(serving.receive().await, piece);
        let chunk = serving.side.chunk(b"aha");
        serving.send(chunk.clone()).await;
        assert_eq!(caller.hear().await.chunk, Some(chunk));
    }
    serving.takes(2).await;
    assert_eq!(caller.hear().await.taken, 2);
    caller.takes(1).await;
    assert_eq!(serving.hear().await.taken, 1);
    let last = caller.side.last();
    caller.send(last).await;
    serving.receive().await;
    assert_eq!(outcome(&world, &call), None);
    serving.done().await;
    assert!(caller.hear().await.chunk.is_some(), "the last one");
    let end = caller.hear().await.end.unwrap();
    let account = StreamAccount::from_bytes(&end.body).unwrap();
    assert_eq!((account.received.bytes, account.sent.bytes), (8, 6));
    assert_eq!(&account.received, caller.side.writer.sum());
    assert!(caller.next().await.is_none(), "nothing comes after it");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Receipted));
    assert_eq!(world.available(leaf), 9);
}

/// Whatever the caller does wrong ends the stream at once, is not forwarded, and costs it one call.
async fn caller_is_refused(what: &str, wanted: &str, wrong: impl AsyncFnOnce(&mut Caller)) {
    let (world, leaf, call, mut caller, mut serving) = streaming().await;
    let chunk = caller.side.chunk(b"good");
    caller.send(chunk).await;
    assert_eq!(serving.receive().await, b"good");
    wrong(&mut caller).await;
    assert_eq!(caller.end().await, wanted, "{what}");
    serving.hears_that_it_is_over().await;
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown), "{what}");
    assert_eq!(world.available(leaf), 9, "{what}");
}

#[tokio::test]
async fn a_chunk_that_is_not_the_callers_next_one_ends_the_stream() {
    caller_is_refused("dropped", "PROOF_INVALID", async |caller| {
        drop(caller.side.chunk(b"dropped"));
        let chunk = caller.side.chunk(b"next");
        caller.send(chunk).await;
    })
    .await;
    caller_is_refused("altered", "PROOF_INVALID", async |caller| {
        let chunk = caller.side.chunk(b"next");
        caller.send(StreamChunk { data: b"nexT".to_vec(), ..chunk }).await;
    })
    .await;
    caller_is_refused("by another key", "PROOF_INVALID", async |caller| {
        caller.side.key = SigningKey::from_seed(&[9; 32]);
        let chunk = caller.side.chunk(b"next");
        caller.send(chunk).await;
    })
    .await;
    caller_is_refused("the callee's", "PROOF_INVALID", async |caller| {
        let head = caller.side.writer.next(b"next", Part::Further, caller.side.world.now());
        let chunk = caller.side.signed(b"next", &StreamHead { side: Side::Callee, ..head });
        caller.send(chunk).await;
    })
    .await;
    caller_is_refused("of another stream", "PROOF_INVALID", async |caller| {
        let head = caller.side.writer.next(b"next", Part::Further, caller.side.world.now());
        let invocation_id = caller.side.world.say(|stage| InvocationId::new(stage.now, stage.rng));
        let chunk = caller.side.signed(b"next", &StreamHead { invocation_id, ..head });
        caller.send(chunk).await;
    })
    .await;
    caller_is_refused("too large", "LIMIT_EXCEEDED", async |caller| {
        let chunk = caller.side.chunk(&[7; STREAM_CHUNK_MAX_BYTES + 1]);
        caller.send(chunk).await;
    })
    .await;
    caller_is_refused("empty", "PAYLOAD_MALFORMED", async |caller| {
        let chunk = caller.side.chunk(b"");
        caller.send(chunk).await;
    })
    .await;
    caller_is_refused("nothing", "PAYLOAD_MALFORMED", async |caller| {
        caller.say(InvokeStreamRequest::default()).await;
    })
    .await;
    caller_is_refused("takes what was not sent", "PAYLOAD_MALFORMED", async |caller| caller.takes(1).await)
        .await;
}

#[tokio::test]
async fn nothing_comes_after_the_last_chunk() {
    let (world, _, call, mut caller, mut serving) = streaming().await;
    for chunk in [caller.side.last(), caller.side.chunk(b"more")] {
        caller.send(chunk).await;
    }
    assert_eq!(caller.end().await, "PAYLOAD_MALFORMED");
    while !serving.hear().await.over {}
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn a_caller_sends_no_more_than_its_callee_takes() {
    let (world, _, call, mut caller, mut serving) = streaming().await;
    for _ in 0..STREAM_WINDOW {
        let chunk = caller.side.chunk(b"more");
        caller.send(chunk).await;
    }
    for _ in 0..STREAM_WINDOW {
        serving.receive().await;
    }
    serving.takes(1).await;
    assert_eq!(caller.hear().await.taken, 1);
    let chunk = caller.side.chunk(b"the twin");
    caller.send(chunk).await;
    assert_eq!(serving.receive().await, b"the twin");
    let chunk = caller.side.chunk(b"too many");
    caller.send(chunk).await;
    assert_eq!(caller.end().await, "LIMIT_EXCEEDED");
    serving.hears_that_it_is_over().await;
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

/// Whatever the callee does wrong is its fault, and its caller never sees it.
async fn callee_is_refused(what: &str, wrong: impl AsyncFnOnce(&mut Serving)) {
    let (world, _, call, mut caller, mut serving) = streaming().await;
    for _ in 0..2 {
        let chunk = caller.side.chunk(b"good");
        caller.send(chunk).await;
        serving.receive().await;
    }
    serving.takes(1).await;
    assert_eq!(caller.hear().await.taken, 1);
    wrong(&mut serving).await;
    let status = caller.next().await.unwrap().expect_err(what);
    assert_eq!(reason(&status), "CALLEE_FAULT", "{what}");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown), "{what}");
}

#[tokio::test]
async fn a_chunk_that_is_not_the_callees_next_one_ends_the_stream() {
    callee_is_refused("altered", async |serving| {
        let chunk = serving.side.chunk(b"result");
        serving.send(StreamChunk { data: b"resulT".to_vec(), ..chunk }).await;
    })
    .await;
    callee_is_refused("dropped", async |serving| {
        drop(serving.side.chunk(b"dropped"));
        let chunk = serving.side.chunk(b"result");
        serving.send(chunk).await;
    })
    .await;
    callee_is_refused("by another key", async |serving| {
        serving.side.key = SigningKey::from_seed(&[9; 32]);
        let chunk = serving.side.chunk(b"result");
        serving.send(chunk).await;
    })
    .await;
    callee_is_refused("nothing", async |serving| serving.say(ServedStream::default()).await).await;
    callee_is_refused("takes what was not sent", async |serving| serving.takes(3).await).await;
    callee_is_refused("takes less than before", async |serving| serving.takes(1).await).await;
}

/// All of it is there before the stream's task hears any of it.
#[tokio::test]
async fn a_callee_says_no_more_at_once_than_fits_on_its_way() {
    callee_is_refused("a word for each chunk that there could be", async |serving| {
        for taken in 2..60 {
            serving.takes(taken).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_callee_sends_no_more_than_its_caller_takes() {
    let (world, _, call, mut caller, mut serving) = streaming().await;
    for _ in 0..=STREAM_WINDOW {
        let chunk = serving.side.chunk(b"more");
        serving.send(chunk).await;
    }
    assert_eq!(caller.end().await, "CALLEE_FAULT");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn an_answer_is_for_what_went_through() {
    let honest = async |serving: &mut Serving, change: &dyn Fn(&mut StreamAccount)| {
        let last = serving.side.last();
        serving.send(last).await;
        let mut account = serving.account();
        change(&mut account);
        serving.answer(&serving.receipt(&account), account.to_bytes()).await;
    };
    let wrong = async |what: &str, change: fn(&mut StreamAccount)| {
        let (world, _, call, mut caller, mut serving) = streaming().await;
        for _ in 0..3 {
            let chunk = caller.side.chunk(b"good");
            caller.send(chunk).await;
            serving.receive().await;
        }
        serving.takes(2).await;
        assert_eq!(caller.hear().await.taken, 2);
        honest(&mut serving, &change).await;
        let end = loop {
            match caller.next().await.unwrap() {
                Ok(InvokeStreamResponse { end: Some(_), .. }) => break "none".to_owned(),
                Ok(_) => {}
                Err(status) => break reason(&status),
            }
        };
        (what.to_owned(), end, outcome(&world, &call).unwrap())
    };
    let fault = |what: &str| (what.to_owned(), "CALLEE_FAULT".to_owned(), InvocationOutcome::Unknown);
    let twin = wrong("the twin", |_| {}).await;
    assert_eq!(twin, ("the twin".to_owned(), "none".to_owned(), InvocationOutcome::Receipted));
    assert_eq!(wrong("more received", |it| it.received.count = 4).await, fault("more received"));
    assert_eq!(wrong("less than taken", |it| it.received.count = 1).await, fault("less than taken"));
    assert_eq!(wrong("nothing received", |it| it.received.count = 0).await, fault("nothing received"));
    assert_eq!(wrong("other bytes", |it| it.received.bytes = 4).await, fault("other bytes"));
    assert_eq!(wrong("more sent", |it| it.sent.count = 2).await, fault("more sent"));
}

#[tokio::test]
async fn an_answer_comes_after_the_last_chunk_and_with_an_account() {
    callee_is_refused("before the last chunk", async |serving| {
        let account = serving.account();
        serving.answer(&serving.receipt(&account), account.to_bytes()).await;
    })
    .await;
    let (world, _, call, mut caller, mut serving) = streaming().await;
    let last = serving.side.last();
    serving.send(last).await;
    let receipt = serving.callee.receipt(&serving.asked, b"content");
    serving.answer(&receipt, b"content".to_vec()).await;
    assert_eq!(caller.end().await, "CALLEE_FAULT", "its body is no account");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
    let (world, _, call, mut caller, mut serving) = streaming().await;
    let last = serving.side.last();
    serving.send(last).await;
    let account = serving.account();
    let dear = Receipt { cost: Amount::new(2).unwrap(), ..serving.receipt(&account) };
    serving.answer(&dear, account.to_bytes()).await;
    assert_eq!(caller.end().await, "CALLEE_FAULT", "it costs more than was reserved");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn a_caller_that_vanishes_leaves_its_callee_told() {
    // Before the callee took it.
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = serve(&world, 4).await;
    let call = streamed(&world, leaf);
    drop(begin(&world, &call).await.unwrap());
    until(|| outcome(&world, &call).is_some()).await;
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Cancelled));
    callee.hears_nothing().await;
    assert_eq!(world.available(leaf), 10, "it costs nothing");
    // In the middle.
    let (world, _, call, caller, mut serving) = streaming().await;
    drop(caller);
    serving.hears_that_it_is_over().await;
    until(|| outcome(&world, &call) == Some(InvocationOutcome::Unknown)).await;
    // It stops sending before its last chunk, and still listens.
    let (world, _, call, mut caller, mut serving) = streaming().await;
    caller.say = None;
    assert_eq!(caller.end().await, "OUTCOME_UNKNOWN");
    serving.hears_that_it_is_over().await;
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
    // The twin: after its last chunk it has nothing more to say.
    let (world, _, call, mut caller, mut serving) = streaming().await;
    let last = caller.side.last();
    caller.send(last).await;
    caller.say = None;
    serving.receive().await;
    serving.done().await;
    while caller.hear().await.end.is_none() {}
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Receipted));
}

#[tokio::test]
async fn a_callee_that_vanishes_leaves_the_outcome_unknown() {
    let (world, _, call, mut caller, serving) = streaming().await;
    drop(serving);
    assert_eq!(caller.end().await, "OUTCOME_UNKNOWN");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn a_callee_that_was_told_has_its_place_again_and_says_nothing_more() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let callee = serve(&world, 1).await;
    let caller = begin(&world, &streamed(&world, leaf)).await.unwrap();
    let mut serving = take(&world, callee).await;
    let another = streamed(&world, leaf);
    assert_eq!(refused(begin(&world, &another).await.map(drop)), "CALLEE_UNAVAILABLE");
    drop(caller);
    serving.hears_that_it_is_over().await;
    let chunk = serving.side.chunk(b"late");
    serving.send(chunk).await;
    serving.done().await;
    let mut caller = begin(&world, &world.again(&another)).await.unwrap();
    assert!(timeout(A_WHILE, caller.stream.next()).await.is_err(), "nothing of the other one");
}

#[tokio::test]
async fn what_is_revoked_or_suspended_is_cut_off_before_another_chunk() {
    let (world, leaf, call, mut caller, mut serving) = streaming().await;
    let chunk = caller.side.chunk(b"good");
    caller.send(chunk).await;
    assert_eq!(serving.receive().await, b"good");
    let chunk = caller.side.chunk(b"too late");
    caller.send(chunk).await;
    let (signed, actor) = (world.revocation("fetcher", leaf, 1), world.agent("fetcher").actor());
    world.decide(|state, context| state.decide_revoke(context, &actor, &signed)).await.unwrap();
    world.mediation.mediator().enforce_revocations();
    // Whether it came before the revocation or not: what the callee takes now, it takes after it.
    assert!(serving.hear().await.over);
    assert_eq!(caller.end().await, "REVOKED");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn the_newest_state_is_looked_at_for_each_chunk() {
    let (world, leaf, _, mut caller, mut serving) = streaming().await;
    world.store.hold();
    let (signed, actor) = (world.revocation("fetcher", leaf, 1), world.agent("fetcher").actor());
    let revoking = {
        let world = world.clone();
        tokio::spawn(async move {
            world.decide(|state, context| state.decide_revoke(context, &actor, &signed)).await
        })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    let chunk = caller.side.chunk(b"too late");
    caller.send(chunk).await;
    assert!(serving.hear().await.over);
    world.store.let_go();
    revoking.await.unwrap().unwrap();
    assert_eq!(caller.end().await, "REVOKED");
}

#[tokio::test]
async fn a_stream_has_its_time() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let callee = serve(&world, 4).await;
    let call = streamed(&world, leaf);
    let (_say, stream) = begin_for(&world, &call, Some(10_000)).await.unwrap();
    let mut serving = take(&world, callee).await;
    let side = Voice { writer: serving.side.writer.clone(), key: call.key.clone(), world: world.clone() };
    let mut caller = Caller { say: None, stream, side };
    world.pass(9_999);
    caller.hear().await;
    assert!(timeout(A_WHILE, caller.stream.next()).await.is_err(), "the twin");
    world.pass(1);
    assert_eq!(caller.end().await, "DEADLINE_EXCEEDED");
    serving.hears_that_it_is_over().await;
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

#[tokio::test]
async fn a_stream_ends_with_its_chain() {
    let world = World::new().await;
    let left = STREAM_MAX_MS / 2;
    let until_ms = world.now().as_millis() + left;
    let mut short = rights(500, 5);
    short.not_after = countersign_protocol::time::Timestamp::new(until_ms).unwrap();
    let grant = world.grant(short).await;
    let mut callee = serve(&world, 4).await;
    let mut call = world.call("planner", grant);
    call.proof.via = Via::Stream;
    let (say, heard) = mpsc::channel(64);
    say.send(Ok(first(&call))).await.unwrap();
    let actor = world.agent("planner").actor();
    let mut stream =
        world.mediation.0.invoke_stream(actor, ReceiverStream::new(heard), None, None).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let asked = callee.next().await;
    assert_eq!(asked.deadline_ms, until_ms);
    world.pass(left);
    let end = timeout(SOON, stream.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(reason(&end), "CONTRACT_NOT_ACTIVE");
}

#[tokio::test]
async fn a_slow_callee_holds_up_its_own_stream_alone() {
    let (world, leaf, _, mut slow, mut serving) = streaming().await;
    for _ in 0..STREAM_WINDOW {
        let chunk = slow.side.chunk(b"slow");
        slow.send(chunk).await;
    }
    until(|| slow.say.as_ref().unwrap().capacity() == 64).await;
    let mut quick = begin(&world, &streamed(&world, leaf)).await.unwrap();
    let chunk = quick.side.chunk(b"quick");
    quick.send(chunk).await;
    tokio::time::sleep(A_WHILE).await;
    // Its chunk is given in turn with those of the other.
    let mut before = 0;
    loop {
        let message = serving.callee.next().await;
        match message.stream.and_then(|said| said.chunk) {
            Some(chunk) if chunk.data == b"quick" => break,
            Some(_) => before += 1,
            None => assert!(message.streams, "the other one itself"),
        }
    }
    assert!(before <= 3, "{before} chunks of the slow one came first");
}

#[tokio::test]
async fn a_retry_is_told_what_came_of_the_first_and_nothing_is_two_things() {
    let (world, leaf, call, mut caller, mut serving) = streaming().await;
    let waiting = {
        let (world, again) = (world.clone(), world.again(&call));
        tokio::spawn(async move { begin_for(&world, &again, None).await.map(drop) })
    };
    serving.done().await;
    while caller.hear().await.end.is_none() {}
    for told in [waiting.await.unwrap(), begin_for(&world, &world.again(&call), None).await.map(drop)] {
        let status = told.unwrap_err();
        assert_eq!(reason(&status), "RESULT_NOT_RETAINED");
        let receipt = status.metadata().get_bin(crate::mediation::RECEIPT_TRAILER).unwrap();
        let receipt = Signed::from_bytes(&receipt.to_bytes().unwrap()).unwrap();
        assert_eq!(Some((InvocationOutcome::Receipted, Some(receipt))), found(&world, &call).outcome);
    }
    // The same id at once, and a proof for one way on the other.
    let mut at_once = world.again(&call);
    at_once.proof.via = Via::Broker;
    assert_eq!(refused(world.send("fetcher", &at_once).await), "INVOCATION_CONFLICT");
    assert_eq!(refused(world.send("fetcher", &streamed(&world, leaf)).await), "PROOF_INVALID");
    let whole = world.call("fetcher", leaf);
    assert_eq!(refused(begin(&world, &whole).await.map(drop)), "PROOF_INVALID");
    assert_eq!(refused(begin(&world, &call).await.map(drop)), "PROOF_REPLAYED");
}

#[tokio::test]
async fn a_callee_takes_so_many_streams() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    assert!(try_serve(&world, CALLEE_STREAMED_MAX).await.is_ok(), "the twin");
    assert_eq!(refused(try_serve(&world, CALLEE_STREAMED_MAX + 1).await.map(drop)), "LIMIT_EXCEEDED");
    // One that says nothing of streams takes none.
    let (other, _) = World::with_chain().await;
    let _callee = serve(&other, 0).await;
    let call = streamed(&other, leaf);
    assert_eq!(refused(begin(&other, &call).await.map(drop)), "CALLEE_UNAVAILABLE");
    assert!(other.look(|state| state.invocation(&call.proof.invocation_id).is_none()), "nothing is recorded");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_never_says_what_it_wants_is_not_waited_for() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _callee = serve(&world, 1).await;
    let begun_after = async |pause: Duration| {
        let (say, heard) = mpsc::channel(1);
        let message = first(&streamed(&world, leaf));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = say.send(Ok(message)).await;
            std::future::pending::<()>().await;
        });
        let actor = world.agent("fetcher").actor();
        world.mediation.0.invoke_stream(actor, ReceiverStream::new(heard), None, None).await.map(drop)
    };
    let tick = Duration::from_millis(5);
    assert!(begun_after(SERVE_HELLO_MAX - tick).await.is_ok(), "the twin");
    assert_eq!(refused(begun_after(SERVE_HELLO_MAX + tick).await), "DEADLINE_PASSED");
}

#[tokio::test]
async fn a_broker_that_stops_ends_its_streams_and_nothing_at_once() {
    let (world, leaf, call, mut caller, mut serving) = streaming().await;
    let whole = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &whole);
    let asked = serving.callee.next().await;
    world.mediation.stop();
    assert_eq!(caller.end().await, "OUTCOME_UNKNOWN");
    serving.hears_that_it_is_over().await;
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
    serving.callee.done(&asked, b"content").await;
    assert!(sending.await.unwrap().is_ok(), "what is under way at once goes on");
}

#[tokio::test]
async fn a_callee_that_may_not_act_any_more_is_given_no_further_chunk() {
    let (world, _, call, mut caller, mut serving) = streaming().await;
    world.store.hold();
    let (signed, actor) = (world.instance_revocation("root", "files"), world.agent("root").actor());
    let revoking = {
        let world = world.clone();
        tokio::spawn(async move {
            world.decide(|state, context| state.decide_revoke(context, &actor, &signed)).await
        })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    let chunk = caller.side.chunk(b"too late");
    caller.send(chunk).await;
    assert!(serving.hear().await.over);
    world.store.let_go();
    revoking.await.unwrap().unwrap();
    assert_eq!(caller.end().await, "CALLEE_UNAVAILABLE");
    assert_eq!(outcome(&world, &call), Some(InvocationOutcome::Unknown));
}

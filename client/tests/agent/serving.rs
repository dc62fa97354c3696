use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use countersign::{
    Agent, Error, Handler, Held, Invocation, Outcome,
    limits::{CAPACITY_MAX, MESSAGE_MAX_BYTES},
};
use countersign_protocol::{
    extension::Extensions,
    id::InvocationId,
    limits::RESULT_RETENTION_MS,
    receipt::ActionOutcome,
    refusal::Reason,
    time::{Lifetime, Timestamp},
    token::{Nonce, Proof, Via},
};
use countersign_wire::v1;
use rand_core::OsRng;
use tokio::task::JoinHandle;

use crate::{
    fake::{Fake, Lie, domain, now, principal},
    world::{agree, answer, call, granted, join},
};

/// What was done, and what was not.
#[derive(Clone, Default)]
struct Witness {
    done: Arc<AtomicU32>,
    rejected: Arc<Mutex<Vec<String>>>,
}

impl Handler for Witness {
    async fn handle(&self, invocation: Invocation) -> Outcome {
        self.done.fetch_add(1, Ordering::SeqCst);
        match invocation.body.as_slice() {
            b"panic" => panic!("as asked"),
            b"dawdle" => std::future::pending().await,
            _ => answer(invocation).await,
        }
    }

    fn rejected(&self, _: &str, why: &Error) {
        self.rejected.lock().unwrap().push(why.to_string());
    }
}

struct Served {
    fake: Fake,
    researcher: Agent,
    held: Held,
    files: Agent,
    witness: Witness,
    serving: JoinHandle<()>,
}

async fn served() -> Served {
    let domain = granted().await;
    let fake = domain.fake;
    let researcher = join(&fake, "researcher").await;
    let held = agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap();
    let (files, witness) = (join(&fake, "files").await, Witness::default());
    let serving = serve(&fake, &files, &witness).await;
    Served { fake, researcher, held, files, witness, serving }
}

async fn serve(fake: &Fake, files: &Agent, witness: &Witness) -> JoinHandle<()> {
    let (files, handler) = (files.clone(), witness.clone());
    let serving = tokio::spawn(async move {
        files.serve(handler, NonZeroU32::new(4).unwrap()).await.unwrap_err();
    });
    while !fake.serves("files") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    serving
}

#[tokio::test]
async fn what_does_not_verify_end_to_end_is_not_done() {
    for lie in [Lie::ForwardedBodyAltered, Lie::ForwardedWithoutActivation, Lie::ForwardedProofForged] {
        let it = served().await;
        it.fake.lie(lie);
        let unanswered = it.researcher.invoke(&it.held, call()).await.unwrap_err();
        assert_eq!(unanswered.reason(), Some(Reason::DeadlineExceeded), "{lie:?}");
        assert_eq!(it.witness.done.load(Ordering::SeqCst), 0, "{lie:?}");
        assert_eq!(it.witness.rejected.lock().unwrap().len(), 1, "{lie:?}");
        it.fake.stop_lying();
        it.researcher.invoke(&it.held, call()).await.unwrap();
        assert_eq!(it.witness.done.load(Ordering::SeqCst), 1, "{lie:?}");
    }
}

/// What the broker forwards was signed by the holder, whom it may have asked to: for somebody else, for
/// another way, under another name, or so long ago that a callee may have done it and forgotten.
#[tokio::test]
async fn a_proof_that_was_not_made_for_this_delivery_is_not_acted_on() {
    let it = served().await;
    let honest = || proof(&it.researcher, &it.held);
    let old = now().as_millis() - RESULT_RETENTION_MS - 1;
    let old = InvocationId::new(Timestamp::new(old).unwrap(), &mut OsRng);
    let other = InvocationId::new(now(), &mut OsRng);
    let (elsewhere, direct) =
        (Proof { callee: principal("archive"), ..honest() }, Proof { via: Via::Direct, ..honest() });
    let (renamed, stale) = (honest(), Proof { invocation_id: old, ..honest() });
    for (rule, named, proof) in [
        ("API-080", elsewhere.invocation_id, elsewhere),
        ("API-081", direct.invocation_id, direct),
        ("API-082", other, renamed),
        ("API-083", old, stale),
    ] {
        it.fake.deliver("files", &it.held, named, &it.researcher.sign(&proof)).await;
        let why = eventually(|| it.witness.rejected.lock().unwrap().pop()).await;
        assert!(why.contains(rule), "{rule}: {why}");
    }
    assert_eq!(it.witness.done.load(Ordering::SeqCst), 0);
    let twin = honest();
    it.fake.deliver("files", &it.held, twin.invocation_id, &it.researcher.sign(&twin)).await;
    eventually(|| (it.witness.done.load(Ordering::SeqCst) == 1).then_some(())).await;
}

/// What the holder signs for a call without arguments and body.
fn proof(caller: &Agent, held: &Held) -> Proof {
    let (call, now) = (call(), now());
    Proof {
        domain: domain(),
        invocation_id: InvocationId::new(now, &mut OsRng),
        chain_id: held.chain_id(),
        activation_leaf: held.active().activation().leaf,
        caller: caller.instance().clone(),
        callee: call.callee,
        action: call.action,
        resource: call.resource,
        arguments: call.arguments.digest(&[]),
        nonce: Nonce::new(&mut OsRng),
        issued: now,
        expires: now.plus(Lifetime::from_millis(30_000)),
        via: Via::Broker,
        channel: caller.channel_key(),
        extensions: Extensions::none(),
    }
}

async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            match look() {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.unwrap()
}

#[tokio::test]
async fn an_invocation_that_is_forwarded_twice_is_done_once() {
    let it = served().await;
    it.fake.lie(Lie::ForwardedTwice);
    it.researcher.invoke(&it.held, call()).await.unwrap();
    it.researcher.invoke(&it.held, call()).await.unwrap();
    assert_eq!(it.witness.done.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_handler_that_panics_or_dawdles_is_signed_as_failed_and_others_go_on() {
    let it = served().await;
    for body in ["panic", "dawdle"] {
        let mut bad = call();
        bad.body = body.into();
        let failed = it.researcher.invoke(&it.held, bad).await.unwrap().receipt;
        assert_eq!((failed.outcome, failed.cost.get()), (ActionOutcome::Failed, 1), "{body}");
        let done = it.researcher.invoke(&it.held, call()).await.unwrap().receipt;
        assert_eq!(done.outcome, ActionOutcome::Done);
    }
}

/// Attack line 8: a broker that keeps an invocation until its callee serves anew, in the same process.
#[tokio::test]
async fn an_invocation_of_before_is_not_done_again_when_serving_begins_anew() {
    let it = served().await;
    it.researcher.invoke(&it.held, call()).await.unwrap();
    it.serving.abort();
    it.fake.forget_callee("files");
    let _serving = serve(&it.fake, &it.files, &it.witness).await;
    it.fake.lie(Lie::ForwardedAgain);
    it.researcher.invoke(&it.held, call()).await.unwrap();
    assert_eq!(it.witness.done.load(Ordering::SeqCst), 2, "each of the two once");
    assert!(it.witness.rejected.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_callee_takes_so_many_at_once_and_messages_of_such_a_size() {
    let fake = Fake::start().await;
    let (files, witness) = (join(&fake, "files").await, Witness::default());
    let serve = |capacity: u32| {
        fake.forget_callee("files");
        let (files, handler) = (files.clone(), witness.clone());
        tokio::spawn(async move { files.serve(handler, NonZeroU32::new(capacity).unwrap()).await })
    };
    let served = async || eventually(|| fake.serves("files").then_some(())).await;
    for (wanted, taken) in [(CAPACITY_MAX - 1, CAPACITY_MAX - 1), (CAPACITY_MAX + 1, CAPACITY_MAX)] {
        let serving = serve(wanted);
        served().await;
        assert_eq!(fake.capacity("files"), taken);
        serving.abort();
    }

    let _serving = serve(1);
    served().await;
    let deliver = async |name: &str, bytes: usize| {
        // A tag and a length stand before each, and the body's length takes four bytes.
        let body = vec![0; bytes - (2 + name.len()) - (1 + 4)];
        let message = v1::ServeResponse { invocation_id: name.into(), body, ..Default::default() };
        fake.deliver_bare("files", message).await;
    };
    deliver("large", MESSAGE_MAX_BYTES).await;
    eventually(|| witness.rejected.lock().unwrap().pop()).await;
    deliver("larger", MESSAGE_MAX_BYTES + 1).await;
    fake.forget_callee("files");
    served().await;
    assert!(witness.rejected.lock().unwrap().is_empty(), "it was not even read; the stream was opened anew");
}

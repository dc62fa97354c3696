use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use countersign::{Agent, Error, Handler, Held, Invocation, Outcome};
use countersign_protocol::{receipt::ActionOutcome, refusal::Reason};
use tokio::task::JoinHandle;

use crate::{
    fake::{Fake, Lie},
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
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
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

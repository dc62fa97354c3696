//! Streams against a broker that lies: neither side acts on what the other did not send.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use countersign::{
    About, CallerFault, Chunks, Done, Error, Handler, Invocation, InvokedStream, Outcome, Output,
};
use countersign_protocol::{
    capability::{Amount, Request},
    limits::{STREAM_CHUNK_MAX_BYTES, STREAM_WINDOW},
    receipt::ActionOutcome,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::{
    fake::{Fake, Lie},
    world::{Granted, answer, assert_deceived, call, granted, join},
};

const WITHIN: Duration = Duration::from_secs(10);

/// What a service heard, and was told not to believe.
#[derive(Clone)]
struct Shouting {
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    rejected: mpsc::UnboundedSender<String>,
}

impl Handler for Shouting {
    async fn handle(&self, invocation: Invocation) -> Outcome {
        answer(invocation).await
    }

    fn streams(&self) -> u32 {
        4
    }

    async fn stream(&self, invocation: Invocation, mut input: Chunks, mut output: Output) -> Done {
        let resource = invocation.request.resource.to_string();
        assert!(!resource.ends_with("/panic"), "it was to");
        while let Some(Ok(chunk)) = input.next().await {
            self.heard.lock().unwrap().push(chunk.clone());
            if output.send(&chunk.to_ascii_uppercase()).await.is_err() {
                break;
            }
        }
        Done { outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
    }

    fn rejected(&self, _: &str, why: &Error) {
        let _ = self.rejected.send(why.to_string());
    }
}

struct Service {
    shouting: Shouting,
    rejections: mpsc::UnboundedReceiver<String>,
    _serving: JoinHandle<()>,
}

async fn serve(fake: &Fake) -> Service {
    let files = join(fake, "files").await;
    let (rejected, rejections) = mpsc::unbounded_channel();
    let shouting = Shouting { heard: Arc::default(), rejected };
    let handler = shouting.clone();
    let serving = tokio::spawn(async move {
        let error = files.serve(handler, NonZeroU32::new(16).unwrap()).await.unwrap_err();
        panic!("serving ended: {error}");
    });
    while !fake.serves("files") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Service { shouting, rejections, _serving: serving }
}

fn request() -> Request {
    let call = call();
    let (callee, action, resource) = (call.callee, call.action, call.resource);
    Request { callee, action, resource, arguments: call.arguments }
}

async fn begin(domain: &Granted) -> Result<InvokedStream, Error> {
    domain.planner.invoke_stream(&domain.grant, request(), WITHIN).await
}

#[tokio::test]
async fn a_stream_is_verified_from_end_to_end() {
    let domain = granted().await;
    let _service = serve(&domain.fake).await;
    let stream = begin(&domain).await.unwrap();
    let size = STREAM_CHUNK_MAX_BYTES * (STREAM_WINDOW as usize + 3) + 1;
    let (result, streamed) = timeout(WITHIN, stream.exchange(&vec![b'a'; size])).await.unwrap().unwrap();
    assert_eq!(result, vec![b'A'; size]);
    assert!(streamed.is_whole);
    assert_eq!(streamed.account.received.count, STREAM_WINDOW + 3 + 2);
    assert_eq!(domain.fake.count("Intent"), 1);
    assert_eq!(domain.fake.count("InvocationEnded"), 1);
}

#[tokio::test]
async fn a_false_chunk_of_the_result_is_never_given_to_the_caller() {
    let domain = granted().await;
    let _service = serve(&domain.fake).await;
    for lie in [Lie::StreamResultDropped, Lie::StreamResultAltered, Lie::StreamResultForged] {
        let InvokedStream { mut upload, mut download, end, .. } = begin(&domain).await.unwrap();
        domain.fake.lie(lie);
        for piece in [b"one", b"two"] {
            let _ = upload.send(piece).await;
        }
        let first = timeout(WITHIN, download.next()).await.unwrap().unwrap();
        assert_deceived(first, About::Stream);
        assert!(download.next().await.is_none(), "nothing more is believed");
        assert_deceived(end.verified().await, About::Stream);
        domain.fake.stop_lying();
    }
    begin(&domain).await.unwrap().exchange(b"the twin").await.unwrap();
}

#[tokio::test]
async fn a_result_that_is_cut_short_is_not_taken_for_whole() {
    let domain = granted().await;
    let _service = serve(&domain.fake).await;
    domain.fake.lie(Lie::StreamCutShort);
    let stream = begin(&domain).await.unwrap();
    assert_deceived(timeout(WITHIN, stream.exchange(b"one")).await.unwrap(), About::Receipt);
}

#[tokio::test]
async fn another_callee_is_not_taken_for_the_one_that_was_asked() {
    let domain = granted().await;
    let _service = serve(&domain.fake).await;
    domain.fake.lie(Lie::StreamOfAnotherCallee);
    assert_deceived(begin(&domain).await, About::Stream);
}

/// What a callee is sent in a stream and did not come from the caller never reaches its handler.
#[tokio::test]
async fn a_chunk_that_the_caller_did_not_send_is_not_acted_on() {
    let lies = [
        (Lie::StreamChunkDropped, 0),
        (Lie::StreamChunkAltered, 0),
        (Lie::StreamChunkForged, 0),
        (Lie::StreamChunkReplayed, 1),
    ];
    for (lie, before) in lies {
        let domain = granted().await;
        let mut service = serve(&domain.fake).await;
        let mut stream = begin(&domain).await.unwrap();
        domain.fake.lie(lie);
        for piece in [b"one", b"two"] {
            stream.upload.send(piece).await.unwrap();
        }
        let why = timeout(WITHIN, service.rejections.recv()).await.unwrap().unwrap();
        assert!(why.contains("account of a stream does not verify"), "{lie:?}: {why}");
        let heard = service.shouting.heard.lock().unwrap().clone();
        assert!(heard.len() <= before && heard.iter().all(|chunk| chunk == b"one"), "{lie:?}: {heard:?}");
        assert_eq!(domain.fake.count("InvocationEnded"), 0, "it signs nothing");
    }
}

#[tokio::test]
async fn what_is_dropped_ends_the_stream() {
    let domain = granted().await;
    let mut service = serve(&domain.fake).await;
    let InvokedStream { upload, mut download, end, .. } = begin(&domain).await.unwrap();
    drop(upload);
    assert!(timeout(WITHIN, download.next()).await.unwrap().unwrap().is_err());
    assert!(matches!(end.verified().await, Err(Error::Unavailable { .. })));
    let why = timeout(WITHIN, service.rejections.recv()).await.unwrap().unwrap();
    assert!(why.contains("broken off"), "{why}");
    let InvokedStream { upload: _upload, download, end, .. } = begin(&domain).await.unwrap();
    drop(download);
    assert!(timeout(WITHIN, end.verified()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_handler_that_panics_or_takes_no_streams_is_signed_as_failed() {
    let domain = granted().await;
    let _service = serve(&domain.fake).await;
    let panics = Request { resource: "file:/data/eu/panic".parse().unwrap(), ..request() };
    let stream = domain.planner.invoke_stream(&domain.grant, panics, WITHIN).await.unwrap();
    let (result, streamed) = timeout(WITHIN, stream.exchange(b"one")).await.unwrap().unwrap();
    assert!(result.is_empty());
    assert_eq!(streamed.receipt.outcome, ActionOutcome::Failed);
}

#[tokio::test]
async fn a_stream_under_a_chain_of_another_is_the_callers_fault() {
    let domain = granted().await;
    let stolen = domain.alice.invoke_stream(&domain.grant, request(), WITHIN).await;
    assert!(matches!(stolen, Err(Error::Caller(CallerFault::NotTheHolder { .. }))), "{stolen:?}");
}

//! Streams of the SDK with a real broker: bodies and results in chunks, each signed for.

use std::time::Duration;

use countersign::{Error, InvokedStream, Target};
use countersign_protocol::{
    capability::{Arguments, Request},
    limits::{STREAM_CHUNK_MAX_BYTES, STREAM_WINDOW},
    receipt::ActionOutcome,
    refusal::Reason,
};
use tokio::time::{sleep, timeout};

use crate::support::{Story, principal};

const WITHIN: Duration = Duration::from_secs(60);

pub(crate) async fn begin(story: &Story, file: &str) -> Result<InvokedStream, Error> {
    let request = Request {
        callee: principal("service/files"),
        action: "files:read".parse().unwrap(),
        resource: format!("file:{file}").parse().unwrap(),
        arguments: Arguments::new(Vec::new()).unwrap(),
    };
    let mut tries = 0;
    loop {
        match story.researcher.invoke_stream(&story.contracted, request.clone(), WITHIN).await {
            // The service's stream may not be open yet.
            Err(error) if error.is_passing() && tries < 50 => tries += 1,
            outcome => return outcome,
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_stream_answers_piece_by_piece_and_ends_with_a_receipt_for_all_of_it() {
    let story = Box::pin(Story::begin()).await;
    let InvokedStream { mut upload, mut download, end, intent, .. } =
        begin(&story, "/data/eu/q3").await.unwrap();
    for piece in ["once", "upon", "a time"] {
        upload.send(piece.as_bytes()).await.unwrap();
        let answer = timeout(WITHIN, download.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(answer, piece.to_uppercase().as_bytes(), "before the next one is sent");
    }
    upload.finish().await.unwrap();
    assert!(download.next().await.is_none());
    let streamed = end.verified().await.unwrap();
    assert!(streamed.is_whole);
    assert_eq!(streamed.receipt.outcome, ActionOutcome::Done);
    assert_eq!((streamed.account.received.bytes, streamed.account.sent.bytes), (14, 14));
    assert!(intent < streamed.result);
    story.researcher.prove_stream(&streamed).await.unwrap();
}

#[tokio::test]
async fn more_than_fits_on_its_way_goes_through_in_order() {
    let story = Box::pin(Story::begin()).await;
    let size = 3 * STREAM_CHUNK_MAX_BYTES * STREAM_WINDOW as usize + 5;
    let body: Vec<u8> = (0..size).map(|at| b'a' + (at % 26) as u8).collect();
    let stream = begin(&story, "/data/eu/q3").await.unwrap();
    let (result, streamed) = timeout(WITHIN, stream.exchange(&body)).await.unwrap().unwrap();
    assert_eq!(result, body.to_ascii_uppercase());
    assert_eq!(streamed.account.received.bytes, size as u64);
}

#[tokio::test]
async fn a_callee_may_be_done_before_it_has_heard_everything() {
    let story = Box::pin(Story::begin()).await;
    let stream = begin(&story, "/data/eu/hasty").await.unwrap();
    let body = vec![7; 2 * STREAM_CHUNK_MAX_BYTES * STREAM_WINDOW as usize];
    let (result, streamed) = timeout(WITHIN, stream.exchange(&body)).await.unwrap().unwrap();
    assert_eq!((result.as_slice(), streamed.receipt.outcome), (&b"no"[..], ActionOutcome::Failed));
    assert!(!streamed.is_whole, "and says so");
}

#[tokio::test]
async fn a_revocation_cuts_a_stream_off() {
    let story = Box::pin(Story::begin()).await;
    let InvokedStream { mut upload, mut download, end, .. } = begin(&story, "/data/eu/q3").await.unwrap();
    upload.send(b"one").await.unwrap();
    download.next().await.unwrap().unwrap();
    let target = Target::Chain(story.granted.chain_id());
    let preview = story.alice.preview_revocation(&target).await.unwrap();
    story.alice.revoke(&target, preview.chains).await.unwrap();
    let cut = timeout(WITHIN, download.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(cut.reason(), Some(Reason::Revoked));
    assert_eq!(end.verified().await.unwrap_err().reason(), Some(Reason::Revoked));
    assert!(upload.send(b"two").await.is_err());
    assert_eq!(begin(&story, "/data/eu/q3").await.unwrap_err().reason(), Some(Reason::Revoked));
}

#[tokio::test]
async fn a_callee_that_does_not_read_holds_up_its_own_stream_alone() {
    let story = Box::pin(Story::begin()).await;
    let mut deaf = begin(&story, "/data/eu/deaf").await.unwrap();
    let chunk = vec![7; STREAM_CHUNK_MAX_BYTES];
    for _ in 0..STREAM_WINDOW {
        deaf.upload.send(&chunk).await.unwrap();
    }
    assert!(timeout(Duration::from_millis(200), deaf.upload.send(b"more")).await.is_err());
    let other = begin(&story, "/data/eu/q3").await.unwrap();
    let (result, _) = timeout(WITHIN, other.exchange(b"quick")).await.unwrap().unwrap();
    assert_eq!(result, b"QUICK");
    story.read("/data/eu/q3").await.unwrap();
}

//! Sessions of the SDK with a real broker: one proof, many invocations.

use std::time::Duration;

use countersign::{Call, Error, Held, Reply, Session, SessionTerms, Target};
use countersign_protocol::{capability::Arguments, refusal::Reason, time::Lifetime};
use tokio::time::{sleep, timeout};

use crate::support::{Story, principal};

const TERMS: SessionTerms = SessionTerms { sign_every: 4, sign_within: Lifetime::from_millis(1_000) };

fn read(file: &str) -> Call {
    Call {
        callee: principal("service/files"),
        action: "files:read".parse().unwrap(),
        resource: format!("file:{file}").parse().unwrap(),
        arguments: Arguments::new(Vec::new()).unwrap(),
        body: b"please".to_vec(),
    }
}

async fn open(story: &Story, held: &Held) -> Result<Session, Error> {
    let holder = &held.holder().instance;
    let agents = [&story.planner, &story.researcher];
    let agent = agents.into_iter().find(|agent| agent.instance() == holder).unwrap();
    let mut tries = 0;
    loop {
        match agent.open_session(held, &principal("service/files"), TERMS).await {
            // The service's stream may not be open yet.
            Err(error) if error.is_passing() && tries < 50 => tries += 1,
            outcome => return outcome,
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_session_has_many_things_done_and_both_sides_sign_for_all_of_it() {
    let story = Box::pin(Story::begin()).await;
    let session = open(&story, &story.granted).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..20 {
        let session = session.clone();
        calls.spawn(async move { session.invoke(read(&format!("/data/{number}"))).await });
    }
    let replies: Vec<Reply> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
    for reply in &replies {
        assert!(String::from_utf8_lossy(&reply.body).contains("said Ok(\"please\")"));
        assert!(reply.intent < reply.ended);
    }
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_contract_that_asks_for_receipts_allows_no_session() {
    let story = Box::pin(Story::begin()).await;
    let refused = open(&story, &story.contracted).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::SessionNotAllowed));
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_and_the_session_goes_on() {
    let story = Box::pin(Story::begin()).await;
    let session = open(&story, &story.granted).await.unwrap();
    let refused = session.invoke(read("/secret/keys")).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::CheckFailed));
    session.invoke(read("/data/eu")).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_revocation_ends_the_session() {
    let story = Box::pin(Story::begin()).await;
    let session = open(&story, &story.granted).await.unwrap();
    session.invoke(read("/data/eu")).await.unwrap();
    let target = Target::Chain(story.granted.chain_id());
    let preview = story.alice.preview_revocation(&target).await.unwrap();
    story.alice.revoke(&target, preview.chains).await.unwrap();
    let refused = timeout(Duration::from_secs(10), session.invoke(read("/data/eu"))).await.unwrap();
    assert_eq!(refused.unwrap_err().reason(), Some(Reason::Revoked));
    assert_eq!(open(&story, &story.granted).await.unwrap_err().reason(), Some(Reason::Revoked));
}

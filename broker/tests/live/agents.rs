//! Agents of the SDK live with a real broker: over the ends of their certificates, and with its feed of
//! revocations.

use std::time::Duration;

use countersign::Target;
use countersign_protocol::{refusal::Reason, time::Lifetime};
use tokio::time::{sleep, timeout};

use crate::support::Story;

#[tokio::test]
async fn agents_and_callees_outlive_their_certificates() {
    let story = Box::pin(Story::configured("svid_lifetime = \"10s\"\n")).await;
    let began = story.broker.clock.now();
    // Every connection that is open now ends within these thirteen seconds, and so does the one after.
    while story.broker.clock.now().since(began) < Lifetime::from_millis(13_000) {
        story.read("/data/eu/q3.csv").await.unwrap();
        sleep(Duration::from_millis(200)).await;
    }
    let answer = story.read("/data/eu/q4.csv").await.unwrap();
    story.researcher.prove(&answer).await.unwrap();
    for agent in [&story.researcher, &story.files] {
        let generation = agent.lookup(agent.instance()).await.unwrap().generation;
        assert!(generation >= 3, "{agent:?} has certificate {generation}");
    }
}

#[tokio::test]
async fn a_revocation_is_told_to_whom_it_concerns() {
    let story = Box::pin(Story::begin()).await;
    let mut feed = story.researcher.watch_revocations().await.unwrap();
    let told = tokio::spawn(async move { feed.next().await });
    let target = Target::Chain(story.granted.chain_id());
    let preview = story.alice.preview_revocation(&target).await.unwrap();
    assert_eq!(preview.chains, 2, "the grant and the contract beneath it");
    let stale = story.alice.revoke(&target, 1).await.unwrap_err();
    assert_eq!(stale.reason(), Some(Reason::PreviewStale));
    story.alice.revoke(&target, preview.chains).await.unwrap();
    let told = timeout(Duration::from_secs(10), told).await.unwrap().unwrap().unwrap();
    assert_eq!(told, [story.contracted.chain_id()]);
    let refused = story.read("/data/eu/q3.csv").await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::Revoked));
    assert!(story.planner.holdings().await.unwrap().is_empty());
    assert!(story.researcher.holdings().await.unwrap().is_empty());
}

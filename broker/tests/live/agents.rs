//! Agents of the SDK live with a real broker: over the ends of their certificates, and with its feed of
//! revocations.

use std::time::Duration;

use countersign::Target;
use countersign_protocol::{
    contract::{Side, State},
    refusal::Reason,
    time::Lifetime,
};
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

/// The researcher's contract is held up and taken up again, replaced by another one, and that is given
/// back: nothing works that should not, and nothing has to be joined or granted anew.
#[tokio::test]
async fn a_contract_is_held_up_and_resumed_replaced_and_given_back() {
    let story = Box::pin(Story::begin()).await;
    let (planner, chain) = (&story.planner, story.contracted.chain_id());
    let stale = planner.suspend(chain, Side::Grantor, 9).await.unwrap_err();
    assert_eq!(stale.reason(), Some(Reason::PreviewStale));
    let suspended = planner.suspend(chain, Side::Grantor, 1).await.unwrap();
    assert_eq!(suspended.link.state, State::Suspended);
    let refused = story.read("/data/eu/q3.csv").await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractSuspended));
    assert!(story.researcher.holdings().await.unwrap().is_empty(), "there is nothing to use");
    let lifted = story.researcher.resume(chain, Side::Grantor, 1).await.unwrap_err();
    assert_eq!(lifted.reason(), Some(Reason::ChangeNotAllowed));
    planner.resume(chain, Side::Grantor, 1).await.unwrap();
    story.read("/data/eu/q3.csv").await.unwrap();

    let replacing = story.contracted.contract().unwrap().contract_id;
    let mut second = story.renegotiate(Some(replacing)).await;
    assert_eq!(second.contract().unwrap().replaces, Some(replacing));
    let refused = story.read("/data/eu/q3.csv").await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractNotActive), "the old one ended with that");
    let held = story.researcher.holdings().await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].chain_id(), second.chain_id());

    second = story.researcher.held(second.chain_id()).await.unwrap();
    let retired = story.researcher.retire(second.chain_id(), 1).await.unwrap();
    assert_eq!(retired.link.state, State::Retired);
    assert!(story.researcher.holdings().await.unwrap().is_empty());
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

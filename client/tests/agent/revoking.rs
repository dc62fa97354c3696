use std::time::Duration;

use countersign::{About, Target};
use countersign_protocol::refusal::Reason;
use tokio::time::timeout;

use crate::{
    fake::Lie,
    world::{agree, assert_deceived, call, granted, join, serve},
};

#[tokio::test]
async fn a_revocation_ends_what_was_confirmed_and_tells_who_is_concerned() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let held = agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap();
    let (_, _serving) = serve(&domain.fake).await;
    researcher.invoke(&held, call()).await.unwrap();
    let mut feed = researcher.watch_revocations().await.unwrap();
    let target = Target::Chain(domain.grant.chain_id());

    let preview = domain.alice.preview_revocation(&target).await.unwrap();
    assert_eq!(preview.chains, 2, "the grant and the contract beneath it");
    let stale = domain.alice.revoke(&target, 1).await.unwrap_err();
    assert_eq!(stale.reason(), Some(Reason::PreviewStale));
    let news = tokio::spawn(async move { feed.next().await });
    // The feed is open once it has been told where the ledger is.
    tokio::time::sleep(Duration::from_millis(200)).await;
    domain.fake.lose_replies(1);
    domain.alice.revoke(&target, preview.chains).await.unwrap();
    assert_eq!(domain.fake.count("Revoked"), 1);

    let told = timeout(Duration::from_secs(5), news).await.unwrap().unwrap().unwrap();
    assert_eq!(told, [held.chain_id()]);
    let refused = researcher.invoke(&held, call()).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::Revoked));
}

#[tokio::test]
async fn a_feed_of_revocations_that_goes_back_is_found() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap();
    let second = agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap();
    let mut feed = researcher.watch_revocations().await.unwrap();
    let task = tokio::spawn(async move {
        let first = feed.next().await;
        (first, feed.next().await)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    domain.planner.revoke(&Target::Chain(second.chain_id()), 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    domain.fake.lie(Lie::RevocationsRolledBack);
    join(&domain.fake, "fetcher").await;
    let (first, then) = timeout(Duration::from_secs(5), task).await.unwrap().unwrap();
    assert_eq!(first.unwrap(), [second.chain_id()]);
    assert_deceived(then, About::Revocations);
}

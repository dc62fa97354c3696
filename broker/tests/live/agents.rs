//! Agents of the SDK live with a real broker: over the ends of their certificates, and with its feed of
//! revocations.

use std::time::Duration;

use countersign::{Ask, Ending, Error, Offer, OfferReply, RequestReply, Target, Terms, Wanted};
use countersign_protocol::{
    contract::{Side, State},
    refusal::Reason,
    time::Lifetime,
};
use tokio::time::{sleep, timeout};

use crate::support::{Story, principal};

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

/// The researcher asks twice under one award and would take both: it gets one, and both sides are told
/// why the other ended.
#[tokio::test]
async fn of_what_is_asked_under_one_award_one_is_got() {
    let story = Box::pin(Story::begin()).await;
    let (researcher, planner) = (&story.researcher, &story.planner);
    let rights = story.contracted.rights().clone();
    let award = Some(researcher.award());
    let ask = || Ask {
        rights: rights.clone(),
        purpose: "whoever is first".into(),
        deadline: researcher.now().plus(Lifetime::from_millis(60_000)),
        max_rounds: 1,
        award,
    };
    let (second, minute) = (Lifetime::from_millis(1_000), Lifetime::from_millis(60_000));
    let mut offers = |_: &Wanted| RequestReply::from(Terms::new(rights.clone(), second, minute));
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let delegating = planner.delegate_all(&story.granted, &mut offers, |it| drop(told.send(it.outcome)));
    let asking = async {
        let whom = principal("agent/planner");
        let (mut first, mut other) = (|_: &Offer| OfferReply::Accept, |_: &Offer| OfferReply::Accept);
        let asked = tokio::join!(
            researcher.negotiate(&whom, ask(), &mut first),
            researcher.negotiate(&whom, ask(), &mut other),
        );
        let ends = [hears.recv().await.unwrap(), hears.recv().await.unwrap()];
        let late = researcher.negotiate(&whom, ask(), &mut |_: &Offer| OfferReply::Accept).await;
        (asked, ends, late)
    };
    let ((first, other), ends, late) = tokio::select! {
        ended = delegating => panic!("{ended:?}"),
        all = asking => all,
    };
    let awarded = |error: &Error| matches!(error, Error::Ended { ending, .. } if *ending == Ending::Awarded);
    let (won, lost) = if first.is_ok() { (first, other) } else { (other, first) };
    assert!(won.is_ok() && awarded(&lost.unwrap_err()));
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    assert!(ends.iter().filter_map(|end| end.as_ref().err()).all(awarded), "{ends:?}");
    assert_eq!(late.unwrap_err().reason(), Some(Reason::AlreadyAwarded));
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

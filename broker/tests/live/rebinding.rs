//! A process that restarts takes over what it held, with a real broker: its key is gone, and the contract is not.

use std::time::Duration;

use countersign::{
    Agent, Ask, Call, Error, Held, Offer, OfferReply, Options, RequestReply, TakenOver, Target, Terms, Wanted,
};
use countersign_protocol::{
    capability::{Amount, Arguments},
    contract::{Rebind, State},
    digest::Digest,
    refusal::Reason,
    time::Lifetime,
};
use tokio::time::sleep;

use crate::{
    story::audit,
    support::{Story, principal},
};

/// The researcher as it is when its process has started again: another instance, with another key.
async fn restarted(story: &Story, configuration: &str) -> Agent {
    let token = story.broker.token(&story.root, "agent/researcher").await;
    Agent::join(&token, Options::new(Digest::of(configuration.as_bytes()))).await.unwrap()
}

/// Another contract of planner and researcher, which may be rebound as that rule says.
async fn agreed(story: &Story, rebind: Rebind) -> Held {
    let rights = || story.contracted.rights().clone();
    let terms = || {
        let (staleness, life) = (Lifetime::from_millis(1_000), Lifetime::from_millis(60_000));
        Terms { rebind, ..Terms::new(rights(), staleness, life) }
    };
    let mut offers = |_: &Wanted| RequestReply::from(terms());
    let ask = Ask {
        rights: rights(),
        purpose: "to read on after a restart".into(),
        deadline: story.researcher.now().plus(Lifetime::from_millis(5 * 60_000)),
        max_rounds: 1,
        award: None,
    };
    let (planner, mut accept) = (principal("agent/planner"), |_: &Offer| OfferReply::Accept);
    let asking = story.researcher.negotiate(&planner, ask, &mut accept);
    let (_, held) = tokio::join!(story.planner.delegate(&story.granted, &mut offers), asking);
    held.unwrap()
}

async fn read(agent: &Agent, held: &Held) -> Result<countersign::Answer, Error> {
    let call = Call {
        callee: principal("service/files"),
        action: "files:read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(Vec::new()).unwrap(),
        body: b"please".to_vec(),
    };
    for _ in 0..50 {
        match agent.invoke(held, call.clone()).await {
            // The service's stream may not be open yet.
            Err(error) if error.is_passing() => sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
    panic!("the service was never there");
}

#[tokio::test]
async fn an_agent_that_restarts_takes_over_what_it_held() {
    let story = Box::pin(Story::begin()).await;
    let held = agreed(&story, Rebind::Domain).await;
    read(&story.researcher, &held).await.unwrap();
    let again = restarted(&story, "agent/researcher").await;
    assert!(again.holdings().await.unwrap().is_empty(), "it holds nothing of its own");
    let links = again.rebindable().await.unwrap();
    let [link] = &links[..] else { panic!("{links:?}: the other contract is never rebound") };
    assert_eq!((link.chain_id, link.rebind, link.chains), (held.chain_id(), Rebind::Domain, 1));
    let TakenOver::Held(taken) = again.take_over(link).await.unwrap() else { panic!("nobody is asked") };
    assert_eq!(taken.contract(), held.contract(), "it is the same contract");
    let answer = read(&again, &taken).await.unwrap();
    let explanation = again.prove(&answer).await.unwrap();
    let last = explanation.links.last().unwrap();
    assert_eq!((&last.holder, last.named.as_ref()), (again.instance(), Some(story.researcher.instance())));

    let refused = read(&story.researcher, &held).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractNotActive), "the old process has it no more");
    assert!(again.rebindable().await.unwrap().is_empty());
    let mine = again.holdings().await.unwrap();
    assert_eq!(mine.iter().map(Held::chain_id).collect::<Vec<_>>(), [taken.chain_id()]);
    let link = again.contracts(None).await.unwrap().into_iter().find(|it| it.contract == link.contract);
    let link = link.unwrap();
    assert_eq!((link.settled, link.hop), (Amount::new(1).unwrap(), Some(held.chain_id())));

    // It hands on what it has taken over, and whoever is above takes it back.
    let preview = story.alice.preview_revocation(&Target::Chain(taken.chain_id())).await.unwrap();
    story.alice.revoke(&Target::Chain(taken.chain_id()), preview.chains).await.unwrap();
    let refused = read(&again, &taken).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::Revoked));
    audit(&story.root, again.keys().as_ref().clone()).await;
}

#[tokio::test]
async fn a_grantor_hears_that_it_is_asked_and_consents() {
    let story = Box::pin(Story::begin()).await;
    let held = agreed(&story, Rebind::GrantorConsent).await;
    let again = restarted(&story, "agent/researcher").await;
    let links = again.rebindable().await.unwrap();
    let [link] = &links[..] else { panic!("{links:?}") };
    let seen = story.planner.ledger().seen().await.unwrap();
    let mut watch = story.planner.graph().watch(seen.size.into());
    assert!(matches!(again.take_over(link).await.unwrap(), TakenOver::Asked));
    let told = watch.next().await.unwrap();
    assert_eq!(
        (told.len(), told[0].chain_id, told[0].state),
        (1, held.chain_id(), State::Active),
        "it is asked"
    );
    assert!(again.taken_over(link).await.unwrap().is_none());
    read(&story.researcher, &held).await.unwrap();

    let asked = story.planner.rebinds_asked().await.unwrap();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(&asked.by.instance, again.instance());
    let told = story.planner.consent_to_rebind(asked).await.unwrap();
    assert_eq!((told.state, &told.holder), (State::Active, again.instance()));
    let taken = again.taken_over(link).await.unwrap().unwrap();
    let told = watch.next().await.unwrap();
    let mut states: Vec<_> = told.iter().map(|it| (it.chain_id, it.state)).collect();
    states.sort_by_key(|(_, state)| state.name());
    assert_eq!(
        states,
        [(taken.chain_id(), State::Active), (held.chain_id(), State::Rebound)],
        "and it is told"
    );
    let answer = read(&again, &taken).await.unwrap();
    again.prove(&answer).await.unwrap();
    assert!(story.planner.rebinds_asked().await.unwrap().is_empty());
    let refused = read(&story.researcher, &held).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractNotActive));
}

/// Attack lines 27 and 32: another configuration is another party, and others find nothing.
#[tokio::test]
async fn nobody_else_finds_or_takes_it() {
    let story = Box::pin(Story::begin()).await;
    let held = agreed(&story, Rebind::Domain).await;
    let link = story.researcher.contracts(None).await.unwrap();
    let link = link.into_iter().find(|link| link.chain_id == held.chain_id()).unwrap();
    let other = restarted(&story, "another prompt").await;
    for (who, reason) in [
        (&other, Reason::RebindNotAllowed),
        (&story.researcher, Reason::RebindNotAllowed),
        (&story.planner, Reason::NotAvailable),
        (&story.files, Reason::NotAvailable),
    ] {
        assert!(who.rebindable().await.unwrap().is_empty(), "{who:?}");
        assert_eq!(who.take_over(&link).await.unwrap_err().reason(), Some(reason), "{who:?}");
    }
    read(&story.researcher, &held).await.unwrap();
}

use countersign::{About, Shown};
use countersign_protocol::{
    contract::{Side, State},
    digest::Digest,
    refusal::Reason,
};

use crate::{
    fake::Lie,
    world::{agree, assert_deceived, call, granted, join, serve},
};

#[tokio::test]
async fn a_suspension_stops_what_was_confirmed_until_it_is_taken_back() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let held = agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap();
    let (_, _serving) = serve(&domain.fake).await;
    let grant = domain.grant.chain_id();
    let stale = domain.alice.suspend(grant, Side::Grantor, 1).await.unwrap_err();
    assert_eq!(stale.reason(), Some(Reason::PreviewStale));
    domain.fake.lose_replies(1);
    let suspended = domain.alice.suspend(grant, Side::Grantor, 2).await.unwrap();
    assert_eq!((suspended.link.state, domain.fake.count("Changed")), (State::Suspended, 1));
    let refused = researcher.invoke(&held, call()).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ContractSuspended));
    let resumed = domain.alice.resume(grant, Side::Grantor, 2).await.unwrap();
    assert_eq!(resumed.link.state, State::Active);
    researcher.invoke(&held, call()).await.unwrap();
}

#[tokio::test]
async fn a_breach_ends_the_contract_and_an_answer_about_another_chain_is_found() {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let chain = agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap().chain_id();
    let shown = Shown::Evidence(Digest::of(b"what shows it"));
    let mut twin = None;
    for lies in [false, true] {
        let chain = match lies {
            false => chain,
            true => agree(&domain.planner, &domain.grant, &researcher, 10).await.1.unwrap().chain_id(),
        };
        if lies {
            domain.fake.lie(Lie::ChangeOfAnother);
            let told = researcher.declare_breach(chain, Side::Holder, shown, 1).await;
            assert_deceived(told, About::Answer);
        } else {
            twin = Some(researcher.declare_breach(chain, Side::Holder, shown, 1).await.unwrap());
        }
    }
    assert_eq!(twin.unwrap().link.state, State::Breached);
}

use countersign::{About, Agent, Error};
use countersign_protocol::{digest::Digest, refusal::Reason, time::Lifetime};

use crate::{
    fake::{DOMAIN, Fake, Lie, principal},
    world::{assert_deceived, granted, join, options},
};

#[tokio::test]
async fn an_agent_joins_and_knows_who_it_is() {
    let fake = Fake::start().await;
    let planner = join(&fake, "planner").await;
    assert_eq!(*planner.instance().principal(), principal("planner"));
    assert_eq!(planner.domain().as_str(), DOMAIN);
    let own = planner.lookup(planner.instance()).await.unwrap();
    assert_eq!((own.key, own.generation), (planner.public_key(), 1));
    assert_eq!(planner.info().await.unwrap().implementation_name, "fake");
}

#[tokio::test]
async fn whatever_is_false_at_enrolment_is_found() {
    for (lie, about) in [
        (Lie::CertificateOfAnother, About::Certificate),
        (Lie::CertificateForAnotherKey, About::Certificate),
        (Lie::KeysOfAnotherDomain, About::Bundle),
        (Lie::LogKeyOfAnother, About::Bundle),
        (Lie::OtherAuthority, About::Bundle),
        (Lie::ForeignAuthorityBeside, About::Bundle),
    ] {
        let fake = Fake::start().await;
        fake.lie(lie);
        assert_deceived(Agent::join(&fake.join_token("planner"), options()).await, about);
        fake.stop_lying();
        join(&fake, "planner").await;
    }
}

#[tokio::test]
async fn a_server_that_the_pinned_authority_did_not_certify_is_not_talked_to() {
    let fake = Fake::start().await;
    let mut token = fake.join_token("planner");
    token.authority = Digest::of(b"another certificate");
    match Agent::join(&token, options()).await {
        Err(Error::Unavailable { what }) => assert!(what.contains("UnknownIssuer"), "{what}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.count("InstanceAdmitted"), 0);
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_with_the_same_statement() {
    let fake = Fake::start().await;
    let token = fake.join_token("planner");
    fake.lose_replies(2);
    Agent::join(&token, options()).await.unwrap();
    assert_eq!(fake.count("InstanceAdmitted"), 1);
    let again = Agent::join(&token, options()).await.unwrap_err();
    assert_eq!(again.reason(), Some(Reason::JoinRefused), "another process gets nothing");
}

#[tokio::test]
async fn a_join_token_that_pins_another_authority_is_not_handed_on() {
    let fake = Fake::start().await;
    let root = join(&fake, "root").await;
    let minute = Lifetime::from_millis(60_000);
    fake.lie(Lie::JoinTokenForOtherAuthority);
    assert_deceived(root.create_join_token(&principal("fetcher"), minute).await, About::Answer);
    fake.stop_lying();
    let token = root.create_join_token(&principal("fetcher"), minute).await.unwrap();
    Agent::join(&token, options()).await.unwrap();
}

#[tokio::test]
async fn who_an_instance_is_cannot_be_changed_afterwards() {
    let domain = granted().await;
    let (alice, planner) = (domain.alice.instance(), &domain.planner);
    domain.fake.lie(Lie::StatementOfAnother);
    assert_deceived(planner.lookup(alice).await, About::Instance);
    domain.fake.stop_lying();
    planner.lookup(alice).await.unwrap();
    domain.fake.lie(Lie::StatementWithOtherKey);
    assert_deceived(planner.lookup(alice).await, About::Instance);
    assert_deceived(planner.lookup(planner.instance()).await, About::Instance);
    domain.fake.stop_lying();
    planner.lookup(alice).await.unwrap();
}

#[tokio::test]
async fn a_list_is_read_over_all_its_pages() {
    let domain = granted().await;
    let instances = domain.alice.instances().await.unwrap();
    let names: Vec<_> = instances.iter().map(|(it, _)| it.instance.principal().short()).collect();
    assert_eq!(names, ["planner", "alice"]);
}

#[tokio::test]
async fn a_broker_that_names_other_keys_than_it_did_is_not_believed() {
    let fake = Fake::start().await;
    let planner = join(&fake, "planner").await;
    for lie in [Lie::KeysOfAnotherDomain, Lie::LogKeyOfAnother] {
        fake.lie(lie);
        assert_deceived(planner.info().await, About::Bundle);
        fake.stop_lying();
        planner.info().await.unwrap();
    }
}

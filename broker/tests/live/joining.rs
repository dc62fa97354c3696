//! Joining a domain and staying in it, and what is refused.

use countersign_broker::{channel::Leaf, clock::ManualClock};
use countersign_protocol::{
    digest::Digest,
    identity::{InstanceStatement, JoinStatement, RenewStatement},
    join_token::JoinToken,
    payload::Payload,
    signed::Statement,
    time::{Lifetime, Timestamp},
};
use countersign_wire::v1::{self, enrolment_client::EnrolmentClient};

use crate::support::{Agent, DOMAIN, Newcomer, Setting, TestBroker, principal, reason};

fn instance(instance: &impl ToString) -> v1::GetInstanceRequest {
    v1::GetInstanceRequest { trust_domain: DOMAIN.into(), instance: instance.to_string() }
}

async fn standing(viewer: &Agent, of: &Agent) -> (String, InstanceStatement) {
    let answer = viewer.identity_client().await.get_instance(instance(of.instance())).await.unwrap();
    let found = answer.into_inner().instance.unwrap();
    (found.standing, InstanceStatement::from_bytes(&found.statement).unwrap())
}

#[tokio::test]
async fn whoever_has_the_token_joins_and_is_known() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let planner = broker.agent(&admin, "agent/planner").await;
    let (standing, statement) = standing(&admin, &planner).await;
    assert_eq!((&statement.instance, statement.key), (planner.instance(), planner.key.public()));
    assert_eq!((standing.as_str(), statement.generation), ("live", 1));
    assert_eq!(statement.attestor.as_str(), "join_token");
    assert_eq!(planner.instance().principal(), &principal("agent/planner"));
    assert_eq!(planner.keys, admin.keys);
    // Of all that a certificate says, the newcomer chose the key.
    let leaf = Leaf::parse(&planner.identity_certificate(), &DOMAIN.parse().unwrap()).unwrap();
    assert_eq!(
        (&leaf.instance, leaf.spki_der.as_slice()),
        (planner.instance(), planner.identity.key().spki_der())
    );
    let life = leaf.validity.not_after.since(leaf.validity.not_before).as_millis();
    assert!((329_000..=331_000).contains(&life), "five minutes, and half a one before: {life}");
}

/// Tries to join with a statement, a token and a request that were tampered with; gives the reason.
async fn refused(
    broker: &TestBroker,
    token: &JoinToken,
    claim: impl FnOnce(&mut JoinStatement),
    tamper: impl FnOnce(&mut v1::JoinRequest),
) -> String {
    let newcomer = Newcomer::new(&broker.clock);
    let mut statement = newcomer.statement(token);
    claim(&mut statement);
    let mut request = newcomer.request(token, &statement);
    tamper(&mut request);
    reason(&newcomer.send(token, request).await.unwrap_err())
}

#[tokio::test]
async fn a_token_is_for_one_principal_of_one_domain() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let token = broker.token(&admin, "agent/planner").await;
    let other = Newcomer::new(&broker.clock);
    for (case, claimed) in [
        ("another principal", principal("agent/researcher").instance(other.uuid)),
        ("an admin", principal("human/root").instance(other.uuid)),
    ] {
        let reason = refused(&broker, &token, |statement| statement.instance = claimed, |_| ()).await;
        assert_eq!(reason, "JOIN_REFUSED", "{case}");
    }
    let foreign = |statement: &mut JoinStatement| {
        statement.domain = "evil.example".parse().unwrap();
    };
    assert_eq!(refused(&broker, &token, foreign, |_| ()).await, "WRONG_DOMAIN");
    let elsewhere = |request: &mut v1::JoinRequest| request.trust_domain = "evil.example".into();
    assert_eq!(refused(&broker, &token, |_| (), elsewhere).await, "WRONG_DOMAIN");
    assert!(other.join(&token).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_token_works_once_and_its_request_as_often_as_needed() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let token = broker.token(&admin, "agent/planner").await;
    let newcomer = Newcomer::new(&broker.clock);
    let request = newcomer.request(&token, &newcomer.statement(&token));
    let first = newcomer.send(&token, request.clone()).await.unwrap();
    // The reply was lost: the same bytes get the same identity, with another certificate for it.
    let again = newcomer.send(&token, request.clone()).await.unwrap();
    assert_eq!(again.certificate.unwrap().generation, 1);

    assert_eq!(refused(&broker, &token, |_| (), |_| ()).await, "JOIN_REFUSED", "a second process");
    // A thief of the whole request, token included, gets no certificate for a key of its own.
    let thief = Newcomer::new(&broker.clock);
    let mut stolen = request;
    stolen.spki = thief.tls.spki_der().to_vec();
    stolen.spki_signature = thief.tls.sign(&stolen.join).unwrap();
    assert_eq!(reason(&thief.send(&token, stolen).await.unwrap_err()), "NOT_ADMITTED");
    assert!(newcomer.admitted(&token, first).try_channel().await.is_ok());
}

#[tokio::test]
async fn a_token_that_never_was_or_has_expired_is_refused_alike() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let broker = TestBroker::with(Setting { clock: Some(clock.clone()), ..Setting::default() }).await;
    let admin = broker.admin().await;
    let token = broker.token(&admin, "agent/planner").await;
    let late = broker.token(&admin, "agent/planner").await;
    let never = JoinToken {
        secret: broker
            .first
            .secret
            .as_bytes()
            .iter()
            .rev()
            .copied()
            .collect::<Vec<_>>()
            .as_slice()
            .try_into()
            .unwrap(),
        ..token.clone()
    };
    assert_eq!(refused(&broker, &never, |_| (), |_| ()).await, "JOIN_REFUSED");
    // Without a token, no signature is looked at: a stranger causes no work.
    let garbled = |request: &mut v1::JoinRequest| request.spki_signature.clear();
    assert_eq!(refused(&broker, &never, |_| (), garbled).await, "JOIN_REFUSED");
    assert_eq!(refused(&broker, &token, |_| (), garbled).await, "SIGNATURE_INVALID", "the twin");
    clock.advance(Lifetime::from_millis(59_999));
    assert!(Newcomer::new(&broker.clock).join(&token).await.is_ok(), "the twin");
    clock.advance(Lifetime::from_millis(1));
    assert_eq!(refused(&broker, &late, |_| (), |_| ()).await, "JOIN_REFUSED");
}

#[tokio::test]
async fn a_request_that_is_not_wholly_its_senders_is_refused() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let token = broker.token(&admin, "agent/planner").await;
    let other = Newcomer::new(&broker.clock);

    // The attestor saw one secret, the statement names another.
    let evidence = |statement: &mut JoinStatement| statement.evidence = Digest::of(b"guess");
    assert_eq!(refused(&broker, &token, evidence, |_| ()).await, "JOIN_REFUSED");
    // The key of the channel is not the one in the statement.
    let (spki, hash) = (other.tls.spki_der().to_vec(), other.tls.spki_hash());
    assert_eq!(refused(&broker, &token, |statement| statement.spki = hash, |_| ()).await, "JOIN_REFUSED");
    // A key whose private half somebody else holds.
    let theirs = |request: &mut v1::JoinRequest| request.spki = spki;
    assert_eq!(refused(&broker, &token, |_| (), theirs).await, "SIGNATURE_INVALID");
    // The instance key in the statement did not sign it.
    let key = other.key.public();
    assert_eq!(refused(&broker, &token, |statement| statement.key = key, |_| ()).await, "SIGNATURE_INVALID");
    // A proof of possession over something else.
    let stale = other.tls.sign(b"something else").unwrap();
    let stale = |request: &mut v1::JoinRequest| request.spki_signature = stale;
    assert_eq!(refused(&broker, &token, |_| (), stale).await, "SIGNATURE_INVALID");
    // Evidence that is none, and an attestor that there is not.
    let short = |request: &mut v1::JoinRequest| request.evidence.truncate(31);
    assert_eq!(refused(&broker, &token, |_| (), short).await, "JOIN_REFUSED");
    let unknown = |request: &mut v1::JoinRequest| request.attestor = "trust_me".into();
    assert_eq!(refused(&broker, &token, |_| (), unknown).await, "JOIN_REFUSED");
    let garbage = |request: &mut v1::JoinRequest| request.join.push(0);
    assert_eq!(refused(&broker, &token, |_| (), garbage).await, "PAYLOAD_MALFORMED");
    // An old statement, and one of the future.
    for wrong in [-31_000i64, 31_000] {
        let issued = broker.clock.now().as_millis().checked_add_signed(wrong).unwrap();
        let issued = Timestamp::new(issued).unwrap();
        let reason = refused(&broker, &token, |statement| statement.issued = issued, |_| ()).await;
        assert_eq!(reason, "STATEMENT_STALE", "{wrong}");
    }
    assert!(other.join(&token).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_newcomers_message_has_a_size() {
    let broker = TestBroker::start().await;
    let newcomer = Newcomer::new(&broker.clock);
    let mut request = newcomer.request(&broker.first, &newcomer.statement(&broker.first));
    request.attestor = "x".repeat(17 * 1024);
    let mut client = EnrolmentClient::new(newcomer.enrolment(&broker.first).await);
    let refused = client.join(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange);
}

#[tokio::test]
async fn renewing_keeps_keys_and_counts_generations() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let mut planner = broker.agent(&admin, "agent/planner").await;
    let renewal = planner.renewal().sign(&planner.key);
    let first = planner.send_renewal(&renewal).await.unwrap();
    let again = planner.send_renewal(&renewal).await.unwrap();
    assert_eq!((first.generation, again.generation), (2, 2), "a lost reply is asked for again");
    planner.generation = first.generation;
    planner.renew().await.unwrap();
    assert_eq!(planner.generation, 3);
    let (_, statement) = standing(&admin, &planner).await;
    assert_eq!((statement.generation, statement.key), (3, planner.key.public()));
}

#[tokio::test]
async fn an_instance_that_runs_twice_is_found_and_locked() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let mut planner = broker.agent(&admin, "agent/planner").await;
    // A copy of the whole process, keys included.
    let mut copy = planner.clone();
    let before = copy.channel().await;
    copy.renew().await.unwrap();
    copy.renew().await.unwrap();
    let refused = planner.renew().await.unwrap_err();
    assert_eq!(reason(&refused), "INSTANCE_FORKED");
    assert_eq!(standing(&admin, &planner).await.0, "forked");
    // Neither works again, whichever was the original, not even on a connection that was open.
    for mut locked in [planner, copy] {
        assert_eq!(reason(&locked.renew().await.unwrap_err()), "NOT_ADMITTED");
    }
    let mut open = v1::identity_client::IdentityClient::new(before);
    let bundle = v1::GetBundleRequest { trust_domain: DOMAIN.into() };
    assert_eq!(reason(&open.get_bundle(bundle).await.unwrap_err()), "NOT_ADMITTED");
}

#[tokio::test]
async fn a_renewal_is_for_oneself_with_the_same_key_and_configuration() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let planner = broker.agent(&admin, "agent/planner").await;
    let other = broker.agent(&admin, "agent/planner").await;
    let honest = planner.renewal();

    let theirs = other.renewal().sign(&other.key);
    assert_eq!(reason(&planner.send_renewal(&theirs).await.unwrap_err()), "SIGNATURE_INVALID");
    for (case, renewal, expected) in [
        (
            "of another",
            RenewStatement { instance: other.instance().clone(), ..honest.clone() },
            "CHANNEL_MISMATCH",
        ),
        (
            "with another key",
            RenewStatement { spki: other.actor().spki, ..honest.clone() },
            "CHANNEL_MISMATCH",
        ),
        (
            "with another configuration",
            RenewStatement { configuration: Digest::of(b"other"), ..honest.clone() },
            "CHANNEL_MISMATCH",
        ),
        ("from a generation to come", RenewStatement { generation: 7, ..honest.clone() }, "OUT_OF_SEQUENCE"),
    ] {
        let refused = planner.send_renewal(&renewal.sign(&planner.key)).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{case}");
    }
    assert!(planner.send_renewal(&honest.sign(&planner.key)).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let mut broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let mut planner = broker.agent(&admin, "agent/planner").await;
    let token = broker.token(&admin, "agent/planner").await;
    planner.renew().await.unwrap();
    broker.restart().await;
    assert_eq!(standing(&admin, &planner).await.1.generation, 2);
    planner.renew().await.unwrap();
    assert!(Newcomer::new(&broker.clock).join(&token).await.is_ok(), "a token outlives the broker");
    assert_eq!(refused(&broker, &token, |_| (), |_| ()).await, "JOIN_REFUSED", "and so does its use");
    broker.restart().await;
    assert_eq!(refused(&broker, &token, |_| (), |_| ()).await, "JOIN_REFUSED");
    assert_eq!(standing(&admin, &planner).await.1.generation, 3);
}

#[tokio::test]
async fn instances_are_listed_for_admins_page_by_page() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let mut joined = vec![admin.instance().to_string()];
    for _ in 0..4 {
        joined.push(broker.agent(&admin, "agent/planner").await.instance().to_string());
    }
    joined.sort();
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListInstancesRequest { trust_domain: DOMAIN.into(), page_size: 2, page_token };
        let page = admin.identity_client().await.list_instances(request).await.unwrap().into_inner();
        let statements =
            page.instances.iter().map(|it| InstanceStatement::from_bytes(&it.statement).unwrap());
        listed.extend(statements.map(|statement| statement.instance.to_string()));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, joined);
    let request = |page_token: &str| v1::ListInstancesRequest {
        trust_domain: DOMAIN.into(),
        page_size: 2,
        page_token: page_token.into(),
    };
    let forged = admin.identity_client().await.list_instances(request("AAAA")).await.unwrap_err();
    assert_eq!(reason(&forged), "PAYLOAD_MALFORMED");
    let planner = broker.agent(&admin, "agent/planner").await;
    let refused = planner.identity_client().await.list_instances(request("")).await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_AVAILABLE");
}

#[tokio::test]
async fn join_tokens_are_made_by_admins_within_limits() {
    let broker = TestBroker::start().await;
    let admin = broker.admin().await;
    let planner = broker.agent(&admin, "agent/planner").await;
    let request = |principal: &str, lifetime_ms| v1::CreateJoinTokenRequest {
        trust_domain: DOMAIN.into(),
        principal: principal.into(),
        lifetime_ms,
    };
    let good = format!("spiffe://{DOMAIN}/agent/x");
    for (asker, principal, lifetime, expected) in [
        (&planner, good.as_str(), 1_000, "NOT_AVAILABLE"),
        (&planner, "nonsense", 1_000, "NOT_AVAILABLE"),
        (&admin, "nonsense", 1_000, "NAME_NOT_NORMAL"),
        (&admin, "spiffe://evil.example/agent/x", 1_000, "WRONG_DOMAIN"),
        (&admin, good.as_str(), 0, "LIMIT_EXCEEDED"),
        (&admin, good.as_str(), 24 * 60 * 60 * 1_000 + 1, "LIMIT_EXCEEDED"),
        // Whoever is certified under this name is believed to be the broker.
        (&admin, &format!("spiffe://{DOMAIN}/service/broker"), 1_000, "ID_ALREADY_USED"),
    ] {
        let client = &mut asker.identity_client().await;
        let refused = client.create_join_token(request(principal, lifetime)).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{principal} {lifetime}");
    }
    let client = &mut admin.identity_client().await;
    assert!(client.create_join_token(request(&good, 24 * 60 * 60 * 1_000)).await.is_ok(), "the twin");
}

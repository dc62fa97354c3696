//! Sessions against a broker that lies: neither side does or believes what the other did not say.

use std::time::Duration;

use countersign::{About, CallerFault, Error, Session, SessionTerms};
use countersign_protocol::{limits::BODY_MAX_BYTES, receipt::ActionOutcome, refusal::Reason, time::Lifetime};
use tokio::time::timeout;

use crate::{
    fake::Lie,
    world::{Granted, assert_deceived, call, granted, serve},
};

async fn open(domain: &Granted) -> Result<Session, Error> {
    let terms = SessionTerms { sign_every: 8, sign_within: Lifetime::from_millis(2_000) };
    domain.planner.open_session(&domain.grant, &call().callee, terms).await
}

#[tokio::test]
async fn a_session_is_used_by_many_at_once_and_closed() {
    let domain = granted().await;
    let (files, _serving) = serve(&domain.fake).await;
    let session = open(&domain).await.unwrap();
    assert_eq!(session.callee(), files.instance());
    let (one, two) = tokio::join!(session.invoke(call()), session.invoke(call()));
    for reply in [one.unwrap(), two.unwrap()] {
        assert_eq!(reply.body, b"content of file:/data/eu/q3.csv");
        assert_eq!(reply.result.outcome, ActionOutcome::Done);
    }
    session.close().await.unwrap();
    assert_eq!(domain.fake.count("SessionIntent"), 2);
    assert_eq!(domain.fake.count("SessionSigned"), 2, "both sides, at the close");
}

#[tokio::test]
async fn a_false_answer_opens_no_session() {
    let domain = granted().await;
    let (_, _serving) = serve(&domain.fake).await;
    open(&domain).await.unwrap();
    for lie in [Lie::SessionAnswerForged, Lie::SessionAnswerOfAnother] {
        domain.fake.lie(lie);
        assert_deceived(open(&domain).await, About::Session);
        domain.fake.stop_lying();
    }
    open(&domain).await.unwrap();
}

#[tokio::test]
async fn a_false_result_or_signature_is_found_and_ends_the_session() {
    let domain = granted().await;
    let (_, _serving) = serve(&domain.fake).await;
    for lie in [Lie::SessionResultForged, Lie::SessionResultAltered] {
        let session = open(&domain).await.unwrap();
        session.invoke(call()).await.unwrap();
        domain.fake.lie(lie);
        assert_deceived(session.invoke(call()).await, About::Session);
        domain.fake.stop_lying();
        assert_deceived(session.invoke(call()).await, About::Session);
    }
    for lie in [Lie::ResultsSignedByAnother, Lie::HeadLeftOut] {
        let session = open(&domain).await.unwrap();
        session.invoke(call()).await.unwrap();
        domain.fake.lie(lie);
        assert_deceived(session.close().await, About::Session);
        domain.fake.stop_lying();
    }
    let session = open(&domain).await.unwrap();
    session.invoke(call()).await.unwrap();
    session.close().await.unwrap();
}

/// What a callee is sent in a session and did not come from the caller, it does not do, and leaves.
#[tokio::test]
async fn a_request_that_the_caller_did_not_make_is_not_done() {
    let lies = [
        Lie::RequestForged,
        Lie::RequestBodyAltered,
        Lie::RequestReplayed,
        Lie::RequestsReordered,
        Lie::RequestDropped,
    ];
    for lie in lies {
        let domain = granted().await;
        let (_, _serving) = serve(&domain.fake).await;
        let session = open(&domain).await.unwrap();
        if lie != Lie::RequestDropped {
            session.invoke(call()).await.unwrap();
        }
        domain.fake.lie(lie);
        let both = async { tokio::join!(session.invoke(call()), session.invoke(call())) };
        let (one, two) = timeout(Duration::from_secs(10), both).await.unwrap();
        let left = |outcome: &Result<_, Error>| {
            outcome.as_ref().err().and_then(Error::reason) == Some(Reason::CalleeUnavailable)
        };
        assert!(left(&one) && left(&two), "{lie:?}: {one:?}, {two:?}");
    }
}

#[tokio::test]
async fn a_head_that_the_caller_did_not_sign_ends_the_session() {
    let domain = granted().await;
    let (_, _serving) = serve(&domain.fake).await;
    let session = open(&domain).await.unwrap();
    session.invoke(call()).await.unwrap();
    domain.fake.lie(Lie::RequestsSignedByAnother);
    let refused = session.close().await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::CalleeUnavailable));
}

#[tokio::test]
async fn a_call_that_cannot_be_made_in_a_session_is_the_callers_fault() {
    let domain = granted().await;
    let (_, _serving) = serve(&domain.fake).await;
    let session = open(&domain).await.unwrap();
    let mut other = call();
    other.callee = domain.planner.instance().principal().clone();
    let other = session.invoke(other).await;
    assert!(matches!(other, Err(Error::Caller(CallerFault::AnotherCallee { .. }))), "{other:?}");
    let mut large = call();
    large.body = vec![0; BODY_MAX_BYTES + 1];
    let large = session.invoke(large).await;
    assert!(matches!(large, Err(Error::Caller(CallerFault::TooLarge { .. }))), "{large:?}");
    let terms = SessionTerms { sign_every: 8, sign_within: Lifetime::from_millis(2_000) };
    let stolen = domain.alice.open_session(&domain.grant, &call().callee, terms).await;
    assert!(matches!(stolen, Err(Error::Caller(CallerFault::NotTheHolder { .. }))), "{stolen:?}");
}

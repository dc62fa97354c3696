use countersign::{About, CallerFault, Error, Held};
use countersign_protocol::{digest::Digest, limits::BODY_MAX_BYTES, receipt::ActionOutcome, refusal::Reason};

use crate::{
    fake::Lie,
    world::{Granted, agree, assert_deceived, call, granted, join, serve},
};

/// planner's grant, used by researcher under a contract.
async fn contracted() -> (Granted, countersign::Agent, Held) {
    let domain = granted().await;
    let researcher = join(&domain.fake, "researcher").await;
    let (_, held) = agree(&domain.planner, &domain.grant, &researcher, 10).await;
    (domain, researcher, held.unwrap())
}

#[tokio::test]
async fn an_action_is_done_receipted_and_proven() {
    let (domain, researcher, held) = contracted().await;
    let (files, _serving) = serve(&domain.fake).await;
    let answer = researcher.invoke(&held, call()).await.unwrap();
    assert_eq!(answer.body, b"content of file:/data/eu/q3.csv");
    assert_eq!(answer.receipt.callee, *files.instance());
    assert_eq!(answer.receipt.outcome, ActionOutcome::Done);
    assert_eq!(answer.receipt.result, Digest::of(&answer.body));
    let explanation = researcher.prove(&answer).await.unwrap();
    assert_eq!(explanation.originator, *domain.alice.instance().principal());
    assert!(!researcher.explain(answer.invocation).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_false_receipt_or_result_is_found() {
    let (domain, researcher, held) = contracted().await;
    let (_, _serving) = serve(&domain.fake).await;
    researcher.invoke(&held, call()).await.unwrap();
    for lie in [Lie::ReceiptForged, Lie::ReceiptOfAnother, Lie::ResultAltered] {
        domain.fake.lie(lie);
        assert_deceived(researcher.invoke(&held, call()).await, About::Receipt);
        domain.fake.stop_lying();
        researcher.invoke(&held, call()).await.unwrap();
    }
}

#[tokio::test]
async fn false_evidence_is_not_handed_on() {
    let (domain, researcher, held) = contracted().await;
    let (_, _serving) = serve(&domain.fake).await;
    let first = researcher.invoke(&held, call()).await.unwrap();
    let second = researcher.invoke(&held, call()).await.unwrap();
    for lie in [Lie::EvidenceAltered, Lie::EvidenceOfAnother] {
        domain.fake.lie(lie);
        assert_deceived(researcher.explain(first.invocation).await, About::Evidence);
        domain.fake.stop_lying();
    }
    let mut mixed = first.clone();
    mixed.receipt = second.receipt.clone();
    assert_deceived(researcher.prove(&mixed).await, About::Evidence);
    researcher.prove(&first).await.unwrap();
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_and_nothing_is_done_twice() {
    let (domain, researcher, held) = contracted().await;
    let (_, _serving) = serve(&domain.fake).await;
    domain.fake.lose_replies(2);
    researcher.invoke(&held, call()).await.unwrap();
    assert_eq!(domain.fake.count("Intent"), 1);
}

#[tokio::test]
async fn what_the_chain_does_not_allow_is_refused_with_its_reason() {
    let (domain, researcher, held) = contracted().await;
    let (_, _serving) = serve(&domain.fake).await;
    let mut other = call();
    other.resource = "file:/etc/passwd".parse().unwrap();
    let refused = researcher.invoke(&held, other).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::CheckFailed), "{refused}");
    let Error::Refused(refused) = refused else { panic!() };
    assert_eq!(refused.rule.as_deref(), Some("CHN-008"));
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_the_callers_fault() {
    let (domain, researcher, held) = contracted().await;
    let stolen = domain.planner.invoke(&held, call()).await;
    assert!(matches!(stolen, Err(Error::Caller(CallerFault::NotTheHolder { .. }))), "{stolen:?}");
    let mut large = call();
    large.body = vec![0; BODY_MAX_BYTES + 1];
    let large = researcher.invoke(&held, large).await;
    assert!(matches!(large, Err(Error::Caller(CallerFault::TooLarge { .. }))), "{large:?}");
}

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use countersign::{About, Agent, CallerFault, Error, Options};
use countersign_protocol::{digest::Digest, refusal::Reason};
use tokio::time::{sleep, timeout};

use crate::{
    fake::{Fake, Lie, rights},
    world::{accept, agree, ask, assert_deceived, call, generous, granted, join, options, serve},
};

#[tokio::test]
async fn calls_and_streams_outlive_the_certificates_that_opened_them() {
    let domain = granted().await;
    domain.fake.set_svid_ms(3_000);
    let researcher = join(&domain.fake, "researcher").await;
    let (_, _serving) = serve(&domain.fake).await;
    let held = agree(&domain.planner, &domain.grant, &researcher, 90).await.1.unwrap();
    for _ in 0..40 {
        researcher.invoke(&held, call()).await.unwrap();
        sleep(Duration::from_millis(200)).await;
    }
    let renewed = domain.fake.count("InstanceRenewed");
    assert!(renewed >= 6, "two instances over eight seconds: {renewed}");
    assert_eq!(domain.fake.count("Intent"), 40);
}

#[tokio::test]
async fn a_negotiation_outlives_them_too() {
    let domain = granted().await;
    domain.fake.set_svid_ms(3_000);
    let researcher = join(&domain.fake, "researcher").await;
    let (mut offers, mut accepts) = (generous, accept);
    let late = async {
        sleep(Duration::from_secs(5)).await;
        domain.planner.delegate(&domain.grant, &mut offers).await
    };
    let asks = researcher.negotiate(domain.planner.instance().principal(), ask(5, 3), &mut accepts);
    let (delegated, held) = tokio::join!(late, asks);
    assert_eq!(delegated.unwrap().outcome.unwrap(), held.unwrap().chain_id());
}

#[tokio::test]
async fn a_lost_renewal_is_sent_again_as_it_was() {
    let fake = Fake::start().await;
    fake.set_svid_ms(3_000);
    let planner = join(&fake, "planner").await;
    fake.lose_replies(2);
    sleep(Duration::from_millis(3_500)).await;
    planner.lookup(planner.instance()).await.unwrap();
    assert_eq!(fake.count("InstanceForked"), 0);
    assert!(fake.count("InstanceRenewed") >= 1);
}

/// Attack lines 2 and 29: on a new connection the broker is asked for the domain's keys once more.
#[tokio::test]
async fn keys_that_those_before_did_not_sign_are_not_taken() {
    keys_are_not_taken(Lie::KeysThatDoNotFollow).await;
}

/// Attack lines 29 and 30: nor those of a ledger that goes on from a backup, whoever signed them.
#[tokio::test]
async fn keys_of_another_ledger_are_not_taken() {
    keys_are_not_taken(Lie::KeysOfARestoredLedger).await;
}

async fn keys_are_not_taken(lie: Lie) {
    let fake = Fake::start().await;
    fake.set_svid_ms(3_000);
    let planner = join(&fake, "planner").await;
    let known = planner.keys();
    fake.lie(lie);
    planner.lookup(planner.instance()).await.unwrap();
    while fake.count("InstanceRenewed") == 0 {
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(300)).await;
    assert_deceived(planner.lookup(planner.instance()).await, About::Bundle);
    assert_eq!(planner.keys(), known);
    fake.stop_lying();
    planner.lookup(planner.instance()).await.unwrap();
}

/// Attack line 32: two different renewals from one generation convict an instance of running twice. A
/// broker does not get them by saying that the first, which it recorded, had come too late.
#[tokio::test]
async fn a_broker_that_says_too_late_too_soon_gets_no_second_renewal() {
    let fake = Fake::start().await;
    fake.set_svid_ms(10_000);
    fake.lie(Lie::RenewalSaidTooLate);
    let planner = join(&fake, "planner").await;
    sleep(Duration::from_millis(6_000)).await;
    assert_eq!((fake.count("InstanceRenewed"), fake.count("InstanceForked")), (1, 0));
    fake.stop_lying();
    sleep(Duration::from_millis(3_000)).await;
    planner.lookup(planner.instance()).await.unwrap();
    assert_eq!(fake.count("InstanceForked"), 0, "the twin: it goes on with the first one's answer");
}

/// Keeps the newest export, as a file would.
fn keeping() -> (Options, Arc<Mutex<Vec<Vec<u8>>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    let keep = Arc::clone(&kept);
    options.danger_keep = Some(Arc::new(move |bytes: &[u8]| {
        keep.lock().unwrap().push(bytes.to_vec());
        Ok(())
    }));
    (options, kept)
}

#[tokio::test]
async fn an_exported_identity_goes_on_in_another_process() {
    let domain = granted().await;
    let token = domain.fake.join_token("alice");
    let alice = Agent::join(&token, options()).await.unwrap();
    alice.ledger().checkpoint().await.unwrap();
    let exported = alice.danger_export().unwrap();
    let instance = alice.instance().clone();
    drop(alice);
    let again = Agent::danger_import(&exported, options()).unwrap();
    assert_eq!(*again.instance(), instance);
    assert!(again.ledger().latest().is_some(), "what it has seen of the ledger goes with it");
    again.grant(domain.planner.instance(), rights(3, 1)).await.unwrap();
}

/// A checkpoint may carry the signatures of many witnesses, and a hostile broker adds as many as fit:
/// the identity of a person's session is not lost by it.
#[tokio::test]
async fn an_identity_that_saw_a_crowded_checkpoint_goes_on_too() {
    let domain = granted().await;
    domain.fake.lie(Lie::CheckpointCrowded);
    let (seen, _) = domain.alice.ledger().checkpoint().await.unwrap();
    let exported = domain.alice.danger_export().unwrap();
    drop(domain.alice);
    let again = Agent::danger_import(&exported, options()).unwrap();
    let (kept, signed) = again.ledger().latest().unwrap();
    assert_eq!(kept, seen);
    let log = domain.planner.keys().log_verifier().unwrap();
    assert_eq!(signed.open(&log), Ok(kept), "what convicts the log is kept");
}

#[tokio::test]
async fn a_process_that_died_while_it_renewed_does_not_look_like_a_fork() {
    let fake = Fake::start().await;
    fake.set_svid_ms(3_000);
    let (keeps, kept) = keeping();
    let alice = Agent::join(&fake.join_token("alice"), keeps).await.unwrap();
    // The renewal is decided, its replies get lost, and then the process is gone.
    fake.lose_replies(100);
    while fake.count("InstanceRenewed") == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    drop(alice);
    fake.lose_replies(0);
    let last = kept.lock().unwrap().last().unwrap().clone();
    let again = Agent::danger_import(&last, options()).unwrap();
    sleep(Duration::from_millis(500)).await;
    again.lookup(again.instance()).await.unwrap();
    assert_eq!((fake.count("InstanceRenewed"), fake.count("InstanceForked")), (1, 0));
}

#[tokio::test]
async fn two_processes_with_one_identity_are_found_and_told() {
    let fake = Fake::start().await;
    fake.set_svid_ms(3_000);
    let first = join(&fake, "planner").await;
    let second = Agent::danger_import(&first.danger_export().unwrap(), options()).unwrap();
    let ended = async {
        tokio::select! { it = first.ended() => it, it = second.ended() => it }
    };
    let reason = timeout(Duration::from_secs(10), ended).await.unwrap();
    assert_eq!(reason.reason(), Some(Reason::InstanceForked), "{reason}");
    assert_eq!(fake.count("InstanceForked"), 1);
}

#[tokio::test]
async fn an_identity_that_was_not_renewed_in_time_says_so() {
    let fake = Fake::start().await;
    fake.set_svid_ms(2_000);
    let planner = join(&fake, "planner").await;
    let exported = planner.danger_export().unwrap();
    drop(planner);
    sleep(Duration::from_millis(2_100)).await;
    let late = Agent::danger_import(&exported, options());
    assert!(matches!(late, Err(Error::Caller(CallerFault::IdentityEnded))), "{late:?}");
}

#[tokio::test]
async fn bytes_that_are_no_identity_are_refused() {
    let fake = Fake::start().await;
    let planner = join(&fake, "planner").await;
    let exported = planner.danger_export().unwrap();
    let other = Options::new(Digest::of(b"another model"));
    for (bytes, options) in [
        (&exported[1..], options()),
        (&exported[..exported.len() - 1], options()),
        (b"", options()),
        (&exported[..], other),
    ] {
        let refused = Agent::danger_import(bytes, options);
        assert!(matches!(refused, Err(Error::Caller(CallerFault::NotAnExport { .. }))), "{refused:?}");
    }
    Agent::danger_import(&exported, options()).unwrap();
}

#[tokio::test]
async fn an_identity_that_cannot_be_kept_is_not_renewed() {
    let fake = Fake::start().await;
    fake.set_svid_ms(2_000);
    let kept = Arc::new(Mutex::new(0));
    let mut options = options();
    let count = Arc::clone(&kept);
    options.danger_keep = Some(Arc::new(move |_: &[u8]| {
        *count.lock().unwrap() += 1;
        if *count.lock().unwrap() == 1 { Ok(()) } else { Err(std::io::ErrorKind::StorageFull.into()) }
    }));
    let planner = Agent::join(&fake.join_token("planner"), options).await.unwrap();
    let reason = timeout(Duration::from_secs(10), planner.ended()).await.unwrap();
    assert!(matches!(reason, Error::Caller(CallerFault::IdentityEnded)), "{reason}");
    assert_eq!(fake.count("InstanceRenewed"), 0);
    let refused = planner.lookup(planner.instance()).await;
    assert!(matches!(refused, Err(Error::Caller(CallerFault::IdentityEnded))), "{refused:?}");
}

//! Changes, asked for by those who may and those who may not, against what is under way.

use std::time::Duration;

use countersign_protocol::{
    contract::{ChangeKind, Side},
    digest::ChainId,
    domain::InvocationOutcome,
    payload::Payload,
    refusal::Reason,
    signed::Statement,
};
use countersign_wire::v1::contracts_server::Contracts as _;
use tokio::time::timeout;
use tonic::Status;

use super::*;
use crate::mediation::tests::world::{World, reason, refused, rights, until};

type Wanted = (Side, ChangeKind);

const SUSPEND: Wanted = (Side::Grantor, ChangeKind::Suspend);
const RESUME: Wanted = (Side::Grantor, ChangeKind::Resume);
const RETIRE: Wanted = (Side::Holder, ChangeKind::Retire);

async fn change(
    world: &World,
    who: &str,
    chain: ChainId,
    (side, kind): Wanted,
) -> Result<v1::ChangeContractResponse, Status> {
    let signed = world.say(|stage| stage.change(who, side, chain, kind)).sign(&world.agent(who).key);
    let change_request = signed.to_bytes();
    let message = v1::ChangeContractRequest { trust_domain: "acme.example".into(), change_request };
    let mut request = Request::new(message);
    request.extensions_mut().insert(world.agent(who).actor());
    Contracts::new(&world.mediation).change_contract(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn what_waits_is_cancelled_before_the_change_is_acknowledged() {
    for (who, wanted, told) in
        [("planner", SUSPEND, "CONTRACT_SUSPENDED"), ("researcher", RETIRE, "CONTRACT_NOT_ACTIVE")]
    {
        let (world, [_, first, _]) = World::with_chain().await;
        let mut callee = world.serve("files", 4).await;
        let call = world.call("researcher", first);
        let sending = world.sending("researcher", &call);
        until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
        // A callee that does not read cannot hold the acknowledgement up.
        let acknowledged = timeout(Duration::from_secs(2), change(&world, who, first, wanted)).await;
        assert!(acknowledged.unwrap().is_ok());
        assert_eq!(world.mediation.mediator().waiting(), 0, "nothing waits to be forwarded");
        callee.hears_nothing().await;
        assert_eq!(refused(sending.await.unwrap()), told);
        let end = world.look(|state| state.invocation(&call.proof.invocation_id).unwrap().outcome.clone());
        assert_eq!(end, Some((InvocationOutcome::Cancelled, None)));
    }
}

/// However they race: what a callee gets, it gets before the acknowledgement.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_forwarded_after_a_suspension_is_acknowledged() {
    for _ in 0..10 {
        let (world, [_, first, _]) = World::with_chain().await;
        let leaf = world.contract(first, "researcher", "mallory", rights(40, 1)).await.unwrap();
        let mut asked = world.willing("files", 64).await;
        let sending: Vec<_> =
            (0..40).map(|_| world.sending("mallory", &world.call("mallory", leaf))).collect();
        tokio::task::yield_now().await;
        change(&world, "planner", first, SUSPEND).await.unwrap();
        assert_eq!(world.mediation.mediator().waiting(), 0, "nothing waits to be forwarded");
        for sending in sending {
            let outcome = sending.await.unwrap();
            assert!(outcome.is_ok() || reason(&outcome.unwrap_err()) == "CONTRACT_SUSPENDED");
        }
        while asked.try_recv().is_ok() {}
        assert_eq!(refused(world.send("mallory", &world.call("mallory", leaf)).await), "CONTRACT_SUSPENDED");
    }
}

/// A suspension is the ledger's: a broker that starts anew keeps it, and what is resumed is used again.
#[tokio::test]
async fn a_suspension_outlives_a_restart_until_it_is_taken_back() {
    let (world, [_, first, leaf]) = World::with_chain().await;
    let told = change(&world, "planner", first, SUSPEND).await.unwrap();
    assert_eq!((told.epoch, told.link.unwrap().state), (1, "SUSPENDED".to_owned()));
    let world = world.restarted().await;
    let _asked = world.willing("files", 4).await;
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "CONTRACT_SUSPENDED");
    change(&world, "planner", first, RESUME).await.unwrap();
    assert!(world.send("fetcher", &world.call("fetcher", leaf)).await.is_ok());
}

#[tokio::test]
async fn a_change_is_told_only_once_it_is_durable() {
    let (world, [_, first, _]) = World::with_chain().await;
    world.store.hold();
    let changing = {
        let world = world.clone();
        tokio::spawn(async move { change(&world, "planner", first, SUSPEND).await })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!changing.is_finished());
    world.store.let_go();
    assert!(changing.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_stranger_cannot_tell_absent_from_forbidden_and_a_party_is_told() {
    let (world, [_, first, _]) = World::with_chain().await;
    let bytes = |status: Status| (status.code(), status.message().to_owned(), status.details().to_vec());
    let absent = ChainId::from_bytes([9; 32]);
    for wanted in [SUSPEND, RETIRE] {
        let forbidden = change(&world, "mallory", first, wanted).await.unwrap_err();
        let nothing = change(&world, "mallory", absent, wanted).await.unwrap_err();
        assert_eq!(reason(&nothing), "NOT_AVAILABLE");
        assert_eq!(bytes(forbidden), bytes(nothing));
    }
    let party = refused(change(&world, "researcher", first, SUSPEND).await);
    assert_eq!(party, Reason::ChangeNotAllowed.name());
    let admin = refused(change(&world, "root", first, RETIRE).await);
    assert_eq!(admin, Reason::ChangeNotAllowed.name());
    assert_eq!(world.look(|state| state.epoch()), 0);
    assert!(change(&world, "root", first, (Side::Admin, ChangeKind::Suspend)).await.is_ok(), "the twin");
}

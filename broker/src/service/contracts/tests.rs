//! Changes, asked for by those who may and those who may not, against what is under way.

use std::time::Duration;

use countersign_protocol::{
    contract::{ChangeKind, Rebind, Side},
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

/// A chain that may be taken over, and a second copy of its holder that joined after it.
async fn restarted(rebind: Rebind) -> (World, ChainId) {
    let (mut world, [grant, ..]) = World::with_chain().await;
    let terms = (rights(50, 3), rebind);
    let chain = world.rebindable(grant, "planner", "researcher", terms).await.unwrap();
    world.join("researcher2", "researcher").await;
    (world, chain)
}

fn by<T>(world: &World, who: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(world.agent(who).actor());
    request
}

async fn take(world: &World, who: &str, chain: ChainId) -> Result<v1::RebindContractResponse, Status> {
    let signed = world.say(|stage| stage.rebind_request(who, chain)).sign(&world.agent(who).key);
    let rebind_request = signed.to_bytes();
    let message = v1::RebindContractRequest { trust_domain: "acme.example".into(), rebind_request };
    Contracts::new(&world.mediation).rebind_contract(by(world, who, message)).await.map(Response::into_inner)
}

async fn rebindable(world: &World, who: &str) -> Vec<v1::Link> {
    let (service, mut links, mut page_token) = (Contracts::new(&world.mediation), Vec::new(), String::new());
    loop {
        let message =
            v1::ListRebindableRequest { trust_domain: "acme.example".into(), page_size: 1, page_token };
        let page = v1::contracts_server::Contracts::list_rebindable(&service, by(world, who, message)).await;
        let page = page.unwrap().into_inner();
        links.extend(page.links);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return links;
        }
    }
}

/// CTR-106: what waits under the old link is cancelled before the new holder hears that it has it.
#[tokio::test]
async fn what_waits_is_cancelled_before_a_rebind_is_acknowledged() {
    let (world, chain) = restarted(Rebind::Domain).await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("researcher", chain);
    let sending = world.sending("researcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    let acknowledged = timeout(Duration::from_secs(2), take(&world, "researcher2", chain)).await.unwrap();
    assert_eq!(world.mediation.mediator().waiting(), 0, "nothing waits to be forwarded");
    callee.hears_nothing().await;
    assert_eq!(refused(sending.await.unwrap()), "CONTRACT_NOT_ACTIVE");
    let next = acknowledged.unwrap().link.unwrap();
    assert_eq!((next.state.as_str(), next.hop), ("ACTIVE", chain.as_bytes().to_vec()));
}

/// However they race, the two processes never both get something done after the acknowledgement.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_forwarded_for_the_old_process_after_the_acknowledgement() {
    for _ in 0..10 {
        let (world, chain) = restarted(Rebind::Domain).await;
        let mut asked = world.willing("files", 64).await;
        let sending: Vec<_> =
            (0..30).map(|_| world.sending("researcher", &world.call("researcher", chain))).collect();
        tokio::task::yield_now().await;
        let link = take(&world, "researcher2", chain).await.unwrap().link.unwrap();
        for sending in sending {
            let outcome = sending.await.unwrap();
            assert!(outcome.is_ok() || reason(&outcome.unwrap_err()) == "CONTRACT_NOT_ACTIVE");
        }
        while asked.try_recv().is_ok() {}
        assert_eq!(
            refused(world.send("researcher", &world.call("researcher", chain)).await),
            "CONTRACT_NOT_ACTIVE"
        );
        let next = ChainId::try_from(link.chain_id.as_slice()).unwrap();
        assert!(world.send("researcher2", &world.call("researcher2", next)).await.is_ok());
    }
}

/// A rebind is the ledger's: a broker that starts anew has it as it was.
#[tokio::test]
async fn a_rebind_outlives_a_restart() {
    let (world, chain) = restarted(Rebind::Domain).await;
    let next = take(&world, "researcher2", chain).await.unwrap().link.unwrap().chain_id;
    let next = ChainId::try_from(next.as_slice()).unwrap();
    let world = world.restarted().await;
    let _asked = world.willing("files", 4).await;
    assert_eq!(
        refused(world.send("researcher", &world.call("researcher", chain)).await),
        "CONTRACT_NOT_ACTIVE"
    );
    assert!(world.send("researcher2", &world.call("researcher2", next)).await.is_ok());
}

#[tokio::test]
async fn a_rebind_is_told_only_once_it_is_durable() {
    let (world, chain) = restarted(Rebind::Domain).await;
    world.store.hold();
    let taking = {
        let world = world.clone();
        tokio::spawn(async move { take(&world, "researcher2", chain).await })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!taking.is_finished());
    world.store.let_go();
    assert!(taking.await.unwrap().is_ok());
}

/// Attack line 27: what there is to take over is shown to whoever may, page by page, and to no one else.
#[tokio::test]
async fn what_can_be_taken_over_is_its_principals_alone_to_see() {
    let (mut world, [grant, ..]) = World::with_chain().await;
    let mut chains = Vec::new();
    for rebind in [Rebind::Domain, Rebind::Never, Rebind::GrantorConsent, Rebind::Domain] {
        let held = world.rebindable(grant, "planner", "researcher", (rights(5, 3), rebind)).await.unwrap();
        chains.extend((rebind != Rebind::Never).then(|| held.as_bytes().to_vec()));
    }
    world.join("researcher2", "researcher").await;
    world.join("researcher3", "researcher").await;
    chains.sort();
    let mut seen: Vec<_> =
        rebindable(&world, "researcher2").await.into_iter().map(|link| link.chain_id).collect();
    seen.sort();
    assert_eq!(seen, chains);
    for who in ["researcher", "planner", "fetcher", "root", "mallory"] {
        assert!(rebindable(&world, who).await.is_empty(), "{who}");
    }
    let first = ChainId::try_from(chains[0].as_slice()).unwrap();
    let absent = ChainId::from_bytes([9; 32]);
    let bytes = |status: Status| (status.code(), status.message().to_owned(), status.details().to_vec());
    let forbidden = take(&world, "mallory", first).await.unwrap_err();
    let nothing = take(&world, "mallory", absent).await.unwrap_err();
    assert_eq!(reason(&nothing), "NOT_AVAILABLE");
    assert_eq!(bytes(forbidden), bytes(nothing));
    assert_eq!(
        refused(take(&world, "researcher", first).await),
        "REBIND_NOT_ALLOWED",
        "its own principal is told"
    );
}

/// The grantor is asked, hears of it in the feed of edges, and its word is what decides.
#[tokio::test]
async fn a_grantor_is_shown_what_is_asked_and_its_consent_decides() {
    let (world, chain) = restarted(Rebind::GrantorConsent).await;
    let asked = take(&world, "researcher2", chain).await.unwrap().link.unwrap();
    assert_eq!((asked.chain_id, asked.state.as_str()), (chain.as_bytes().to_vec(), "ACTIVE"));
    assert!(!asked.rebind_asked.is_empty());
    let turned = world.look(|state| state.turned_after(state.tree().size().last_leaf(), None).last());
    assert_eq!(turned.map(|(_, id)| id), Some(chain), "whoever watches the edge is told");
    let word = world.say(|stage| stage.rebind_consent("planner", chain, "researcher2"));
    let rebind_consent = word.sign(&world.agent("planner").key).to_bytes();
    let message = v1::ConsentToRebindRequest { trust_domain: "acme.example".into(), rebind_consent };
    let service = Contracts::new(&world.mediation);
    let told = service.consent_to_rebind(by(&world, "planner", message)).await.unwrap().into_inner();
    let link = told.link.unwrap();
    assert_eq!(link.holder, world.agent("researcher2").id.to_string());
    assert_eq!((told.leaf, told.epoch), (link.leaf, 1));
}

//! The service, called by those who may and those who may not.

use std::time::Duration;

use countersign_forge::envelope::sealed;
use countersign_protocol::{
    digest::ChainId, domain::InvocationOutcome, extension::Extensions, id::RequestId, payload::Payload,
    revocation::RevokeRequest, signed::Statement,
};
use countersign_wire::v1::revocations_server::Revocations as _;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::Status;

use super::*;
use crate::{
    limits::{WATCH_BUFFER, WATCHES_PER_INSTANCE},
    mediation::tests::world::{World, reason, refused, rights, until},
};

fn service(world: &World) -> Revocations {
    Revocations::new(&world.mediation)
}

/// A request over that caller's channel.
fn from<T>(world: &World, who: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(world.agent(who).actor());
    request
}

async fn preview(
    world: &World,
    who: &str,
    chain: &[u8],
    page: (u32, &str),
) -> Result<v1::PreviewRevocationResponse, Status> {
    let message = v1::PreviewRevocationRequest {
        trust_domain: "acme.example".into(),
        chain_id: chain.to_vec(),
        instance: String::new(),
        page_size: page.0,
        page_token: page.1.into(),
    };
    service(world).preview_revocation(from(world, who, message)).await.map(Response::into_inner)
}

async fn revoke(world: &World, who: &str, chain: ChainId, chains: u64) -> Result<v1::RevokeResponse, Status> {
    send(world, who, world.revocation(who, chain, chains).to_bytes()).await
}

async fn send(world: &World, who: &str, revoke_request: Vec<u8>) -> Result<v1::RevokeResponse, Status> {
    let message = v1::RevokeRequest { trust_domain: "acme.example".into(), revoke_request };
    service(world).revoke(from(world, who, message)).await.map(Response::into_inner)
}

/// Everything that a caller can tell apart.
fn bytes(status: Status) -> (i32, String, Vec<u8>) {
    (status.code() as i32, status.message().to_owned(), status.details().to_vec())
}

#[tokio::test]
async fn a_preview_counts_and_shows_what_would_end_the_upper_first() {
    let (world, [grant, first, leaf]) = World::with_chain().await;
    let whole = preview(&world, "alice", grant.as_bytes(), (0, "")).await.unwrap();
    assert_eq!(whole.chains, 3);
    let ids: Vec<_> = whole.links.iter().map(|link| link.chain_id.clone()).collect();
    assert_eq!(ids, [grant, first, leaf].map(|chain| chain.as_bytes().to_vec()));
    assert_eq!(whole.next_page_token, "");
    for (who, chain, chains) in [("planner", grant, 3), ("researcher", first, 2), ("root", leaf, 1)] {
        assert_eq!(preview(&world, who, chain.as_bytes(), (0, "")).await.unwrap().chains, chains, "{who}");
    }
}

#[tokio::test]
async fn a_preview_comes_in_pages() {
    let (world, [grant, ..]) = World::with_chain().await;
    for _ in 0..3 {
        world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap();
    }
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let page = preview(&world, "alice", grant.as_bytes(), (2, &token)).await.unwrap();
        assert!(page.links.len() <= 2 && page.chains == 6);
        seen.extend(page.links.into_iter().map(|link| link.chain_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let once: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), once.len()), (6, 6));
    let bad = preview(&world, "alice", grant.as_bytes(), (2, "x")).await;
    assert_eq!(refused(bad), "PAYLOAD_MALFORMED");
}

#[tokio::test]
async fn an_instance_is_previewed_and_revoked_by_itself_or_an_admin() {
    let (world, [_, first, leaf]) = World::with_chain().await;
    let message = |chain_id: &[u8]| v1::PreviewRevocationRequest {
        trust_domain: "acme.example".into(),
        chain_id: chain_id.to_vec(),
        instance: world.agent("researcher").id.to_string(),
        page_size: 0,
        page_token: String::new(),
    };
    let ask = async |who: &str, chain: &[u8]| {
        service(&world).preview_revocation(from(&world, who, message(chain))).await
    };
    for who in ["researcher", "root"] {
        let links = ask(who, b"").await.unwrap().into_inner().links;
        let ids: Vec<_> = links.into_iter().map(|link| link.chain_id).collect();
        assert_eq!(ids, [first.as_bytes(), leaf.as_bytes()], "{who}");
    }
    assert_eq!(refused(ask("planner", b"").await), "NOT_AVAILABLE");
    assert_eq!(refused(ask("root", first.as_bytes()).await), "PAYLOAD_MALFORMED", "one of the two");
}

#[tokio::test]
async fn a_stranger_cannot_tell_absent_from_forbidden() {
    let (world, [grant, ..]) = World::with_chain().await;
    let absent = ChainId::from_bytes([9; 32]);
    let forbidden = preview(&world, "mallory", grant.as_bytes(), (0, "")).await.unwrap_err();
    let nothing = preview(&world, "mallory", absent.as_bytes(), (0, "")).await.unwrap_err();
    assert_eq!(reason(&nothing), "NOT_AVAILABLE");
    assert_eq!(bytes(forbidden), bytes(nothing));
    let forbidden = revoke(&world, "mallory", grant, 3).await.unwrap_err();
    let nothing = revoke(&world, "mallory", absent, 3).await.unwrap_err();
    assert_eq!(reason(&nothing), "NOT_AVAILABLE");
    assert_eq!(bytes(forbidden), bytes(nothing));
    assert_eq!(world.look(|state| state.epoch()), 0);
    assert!(revoke(&world, "planner", grant, 3).await.is_ok(), "the twin");
}

#[tokio::test]
async fn only_what_was_counted_is_revoked() {
    let (world, [grant, first, _]) = World::with_chain().await;
    let counted = preview(&world, "planner", grant.as_bytes(), (0, "")).await.unwrap().chains;
    world.contract(first, "researcher", "mallory", rights(1, 1)).await.unwrap();
    assert_eq!(refused(revoke(&world, "planner", grant, counted).await), "PREVIEW_STALE");
    let counted = preview(&world, "planner", grant.as_bytes(), (0, "")).await.unwrap().chains;
    assert!(revoke(&world, "planner", grant, counted).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_retry_has_the_same_answer_and_another_request_under_its_id_none() {
    let (world, [grant, _, leaf]) = World::with_chain().await;
    let signed = world.revocation("planner", leaf, 1).to_bytes();
    // The planner is above the leaf.
    let first = send(&world, "planner", signed.clone()).await.unwrap();
    assert_eq!(first.epoch, 1);
    assert_eq!(send(&world, "planner", signed.clone()).await.unwrap(), first);
    let signed = countersign_protocol::signed::Signed::from_bytes(&signed).unwrap();
    let mut other: RevokeRequest = signed.peek_unverified().unwrap();
    (other.chain, other.chains) = (Some(grant), 2);
    let other = other.sign(&world.agent("planner").key).to_bytes();
    assert_eq!(refused(send(&world, "planner", other).await), "ID_ALREADY_USED");
}

#[tokio::test]
async fn a_revocation_is_its_senders_own_over_its_own_channel() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let signed = world.revocation("planner", leaf, 1);
    assert_eq!(refused(send(&world, "mallory", signed.to_bytes()).await), "SIGNATURE_INVALID");
    let mut claim: RevokeRequest = signed.peek_unverified().unwrap();
    claim.request_id = RequestId::new(world.now(), &mut rand::rngs::mock::StepRng::new(1, 1));
    claim.extensions = Extensions::none();
    let forged = claim.sign(&world.agent("mallory").key).to_bytes();
    assert_eq!(refused(send(&world, "mallory", forged).await), "CHANNEL_MISMATCH");
    assert_eq!(refused(send(&world, "planner", b"revoke it".to_vec()).await), "PAYLOAD_MALFORMED");
    let renamed =
        sealed("application/vnd.countersign.proof.v1", &signed.payload, &[&world.agent("planner").key]);
    assert_eq!(refused(send(&world, "planner", renamed.to_bytes()).await), "PAYLOAD_MALFORMED");
    assert!(send(&world, "planner", signed.to_bytes()).await.is_ok(), "the twin");
}

/// Whoever revokes knows, once told, that nothing beneath can be forwarded any more.
#[tokio::test]
async fn the_acknowledgement_comes_after_what_waited_was_cancelled() {
    let (world, [grant, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    // A callee that does not read cannot hold the acknowledgement up.
    let acknowledged = timeout(Duration::from_secs(2), revoke(&world, "alice", grant, 3)).await;
    assert!(acknowledged.unwrap().is_ok());
    callee.hears_nothing().await;
    assert_eq!(refused(sending.await.unwrap()), "REVOKED");
    let outcome = world.look(|state| state.invocation(&call.proof.invocation_id).unwrap().outcome.clone());
    assert_eq!(outcome, Some((InvocationOutcome::Cancelled, None)));
}

/// However they race: what a callee gets, it gets before the acknowledgement.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_forwarded_after_the_acknowledgement_in_any_race() {
    for _ in 0..20 {
        let (world, [_, first, _]) = World::with_chain().await;
        let leaf = world.contract(first, "researcher", "mallory", rights(40, 1)).await.unwrap();
        let mut asked = world.willing("files", 64).await;
        let sending: Vec<_> =
            (0..40).map(|_| world.sending("mallory", &world.call("mallory", leaf))).collect();
        tokio::task::yield_now().await;
        revoke(&world, "researcher", leaf, 1).await.unwrap();
        let open = world.mediation.mediator().waiting();
        assert_eq!(open, 0, "nothing waits to be forwarded");
        for sending in sending {
            let outcome = sending.await.unwrap();
            assert!(outcome.is_ok() || reason(&outcome.unwrap_err()) == "REVOKED");
        }
        while asked.try_recv().is_ok() {}
        assert_eq!(refused(world.send("mallory", &world.call("mallory", leaf)).await), "REVOKED");
    }
}

#[tokio::test]
async fn a_revocation_is_told_only_once_it_is_durable() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut feed = watch(&world, "fetcher", 0).await.unwrap();
    assert_eq!(told(&mut feed).await.revoked.len(), 0);
    world.store.hold();
    let revoking = {
        let world = world.clone();
        tokio::spawn(async move { revoke(&world, "fetcher", leaf, 1).await })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(!revoking.is_finished());
    assert!(timeout(Duration::from_millis(10), feed.next()).await.is_err());
    world.store.let_go();
    revoking.await.unwrap().unwrap();
    assert_eq!(told(&mut feed).await.revoked, [leaf.as_bytes()]);
}

async fn watch(
    world: &World,
    who: &str,
    from_leaf: u64,
) -> Result<Feed<v1::WatchRevocationsResponse>, Status> {
    watch_of(&service(world), world, who, from_leaf).await
}

async fn watch_of(
    service: &Revocations,
    world: &World,
    who: &str,
    from_leaf: u64,
) -> Result<Feed<v1::WatchRevocationsResponse>, Status> {
    let message = v1::WatchRevocationsRequest { trust_domain: "acme.example".into(), from_leaf };
    service.watch_revocations(from(world, who, message)).await.map(Response::into_inner)
}

async fn told(feed: &mut Feed<v1::WatchRevocationsResponse>) -> v1::WatchRevocationsResponse {
    timeout(Duration::from_secs(5), feed.next()).await.expect("a word").unwrap().unwrap()
}

/// Everything that is told up to the end of the ledger as it is now.
async fn all_told(world: &World, who: &str, from_leaf: u64) -> Vec<Vec<u8>> {
    let end = world.look(|state| state.tree().size().get());
    let (mut feed, mut all) = (watch(world, who, from_leaf).await.unwrap(), Vec::new());
    loop {
        let word = told(&mut feed).await;
        all.extend(word.revoked);
        if word.next_leaf >= end {
            return all;
        }
    }
}

#[tokio::test]
async fn a_watcher_is_told_of_its_own_chains_and_of_no_other() {
    let (world, [grant, first, leaf]) = World::with_chain().await;
    let other = world.contract(grant, "planner", "mallory", rights(5, 1)).await.unwrap();
    let mut fetcher = watch(&world, "fetcher", 0).await.unwrap();
    let mut mallory = watch(&world, "mallory", 0).await.unwrap();
    let beginning = told(&mut fetcher).await;
    assert_eq!((beginning.revoked.len(), beginning.epoch), (0, 0), "it is up to date");
    assert_eq!(beginning.server_time_ms, world.now().as_millis());
    told(&mut mallory).await;
    revoke(&world, "researcher", first, 2).await.unwrap();
    let word = told(&mut fetcher).await;
    assert_eq!((word.revoked, word.epoch), (vec![leaf.as_bytes().to_vec()], 1));
    let word = told(&mut mallory).await;
    assert_eq!((word.revoked.len(), word.epoch), (0, 1), "only a heartbeat");
    revoke(&world, "planner", other, 1).await.unwrap();
    assert_eq!(told(&mut mallory).await.revoked, [other.as_bytes()]);
    // Who stands above both is told of both.
    assert_eq!(all_told(&world, "alice", 0).await.len(), 3);
    assert_eq!(all_told(&world, "root", 0).await.len(), 0);
}

#[tokio::test]
async fn a_watcher_resumes_without_gap_or_repetition() {
    let (world, [grant, _, _]) = World::with_chain().await;
    let mut chains = Vec::new();
    for _ in 0..4 {
        chains.push(world.contract(grant, "planner", "mallory", rights(1, 1)).await.unwrap());
    }
    let mut heard = Vec::new();
    let mut next = 0;
    for chain in &chains {
        revoke(&world, "planner", *chain, 1).await.unwrap();
        let mut feed = watch(&world, "mallory", next).await.unwrap();
        let word = told(&mut feed).await;
        heard.extend(word.revoked);
        next = word.next_leaf;
    }
    assert_eq!(heard, chains.iter().map(|chain| chain.as_bytes().to_vec()).collect::<Vec<_>>());
    // From any leaf on, it hears exactly what came from there on.
    let leaves: Vec<_> =
        world.look(|state| state.revoked_since(countersign_protocol::ledger::LeafIndex::ZERO).collect());
    for from in 0..=world.look(|state| state.tree().size().get()) {
        let later = leaves.iter().filter(|(leaf, _)| leaf.get() >= from).count();
        assert_eq!(all_told(&world, "mallory", from).await.len(), later, "from {from}");
    }
    let beyond = world.look(|state| state.tree().size().get()) + 1;
    assert_eq!(refused(watch(&world, "mallory", beyond).await), "NOT_AVAILABLE");
}

#[tokio::test]
async fn a_watcher_that_was_away_over_a_restart_misses_nothing() {
    let (world, [_, first, leaf]) = World::with_chain().await;
    let next = told(&mut watch(&world, "fetcher", 0).await.unwrap()).await.next_leaf;
    revoke(&world, "researcher", first, 2).await.unwrap();
    let restarted = world.restarted().await;
    assert_eq!(all_told(&restarted, "fetcher", next).await, [leaf.as_bytes()]);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_something_every_second() {
    let (world, _) = World::with_chain().await;
    let mut feed = watch(&world, "fetcher", 0).await.unwrap();
    told(&mut feed).await;
    for _ in 0..3 {
        let began = tokio::time::Instant::now();
        told(&mut feed).await;
        assert!(began.elapsed() <= Duration::from_millis(1_010), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_does_not_listen_is_cut_off_and_others_are_not() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut slow = watch(&world, "fetcher", 0).await.unwrap();
    let mut quick = watch(&world, "researcher", 0).await.unwrap();
    for _ in 0..30 {
        told(&mut quick).await;
    }
    revoke(&world, "researcher", leaf, 1).await.unwrap();
    assert_eq!(told(&mut quick).await.revoked, [leaf.as_bytes()]);
    let mut heard = 0;
    let end = loop {
        match slow.next().await {
            Some(Ok(_)) => heard += 1,
            end => break end,
        }
    };
    assert!(heard <= WATCH_BUFFER + 1, "{heard} messages were kept for it");
    assert_eq!(reason(&end.unwrap().unwrap_err()), "OVERLOADED");
}

#[tokio::test]
async fn a_watch_ends_with_its_watcher() {
    let (world, _) = World::with_chain().await;
    let mut feed = watch(&world, "mallory", 0).await.unwrap();
    told(&mut feed).await;
    send(&world, "root", world.instance_revocation("root", "mallory").to_bytes()).await.unwrap();
    let end = timeout(Duration::from_secs(5), feed.next()).await.unwrap().unwrap();
    assert_eq!(reason(&end.unwrap_err()), "NOT_ADMITTED");
}

#[tokio::test]
async fn an_instance_has_only_so_many_watches() {
    let (world, _) = World::with_chain().await;
    let service = service(&world);
    let mut open = Vec::new();
    for _ in 0..WATCHES_PER_INSTANCE {
        open.push(watch_of(&service, &world, "fetcher", 0).await.unwrap());
    }
    assert_eq!(refused(watch_of(&service, &world, "fetcher", 0).await), "OVERLOADED");
    assert!(watch_of(&service, &world, "mallory", 0).await.is_ok(), "another one's are its own");
    drop(open.pop());
    assert!(watch_of(&service, &world, "fetcher", 0).await.is_ok(), "the twin");
}

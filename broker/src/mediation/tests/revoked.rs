//! Revocations against what is under way.

use countersign_protocol::digest::ChainId;

use countersign_forge::biscuit::Container;

use super::world::{World, domain_name, reason, refused, until};

/// Decides a revocation and leaves it to the mediator to notice.
async fn revoke(world: &World, by: &str, chain: ChainId, chains: u64) {
    let signed = world.revocation(by, chain, chains);
    let actor = world.agent(by).actor();
    world.decide(|state, context| state.decide_revoke(context, &actor, &signed)).await.unwrap();
}

#[tokio::test]
async fn what_is_revoked_while_it_waits_is_never_forwarded() {
    // The link itself, and each one above it.
    for (by, link, chains) in [("fetcher", 2, 1), ("researcher", 1, 2), ("alice", 0, 3), ("root", 0, 3)] {
        let (world, chain) = World::with_chain().await;
        let leaf = chain[2];
        let mut callee = world.serve("files", 4).await;
        let call = world.call("fetcher", leaf);
        let sending = world.sending("fetcher", &call);
        until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
        revoke(&world, by, chain[link], chains).await;
        callee.hears_nothing().await;
        assert_eq!(refused(sending.await.unwrap()), "REVOKED", "{by}");
        assert_eq!(world.available(leaf), 10, "it costs nothing");
        assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "REVOKED");
    }
}

/// The twin of the above.
#[tokio::test]
async fn what_is_not_beneath_a_revoked_chain_goes_on() {
    let (world, [grant, _, leaf]) = World::with_chain().await;
    let sibling = world.contract(grant, "planner", "mallory", super::world::rights(5, 1)).await.unwrap();
    let mut callee = world.serve("files", 4).await;
    let sending = world.sending("mallory", &world.call("mallory", sibling));
    until(|| world.available(sibling) == 4).await;
    revoke(&world, "fetcher", leaf, 1).await;
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    assert!(sending.await.unwrap().is_ok());
}

/// The INTENT is decided and not yet durable when the revocation is decided.
#[tokio::test]
async fn what_is_revoked_before_its_intent_is_durable_is_never_forwarded() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    world.store.hold();
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.look(|state| state.invocation(&call.proof.invocation_id).is_some())).await;
    let revoking = {
        let world = world.clone();
        tokio::spawn(async move { revoke(&world, "fetcher", leaf, 1).await })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    world.store.let_go();
    revoking.await.unwrap();
    callee.hears_nothing().await;
    assert_eq!(refused(sending.await.unwrap()), "REVOKED");
}

/// The revocation is not durable yet, so nobody has been told to enforce it.
#[tokio::test]
async fn a_revocation_counts_from_its_decision_on() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    callee.done(&asked, b"content").await;
    assert!(sending.await.unwrap().is_ok(), "the twin");
    let call = world.call("fetcher", leaf);
    let sending = world.sending("fetcher", &call);
    until(|| world.mediation.mediator().queued() == 1).await;
    world.store.hold();
    let revoking = {
        let world = world.clone();
        tokio::spawn(async move { revoke(&world, "fetcher", leaf, 1).await })
    };
    until(|| world.look(|state| state.epoch()) == 1).await;
    callee.hears_nothing().await;
    world.store.let_go();
    revoking.await.unwrap();
    assert_eq!(refused(sending.await.unwrap()), "REVOKED");
}

/// When enforcing returns, what is open was forwarded before, or is cancelled: nothing is left that a
/// callee could still take.
#[tokio::test]
async fn enforcing_leaves_nothing_that_could_be_forwarded() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let forwarded = world.sending("fetcher", &world.call("fetcher", leaf));
    let asked = callee.next().await;
    let waiting = world.sending("fetcher", &world.call("fetcher", leaf));
    until(|| world.available(leaf) == 8).await;
    revoke(&world, "fetcher", leaf, 1).await;
    world.mediation.mediator().enforce_revocations();
    callee.hears_nothing().await;
    assert_eq!(refused(waiting.await.unwrap()), "REVOKED");
    // What was with the callee already is done, and settled.
    callee.done(&asked, b"content").await;
    assert!(forwarded.await.unwrap().is_ok());
}

/// Revocation names a chain, not bytes.
#[tokio::test]
async fn other_bytes_for_the_same_chain_are_revoked_with_it() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let mut rewrapped = world.call("fetcher", leaf);
    rewrapped.token = Container::read(&domain_name(), &rewrapped.token).sealed_anew().bytes();
    assert_ne!(rewrapped.token, world.token_bytes(leaf));
    assert!(world.send("fetcher", &rewrapped).await.is_ok(), "the twin: they are as good as the first");
    revoke(&world, "researcher", leaf, 1).await;
    let again = world.call("fetcher", leaf);
    rewrapped.proof = again.proof.clone();
    assert_eq!(refused(world.send("fetcher", &rewrapped).await), "REVOKED");
    assert_eq!(refused(world.send("fetcher", &again).await), "REVOKED");
}

#[tokio::test]
async fn the_stream_of_a_revoked_instance_ends() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let mut other = world.serve("mallory", 4).await;
    let sending = world.sending("fetcher", &world.call("fetcher", leaf));
    callee.next().await;
    let signed = world.instance_revocation("root", "files");
    let root = world.agent("root").actor();
    world.decide(|state, context| state.decide_revoke(context, &root, &signed)).await.unwrap();
    assert_eq!(reason(&callee.end().await.unwrap()), "NOT_ADMITTED");
    assert_eq!(refused(sending.await.unwrap()), "OUTCOME_UNKNOWN");
    assert_eq!(reason(&world.try_serve("files", 4).await.err().unwrap()), "NOT_ADMITTED");
    other.hears_nothing().await;
    assert!(world.try_serve("mallory", 4).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_retry_under_a_revoked_chain_gets_nothing() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    world.send("fetcher", &call).await.unwrap();
    assert!(world.send("fetcher", &world.again(&call)).await.is_ok(), "the twin");
    revoke(&world, "researcher", leaf, 1).await;
    assert_eq!(refused(world.send("fetcher", &world.again(&call)).await), "REVOKED");
}

#[tokio::test]
async fn a_revocation_outlives_a_restart() {
    let (world, [grant, _, leaf]) = World::with_chain().await;
    revoke(&world, "alice", grant, 3).await;
    let restarted = world.restarted().await;
    let _asked = restarted.willing("files", 4).await;
    assert_eq!(refused(restarted.send("fetcher", &restarted.call("fetcher", leaf)).await), "REVOKED");
}

//! A proof that comes a second time.

use countersign_protocol::time::Lifetime;

use super::world::{World, reason, refused};

#[tokio::test]
async fn a_proof_is_used_once() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let call = world.call("fetcher", leaf);
    assert!(world.send("fetcher", &call).await.is_ok());
    assert_eq!(refused(world.send("fetcher", &call).await), "PROOF_REPLAYED");
    let mut other = world.call("fetcher", leaf);
    other.proof.nonce = call.proof.nonce;
    assert_eq!(refused(world.send("fetcher", &other).await), "PROOF_REPLAYED", "a nonce of its own");
    // A broker that has just started knows it as well.
    let restarted = world.restarted().await;
    assert_eq!(refused(restarted.send("fetcher", &call).await), "PROOF_REPLAYED");
}

/// Two calls with one proof at the same time: one of them is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_is_used_once_in_any_race() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 16).await;
    let call = world.call("fetcher", leaf);
    let sending: Vec<_> = (0..8).map(|_| world.sending("fetcher", &call)).collect();
    let mut done = 0;
    for sending in sending {
        match sending.await.unwrap() {
            Ok(_) => done += 1,
            Err(status) => assert_eq!(reason(&status), "PROOF_REPLAYED"),
        }
    }
    assert_eq!((done, world.available(leaf)), (1, 9));
}

/// Attack line 8: a retry has a proof of its own, and with it a window of its own. It does not make the
/// first proof last longer, nor is either forgotten while it could still be used.
#[tokio::test]
async fn a_retry_widens_no_window() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    let first = world.call("fetcher", leaf);
    let done = world.send("fetcher", &first).await.unwrap();
    world.pass(44_000);
    let retry = world.again(&first);
    assert_eq!(world.send("fetcher", &retry).await.unwrap(), done, "the twin");
    assert_eq!(refused(world.send("fetcher", &first).await), "PROOF_REPLAYED");
    world.pass(1_000);
    assert_eq!(refused(world.send("fetcher", &first).await), "PROOF_EXPIRED");
    world.pass(43_999);
    assert_eq!(world.send("fetcher", &retry).await.unwrap(), done, "its last millisecond: nothing is done");
    let mut longer = retry.clone();
    longer.proof.expires = world.now().plus(Lifetime::from_millis(45_000));
    assert_eq!(refused(world.send("fetcher", &longer).await), "PROOF_EXPIRED", "a window that was widened");
    world.pass(1);
    assert_eq!(refused(world.send("fetcher", &retry).await), "PROOF_EXPIRED");
    assert!(asked.try_recv().is_ok() && asked.try_recv().is_err(), "it was done once");
}

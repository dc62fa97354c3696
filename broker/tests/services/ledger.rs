//! The ledger as its readers see it.

use countersign_protocol::{
    domain::{Entry, EventKind},
    ledger::{InclusionProof, leaf_hash},
    payload::Payload,
};
use countersign_wire::v1;
use tonic::Status;

use crate::{checkpoints::checkpoint, world::*};

async fn entries(
    world: &World,
    name: &str,
    first_leaf: u64,
    page_size: u32,
) -> Result<v1::ListEntriesResponse, Status> {
    let request = v1::ListEntriesRequest { trust_domain: DOMAIN.into(), first_leaf, page_size };
    inner(world.ledger.list_entries(world.call(name, request)).await)
}

async fn inclusion(world: &World, leaf: u64, size: u64) -> Result<InclusionProof, Status> {
    let request = v1::ProveInclusionRequest { trust_domain: DOMAIN.into(), leaf, size };
    let answer = inner(world.ledger.prove_inclusion(world.call("mallory", request)).await)?;
    Ok(InclusionProof::from_bytes(&answer.proof).unwrap())
}

#[tokio::test]
async fn an_admin_reads_every_entry_and_each_is_proven_to_be_in_the_ledger() {
    let mut world = World::new().await;
    world.grant(rights(500, 5)).await;
    let checkpoint = checkpoint(&world).await.unwrap();
    let (mut all, mut next) = (Vec::new(), 0);
    while next < checkpoint.size.get() {
        let page = entries(&world, "root", next, 4).await.unwrap();
        assert!((1..=4).contains(&page.entries.len()));
        assert_eq!(page.next_leaf, next + page.entries.len() as u64);
        next = page.next_leaf;
        all.extend(page.entries);
    }
    for (leaf, bytes) in all.iter().enumerate() {
        let proof = inclusion(&world, leaf as u64, checkpoint.size.get()).await.unwrap();
        proof.verify(leaf_hash(bytes), checkpoint.root).unwrap();
    }
    let kinds: Vec<EventKind> =
        all.iter().map(|bytes| Entry::from_bytes(bytes).unwrap().event.kind()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), (EventKind::KeysPublished, EventKind::GrantIssued));
    let end = entries(&world, "root", next, 4).await.unwrap();
    assert_eq!((end.entries.len(), end.next_leaf), (0, next));
    assert_eq!(entries(&world, "root", 0, 0).await.unwrap().entries.len(), all.len());
}

#[tokio::test]
async fn entries_are_for_admins() {
    let world = World::new().await;
    for name in ["alice", "planner", "mallory"] {
        assert_eq!(reason(entries(&world, name, 0, 0).await), "NOT_AVAILABLE", "{name}");
        // Nor does the answer tell where the ledger ends.
        assert_eq!(all_of(entries(&world, name, 999, 0).await), all_of(entries(&world, name, 0, 0).await));
    }
    assert!(entries(&world, "root", 0, 0).await.is_ok(), "the twin");
}

#[tokio::test]
async fn what_the_ledger_does_not_hold_is_not_proven() {
    let world = World::new().await;
    let size = world.size();
    for (leaf, size) in [(size, size), (0, size + 1), (3, 3), (0, 0)] {
        assert_eq!(reason(inclusion(&world, leaf, size).await), "NOT_FOUND", "{leaf} in {size}");
    }
    assert_eq!(reason(inclusion(&world, u64::MAX, u64::MAX).await), "PAYLOAD_MALFORMED");
    assert!(inclusion(&world, size - 1, size).await.is_ok(), "the twin");
    assert_eq!(reason(entries(&world, "root", size + 1, 0).await), "NOT_FOUND");
    let consistency = async |old_size, new_size| {
        let request = v1::ProveConsistencyRequest { trust_domain: DOMAIN.into(), old_size, new_size };
        inner(world.ledger.prove_consistency(world.call("mallory", request)).await)
    };
    assert_eq!(reason(consistency(2, 1).await), "NOT_FOUND");
    assert_eq!(reason(consistency(1, u64::MAX).await), "PAYLOAD_MALFORMED");
    assert_eq!(reason(consistency(1, size + 1).await), "NOT_FOUND");
    assert!(consistency(1, size).await.is_ok(), "the twin");
}

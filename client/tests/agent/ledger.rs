use countersign::{About, Error};
use countersign_protocol::ledger::{LeafIndex, Tree, leaf_hash};

use crate::{
    fake::{Lie, rights},
    world::{assert_deceived, granted, join},
};

#[tokio::test]
async fn checkpoints_that_grow_out_of_one_another_are_believed() {
    let domain = granted().await;
    let (first, _) = domain.planner.ledger().checkpoint().await.unwrap();
    domain.alice.grant(domain.planner.instance(), rights(5, 1)).await.unwrap();
    let (second, _) = domain.planner.ledger().checkpoint().await.unwrap();
    assert!(second.size > first.size);
    assert!(domain.planner.ledger().contradiction().is_none());
}

#[tokio::test]
async fn two_views_of_the_ledger_are_kept_as_evidence_for_good() {
    for lie in [Lie::RootReplaced, Lie::SplitView, Lie::RolledBack] {
        let domain = granted().await;
        let ledger = domain.planner.ledger();
        let (_, held) = ledger.checkpoint().await.unwrap();
        domain.fake.lie(lie);
        let Err(Error::Deceived(deceit)) = ledger.checkpoint().await else { panic!("{lie:?} is believed") };
        let evidence = deceit.evidence.expect("both checkpoints");
        assert_eq!(evidence.held, held);
        // The log's own key signed both, so together they convict it.
        let log = domain.planner.keys().log_verifier().unwrap();
        assert!(evidence.presented.open(&log).is_ok() && evidence.held.open(&log).is_ok());
        domain.fake.stop_lying();
        assert_deceived(ledger.checkpoint().await, About::Ledger);
        assert_eq!(ledger.contradiction().unwrap().why, evidence.why);
    }
}

#[tokio::test]
async fn a_checkpoint_by_another_key_is_not_even_evidence() {
    let domain = granted().await;
    let ledger = domain.planner.ledger();
    domain.fake.lie(Lie::CheckpointForged);
    assert_deceived(ledger.checkpoint().await, About::Ledger);
    domain.fake.stop_lying();
    ledger.checkpoint().await.unwrap();
}

#[tokio::test]
async fn entries_have_the_checkpoints_root_and_prove_their_place() {
    let domain = granted().await;
    let root = join(&domain.fake, "root").await;
    let ledger = root.ledger();
    let (checkpoint, _) = ledger.checkpoint().await.unwrap();
    let (mut tree, mut entries, mut next) = (Tree::default(), Vec::new(), LeafIndex::ZERO);
    loop {
        let (page, after) = ledger.entries(next).await.unwrap();
        if page.is_empty() {
            break;
        }
        entries.extend(page);
        next = after;
    }
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    assert_eq!((tree.size(), tree.root()), (checkpoint.size, checkpoint.root));
    let second = LeafIndex::new(1).unwrap();
    ledger.prove_inclusion(second, &entries[1]).await.unwrap();
    assert_deceived(ledger.prove_inclusion(second, &entries[2]).await, About::Ledger);
}

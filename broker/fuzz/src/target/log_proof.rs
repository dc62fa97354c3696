//! Proofs about the ledger: each is good exactly if it is the one that the tree itself gives.

use std::sync::LazyLock;

use countersign_protocol::{
    digest::TreeHash,
    ledger::{ConsistencyProof, InclusionProof, LeafIndex, Tree, TreeSize, leaf_hash},
    payload::Payload,
};

use super::{Seed, Verdict, seeds_of};
use crate::{grammar, vectors};

/// So many leaves that paths of every shape occur.
const LEAVES: u64 = 131;

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut tree = Tree::default();
    (0..LEAVES).for_each(|number| tree.push(leaf(number)));
    tree
});

fn leaf(number: u64) -> TreeHash {
    leaf_hash(&number.to_be_bytes())
}

pub(super) fn inclusion(bytes: &[u8]) -> Verdict {
    let Some(proof) = grammar::read::<InclusionProof>(bytes) else { return Verdict::Refused };
    let root = TREE.root_at(proof.size).unwrap_or(TREE.root());
    let verified = proof.verify(leaf(proof.index.get()), root).is_ok();
    // A proof speaks of whatever tree has that size and root. Beyond this one it only has to end.
    let within = proof.size <= TREE.size();
    if within {
        let given = TREE.inclusion(proof.index, proof.size).as_ref() == Some(&proof.path);
        assert_eq!(verified, given, "{proof:?}");
    }
    if within && verified {
        let before = TREE.root_at(TreeSize::new(proof.index.get()).unwrap());
        assert_eq!(Some(proof.root_before()), before);
        assert!(proof.verify(leaf(LEAVES), root).is_err(), "another leaf at the same place");
    } else {
        let _ = proof.root_before();
    }
    Verdict::of((within && verified).then_some(()))
}

pub(super) fn consistency(bytes: &[u8]) -> Verdict {
    let Some(proof) = grammar::read::<ConsistencyProof>(bytes) else { return Verdict::Refused };
    let root = |size| TREE.root_at(size).unwrap_or(TREE.root());
    let verified = proof.verify(root(proof.old), root(proof.new)).is_ok();
    let within = proof.new <= TREE.size();
    if within {
        let given = TREE.consistency(proof.old, proof.new).as_ref() == Some(&proof.path);
        assert_eq!(verified, given, "{proof:?}");
    }
    if within && verified && proof.old > TreeSize::ZERO && proof.old < proof.new {
        assert!(proof.verify(leaf(LEAVES), root(proof.new)).is_err(), "another beginning");
        assert!(proof.verify(root(proof.old), leaf(LEAVES)).is_err(), "another ledger");
    }
    Verdict::of((within && verified).then_some(()))
}

/// Positions next to where paths change their shape.
const NUMBERS: [u64; 12] = [0, 1, 2, 3, 6, 7, 8, 63, 64, 65, 128, 130];

pub(super) fn inclusion_seeds() -> Vec<Seed> {
    let ours = NUMBERS.map(|number| {
        let index = LeafIndex::new(number).unwrap();
        let path = TREE.inclusion(index, TREE.size()).unwrap();
        (format!("tree.{number}"), InclusionProof { index, size: TREE.size(), path }.to_bytes())
    });
    seeds_of(ours.into_iter().chain(vectors::inputs("verify_inclusion", "proof_b64")))
}

pub(super) fn consistency_seeds() -> Vec<Seed> {
    let ours = NUMBERS.map(|number| {
        let (old, new) = (TreeSize::new(number).unwrap(), TREE.size());
        let path = TREE.consistency(old, new).unwrap();
        (format!("tree.{number}"), ConsistencyProof { old, new, path }.to_bytes())
    });
    seeds_of(ours.into_iter().chain(vectors::inputs("verify_consistency", "proof_b64")))
}

use super::*;
use crate::{
    ledger::{ConsistencyProof, EMPTY_ROOT, InclusionProof, LeafIndex, LogError},
    payload::Payload,
};

/// Sizes around the powers of two, where a tree changes its shape.
const LARGEST: u64 = 18;

fn flip(hash: TreeHash) -> TreeHash {
    let mut bytes = hash.to_array();
    bytes[31] ^= 1;
    TreeHash::from_bytes(bytes)
}

/// Every path that differs from an honest one in one hash, or by one hash.
fn tampered(path: &[TreeHash]) -> Vec<Vec<TreeHash>> {
    let mut all = Vec::new();
    for i in 0..path.len() {
        let mut changed = path.to_vec();
        changed[i] = flip(changed[i]);
        all.push(changed);
        let mut shorter = path.to_vec();
        shorter.remove(i);
        all.push(shorter);
    }
    for i in 0..=path.len() {
        let mut longer = path.to_vec();
        longer.insert(i, leaf_hash(b"extra"));
        all.push(longer);
        let mut doubled = path.to_vec();
        doubled.insert(i, path.get(i).or(path.last()).copied().unwrap_or(EMPTY_ROOT));
        all.push(doubled);
    }
    all
}

fn inclusion(tree: &Tree, index: u64, now: u64) -> InclusionProof {
    let (index, size) = (LeafIndex::new(index).unwrap(), size(now));
    InclusionProof { index, size, path: tree.inclusion(index, size).unwrap() }
}

fn consistency(tree: &Tree, old: u64, new: u64) -> ConsistencyProof {
    let (old, new) = (size(old), size(new));
    ConsistencyProof { old, new, path: tree.consistency(old, new).unwrap() }
}

#[test]
fn an_inclusion_proof_holds_for_its_leaf_and_place_alone() {
    let leaves = leaves(LARGEST);
    let tree = tree_of(&leaves);
    for now in 1..=LARGEST {
        let root = tree.root_at(size(now)).unwrap();
        for index in 0..now {
            let proof = inclusion(&tree, index, now);
            let leaf = leaves[index as usize];
            assert_eq!(proof.verify(leaf, root), Ok(()), "the twin: {index} of {now}");
            assert!(proof.verify(flip(leaf), root).is_err());
            assert!(proof.verify(leaf, flip(root)).is_err());
            for path in tampered(&proof.path) {
                let forged = InclusionProof { path, ..proof.clone() };
                assert!(forged.verify(leaf, root).is_err(), "{index} of {now}: {forged:?}");
            }
            for elsewhere in (0..now + 2).filter(|i| *i != index) {
                let index = LeafIndex::new(elsewhere).unwrap();
                let forged = InclusionProof { index, ..proof.clone() };
                assert!(forged.verify(leaf, root).is_err(), "{proof:?} at {elsewhere}");
            }
        }
    }
}

#[test]
fn an_inner_node_does_not_pass_for_a_leaf() {
    let leaves = leaves(4);
    let tree = tree_of(&leaves);
    let inner = node_hash(leaves[0], leaves[1]);
    let entry = [leaves[0].as_bytes(), leaves[1].as_bytes()].concat();
    let proof =
        InclusionProof { index: LeafIndex::ZERO, size: size(2), path: vec![node_hash(leaves[2], leaves[3])] };
    assert_eq!(proof.verify(inner, tree.root()), Ok(()), "as a hash it would fit");
    assert!(matches!(proof.verify(leaf_hash(&entry), tree.root()), Err(LogError::Root { .. })));
}

#[test]
fn a_consistency_proof_holds_for_its_two_roots_alone() {
    let tree = tree_of(&leaves(LARGEST));
    for new in 0..=LARGEST {
        let new_root = tree.root_at(size(new)).unwrap();
        for old in 0..=new {
            let old_root = tree.root_at(size(old)).unwrap();
            let proof = consistency(&tree, old, new);
            assert_eq!(proof.verify(old_root, new_root), Ok(()), "the twin: {old} to {new}");
            assert!(proof.verify(flip(old_root), new_root).is_err(), "{old} to {new}");
            if old > 0 || new == 0 {
                assert!(proof.verify(old_root, flip(new_root)).is_err(), "{old} to {new}");
            }
            for path in tampered(&proof.path) {
                let forged = ConsistencyProof { path, ..proof.clone() };
                assert!(forged.verify(old_root, new_root).is_err(), "{forged:?}");
            }
        }
    }
}

#[test]
fn a_rewritten_entry_has_no_consistency_proof() {
    let honest = leaves(13);
    let old_root = naive_root(&honest[..6]);
    for rewritten in 0..6 {
        let mut leaves = honest.clone();
        leaves[rewritten] = leaf_hash(b"rewritten");
        let tree = tree_of(&leaves);
        let proof = consistency(&tree, 6, 13);
        assert!(matches!(proof.verify(old_root, tree.root()), Err(LogError::Root { .. })));
    }
}

#[test]
fn a_ledger_that_shrank_is_named_as_such() {
    let tree = tree_of(&leaves(8));
    let root = |n| tree.root_at(size(n)).unwrap();
    let proof = ConsistencyProof { old: size(8), new: size(5), path: consistency(&tree, 5, 8).path };
    assert_eq!(proof.verify(root(8), root(5)), Err(LogError::Shrunk { old: size(8), new: size(5) }));
}

#[test]
fn proofs_read_back_from_their_one_encoding() {
    let tree = tree_of(&leaves(7));
    let one = inclusion(&tree, 0, 7);
    assert_eq!(InclusionProof::from_bytes(&one.to_bytes()), Ok(one));
    let two = consistency(&tree, 3, 7);
    assert_eq!(ConsistencyProof::from_bytes(&two.to_bytes()), Ok(two));
}

#[test]
fn the_largest_positions_are_refused_without_overflow() {
    let max = TreeSize::new(i64::MAX as u64).unwrap();
    let leaf = leaf_hash(b"");
    let path = vec![leaf; 63];
    let proof = InclusionProof { index: LeafIndex::ZERO, size: max, path: path.clone() };
    assert!(matches!(proof.verify(leaf, leaf), Err(LogError::Root { .. })));
    for old in [1, 2, max.get() - 1, max.get()] {
        let proof = ConsistencyProof { old: size(old), new: max, path: path.clone() };
        assert!(proof.verify(leaf, flip(leaf)).is_err());
    }
}

mod checkpoint;
mod proof;
mod shard;
mod tree;

use super::{Tree, TreeSize, leaf_hash, node_hash};
use crate::digest::TreeHash;

fn hash(hex: &str) -> TreeHash {
    hex.parse().unwrap()
}

fn size(value: u64) -> TreeSize {
    TreeSize::new(value).unwrap()
}

/// Leaves that differ from one another.
fn leaves(count: u64) -> Vec<TreeHash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn tree_of(leaves: &[TreeHash]) -> Tree {
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree
}

/// The recursive definition of RFC 9162, 2.1.1, as it stands there.
fn naive_root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => super::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(naive_root(left), naive_root(right))
        }
    }
}

/// `PATH(m, D_n)` of RFC 9162, 2.1.3.1.
fn naive_inclusion(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = match index.checked_sub(left.len()) {
        None => (naive_inclusion(index, left), naive_root(right)),
        Some(index) => (naive_inclusion(index, right), naive_root(left)),
    };
    path.push(sibling);
    path
}

/// `SUBPROOF(m, D_n, b)` of RFC 9162, 2.1.4.1.
fn naive_consistency(old: usize, leaves: &[TreeHash], known: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if old <= left.len() {
        (naive_consistency(old, left, known), naive_root(right))
    } else {
        (naive_consistency(old - left.len(), right, false), naive_root(left))
    };
    path.push(sibling);
    path
}

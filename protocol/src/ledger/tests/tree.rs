//! The vectors are those that the Certificate Transparency implementations share.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::ledger::{EMPTY_ROOT, Frontier, LeafIndex};

const ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn vector_tree() -> Tree {
    let entries: Vec<_> = ENTRIES.iter().map(|entry| leaf_hash(&hex::decode(entry).unwrap())).collect();
    tree_of(&entries)
}

#[test]
fn roots_are_those_of_the_shared_vectors() {
    let mut frontier = Frontier::default();
    let tree = vector_tree();
    for (n, root) in ROOTS.iter().enumerate() {
        assert_eq!(tree.root_at(size(n as u64)), Some(hash(root)), "size {n}");
        assert_eq!(frontier.root(), hash(root), "size {n}");
        if let Some(entry) = ENTRIES.get(n) {
            frontier.push(leaf_hash(&hex::decode(entry).unwrap()));
        }
    }
    assert_eq!(EMPTY_ROOT.to_array(), <[u8; 32]>::from(Sha256::digest([])));
}

#[test]
fn paths_are_those_of_the_shared_vectors() {
    let path: Vec<_> = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hash)
    .into();
    assert_eq!(vector_tree().inclusion(LeafIndex::new(5).unwrap(), size(7)), Some(path));

    let path: Vec<_> = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hash)
    .into();
    assert_eq!(vector_tree().consistency(size(6), size(8)), Some(path));
}

#[test]
fn nothing_is_said_about_what_the_tree_does_not_hold() {
    let tree = vector_tree();
    let index = |i| LeafIndex::new(i).unwrap();
    assert_eq!(tree.root_at(size(9)), None);
    assert_eq!(tree.inclusion(index(7), size(7)), None);
    assert_eq!(tree.inclusion(index(0), size(9)), None);
    assert_eq!(tree.inclusion(index(0), size(0)), None);
    assert_eq!(tree.consistency(size(8), size(9)), None);
    assert_eq!(tree.consistency(size(5), size(4)), None);
    assert_eq!(tree.inclusion(index(0), size(1)), Some(vec![]), "the twin");
    assert_eq!(tree.consistency(size(0), size(8)), Some(vec![]), "the twin");
}

#[test]
fn positions_end_where_a_signed_64_bit_number_does() {
    let last = i64::MAX as u64;
    assert_eq!(TreeSize::new(last).map(TreeSize::get), Some(last));
    assert_eq!(TreeSize::new(last + 1), None);
    assert_eq!(size(last).plus(1), None);
    assert_eq!(size(1).plus(u64::MAX), None);
}

proptest! {
    #[test]
    fn trees_agree_with_the_recursive_definition(count in 0u64..200, at in 0u64..200) {
        let leaves = leaves(count);
        let tree = tree_of(&leaves);
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        prop_assert_eq!(tree.size(), size(count));
        prop_assert_eq!(frontier.size(), size(count));
        prop_assert_eq!(tree.root(), naive_root(&leaves));
        prop_assert_eq!(frontier.root(), naive_root(&leaves));
        let expected = leaves.get(..at as usize).map(naive_root);
        prop_assert_eq!(tree.root_at(size(at)), expected);
    }

    #[test]
    fn paths_agree_with_the_recursive_definition(count in 1usize..150, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let leaves = leaves(count as u64);
        let tree = tree_of(&leaves);
        let index = a.index(count);
        let now = index + 1 + b.index(count - index);
        let (at, now_size) = (LeafIndex::new(index as u64).unwrap(), size(now as u64));
        prop_assert_eq!(tree.inclusion(at, now_size), Some(naive_inclusion(index, &leaves[..now])));
        let old = size(index as u64 + 1);
        prop_assert_eq!(tree.consistency(old, now_size), Some(naive_consistency(index + 1, &leaves[..now], true)));
    }
}

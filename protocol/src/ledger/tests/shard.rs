//! Parts of a ledger that are verified by themselves.

use super::super::*;
use crate::{key::SigningKey, trust::KeySet};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn keys() -> KeySet {
    let [one, two, three, four] = [1, 2, 3, 4].map(|seed| key(seed).public());
    KeySet::new("acme.example".parse().unwrap(), one, two, three, four).unwrap()
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

fn size(number: u64) -> TreeSize {
    TreeSize::new(number).unwrap()
}

fn frontier(entries: u64) -> Frontier {
    let mut frontier = Frontier::default();
    (0..entries).for_each(|number| frontier.push(leaf_hash(&entry(number))));
    frontier
}

/// Entries `from` up to `to` of a ledger that had so many when its checkpoint was signed with that key.
fn shard(from: u64, to: u64, whole: u64, seed: u8) -> Vec<u8> {
    let mut tree = Tree::default();
    (0..whole).for_each(|number| tree.push(leaf_hash(&entry(number))));
    let claim = Checkpoint { origin: keys().origin(), size: size(whole), root: tree.root() };
    let signed = SignedCheckpoint::sign(&claim, &key(seed));
    let path = tree.consistency(size(to), size(whole)).unwrap();
    let proof = ConsistencyProof { old: size(to), new: size(whole), path };
    let entries: Vec<Vec<u8>> = (from..to).map(entry).collect();
    Shard::write(&frontier(from), &entries, &signed, &proof)
}

#[test]
fn a_shard_of_any_part_is_verified_by_itself() {
    for whole in 1..20 {
        for to in 1..=whole {
            for from in 0..to {
                let shard = Shard::open(&shard(from, to, whole, 3), &keys()).unwrap();
                assert_eq!((shard.first().get(), shard.after.size().get()), (from, to));
                assert_eq!(shard.before, frontier(from));
                assert_eq!(shard.after, frontier(to));
                assert_eq!(shard.entries, (from..to).map(entry).collect::<Vec<_>>());
                assert_eq!(shard.checkpoint.size.get(), whole);
            }
        }
    }
}

/// Attack line 30: whatever is altered, dropped, added or moved, it is no shard of that ledger.
#[test]
fn no_byte_of_a_shard_can_be_another_one() {
    let whole = shard(3, 7, 11, 3);
    assert!(Shard::open(&whole, &keys()).is_ok(), "the twin");
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut altered = whole.clone();
            altered[at] ^= bit;
            assert!(Shard::open(&altered, &keys()).is_err(), "bit {bit} of byte {at}");
        }
        assert!(Shard::open(&whole[..at], &keys()).is_err(), "cut at {at}");
    }
    assert!(Shard::open(&[&whole[..], b"\0\0"].concat(), &keys()).is_err(), "an entry more");
}

#[test]
fn a_shard_is_of_the_log_of_its_keys_and_of_the_place_that_it_names() {
    assert!(matches!(Shard::open(&shard(3, 7, 11, 2), &keys()), Err(NotAShard::Checkpoint(_))));
    let elsewhere = |before: &Frontier, from: u64, to: u64| {
        let mut tree = Tree::default();
        (0..11).for_each(|number| tree.push(leaf_hash(&entry(number))));
        let claim = Checkpoint { origin: keys().origin(), size: size(11), root: tree.root() };
        let path = tree.consistency(size(to), size(11)).unwrap();
        let proof = ConsistencyProof { old: size(to), new: size(11), path };
        let entries: Vec<Vec<u8>> = (from..from + to - before.size().get()).map(entry).collect();
        let bytes = Shard::write(before, &entries, &SignedCheckpoint::sign(&claim, &key(3)), &proof);
        Shard::open(&bytes, &keys()).map(drop)
    };
    assert_eq!(elsewhere(&frontier(4), 4, 8), Ok(()), "the twin");
    assert!(
        matches!(elsewhere(&frontier(4), 3, 8), Err(NotAShard::Elsewhere(_))),
        "entries of another place"
    );
    let mut other = Frontier::default();
    (0..4).for_each(|_| other.push(leaf_hash(b"other")));
    assert!(matches!(elsewhere(&other, 4, 8), Err(NotAShard::Elsewhere(_))), "after another ledger");
    let nothing = Shard::open(&shard(3, 3, 11, 3), &keys());
    assert_eq!(nothing, Err(NotAShard::Form { part: "the number of its entries" }));
}

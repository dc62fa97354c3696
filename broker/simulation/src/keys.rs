//! The domain's keys, each for its leaves.

use countersign_forge::{domain, domain_key, keys};
use countersign_protocol::{
    key::SigningKey,
    ledger::LeafIndex,
    trust::{DomainKey, KeyPurpose, KeySet},
};

/// What the domain signs with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// What everyone pins.
    pub set: KeySet,
    /// The private halves, in the order of the set.
    private: Vec<(DomainKey, SigningKey)>,
}

impl Keys {
    /// One key for each purpose.
    pub fn steady() -> Self {
        Self::of(keys(), &[201, 202, 203])
    }

    /// Two for each purpose: from that leaf on, the second signs.
    pub fn rotated_at(leaf: u64) -> Self {
        let change = LeafIndex::new(leaf).unwrap();
        let (mut all, seeds) = (Vec::new(), [201, 211, 202, 212, 203, 213]);
        for (old, next) in keys().keys().iter().zip([211, 212, 213]) {
            all.push(DomainKey { end_leaf: change, ..old.clone() });
            all.push(DomainKey { id: 2, key: domain_key(next).public(), first_leaf: change, ..old.clone() });
        }
        Self::of(KeySet::of(domain(), all).unwrap(), &seeds)
    }

    fn of(set: KeySet, seeds: &[u8]) -> Self {
        let private = set.keys().iter().cloned().zip(seeds.iter().map(|seed| domain_key(*seed))).collect();
        Self { set, private }
    }

    /// The key of that purpose for a leaf, and its number.
    pub fn signer(&self, purpose: KeyPurpose, leaf: LeafIndex) -> (u32, &SigningKey) {
        let found = self.private.iter().find(|(known, _)| known.purpose == purpose && known.covers(leaf));
        found.map(|(known, key)| (known.id, key)).unwrap()
    }
}

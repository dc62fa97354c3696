//! The domain's keys, each for its leaves.

use countersign_forge::{domain_key, keys};
use countersign_protocol::{
    digest::Digest,
    key::SigningKey,
    ledger::LeafIndex,
    payload::Payload as _,
    signed::Signed,
    trust::{DomainKey, KeyPurpose, KeyRotation, KeySet},
};

/// What the domain signs with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// What everyone pins.
    pub set: KeySet,
    /// The private halves.
    private: Vec<(DomainKey, SigningKey)>,
}

/// The first keys, and those that come after them in some runs, in order of their purposes.
const FIRST: [u8; 4] = [201, 202, 203, 204];
const SECOND: [u8; 4] = [211, 212, 213, 214];

impl Keys {
    /// One key for each purpose.
    pub fn first() -> Self {
        Self::of(keys())
    }

    /// What the domain signs with under that set.
    pub fn of(set: KeySet) -> Self {
        let seeds = FIRST.into_iter().chain(SECOND).map(domain_key);
        let private = seeds.filter_map(|key| {
            let known = set.keys().iter().find(|known| known.key == key.public())?;
            Some((known.clone(), key))
        });
        Self { private: private.collect(), set }
    }

    /// That all keys are rotated at that leaf; nothing if they were.
    pub fn rotation_at(&self, leaf: LeafIndex) -> Option<Signed> {
        let successors = KeyPurpose::ALL.into_iter().zip(SECOND.map(|seed| domain_key(seed).public()));
        let next = self.set.rotated(&successors.collect::<Vec<_>>(), leaf)?;
        let rotation = KeyRotation { previous: Digest::of(&self.set.to_bytes()), keys: next, restored: None };
        let [one, two, three, four] = FIRST.map(domain_key);
        Some(rotation.signed([&one, &two, &three, &four]))
    }

    /// The key of that purpose for a leaf, and its number.
    pub fn signer(&self, purpose: KeyPurpose, leaf: LeafIndex) -> (u32, &SigningKey) {
        let found = self.private.iter().find(|(known, _)| known.purpose == purpose && known.covers(leaf));
        found.map(|(known, key)| (known.id, key)).unwrap()
    }
}

//! What a verifier pins: a trust domain and its keys.

use crate::{
    code_enum, key::PublicKey, ledger::LeafIndex, limits::DOMAIN_KEYS_MAX, name::TrustDomain, payload,
    payload::Bounded,
};

code_enum! {
    /// The one thing that a domain's key signs.
    pub enum KeyPurpose {
        /// Authority blocks of tokens.
        Capability = 1,
        /// Activations.
        Activation = 2,
        /// Checkpoints of the ledger.
        Checkpoint = 3,
    }
}

payload! {
    /// One key of a trust domain, and the leaves for which it may have signed.
    pub struct DomainKey {
        /// What it signs.
        1 => pub purpose: KeyPurpose,
        /// Its number among the keys of that purpose.
        2 => pub id: u32,
        /// The public key.
        3 => pub key: PublicKey,
        /// The first leaf that it may have signed for.
        4 => pub first_leaf: LeafIndex,
        /// The first leaf after that; absent while the key is in use.
        5 => pub end_leaf: LeafIndex,
    }
}

payload! {
    /// The keys of a trust domain; leaf 0 of its ledger, and again whenever they change.
    pub struct KeySet {
        /// The trust domain.
        1 => domain: TrustDomain,
        /// Its keys.
        2 => keys: Bounded<DomainKey, 3, DOMAIN_KEYS_MAX>,
    }
}

impl KeySet {
    /// A set with exactly one key in use for each purpose.
    pub fn new(
        domain: TrustDomain,
        capability: PublicKey,
        activation: PublicKey,
        checkpoint: PublicKey,
    ) -> Option<Self> {
        let purposes = [KeyPurpose::Capability, KeyPurpose::Activation, KeyPurpose::Checkpoint];
        let keys = purposes.into_iter().zip([capability, activation, checkpoint]);
        let keys = keys.map(|(purpose, key)| DomainKey {
            purpose,
            id: 1,
            key,
            first_leaf: LeafIndex::ZERO,
            end_leaf: LeafIndex::ZERO,
        });
        Some(Self { domain, keys: Bounded::new(keys.collect()).ok()? })
    }

    /// Whose keys these are.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Every key.
    pub fn keys(&self) -> &[DomainKey] {
        &self.keys
    }

    /// The capability key of that number: the token's number only indexes this set.
    pub fn capability_key(&self, id: u32) -> Option<PublicKey> {
        self.of(KeyPurpose::Capability).find(|key| key.id == id).map(|key| key.key)
    }

    /// The key whose activations are for that leaf.
    pub fn activation_key(&self, leaf: LeafIndex) -> Option<PublicKey> {
        self.of(KeyPurpose::Activation).find(|key| key.covers(leaf)).map(|key| key.key)
    }

    /// The keys whose checkpoints are believed.
    pub fn checkpoint_keys(&self) -> impl Iterator<Item = PublicKey> {
        self.of(KeyPurpose::Checkpoint).map(|key| key.key)
    }

    fn of(&self, purpose: KeyPurpose) -> impl Iterator<Item = &DomainKey> {
        self.keys.iter().filter(move |key| key.purpose == purpose)
    }
}

impl DomainKey {
    fn covers(&self, leaf: LeafIndex) -> bool {
        let in_use = self.end_leaf == LeafIndex::ZERO;
        self.first_leaf <= leaf && (in_use || leaf < self.end_leaf)
    }
}

//! What a verifier pins: a trust domain and its keys.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;

use crate::{
    code_enum,
    key::PublicKey,
    ledger::{LeafIndex, NoteVerifier, Origin},
    limits::{DOMAIN_KEYS_MAX, KEYS_TEXT_MAX_BYTES},
    name::TrustDomain,
    payload,
    payload::{Bounded, Payload},
};

/// What the text of every key set begins with.
const PREFIX: &str = "countersign-keys-v1 ";

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

    /// The same keys under the log's name, for verifiers of C2SP notes: each prints as a *vkey*.
    pub fn log_verifiers(&self) -> impl Iterator<Item = NoteVerifier> {
        let origin = Origin::of(&self.domain);
        self.checkpoint_keys().map(move |key| NoteVerifier::new(origin.clone(), key))
    }

    /// One line for the file in which an auditor pins the keys.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.to_bytes()))
    }

    fn of(&self, purpose: KeyPurpose) -> impl Iterator<Item = &DomainKey> {
        self.keys.iter().filter(move |key| key.purpose == purpose)
    }
}

/// The text is no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the keys of a trust domain: one line that begins with `countersign-keys-v1`")]
pub struct NotAKeySet;

impl FromStr for KeySet {
    type Err = NotAKeySet;

    fn from_str(text: &str) -> Result<Self, NotAKeySet> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotAKeySet)?;
        if encoded.len() > KEYS_TEXT_MAX_BYTES {
            return Err(NotAKeySet);
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| NotAKeySet)?;
        Self::from_bytes(&bytes).map_err(|_| NotAKeySet)
    }
}

impl DomainKey {
    fn covers(&self, leaf: LeafIndex) -> bool {
        let in_use = self.end_leaf == LeafIndex::ZERO;
        self.first_leaf <= leaf && (in_use || leaf < self.end_leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn pinned() -> KeySet {
        let public = |seed| SigningKey::from_seed(&[seed; 32]).public();
        KeySet::new("acme.example".parse().unwrap(), public(1), public(2), public(3)).unwrap()
    }

    #[test]
    fn the_text_reads_back() {
        assert_eq!(pinned().to_text().parse(), Ok(pinned()));
        assert_eq!(pinned().to_text().lines().count(), 1);
    }

    #[test]
    fn what_is_not_exactly_a_key_set_pins_nothing() {
        let text = pinned().to_text();
        let last = text.len() - 1;
        for bad in [&text[1..], &text[..last], &format!("{text}\n"), &text.replace("v1", "v2"), PREFIX, ""] {
            assert_eq!(bad.parse::<KeySet>(), Err(NotAKeySet), "{bad}");
        }
    }

    /// Attack line 29: a key that was rotated away signs for none of the leaves that came after it.
    #[test]
    fn an_activation_key_is_for_its_own_leaves() {
        let leaf = |number| LeafIndex::new(number).unwrap();
        let key = |id: u32, first, end| DomainKey {
            purpose: KeyPurpose::Activation,
            id,
            key: SigningKey::from_seed(&[id as u8; 32]).public(),
            first_leaf: leaf(first),
            end_leaf: leaf(end),
        };
        let keys = vec![key(1, 0, 10), key(2, 10, 20), key(3, 25, 0)];
        let keys = KeySet { keys: Bounded::new(keys).unwrap(), ..pinned() };
        let id = |number| {
            let found = keys.activation_key(leaf(number))?;
            (1..=3u8).find(|id| SigningKey::from_seed(&[*id; 32]).public() == found)
        };
        assert_eq!(
            [0, 9, 10, 19, 20, 24, 25, 99].map(id),
            [Some(1), Some(1), Some(2), Some(2), None, None, Some(3), Some(3)]
        );
        assert_eq!(keys.checkpoint_keys().count(), 0, "for nothing else");
    }

    #[test]
    fn only_the_checkpoint_key_verifies_the_log() {
        let verifiers: Vec<String> = pinned().log_verifiers().map(|verifier| verifier.to_string()).collect();
        let [verifier] = &verifiers[..] else { panic!("{verifiers:?}") };
        assert!(verifier.starts_with("acme.example/ledger+"), "{verifier}");
        let verifier: NoteVerifier = verifier.parse().unwrap();
        assert_eq!(*verifier.key(), SigningKey::from_seed(&[3; 32]).public());
    }
}

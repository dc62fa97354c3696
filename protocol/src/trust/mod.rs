//! What a verifier pins: a trust domain and its keys.

mod rotation;

pub use rotation::KeyRotation;

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;

use crate::{
    code_enum,
    id::LogId,
    key::PublicKey,
    ledger::{Checkpoint, LeafIndex, NotANote, NoteVerifier, Origin, SignedCheckpoint},
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
        /// Blocks by which a fresh instance takes a chain over.
        Rebind = 4,
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
        2 => keys: Bounded<DomainKey, 4, DOMAIN_KEYS_MAX>,
        /// The ledger that they are of, where it goes on from a backup; absent for the domain's first.
        3 => log: Option<LogId>,
    }
    valid_if KeySet::each_leaf_has_one_key;
}

impl KeySet {
    /// Keys in ascending order of purpose and number; `None` where no reader takes them (IDN-109).
    pub fn of(domain: TrustDomain, keys: Vec<DomainKey>) -> Option<Self> {
        let keys = Self { domain, keys: Bounded::new(keys).ok()?, log: None };
        keys.each_leaf_has_one_key().then_some(keys)
    }

    /// A set with exactly one key for each purpose, each in use from the first leaf on.
    pub fn new(
        domain: TrustDomain,
        capability: PublicKey,
        activation: PublicKey,
        checkpoint: PublicKey,
        rebind: PublicKey,
    ) -> Option<Self> {
        let keys = KeyPurpose::ALL.into_iter().zip([capability, activation, checkpoint, rebind]);
        let keys = keys.map(|(purpose, key)| DomainKey {
            purpose,
            id: 1,
            key,
            first_leaf: LeafIndex::ZERO,
            end_leaf: LeafIndex::ZERO,
        });
        Self::of(domain, keys.collect())
    }

    /// Whose keys these are.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// The ledger that they are of: its checkpoints and activations name it, and no other's are believed.
    pub fn origin(&self) -> Origin {
        self.log.map_or_else(|| Origin::of(&self.domain), |log| Origin::restored(&self.domain, log))
    }

    /// Every key.
    pub fn keys(&self) -> &[DomainKey] {
        &self.keys
    }

    /// The capability key of that number: the token's number only indexes this set. For which leaves
    /// it may have granted is asked once the leaf of the grant is known (TOK-008).
    pub fn capability_key(&self, id: u32) -> Option<&DomainKey> {
        self.for_purpose(KeyPurpose::Capability).find(|key| key.id == id)
    }

    /// What the set says of a key that signed a rebind. For which leaves it may have is asked once the
    /// leaf of the rebind is known (CHN-064).
    pub fn rebind_key(&self, key: &[u8]) -> Option<&DomainKey> {
        self.for_purpose(KeyPurpose::Rebind).find(|known| known.key.as_bytes() == key)
    }

    /// The key whose activations are for that leaf.
    pub fn activation_key(&self, leaf: LeafIndex) -> Option<PublicKey> {
        self.for_purpose(KeyPurpose::Activation).find(|key| key.covers(leaf)).map(|key| key.key)
    }

    /// The key in use for that purpose: every set has one.
    pub fn in_use(&self, purpose: KeyPurpose) -> Option<&DomainKey> {
        self.for_purpose(purpose).find(|key| key.is_in_use())
    }

    /// The checkpoint, if the key that was the log's for its last entry signed it (LOG-121).
    pub fn open_checkpoint(&self, signed: &SignedCheckpoint) -> Result<Checkpoint, NotANote> {
        let last = signed.peek_unverified().size.last_leaf();
        let key = self.for_purpose(KeyPurpose::Checkpoint).find(|key| key.covers(last));
        let key = key.ok_or(NotANote::NotSigned)?.key;
        signed.open(&NoteVerifier::new(self.origin(), key))
    }

    /// The checkpoint key in use under the log's name, for verifiers of C2SP notes: prints as a *vkey*.
    pub fn log_verifier(&self) -> Option<NoteVerifier> {
        let key = self.in_use(KeyPurpose::Checkpoint)?.key;
        Some(NoteVerifier::new(self.origin(), key))
    }

    /// One line for the file in which an auditor pins the keys.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.to_bytes()))
    }

    fn for_purpose(&self, purpose: KeyPurpose) -> impl Iterator<Item = &DomainKey> {
        self.keys.iter().filter(move |key| key.purpose == purpose)
    }

    /// IDN-109: one key in use for each purpose, at most one for any leaf, and none for two things.
    fn each_leaf_has_one_key(&self) -> bool {
        let keys = &self.keys;
        let ordered = keys.is_sorted_by(|a, b| (a.purpose, a.id) < (b.purpose, b.id));
        let pairs =
            || keys.iter().enumerate().flat_map(|(i, a)| keys.iter().skip(i + 1).map(move |b| (a, b)));
        let distinct = pairs().all(|(a, b)| a.key != b.key);
        let apart = pairs().all(|(a, b)| a.purpose != b.purpose || a.ends_before(b) || b.ends_before(a));
        let lived = keys.iter().all(|key| key.is_in_use() || key.first_leaf < key.end_leaf);
        let complete = KeyPurpose::ALL.iter().all(|purpose| self.in_use(*purpose).is_some());
        ordered && distinct && apart && lived && complete
    }
}

impl KeyPurpose {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Capability, Self::Activation, Self::Checkpoint, Self::Rebind];
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
    /// Whether it signs for the leaves to come.
    pub fn is_in_use(&self) -> bool {
        self.end_leaf == LeafIndex::ZERO
    }

    /// Whether it may have signed for that leaf.
    pub fn covers(&self, leaf: LeafIndex) -> bool {
        self.first_leaf <= leaf && (self.is_in_use() || leaf < self.end_leaf)
    }

    fn ends_before(&self, other: &Self) -> bool {
        !self.is_in_use() && self.end_leaf <= other.first_leaf
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::SigningKey, ledger::TreeSize};

    fn pinned() -> KeySet {
        let public = |seed| SigningKey::from_seed(&[seed; 32]).public();
        KeySet::new("acme.example".parse().unwrap(), public(1), public(2), public(3), public(4)).unwrap()
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

    fn leaf(number: u64) -> LeafIndex {
        LeafIndex::new(number).unwrap()
    }

    fn key(purpose: KeyPurpose, id: u32, seed: u8, first: u64, end: u64) -> DomainKey {
        let key = SigningKey::from_seed(&[seed; 32]).public();
        DomainKey { purpose, id, key, first_leaf: leaf(first), end_leaf: leaf(end) }
    }

    /// Three activation keys, one after the other, and as many for checkpoints.
    fn rotated() -> Vec<DomainKey> {
        use KeyPurpose::{Activation, Capability, Checkpoint, Rebind};
        vec![
            key(Capability, 1, 10, 0, 0),
            key(Activation, 1, 1, 0, 10),
            key(Activation, 2, 2, 10, 20),
            key(Activation, 3, 3, 25, 0),
            key(Checkpoint, 1, 11, 0, 10),
            key(Checkpoint, 2, 12, 10, 0),
            key(Rebind, 1, 13, 0, 0),
        ]
    }

    fn read(keys: Vec<DomainKey>) -> Option<KeySet> {
        let unchecked = KeySet { domain: pinned().domain, keys: Bounded::new(keys).unwrap(), log: None };
        KeySet::from_bytes(&unchecked.to_bytes()).ok()
    }

    /// Attack line 29: a key that was rotated away signs for none of the leaves that came after it.
    #[test]
    fn an_activation_key_is_for_its_own_leaves() {
        let keys = read(rotated()).unwrap();
        let id = |number| {
            let found = keys.activation_key(leaf(number))?;
            (1..=3u8).find(|seed| SigningKey::from_seed(&[*seed; 32]).public() == found)
        };
        assert_eq!(
            [0, 9, 10, 19, 20, 24, 25, 99].map(id),
            [Some(1), Some(1), Some(2), Some(2), None, None, Some(3), Some(3)]
        );
    }

    /// Attack line 29: nor does a checkpoint key that was rotated away sign for what came after it.
    #[test]
    fn a_checkpoint_is_by_the_key_of_its_last_entry() {
        let keys = read(rotated()).unwrap();
        let opens = |seed: u8, size: u64| {
            let (size, root) = (TreeSize::new(size).unwrap(), crate::ledger::EMPTY_ROOT);
            let checkpoint = Checkpoint { origin: Origin::of(keys.domain()), size, root };
            let signed = SignedCheckpoint::sign(&checkpoint, &SigningKey::from_seed(&[seed; 32]));
            keys.open_checkpoint(&signed).is_ok()
        };
        assert_eq!([0, 1, 10, 11].map(|size| opens(11, size)), [true, true, true, false]);
        assert_eq!([10, 11, 99].map(|size| opens(12, size)), [false, true, true]);
    }

    /// A set under which two readers could believe two keys, or one key for two things, is no set.
    #[test]
    fn each_leaf_has_one_key_for_each_purpose() {
        use KeyPurpose::{Activation, Capability, Checkpoint};
        assert!(read(rotated()).is_some(), "the twin");
        type Change = fn(&mut Vec<DomainKey>);
        let cases: [(&str, Change); 10] = [
            ("no rebind key", |keys| keys.truncate(6)),
            ("no checkpoint key", |keys| drop(keys.drain(4..6))),
            ("no capability key", |keys| *keys = keys.split_off(1)),
            ("no activation key in use", |keys| keys[3].end_leaf = leaf(30)),
            ("a number twice", |keys| keys[2].id = 1),
            ("out of order", |keys| keys.swap(1, 2)),
            ("two keys for one leaf", |keys| keys[1].end_leaf = leaf(11)),
            ("two keys in use", |keys| keys[4].end_leaf = leaf(0)),
            ("for no leaf", |keys| keys[2] = key(Activation, 2, 2, 20, 20)),
            ("one key for two purposes", |keys| keys[0] = key(Capability, 1, 12, 0, 0)),
        ];
        for (what, change) in cases {
            let mut keys = rotated();
            change(&mut keys);
            assert_eq!(read(keys.clone()), None, "{what}");
            assert_eq!(KeySet::of(pinned().domain, keys), None, "{what}");
        }
        let mut again = rotated();
        again.insert(6, key(Checkpoint, 3, 1, 0, 0));
        assert_eq!(read(again), None, "a retired activation key that comes back");
    }

    #[test]
    fn only_the_checkpoint_key_verifies_the_log() {
        let verifier = pinned().log_verifier().unwrap().to_string();
        assert!(verifier.starts_with("acme.example/ledger+"), "{verifier}");
        let verifier: NoteVerifier = verifier.parse().unwrap();
        assert_eq!(*verifier.key(), SigningKey::from_seed(&[3; 32]).public());
    }
}

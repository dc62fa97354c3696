//! How a domain's keys change: from one set to the next, signed by the keys that are replaced.

use super::{DomainKey, KeyPurpose, KeySet};
use crate::{
    digest::Digest,
    id::LogId,
    key::{PublicKey, SigningKey},
    ledger::{Checkpoint, LeafIndex},
    payload,
    payload::Payload as _,
    refusal::{Reason, Refusal},
    require,
    signed::{Signed, Statement},
};

payload! {
    /// The domain's next keys. All the keys in use before sign it, so that a thief of one of them does not
    /// choose its successors.
    pub struct KeyRotation {
        /// Digest of the key set before.
        1 => pub previous: Digest,
        /// The key set from the leaf on that holds this.
        2 => pub keys: KeySet,
        /// Where the ledger goes on from a backup: what it was before, as far as it is known.
        3 => pub restored: Option<Checkpoint>,
    }
}

impl Statement for KeyRotation {
    const TYPE: &'static str = "application/vnd.countersign.key-rotation.v1";
}

impl KeyRotation {
    /// The statement, signed by the keys in use of the set before, in order of their purposes.
    pub fn signed(&self, signers: [&SigningKey; 4]) -> Signed {
        let [first, rest @ ..] = signers;
        let mut signed = self.sign(first);
        rest.into_iter().for_each(|key| signed.add_signature(key));
        signed
    }
}

impl KeySet {
    /// Whether this is that set, or came of it by rotations: it holds every key of it, and those that were
    /// in use have at most ended; of another ledger it is only by new keys. Says nothing of who says so.
    pub fn continues(&self, earlier: &Self) -> bool {
        let holds = |key: &DomainKey| {
            let ours = self.keys.iter().find(|ours| ours.purpose == key.purpose && ours.id == key.id);
            ours.is_some_and(|ours| {
                let ended = DomainKey { end_leaf: ours.end_leaf, ..key.clone() };
                *ours == *key || key.is_in_use() && *ours == ended
            })
        };
        let same_log = self.log == earlier.log || self.keys.len() > earlier.keys.len();
        self.domain == earlier.domain && same_log && earlier.keys.iter().all(holds)
    }

    /// The set with `successors` in place of the keys in use for their purposes, from that leaf on;
    /// `None` if there are too many keys, or no reader would take them.
    pub fn rotated(&self, successors: &[(KeyPurpose, PublicKey)], leaf: LeafIndex) -> Option<Self> {
        let mut keys = self.keys.to_vec();
        for (purpose, key) in successors {
            let last = keys.iter_mut().rfind(|known| known.purpose == *purpose)?;
            last.end_leaf = leaf;
            let id = last.id.checked_add(1)?;
            keys.push(DomainKey {
                purpose: *purpose,
                id,
                key: *key,
                first_leaf: leaf,
                end_leaf: LeafIndex::ZERO,
            });
            keys.sort_by_key(|key| (key.purpose, key.id));
        }
        Some(Self { log: self.log, ..Self::of(self.domain.clone(), keys)? })
    }

    /// The set with those successors for all purposes, for a ledger that goes on from a backup at that leaf.
    pub fn restored(
        &self,
        log: LogId,
        successors: &[(KeyPurpose, PublicKey)],
        leaf: LeafIndex,
    ) -> Option<Self> {
        Some(Self { log: Some(log), ..self.rotated(successors, leaf)? })
    }

    /// The set that follows this one, if the keys in use signed for it and it changes them from one leaf
    /// on, and nothing else, unless it goes on from a backup (IDN-120 to IDN-122, IDN-125). Gives the leaf, too.
    pub fn follow(&self, rotation: &Signed) -> Result<(Self, LeafIndex), Refusal> {
        let signers: Vec<PublicKey> =
            KeyPurpose::ALL.iter().filter_map(|purpose| Some(self.in_use(*purpose)?.key)).collect();
        let opened = rotation.open::<KeyRotation>(&signers).map_err(|error| {
            Refusal::new("IDN-120", Reason::SignatureInvalid, format!("The rotation: {error}."))
        })?;
        let follows = opened.previous == Digest::of(&self.to_bytes());
        require!("IDN-121", follows, Reason::StatementStale, "It follows another key set.");
        let (next, added) =
            (opened.keys, |key: &&DomainKey| self.keys.iter().all(|known| known.key != key.key));
        let leaf = next.keys.iter().find(added).map_or(LeafIndex::ZERO, |key| key.first_leaf);
        let successors: Vec<_> = next.keys.iter().filter(added).map(|key| (key.purpose, key.key)).collect();
        let rotated = self.rotated(&successors, leaf).map(|set| Self { log: next.log, ..set });
        let same = !successors.is_empty() && rotated.as_ref() == Some(&next);
        require!(
            "IDN-122",
            same,
            Reason::PayloadMalformed,
            "It changes more than the keys in use from one leaf on."
        );
        let told = match &opened.restored {
            None => next.log == self.log,
            Some(from) => {
                let here = from.origin == self.origin() && from.size.next_leaf() == leaf;
                here && next.log.is_some()
                    && next.log != self.log
                    && successors.len() == KeyPurpose::ALL.len()
            }
        };
        require!(
            "IDN-125",
            told,
            Reason::PayloadMalformed,
            "Another ledger is not as a restored one begins."
        );
        Ok((next, leaf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::LeafIndex, payload::Code as _};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn leaf(number: u64) -> LeafIndex {
        LeafIndex::new(number).unwrap()
    }

    fn first() -> KeySet {
        let [one, two, three, four] = [1, 2, 3, 4].map(|seed| key(seed).public());
        KeySet::new("acme.example".parse().unwrap(), one, two, three, four).unwrap()
    }

    fn to(keys: KeySet) -> KeyRotation {
        KeyRotation { previous: Digest::of(&first().to_bytes()), keys, restored: None }
    }

    fn second() -> KeySet {
        first().rotated(&[(KeyPurpose::Activation, key(12).public())], leaf(40)).unwrap()
    }

    fn rule(refused: Result<(KeySet, LeafIndex), Refusal>) -> &'static str {
        refused.map_or_else(|refusal| refusal.rule(), |_| "it follows")
    }

    #[test]
    fn the_keys_in_use_say_what_comes_after_them() {
        let signed = to(second()).signed([&key(1), &key(2), &key(3), &key(4)]);
        assert_eq!(first().follow(&signed), Ok((second(), leaf(40))));
        assert_eq!(second().activation_key(leaf(39)), Some(key(2).public()));
        assert_eq!(second().activation_key(leaf(40)), Some(key(12).public()));
        let third = second()
            .rotated(
                &KeyPurpose::ALL.map(|purpose| (purpose, key(20 + purpose.code() as u8).public())),
                leaf(50),
            )
            .unwrap();
        let rotation =
            KeyRotation { previous: Digest::of(&second().to_bytes()), keys: third.clone(), restored: None };
        let signed = rotation.signed([&key(1), &key(12), &key(3), &key(4)]);
        assert_eq!(second().follow(&signed), Ok((third.clone(), leaf(50))));
        assert!(third.continues(&first()) && third.continues(&second()) && third.continues(&third));
        assert!(!first().continues(&second()));
    }

    /// Attack line 29: whoever stole one key, or holds keys that were rotated away, rotates nothing.
    #[test]
    fn nobody_else_says_so() {
        let rotation = to(second());
        let all = rotation.signed([&key(1), &key(2), &key(3), &key(4)]);
        assert_eq!(rule(first().follow(&all)), "it follows", "the twin");
        for signers in [
            [1, 2, 9, 4],
            [1, 9, 3, 4],
            [9, 2, 3, 4],
            [1, 2, 3, 9],
            [2, 1, 3, 4],
            [1, 1, 1, 1],
            [1, 12, 3, 4],
        ] {
            let [a, b, c, d] = signers.map(key);
            assert_eq!(rule(first().follow(&rotation.signed([&a, &b, &c, &d]))), "IDN-120", "{signers:?}");
        }
        let mut fewer = all.clone();
        fewer.signatures.pop();
        assert_eq!(rule(first().follow(&fewer)), "IDN-120");
        assert_eq!(rule(second().follow(&all)), "IDN-120", "a rotation a second time");
        let mut garbled = all;
        *garbled.payload.last_mut().unwrap() ^= 1;
        assert_eq!(rule(first().follow(&garbled)), "IDN-120");
    }

    #[test]
    fn a_rotation_follows_one_set_and_changes_the_keys_in_use_alone() {
        let sign = |rotation: KeyRotation| rotation.signed([&key(1), &key(2), &key(3), &key(4)]);
        let elsewhere = KeyRotation { previous: Digest::of(b"another"), keys: second(), restored: None };
        assert_eq!(rule(first().follow(&sign(elsewhere))), "IDN-121");

        let changed = |change: fn(&mut Vec<DomainKey>)| {
            let mut keys = second().keys.to_vec();
            change(&mut keys);
            let keys = KeySet::of("acme.example".parse().unwrap(), keys).unwrap();
            rule(first().follow(&sign(to(keys))))
        };
        assert_eq!(changed(|_| {}), "it follows", "the twin");
        assert_eq!(changed(|keys| keys[1].end_leaf = leaf(39)), "IDN-122", "a leaf without a key");
        assert_eq!(changed(|keys| keys[0].key = key(13).public()), "IDN-122", "a key in place of another");
        assert_eq!(
            changed(|keys| keys[0].first_leaf = leaf(1)),
            "IDN-122",
            "a key whose leaves were changed"
        );
        assert_eq!(changed(|keys| keys[2].id = 7), "IDN-122", "a number that does not follow");
        let nothing = to(first());
        assert_eq!(rule(first().follow(&sign(nothing))), "IDN-122", "no change");
        let mut of_another = second();
        of_another.domain = "other.example".parse().unwrap();
        assert_eq!(rule(first().follow(&sign(to(of_another)))), "IDN-122");
    }

    #[test]
    fn a_set_continues_another_if_it_only_adds_keys_and_ends_some() {
        let third = second().rotated(&[(KeyPurpose::Activation, key(13).public())], leaf(50)).unwrap();
        assert!(third.continues(&second()), "the twin");
        type Change = fn(&mut Vec<DomainKey>);
        let cases: [(&str, Change); 5] = [
            ("a key is missing", |keys| *keys = [&keys[..1], &keys[2..]].concat()),
            ("a key is another", |keys| keys[0].key = key(14).public()),
            ("a key begins elsewhere", |keys| keys[2].first_leaf = leaf(41)),
            ("a key that had ended ends elsewhere", |keys| keys[1].end_leaf = leaf(39)),
            ("a key that had ended is in use", |keys| keys.swap_remove(1).end_leaf = leaf(0)),
        ];
        for (what, change) in cases {
            let mut keys = third.keys.to_vec();
            change(&mut keys);
            let changed = KeySet { keys: crate::payload::Bounded::new(keys).unwrap(), ..third.clone() };
            assert!(!changed.continues(&second()), "{what}");
        }
        let elsewhere = KeySet { domain: "other.example".parse().unwrap(), ..third };
        assert!(!elsewhere.continues(&second()));
    }
}

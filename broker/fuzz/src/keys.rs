//! Every private key that the harness holds, by its public half.

use std::{collections::BTreeMap, sync::LazyLock};

use countersign_forge::domain_key;
use countersign_protocol::{
    key::{PublicKey, SigningKey},
    ledger::LeafIndex,
    signed::Signed,
    trust::{
        DomainKey,
        KeyPurpose::{Activation, Capability, Checkpoint, Rebind},
        KeySet,
    },
};

use crate::{scene::SCENE, vectors};

static KEYS: LazyLock<BTreeMap<PublicKey, SigningKey>> = LazyLock::new(|| {
    let agents = SCENE.world.agents.values().map(|agent| agent.key.clone());
    let domain = [201, 202, 203, 204].map(domain_key);
    let vectors = vectors::seeds_of_keys().into_iter().map(|seed| SigningKey::from_seed(&seed));
    agents.chain(domain).chain(vectors).map(|key| (key.public(), key)).collect()
});

/// The private half of that key, if it is one of ours.
pub(crate) fn private(public: &PublicKey) -> Option<&'static SigningKey> {
    KEYS.get(public)
}

/// The keys of the vectors' domain: what the first token of theirs verifies under.
pub(crate) fn of_the_vectors() -> KeySet {
    let public: Vec<PublicKey> =
        vectors::seeds_of_keys().iter().map(|seed| SigningKey::from_seed(seed).public()).collect();
    let leaf = |number| LeafIndex::new(number).unwrap();
    let key = |purpose, id, place: usize, first, end| DomainKey {
        purpose,
        id,
        key: public[place],
        first_leaf: leaf(first),
        end_leaf: leaf(end),
    };
    let keys = vec![
        key(Capability, 1, 0, 100, 0),
        key(Capability, 7, 1, 0, 100),
        key(Activation, 1, 2, 90, 0),
        key(Activation, 7, 3, 0, 90),
        key(Checkpoint, 1, 4, 0, 0),
        key(Rebind, 1, 5, 0, 0),
    ];
    KeySet::of(countersign_forge::domain(), keys).unwrap()
}

/// The same statement, signed by that key and nobody else.
pub(crate) fn signed_by(statement: &Signed, key: &SigningKey) -> Signed {
    let mut signed = Signed { signatures: Vec::new(), ..statement.clone() };
    signed.add_signature(key);
    signed
}

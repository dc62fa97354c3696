//! Activations: opened with the domain's keys, and joined with a chain.

use countersign_forge::{domain_key, keys};
use countersign_protocol::{
    ledger::LeafIndex,
    payload::Payload,
    signed::{Signed, Statement},
    token::{Activation, ActiveToken},
};

use super::{Seed, Verdict, seeds_of};
use crate::{grammar, keys::signed_by, scene::SCENE, vectors};

/// As it is, and signed with the domain's activation key.
pub(super) fn activation(bytes: &[u8]) -> Verdict {
    let Some(signed) = grammar::read::<Signed>(bytes) else { return Verdict::Refused };
    let honest = || SCENE.active.iter().map(ActiveToken::activation);
    let verdict = match Activation::open(&signed, &keys()) {
        Ok(opened) => {
            assert!(honest().any(|honest| *honest == opened), "the domain did not sign {opened:?}");
            Verdict::Accepted
        }
        Err(_) => Verdict::Refused,
    };
    let Ok(opened) = Activation::open(&signed_by(&signed, &domain_key(202)), &keys()) else { return verdict };
    for active in &SCENE.active {
        let joined = ActiveToken::new(active.token().clone(), opened.clone());
        // The leaf is the domain's word; all else follows from the chain.
        let own = Activation { leaf: opened.leaf, ..active.activation().clone() };
        let began = active.token().depth() == 0 || opened.leaf > LeafIndex::ZERO;
        assert_eq!(joined.is_ok(), own == opened && began, "{opened:?}");
    }
    verdict
}

pub(super) fn seeds() -> Vec<Seed> {
    let ours = SCENE.active.iter().enumerate().map(|(depth, active)| {
        (format!("scene.{depth}"), active.activation().sign(&domain_key(202)).to_bytes())
    });
    seeds_of(ours.chain(vectors::inputs("activate_token", "activation_b64")))
}

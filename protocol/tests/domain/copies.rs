//! What someone can do with a copy of everything that is shown to an auditor.

use countersign_forge::{
    biscuit::{Container, Step, hop_block},
    domain, hop_terms, keys, rights,
};
use countersign_protocol::{
    domain::{Entry, Event},
    payload::Payload,
    refusal::Reason,
    token::{HopTerms, UnverifiedToken},
};

use crate::explain::{bundle, used};

/// Attack line 15: the link key of a token is public, so whoever has a copy can append to it. That the
/// token is then worthless is the verifier's doing, not the builder's.
#[test]
fn an_auditors_copy_cannot_be_extended() {
    let (world, id, leaf) = used();
    let bundle = bundle(&world, id, leaf);
    let token = bundle.entries.iter().rev().find_map(|proven| match Entry::from_bytes(&proven.entry) {
        Ok(Entry { event: Event::ContractFinalized(event), .. }) => Some(event.token),
        _ => None,
    });
    let copy = Container::read(&domain(), &token.unwrap());
    let (holder, auditor) = (world.agent("researcher"), world.agent("mallory"));
    let terms = HopTerms { rights: rights(1, 1), ..hop_terms("mallory", 2) };
    let verified = |copy: Container| {
        let token = UnverifiedToken::from_bytes(copy.bytes()).verify(&keys());
        token.map(|token| token.depth()).map_err(|refusal| refusal.reason())
    };
    assert_eq!(verified(copy.clone()), Ok(1));
    assert_eq!(verified(copy.clone().hop(&terms, &auditor.key)), Err(Reason::HopNotByHolder), "its own name");
    let mut step = Step::new(hop_block(&terms), &auditor.key);
    step.named = holder.key.public();
    assert_eq!(verified(copy.clone().step(&step)), Err(Reason::TokenUntrusted), "the holder's name");
    assert_eq!(verified(copy.hop(&terms, &holder.key)), Ok(2), "the twin: by the holder");
}

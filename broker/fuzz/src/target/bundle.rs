//! Evidence bundles: as they are, and as a broker makes them that rewrites its whole ledger.

use std::collections::BTreeSet;

use countersign_forge::{domain, domain_key, keys};
use countersign_protocol::{
    capability::{Capability, ResourcePattern, Rights},
    domain::{Entry, Event},
    explain::{Bundle, Explanation, ProvenEntry},
    ledger::{Checkpoint, LeafIndex, Origin, SignedCheckpoint, Tree, leaf_hash},
    payload::{Bounded, Payload},
    refusal::Reason,
    token::Activation,
};

use super::{Seed, Verdict, seeds_of};
use crate::{
    grammar,
    scene::{SCENE, statements_in},
};

/// What is believed as it is consists of the ledger's own entries. What is believed once the ledger is
/// rewritten and signed anew holds no statement but those that its signer signed.
pub(super) fn bundle(bytes: &[u8]) -> Verdict {
    let Some(bundle) = grammar::read::<Bundle>(bytes) else { return Verdict::Refused };
    let verdict = match bundle.verify(&keys()) {
        Ok(explanation) => {
            let ours = SCENE.world.entries.iter().map(Payload::to_bytes).collect::<Vec<_>>();
            for ProvenEntry { leaf, entry, .. } in bundle.entries.iter() {
                assert_eq!(ours.get(leaf.get() as usize), Some(entry), "leaf {leaf} is not the ledger's");
            }
            let signed: Activation = bundle.activation.peek_unverified().unwrap();
            assert!(SCENE.active.iter().any(|active| *active.activation() == signed), "{signed:?}");
            check(&bundle, &explanation);
            Verdict::Accepted
        }
        Err(refusal) => {
            assert_eq!(refusal.reason(), Reason::BundleInvalid, "{refusal}");
            Verdict::Refused
        }
    };
    let Some(rewritten) = rewritten(&bundle) else { return verdict };
    let Ok(explanation) = rewritten.verify(&keys()) else { return verdict };
    for ProvenEntry { leaf, entry, .. } in rewritten.entries.iter() {
        for signed in statements_in(&Entry::from_bytes(entry).unwrap().event) {
            assert!(SCENE.knows(&signed), "leaf {leaf} holds what nobody signed: {signed:?}");
        }
    }
    check(&rewritten, &explanation);
    verdict
}

/// An explanation says nothing that its bundle does not.
fn check(bundle: &Bundle, explanation: &Explanation) {
    assert_eq!(explanation.invocation_id, bundle.invocation_id);
    let links = &explanation.links;
    for pair in links.windows(2) {
        assert_eq!(pair[0].holder, pair[1].grantor);
        assert_eq!(pair[0].rights.first_widening(&pair[1].rights), None);
        assert!(pair[0].leaf < pair[1].leaf);
    }
    let leaf = links.last().unwrap();
    assert!(leaf.leaf < explanation.intent);
    assert_eq!(links[0].grantor.principal(), &explanation.originator);
    // A name is the pattern of itself.
    let used: ResourcePattern = explanation.resource.as_str().parse().unwrap();
    for Rights { capabilities, not_before, not_after, .. } in links.iter().map(|link| &link.rights) {
        assert!(*not_before <= explanation.decided && explanation.decided < *not_after);
        let covers = |it: &Capability| it.actions.has(&explanation.action) && it.resource.contains(&used);
        assert!(capabilities.iter().any(covers), "a link does not cover what was done");
    }
    if let Some(end) = &explanation.end {
        assert!(end.settled <= leaf.rights.budget.per_call && explanation.intent < end.leaf);
        assert!(end.receipt.as_ref().is_none_or(|receipt| receipt.cost == end.settled));
    }
    let leaves: BTreeSet<LeafIndex> = bundle.entries.iter().map(|entry| entry.leaf).collect();
    assert!(links.iter().all(|link| leaves.contains(&link.leaf)) && leaves.contains(&explanation.intent));
}

/// The bundle of a ledger in which each leaf that the bundle names says what the bundle says; every
/// INTENT is made to fit the ledger before it, and the domain's real key signs the whole.
fn rewritten(bundle: &Bundle) -> Option<Bundle> {
    let mut ledger: Vec<Vec<u8>> = SCENE.world.entries.iter().map(Payload::to_bytes).collect();
    for entry in bundle.entries.iter() {
        *ledger.get_mut(usize::try_from(entry.leaf.get()).ok()?)? = entry.entry.clone();
    }
    let mut tree = Tree::default();
    for bytes in &mut ledger {
        if let Ok(Entry { time, event: Event::Intent(mut intent) }) = Entry::from_bytes(bytes) {
            (intent.seen_size, intent.seen_root) = (tree.size(), tree.root());
            *bytes = Entry { time, event: Event::Intent(intent) }.to_bytes();
        }
        tree.push(leaf_hash(bytes));
    }
    let mut entries = bundle.entries.to_vec();
    for entry in &mut entries {
        entry.entry = ledger[entry.leaf.get() as usize].clone();
        entry.path = tree.inclusion(entry.leaf, tree.size())?;
    }
    let checkpoint = Checkpoint { origin: Origin::of(&domain()), size: tree.size(), root: tree.root() };
    let checkpoint = SignedCheckpoint::sign(&checkpoint, &domain_key(203));
    Some(Bundle { checkpoint, entries: Bounded::new(entries).ok()?, ..bundle.clone() })
}

pub(super) fn seeds() -> Vec<Seed> {
    let [_, first, leaf] = SCENE.chains;
    let (ended, open) = (SCENE.bundle(SCENE.ended, leaf), SCENE.bundle(SCENE.open, first));
    let bare = Bundle { policy: None, ..ended.clone() };
    let named = [("ended", ended), ("open", open), ("without-policy", bare)];
    let seeds = named.map(|(name, bundle)| (format!("scene.{name}"), bundle.to_bytes()));
    let short = seeds[0].1[..seeds[0].1.len() - 40].to_vec();
    seeds_of(seeds.into_iter().chain([("scene.cut-off".to_owned(), short)]))
}

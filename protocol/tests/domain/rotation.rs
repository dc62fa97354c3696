//! Keys that were rotated away, and what they sign all the same.

use countersign_forge::{World, domain, domain_key, keys, rights};
use countersign_protocol::{
    audit::{Audit, Report},
    domain::State,
    ledger::LeafIndex,
    refusal::Reason,
    signed::Statement,
    trust::{DomainKey, KeyPurpose, KeySet},
};

use crate::explain::ledger;

/// The key that signs grants in these tests was in use up to that leaf.
fn retired_at(end: u64) -> KeySet {
    let end_leaf = LeafIndex::new(end).unwrap();
    let mut all = keys().keys().to_vec();
    let next = DomainKey { id: 2, key: domain_key(211).public(), first_leaf: end_leaf, ..all[0].clone() };
    all[0].end_leaf = end_leaf;
    all.insert(1, next);
    KeySet::of(domain(), all).unwrap()
}

fn audited(keys: KeySet, world: &World) -> Report {
    ledger(world)
        .iter()
        .fold(Audit::begin(keys), |audit, entry| audit.entry(entry))
        .finish(&world.checkpoint())
}

/// A ledger whose first entry is missing: it has instances, and nothing to sign with.
#[test]
fn without_keys_nothing_is_granted() {
    let with_keys = World::new();
    let mut without = World { state: State::default(), entries: Vec::new(), ..with_keys.clone() };
    with_keys.entries[1..].iter().for_each(|entry| without.record(&entry.event));
    let ask = |world: &mut World| {
        let request = world.stage().grant_request(rights(1, 1));
        let alice = world.agent("alice");
        let (actor, signed) = (alice.actor(), request.sign(&alice.key));
        let granted = world.judge(|state, context| state.decide_grant(context, &actor, &signed));
        granted.map(|events| events.len()).map_err(|refusal| (refusal.rule(), refusal.reason()))
    };
    assert_eq!(ask(&mut without), Err(("LOG-004", Reason::LedgerUnavailable)));
    assert_eq!(ask(&mut with_keys.clone()), Ok(1), "the twin");
}

/// Attack line 29: whoever kept a retired key, the broker among them, grants nothing with it.
#[test]
fn a_retired_capability_key_grants_nothing_more() {
    let next = World::new().entries.len() as u64;
    let [too_late, in_time] = [retired_at(next), retired_at(next + 1)];
    assert_eq!(too_late.keys()[0].purpose, KeyPurpose::Capability);
    let mut hostile = World::with_keys(&too_late);
    assert_eq!(hostile.grant(rights(1, 1)), Err(Reason::TokenUntrusted));

    let mut good = World::with_keys(&in_time);
    assert!(good.grant(rights(1, 1)).is_ok(), "the twin");
    assert_eq!(audited(in_time, &good).findings, []);

    let mut hostile = World::with_keys(&too_late);
    hostile.record(&good.entries.last().unwrap().event);
    let report = audited(too_late, &hostile);
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.leaf.map(LeafIndex::get), Some(next), "{finding}");
    assert!(finding.sentence.contains("TOK-008"), "{finding}");
}

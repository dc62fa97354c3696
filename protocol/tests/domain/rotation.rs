//! Keys that were rotated away, and what they sign all the same.

use countersign_forge::{World, domain, domain_key, keys, rights};
use countersign_protocol::{
    audit::{Audit, Report},
    digest::Digest,
    domain::{Event, KeysRotated, State},
    explain::Bundle,
    ledger::{Checkpoint, LeafIndex, Origin, SignedCheckpoint},
    payload::Payload as _,
    refusal::Reason,
    signed::{Signed, Statement},
    token::Activation,
    trust::{DomainKey, KeyPurpose, KeyRotation, KeySet},
};

use crate::{
    explain::{bundle, done, ledger},
    invocation::chain,
};

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

/// What the keys in use say of keys with those seeds, from that leaf on.
fn rotation(
    known: &KeySet,
    signers: [u8; 4],
    successors: &[(KeyPurpose, u8)],
    leaf: u64,
) -> (KeySet, Signed) {
    let successors: Vec<_> =
        successors.iter().map(|(purpose, seed)| (*purpose, domain_key(*seed).public())).collect();
    let next = known.rotated(&successors, LeafIndex::new(leaf).unwrap()).unwrap();
    let rotation =
        KeyRotation { previous: Digest::of(&known.to_bytes()), keys: next.clone(), restored: None };
    let [one, two, three, four] = signers.map(domain_key);
    (next, rotation.signed([&one, &two, &three, &four]))
}

const FIRST: [u8; 4] = [201, 202, 203, 204];
const ACTIVATION_AND_CHECKPOINT: &[(KeyPurpose, u8)] =
    &[(KeyPurpose::Activation, 212), (KeyPurpose::Checkpoint, 213)];

/// Rotates at the next leaf, and gives the keys that are known from there on.
pub(crate) fn rotate(world: &mut World, successors: &[(KeyPurpose, u8)]) -> KeySet {
    let next = world.entries.len() as u64;
    let (keys, signed) = rotation(&keys(), FIRST, successors, next);
    world.decide(|state, context| state.decide_rotation(context, &signed)).unwrap();
    keys
}

fn checkpoint(world: &World, seed: u8) -> SignedCheckpoint {
    let (size, root) = (world.state.tree().size(), world.state.tree().root());
    SignedCheckpoint::sign(&Checkpoint { origin: Origin::of(&domain()), size, root }, &domain_key(seed))
}

fn findings(pinned: &KeySet, world: &World, seed: u8) -> Vec<String> {
    let audit = ledger(world).iter().fold(Audit::begin(pinned.clone()), |audit, entry| audit.entry(entry));
    audit.finish(&checkpoint(world, seed)).findings.iter().map(|finding| finding.sentence.clone()).collect()
}

/// Attack line 29: a rotation is for the leaf that it gets, once.
#[test]
fn keys_are_rotated_at_the_leaf_that_says_so() {
    let mut world = World::new();
    let next = world.entries.len() as u64;
    let at = |leaf: u64| rotation(&keys(), FIRST, ACTIVATION_AND_CHECKPOINT, leaf).1;
    let judge = |world: &World, signed: &Signed| {
        let judged = world.judge(|state, context| state.decide_rotation(context, signed));
        judged.map(|events| events.len()).map_err(|refusal| (refusal.rule(), refusal.reason()))
    };
    assert_eq!(judge(&world, &at(next - 1)), Err(("IDN-123", Reason::StatementStale)));
    assert_eq!(judge(&world, &at(next + 1)), Err(("IDN-123", Reason::StatementStale)));
    assert_eq!(judge(&world, &at(next)), Ok(1), "the twin");
    let signed = at(next);
    world.decide(|state, context| state.decide_rotation(context, &signed)).unwrap();
    assert_eq!(judge(&world, &signed), Err(("IDN-120", Reason::SignatureInvalid)), "a second time");
    let third = [(KeyPurpose::Activation, 222)];
    let (_, by_the_first) = rotation(world.state.keys().unwrap(), FIRST, &third, next + 1);
    assert_eq!(judge(&world, &by_the_first), Err(("IDN-120", Reason::SignatureInvalid)));
    let (_, by_the_second) = rotation(world.state.keys().unwrap(), [201, 212, 213, 204], &third, next + 1);
    assert_eq!(judge(&world, &by_the_second), Ok(1), "the twin");
}

#[test]
fn a_key_signs_for_the_leaves_that_were_made_while_it_was_in_use() {
    let mut world = World::new();
    let before = world.grant(rights(1, 1)).unwrap();
    let keys = rotate(&mut world, ACTIVATION_AND_CHECKPOINT);
    let after = world.grant(rights(1, 1)).unwrap();
    let opens =
        |chain, seed| Activation::open(&world.activation(chain).sign(&domain_key(seed)), &keys).is_ok();
    assert!(opens(before, 202) && opens(after, 212), "each by its own");
    assert!(!opens(before, 212) && !opens(after, 202));
    let old = countersign_forge::keys();
    let signed = world.activation(before).sign(&domain_key(202));
    assert!(Activation::open(&signed, &old).is_ok(), "whoever has not heard of it yet");
}

/// Attack lines 2 and 29.
#[test]
fn an_audit_follows_a_rotation_from_whichever_keys_were_pinned() {
    let mut world = World::new();
    world.grant(rights(1, 1)).unwrap();
    let mut hostile = world.clone();
    let next = rotate(&mut world, ACTIVATION_AND_CHECKPOINT);
    world.grant(rights(1, 1)).unwrap();
    assert_eq!(findings(&keys(), &world, 213), [""; 0]);
    assert_eq!(findings(&next, &world, 213), [""; 0]);
    assert_eq!(findings(&keys(), &world, 203), ["checkpoint: the log did not sign it"], "by the key before");
    let leaf = hostile.entries.len() as u64;
    let (other, _) = rotation(&keys(), FIRST, &[(KeyPurpose::Checkpoint, 223)], leaf);
    let elsewhere = findings(&other, &world, 213);
    assert!(elsewhere[0].contains("other keys than those pinned"), "{elsewhere:?}");

    let (_, by_one) = rotation(&keys(), [203; 4], ACTIVATION_AND_CHECKPOINT, leaf);
    hostile.record(&Event::KeysRotated(KeysRotated { rotation: by_one }));
    let found = findings(&keys(), &hostile, 213);
    assert!(found[0].contains("IDN-120"), "{found:?}");
    assert!(found.iter().any(|it| it.contains("did not sign it")), "it was not followed: {found:?}");
}

#[test]
fn a_bundle_from_before_a_rotation_or_after_it_is_checked_with_the_keys_that_cover_it() {
    let (mut world, [_, _, leaf]) = chain();
    let id = done(&mut world, "fetcher", leaf);
    let before = bundle(&world, id, leaf);
    let next = rotate(&mut world, ACTIVATION_AND_CHECKPOINT);
    let after = Bundle { checkpoint: checkpoint(&world, 213), ..bundle(&world, id, leaf) };
    assert!(before.verify(&keys()).is_ok() && before.verify(&next).is_ok());
    assert!(after.verify(&next).is_ok());
    assert_eq!(after.verify(&keys()).unwrap_err().rule(), "LOG-032", "who does not know the new key");
}

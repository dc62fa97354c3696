//! A ledger that goes on from a backup: another log, under other keys, in which nobody can act by himself.

use countersign_forge::{World, domain, domain_key, keys, rights};
use countersign_protocol::{
    audit::Audit,
    contract::{ChangeKind, Side, State as Contract},
    digest::Digest,
    domain::Standing,
    id::LogId,
    key::PublicKey,
    ledger::{Checkpoint, LeafIndex, Origin, SignedCheckpoint},
    payload::Payload as _,
    refusal::Reason,
    signed::{Signed, Statement as _},
    time::Timestamp,
    token::Activation,
    trust::{KeyPurpose, KeyRotation, KeySet},
};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    changes::change,
    explain::ledger,
    invocation::{begin, chain},
};

fn log(seed: u64) -> LogId {
    LogId::new(Timestamp::new(1_800_000_000_000).unwrap(), &mut StdRng::seed_from_u64(seed))
}

fn successors(seeds: &[u8]) -> Vec<(KeyPurpose, PublicKey)> {
    let keys = seeds.iter().map(|seed| domain_key(*seed).public());
    KeyPurpose::ALL.into_iter().zip(keys).collect()
}

fn signed(rotation: &KeyRotation) -> Signed {
    rotation.signed([&domain_key(201), &domain_key(202), &domain_key(203), &domain_key(204)])
}

/// What the keys in use say of a ledger that goes on from here.
fn rotation(world: &World) -> KeyRotation {
    let (size, root) = (world.state.tree().size(), world.state.tree().root());
    let next = keys().restored(log(1), &successors(&[211, 212, 213, 214]), size.next_leaf()).unwrap();
    let from = Checkpoint { origin: Origin::of(&domain()), size, root };
    KeyRotation { previous: Digest::of(&keys().to_bytes()), keys: next, restored: Some(from) }
}

fn restore(world: &mut World) -> KeySet {
    let rotation = rotation(world);
    let signed = signed(&rotation);
    world.decide(|state, context| state.decide_rotation(context, &signed)).unwrap();
    rotation.keys
}

fn findings(pinned: &KeySet, world: &World, origin: &Origin) -> Vec<String> {
    let audit = ledger(world).iter().fold(Audit::begin(pinned.clone()), |audit, entry| audit.entry(entry));
    let (size, root) = (world.state.tree().size(), world.state.tree().root());
    let checkpoint = Checkpoint { origin: origin.clone(), size, root };
    let report = audit.finish(&SignedCheckpoint::sign(&checkpoint, &domain_key(213)));
    report.findings.iter().map(|finding| finding.sentence.clone()).collect()
}

/// Attack lines 29 and 30: what goes on from a backup says so, of the very log that it goes on from, and all keys
/// are new.
#[test]
fn another_log_begins_as_a_restored_one_does_or_not_at_all() {
    let world = World::new();
    let judge = |edit: &dyn Fn(&mut KeyRotation)| {
        let mut rotation = rotation(&world);
        edit(&mut rotation);
        let signed = signed(&rotation);
        let judged = world.judge(|state, context| state.decide_rotation(context, &signed));
        judged.map(|events| events.len()).map_err(|refusal| (refusal.rule(), refusal.reason()))
    };
    assert_eq!(judge(&|_| ()), Ok(1), "the twin");
    let malformed = Err(("IDN-125", Reason::PayloadMalformed));
    let leaf = world.state.tree().size().next_leaf();
    assert_eq!(judge(&|it| it.restored = None), malformed, "another log, of which nothing is said");
    assert_eq!(
        judge(&|it| it.keys = keys().rotated(&successors(&[211, 212, 213, 214]), leaf).unwrap()),
        malformed,
        "the same log"
    );
    assert_eq!(
        judge(&|it| it.keys = keys().restored(log(1), &successors(&[211, 212]), leaf).unwrap()),
        malformed,
        "the key that signed the other log's checkpoints stays"
    );
    let from = |edit: fn(&mut Checkpoint)| judge(&move |it| edit(it.restored.as_mut().unwrap()));
    assert_eq!(from(|it| it.origin = "acme.example/copy".parse().unwrap()), malformed);
    assert_eq!(from(|it| it.size = countersign_protocol::ledger::TreeSize::ZERO), malformed);
    assert_eq!(
        from(|it| it.root = countersign_protocol::ledger::EMPTY_ROOT),
        Err(("IDN-126", Reason::LogInconsistent))
    );
}

/// Attack line 29: whatever was taken back after the backup is not there again.
#[test]
fn nothing_that_could_act_at_the_backup_acts_by_itself() {
    let (mut world, chains) = chain();
    let secret = Digest::of(b"unused");
    let (now, root) = (world.now, countersign_forge::principal("root"));
    let expires = now.plus(countersign_protocol::time::Lifetime::from_millis(60_000));
    world.decide(|state, context| state.decide_join_token(context, None, secret, &root, expires)).unwrap();
    assert!(begin(&mut world.clone(), "fetcher", chains[2]).is_ok(), "the twin");
    assert_eq!(world.grant(rights(1, 1)).err(), None);
    let epoch = world.state.epoch();
    restore(&mut world);
    assert!(world.state.epoch() > epoch, "what is under way is looked at again");
    assert!(world.state.instances().all(|(_, it)| it.standing == Standing::Revoked && it.stopped.is_some()));
    assert_eq!(world.state.join_token(&secret), None);
    for id in chains {
        assert_eq!(world.state.chain(&id).unwrap().state, Contract::Suspended);
    }
    assert_eq!(begin(&mut world, "fetcher", chains[2]).err(), Some(Reason::InstanceRevoked));
    assert_eq!(world.grant(rights(1, 1)).err(), Some(Reason::InstanceRevoked));
    let resumed = change(&mut world, "root", Side::Admin, chains[0], ChangeKind::Resume);
    assert_eq!(resumed.err(), Some(Reason::InstanceRevoked), "an admin of before may have been locked since");

    // Only an admin who came after it, with a token by the operator, takes up what is to go on.
    world.join("root");
    for id in chains {
        change(&mut world, "root", Side::Admin, id, ChangeKind::Resume).unwrap();
        assert_eq!(world.state.chain(&id).unwrap().state, Contract::Active);
    }
    let refused = begin(&mut world, "fetcher", chains[2]).err();
    assert_eq!(refused, Some(Reason::InstanceRevoked), "its holder's key stays locked");
}

/// Attack line 30: nobody takes it for the log that he knew.
#[test]
fn what_the_other_log_signed_is_not_believed_of_this_one() {
    let (mut world, [_, _, leaf]) = chain();
    let old = world.activation(leaf);
    let (before, signed) = (world.clone(), old.sign(&domain_key(202)));
    let next = restore(&mut world);
    let origin = next.origin();
    assert_eq!(origin, Origin::restored(&domain(), log(1)));
    assert!(Activation::open(&signed, &keys()).is_ok(), "the twin");
    assert_eq!(Activation::open(&signed, &next).unwrap_err().rule(), "CHN-023");
    let anew = world.activation(leaf);
    assert_eq!((anew.leaf, &anew.origin), (old.leaf, &origin), "the leaf is the same, the log is not");
    assert!(Activation::open(&anew.sign(&domain_key(202)), &next).is_ok(), "by the key of its leaf");
    assert!(next.open_checkpoint(&before.checkpoint()).is_err());

    assert!(next.continues(&keys()) && !keys().continues(&next));
    assert_eq!(findings(&next, &world, &origin), [""; 0]);
    let told = findings(&keys(), &world, &origin);
    assert!(told[0].contains("goes on from a backup"), "{told:?}");
    assert_eq!(told[1..], ["checkpoint: the log did not sign it"], "it was not followed");
    let again = findings(&next, &world, &Origin::of(&domain()));
    assert_eq!(again, ["checkpoint: the log did not sign it"], "under the name of before");
    let leaf = LeafIndex::new(world.entries.len() as u64).unwrap();
    let second = next.restored(log(2), &successors(&[221, 222, 223, 224]), leaf).unwrap();
    assert_ne!(second.origin(), origin, "two that go on from one backup are two");
}

//! Evidence bundles: what honest ones prove, who may have one, and that no altered one is believed.

use countersign_forge::{POLICY, START_MS, World, domain, domain_key, keys, rights};
use countersign_protocol::{
    capability::{Amount, Argument, Arguments, Constraint, IntRange, Request, Rule, Value},
    digest::{ChainId, Digest},
    domain::{Balance, End, Entry, Event},
    explain::{self, Attested, Bundle, Explanation, Proven, ProvenEntry},
    id::InvocationId,
    ledger::{Checkpoint, LeafIndex, Origin, SignedCheckpoint, Tree, TreeSize, leaf_hash},
    payload::{Bounded, Payload},
    refusal::{Reason, Refusal, Viewer},
    signed::Statement,
    time::Timestamp,
};

use crate::invocation::{begin, begin_with, chain, end, receipt, request};

/// One receipted use of alice → planner → researcher.
pub(crate) fn used() -> (World, InvocationId, ChainId) {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", rights(100, 4)).unwrap();
    let id = done(&mut world, "researcher", leaf);
    (world, id, leaf)
}

pub(crate) fn done(world: &mut World, caller: &str, leaf: ChainId) -> InvocationId {
    let (id, proof) = begin(world, caller, leaf).unwrap();
    let signed = receipt(world, &proof, 1).sign(&world.agent("files").key);
    end(world, id, &End::Receipt(&signed)).unwrap();
    id
}

pub(crate) fn bundle(world: &World, id: InvocationId, chain: ChainId) -> Bundle {
    let leaves = explain::leaves(&world.state, id).unwrap();
    let entries = leaves.iter().map(|leaf| (*leaf, world.entries[leaf.get() as usize].to_bytes()));
    let activation = world.activation(chain).sign(&domain_key(202));
    let policy = Some(POLICY.to_vec());
    explain::assemble(&world.state, id, world.checkpoint(), entries.collect(), activation, policy).unwrap()
}

pub(crate) fn verify(bundle: &Bundle) -> Result<Explanation, Refusal> {
    Bundle::from_bytes(&bundle.to_bytes()).unwrap().verify(&keys())
}

/// What a broker shows that wrote another ledger from the start: the same leaves of it, with proofs
/// that lead to a root that its real key signed.
pub(crate) fn relogged(bundle: &Bundle, ledger: &[Vec<u8>]) -> Bundle {
    let mut tree = Tree::default();
    ledger.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    let checkpoint = Checkpoint { origin: Origin::of(&domain()), size: tree.size(), root: tree.root() };
    let mut entries = bundle.entries.to_vec();
    for entry in &mut entries {
        entry.entry = ledger[entry.leaf.get() as usize].clone();
        entry.path = tree.inclusion(entry.leaf, tree.size()).unwrap();
    }
    Bundle {
        checkpoint: SignedCheckpoint::sign(&checkpoint, &domain_key(203)),
        entries: Bounded::new(entries).unwrap(),
        ..bundle.clone()
    }
}

/// Makes every INTENT fit the ledger before it, as a broker that rewrites its ledger would.
pub(crate) fn see_again(ledger: &mut [Vec<u8>]) {
    let mut tree = Tree::default();
    for bytes in ledger {
        match Entry::from_bytes(bytes) {
            Ok(Entry { time, event: Event::Intent(mut intent) }) => {
                intent.seen_root = tree.root();
                *bytes = Entry { time, event: Event::Intent(intent) }.to_bytes();
            }
            Ok(Entry { time, event: Event::SessionIntent(mut intent) }) => {
                intent.seen_root = tree.root();
                *bytes = Entry { time, event: Event::SessionIntent(intent) }.to_bytes();
            }
            _ => {}
        }
        tree.push(leaf_hash(bytes));
    }
}

pub(crate) fn ledger(world: &World) -> Vec<Vec<u8>> {
    world.entries.iter().map(Payload::to_bytes).collect()
}

#[test]
fn a_bundle_proves_the_whole_chain_back_to_its_originator() {
    let (mut world, [_, _, leaf]) = chain();
    let id = done(&mut world, "fetcher", leaf);
    // The ledger goes on, and forgets the invocation as far as decisions need it.
    world.pass(1_200_000);
    world.stay("mallory");
    assert!(world.state.invocation(&id).is_none());
    let explanation = verify(&bundle(&world, id, leaf)).unwrap();
    let names: Vec<_> = explanation.links.iter().map(|link| link.holder.principal().short()).collect();
    assert_eq!(explanation.originator.short(), "alice");
    assert_eq!(names, ["planner", "researcher", "fetcher"]);
    assert!(explanation.end.is_some_and(|end| end.receipt.is_some()));
    assert!(explanation.proven.contains(&Proven::WithinRights { whatever_the_arguments: true }));
    assert!(!explanation.attested.contains(&Attested::ArgumentsAllowed));
    assert!(explanation.attested.contains(&Attested::NothingRevoked));
}

/// The ledger holds no arguments: where a constraint asks for one, its answer is the broker's word.
#[test]
fn what_depends_on_arguments_is_attested_and_not_proven() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let rule = Rule::IntRange(IntRange { min: 0, max: 9 });
    let constraint = Constraint { argument: "n".parse().unwrap(), rule };
    let mut narrow = rights(100, 4);
    let mut capabilities = narrow.capabilities.to_vec();
    capabilities[0].constraints = Bounded::new(vec![constraint]).unwrap();
    narrow.capabilities = Bounded::new(capabilities).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", narrow).unwrap();
    let argument = Argument { name: "n".parse().unwrap(), value: Value::Int(3) };
    let asked = Request { arguments: Arguments::new(vec![argument]).unwrap(), ..request() };
    let (id, _) = begin_with(&mut world, "researcher", leaf, &asked).unwrap();

    let explanation = verify(&bundle(&world, id, leaf)).unwrap();
    assert!(explanation.proven.contains(&Proven::WithinRights { whatever_the_arguments: false }));
    assert!(explanation.attested.contains(&Attested::ArgumentsAllowed));
    assert!(explanation.attested.contains(&Attested::StillOpen));
    end(&mut world, id, &End::Unknown).unwrap();
    let explanation = verify(&bundle(&world, id, leaf)).unwrap();
    assert!(explanation.attested.contains(&Attested::NoReceiptCame));
}

#[test]
fn those_whom_it_concerns_may_see_it_and_to_others_it_does_not_exist() {
    let (mut world, id, _) = used();
    let unknown = world.invocation_id();
    let mut ask = |name: &str, id| {
        let actor = world.agent(name).actor();
        let mut seen = Ok(());
        let _ = world.decide(|state, context| {
            seen = explain::may_see(state, context, &actor, id);
            Ok(Vec::new())
        });
        seen
    };
    for party in ["alice", "planner", "researcher", "files", "root"] {
        assert_eq!(ask(party, id), Ok(()), "{party}");
    }
    for stranger in ["mallory", "fetcher"] {
        let (forbidden, absent) = (ask(stranger, id).unwrap_err(), ask(stranger, unknown).unwrap_err());
        assert_eq!(forbidden, absent, "{stranger}");
        assert_eq!(forbidden.view(Viewer::Stranger).reason, Reason::NotAvailable);
    }
}

/// Whatever was altered on the way: one bit of any byte, and the bundle is worthless.
#[test]
fn a_bundle_with_one_bit_flipped_is_refused_whichever_bit_it_is() {
    let (world, id, leaf) = used();
    let good = bundle(&world, id, leaf).to_bytes();
    let keys = keys();
    assert!(Bundle::from_bytes(&good).unwrap().verify(&keys).is_ok(), "the twin");
    for position in 0..good.len() {
        let mut flipped = good.clone();
        flipped[position] ^= 1 << (position % 8);
        let believed = Bundle::from_bytes(&flipped).is_ok_and(|bundle| bundle.verify(&keys).is_ok());
        assert!(!believed, "byte {position} of {}", good.len());
    }
}

/// The same by a broker that rewrites its whole ledger and signs it anew: what others signed cannot
/// change; what changes unseen is only what the explanation calls the broker's word.
#[test]
fn a_rewritten_ledger_can_change_nothing_but_the_brokers_own_word() {
    let (world, id, leaf) = used();
    let (good, honest) = (bundle(&world, id, leaf), ledger(&world));
    let mut survivors = 0;
    for proven in good.entries.iter() {
        // Each third byte, so that every field is met many times and the test stays short.
        for position in (0..proven.entry.len()).step_by(3) {
            let mut ledger = honest.clone();
            ledger[proven.leaf.get() as usize][position] ^= 1 << (position % 8);
            see_again(&mut ledger);
            let altered = relogged(&good, &ledger);
            if altered.verify(&keys()).is_ok() {
                survivors += 1;
                let bytes = &ledger[proven.leaf.get() as usize];
                let (altered, original) = (word_apart(bytes), word_apart(&proven.entry));
                assert_eq!(altered, original, "byte {position} of leaf {}", proven.leaf);
            }
        }
    }
    assert!(survivors > 0, "the test must know what the broker's word is");
}

/// A broker that mixes up what it reads back notices it, and hands out nothing.
#[test]
fn a_bundle_is_made_of_the_ledgers_own_entries_under_its_own_checkpoint() {
    let (world, id, leaf) = used();
    let good: Vec<(LeafIndex, Vec<u8>)> = explain::leaves(&world.state, id)
        .unwrap()
        .iter()
        .map(|leaf| (*leaf, world.entries[leaf.get() as usize].to_bytes()))
        .collect();
    let sign = |size: u64, root| {
        let (origin, size) = (Origin::of(&domain()), TreeSize::new(size).unwrap());
        SignedCheckpoint::sign(&Checkpoint { origin, size, root }, &domain_key(203))
    };
    let assemble = |entries: &[(LeafIndex, Vec<u8>)], checkpoint: SignedCheckpoint, policy: &[u8]| {
        let activation = world.activation(leaf).sign(&domain_key(202));
        let policy = Some(policy.to_vec());
        let made = explain::assemble(&world.state, id, checkpoint, entries.to_vec(), activation, policy);
        made.map(drop).map_err(|refusal| (refusal.rule(), refusal.reason()))
    };
    let broken = Err(("LOG-031", Reason::LedgerUnavailable));
    let (size, root) = (world.state.tree().size().get(), world.state.tree().root());
    assert_eq!(assemble(&good, sign(size, root), POLICY), Ok(()), "the twin");
    assert_eq!(assemble(&good[1..], sign(size, root), POLICY), broken, "one too few");
    let mut other = good.clone();
    other[1].1 = other[2].1.clone();
    assert_eq!(assemble(&other, sign(size, root), POLICY), broken, "another entry's bytes");
    assert_eq!(assemble(&good, sign(size + 1, root), POLICY), broken, "a checkpoint ahead of the ledger");
    assert_eq!(assemble(&good, sign(size - 1, root), POLICY), broken, "one from before the end");
    let huge = vec![0; Bundle::MAX_BYTES];
    assert_eq!(assemble(&good, sign(size, root), &huge), Err(("LOG-046", Reason::LimitExceeded)));
    let mut oversized = bundle(&world, id, leaf);
    oversized.policy = Some(huge);
    assert_eq!(oversized.verify(&keys()).unwrap_err().rule(), "LOG-045", "nor is one read");
}

/// A second entry of a kind is not overlooked: the reader could have been shown either.
#[test]
fn a_bundle_with_a_second_grant_is_refused() {
    let mut world = World::new();
    let other = world.grant(rights(400, 5)).unwrap();
    let grant = world.grant(rights(500, 5)).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", rights(100, 4)).unwrap();
    let id = done(&mut world, "researcher", leaf);
    let good = bundle(&world, id, leaf);
    assert!(verify(&good).is_ok(), "the twin");
    let leaf = world.state.chain(&other).unwrap().leaf;
    let entry = world.entries[leaf.get() as usize].to_bytes();
    let path = world.state.tree().inclusion(leaf, world.state.tree().size()).unwrap();
    let mut entries = good.entries.to_vec();
    entries.push(ProvenEntry { leaf, entry, path });
    entries.sort_by_key(|entry| entry.leaf);
    let both = Bundle { entries: Bounded::new(entries).unwrap(), ..good };
    assert_eq!(verify(&both).unwrap_err().rule(), "LOG-034");
}

/// The entry without what only the broker says.
fn word_apart(bytes: &[u8]) -> Event {
    let nothing = || Balance { settled: Amount::ZERO, open: Amount::ZERO, delegated: Amount::ZERO };
    let mut event = Entry::from_bytes(bytes).unwrap().event;
    match &mut event {
        Event::InstanceAdmitted(event) => {
            event.statement.attestor = "any".parse().unwrap();
            event.statement.expires = Timestamp::new(START_MS).unwrap();
        }
        Event::GrantIssued(event) => event.rule = Digest::of(b"any"),
        Event::Intent(event) => {
            (event.epoch, event.previous) = (0, LeafIndex::ZERO);
            (event.before, event.after) = (nothing(), nothing());
        }
        _ => {}
    }
    event
}

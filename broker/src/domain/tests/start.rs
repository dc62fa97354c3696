//! How long a start takes. By hand:
//! `cargo test --release -p countersign-broker --lib -- --ignored --nocapture how_long`

use std::{fs, path::Path, time::Instant};

use countersign_forge::{World, domain, domain_key, policy, principal, rights};
use countersign_protocol::{
    capability::Amount,
    digest::{ChainId, Digest},
    domain::{Intent, InvocationEnded, InvocationOutcome},
    extension::Extensions,
    receipt::{ActionOutcome, Receipt},
    signed::Statement as _,
    token::{Nonce, Proof, Via},
};
use countersign_store::EmbeddedStore;
use tempfile::TempDir;

use super::{faults::free, *};

/// Entries of the ledger: `COUNTERSIGN_ENTRIES` asks for others.
fn entries() -> u64 {
    std::env::var("COUNTERSIGN_ENTRIES").map_or(1_000_000, |text| text.parse().unwrap())
}

/// One invocation that was permitted and answered, as a broker records it.
fn invocation(world: &mut World, chain: ChainId) -> [Event; 2] {
    let (caller, files) = (world.agent("planner"), world.agent("files"));
    let id = world.invocation_id();
    let proof = Proof {
        domain: domain(),
        invocation_id: id,
        chain_id: chain,
        activation_leaf: world.state.chain(&chain).unwrap().leaf,
        caller: caller.id,
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Digest::of(b""),
        nonce: Nonce::new(&mut world.rng),
        issued: world.now,
        expires: world.now.plus(Lifetime::from_millis(30_000)),
        via: Via::Broker,
        channel: caller.spki,
        extensions: Extensions::none(),
    }
    .sign(&caller.key);
    let (one, seen) = (Amount::new(1).unwrap(), world.seen());
    let link = world.state.chain(&chain).unwrap();
    let intent = Intent {
        invocation_id: id,
        proof: proof.clone(),
        chain: vec![chain],
        originator: link.originator.clone(),
        callee: files.id.clone(),
        seen_size: seen.size,
        seen_root: seen.root,
        policy: world.policy.digest,
        epoch: world.state.epoch(),
        reserved: one,
        before: link.account.balance().clone(),
        after: link.account.reserve(one).unwrap(),
        previous: link.account.last_leaf(),
        approvals: Vec::new(),
    };
    let receipt = Receipt {
        domain: domain(),
        invocation_id: id,
        chain_id: chain,
        proof: proof.digest(),
        callee: files.id.clone(),
        outcome: ActionOutcome::Done,
        result: Digest::of(b"content"),
        cost: one,
        finished: world.now,
        extensions: Extensions::none(),
    };
    let receipt = Some(receipt.sign(&files.key));
    let outcome = InvocationOutcome::Receipted;
    let ended =
        InvocationEnded { invocation_id: id, outcome, receipt, settled: one, asked: None, told: None };
    [Event::Intent(intent), Event::InvocationEnded(ended)]
}

/// A ledger of that many entries, nearly all of them invocations, and its state.
async fn fill(path: &Path, count: u64) -> State {
    let mut world = World::new();
    world.policy.grant_rules.iter_mut().for_each(|rule| rule.rights = rights(count, 5));
    let chain = world.grant(rights(count, 5)).unwrap();
    let store = EmbeddedStore::open(path).unwrap();
    let mut batch: Vec<Bytes> = world.entries.iter().map(|entry| entry.to_bytes().into()).collect();
    let mut head = Head::EMPTY;
    while world.state.tree().size().get() < count {
        world.pass(5);
        for event in invocation(&mut world, chain) {
            let entry = Entry { time: world.now, event };
            batch.push(entry.to_bytes().into());
            world.state = mem::take(&mut world.state).evolve(&entry);
        }
        if batch.len() >= 512 || world.state.tree().size().get() >= count {
            head = store.append(&domain(), head, mem::take(&mut batch)).await.unwrap();
        }
    }
    world.state
}

/// Opens store and domain; gives how long both took, and of how many entries the snapshot was.
async fn timed(path: &Path, state: &State) -> (Duration, u64) {
    let begun = Instant::now();
    let store = Arc::new(EmbeddedStore::open(path).unwrap());
    let read = begun.elapsed();
    let clock = Arc::new(ManualClock::at(Timestamp::new(1_900_000_000_000).unwrap()));
    let opened =
        Domain::open(domain(), policy(), (1, domain_key(201)), domain_key(204), store, clock).await.unwrap();
    let took = begun.elapsed();
    println!("  of which the engine: {read:?}");
    assert!(opened.peek(|found, _| found == state), "it is the state");
    let recalled = opened.snapshot_size();
    if recalled == 0 {
        let begun = Instant::now();
        opened.peek(|state, _| state.to_snapshot());
        let stall = begun.elapsed();
        opened.keep_snapshot().await.unwrap();
        println!("  writing the state down, while decisions wait: {stall:?}; all: {:?}", begun.elapsed());
    }
    drop(opened);
    drop(free(path).await);
    (took, recalled)
}

/// Reads and hashes every byte of the segments: nobody who checks them can take less.
fn floor(path: &Path) -> (Duration, u64) {
    let begun = Instant::now();
    let mut bytes = 0;
    for segment in fs::read_dir(path.join("domains/acme.example/segments")).unwrap() {
        let segment = fs::read(segment.unwrap().path()).unwrap();
        bytes += segment.len() as u64;
        std::hint::black_box(Digest::of(&segment));
    }
    (begun.elapsed(), bytes)
}

#[tokio::test]
#[ignore = "a measurement, which takes minutes"]
async fn how_long_a_start_takes() {
    let dir = TempDir::new().unwrap();
    let count = entries();
    let state = fill(dir.path(), count).await;
    drop(free(dir.path()).await);
    let (_, bytes) = floor(dir.path());
    println!("{} entries, {bytes} bytes, snapshot {}", state.tree().size(), state.to_snapshot().len());
    for _ in 0..3 {
        let (floor, _) = floor(dir.path());
        let _absent_at_first = fs::remove_dir_all(dir.path().join("derived"));
        for expected in [0, state.tree().size().get()] {
            let (took, recalled) = timed(dir.path(), &state).await;
            assert_eq!(recalled, expected);
            let ratio = took.as_secs_f64() / floor.as_secs_f64();
            println!("snapshot of {recalled}: {took:?}, {ratio:.1} × reading and hashing ({floor:?})");
        }
    }
}

//! Checkpoints: what is promised of the ledger, when, and what is never promised.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use countersign_broker::{
    checkpoint::{CheckpointError, Checkpoints},
    clock::ManualClock,
};
use countersign_protocol::{
    digest::{Digest, TreeHash},
    ledger::{
        Checkpoint, ConsistencyProof, EMPTY_ROOT, LeafIndex, NoteVerifier, Origin, SignedCheckpoint, TreeSize,
    },
    name::TrustDomain,
    payload::Payload,
    time::{Lifetime, Timestamp},
};
use countersign_store::{Answer, Head, MemoryStore, Store, StoreError};
use countersign_wire::v1;
use tonic::Status;

use crate::world::*;

pub(crate) async fn checkpoint(world: &World) -> Result<Checkpoint, Status> {
    let request = v1::GetCheckpointRequest { trust_domain: DOMAIN.into() };
    let text = inner(world.ledger.get_checkpoint(world.call("mallory", request)).await)?.checkpoint;
    let verifier = NoteVerifier::new(Origin::of(&trust_domain()), checkpoint_key().public());
    Ok(text.parse::<SignedCheckpoint>().unwrap().open(&verifier).unwrap())
}

async fn consistency(world: &World, old: &Checkpoint, new: &Checkpoint) -> ConsistencyProof {
    let request = v1::ProveConsistencyRequest {
        trust_domain: DOMAIN.into(),
        old_size: old.size.get(),
        new_size: new.size.get(),
    };
    let answer = inner(world.ledger.prove_consistency(world.call("mallory", request)).await).unwrap();
    ConsistencyProof::from_bytes(&answer.proof).unwrap()
}

#[tokio::test]
async fn every_checkpoint_is_of_everything_and_consistent_with_all_before() {
    let mut world = World::new().await;
    let mut seen: Vec<Checkpoint> = Vec::new();
    for round in 0..12 {
        if round == 6 {
            world = world.restart().await;
        }
        let newest = checkpoint(&world).await.unwrap();
        assert_eq!(newest.size.get(), world.size());
        for before in &seen {
            let proof = consistency(&world, before, &newest).await;
            proof.verify(before.root, newest.root).unwrap();
            assert!(before.size < newest.size);
        }
        let kept = world.store.checkpoint(&trust_domain()).await.unwrap().unwrap();
        assert_eq!(*kept.peek_unverified(), newest, "it is kept by the time it is seen");
        seen.push(newest);
        world.grant(rights(1, 1)).await;
    }
}

#[tokio::test]
async fn without_a_commit_there_is_no_other_checkpoint() {
    let world = World::new().await;
    let text = world.checkpoints.newest().await.unwrap().to_string();
    assert_eq!(world.checkpoints.newest().await.unwrap().to_string(), text);
    let world = world.restart().await;
    assert_eq!(world.checkpoints.newest().await.unwrap().to_string(), text);
}

/// How long a disk takes.
const PUT_TIME: Duration = Duration::from_millis(10);

/// A store that counts checkpoints, can refuse them, and can lie about the one that it keeps and
/// about what it wrote.
struct Fault {
    store: MemoryStore,
    puts: AtomicUsize,
    refuse: AtomicBool,
    forge: AtomicBool,
    lie: Option<SignedCheckpoint>,
}

impl Fault {
    fn new(lie: Option<SignedCheckpoint>) -> Arc<Self> {
        Arc::new(Self {
            store: MemoryStore::default(),
            puts: AtomicUsize::new(0),
            refuse: AtomicBool::new(false),
            forge: AtomicBool::new(false),
            lie,
        })
    }
}

impl Store for Fault {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        let appended = self.store.append(domain, expected, entries);
        let forge = self.forge.load(Ordering::Relaxed);
        Box::pin(async move {
            let head = appended.await?;
            Ok(if forge { Head { root: EMPTY_ROOT, ..head } } else { head })
        })
    }

    fn read(&self, domain: &TrustDomain, range: Range<LeafIndex>, max: usize) -> Answer<'_, Vec<Bytes>> {
        self.store.read(domain, range, max)
    }

    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head> {
        self.store.head(domain)
    }

    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head> {
        self.store.wait_past(domain, size)
    }

    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()> {
        if self.refuse.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::Busy) });
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        let kept = self.store.put_checkpoint(domain, checkpoint);
        Box::pin(async move {
            tokio::time::sleep(PUT_TIME).await;
            kept.await
        })
    }

    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>> {
        match self.lie.clone() {
            Some(lie) => Box::pin(async { Ok(Some(lie)) }),
            None => self.store.checkpoint(domain),
        }
    }
}

/// A domain with its keys on that store.
async fn domain(store: &Arc<Fault>) -> Arc<countersign_broker::domain::Domain> {
    let clock = ManualClock::at(Timestamp::new(START_MS).unwrap());
    let store: Arc<dyn Store> = Arc::clone(store) as Arc<dyn Store>;
    let domain = open(&store, &clock).await;
    domain.decide(|state, context| state.decide_keys(context, &key_set()), |_| Ok(())).await.unwrap();
    domain
}

/// One more entry: a join token.
async fn commit(domain: &countersign_broker::domain::Domain, secret: &str) {
    let expires = Timestamp::new(START_MS).unwrap().plus(Lifetime::from_millis(60_000));
    let issued = domain.decide(
        |state, context| {
            let secret = Digest::of(secret.as_bytes());
            state.decide_join_token(context, None, secret, &principal("files"), expires)
        },
        |_| Ok(()),
    );
    issued.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn checkpoints_follow_commits_by_themselves_and_one_stands_for_many() {
    let store = Fault::new(None);
    let domain = domain(&store).await;
    let checkpoints = Checkpoints::open(Arc::clone(&domain), checkpoint_key()).await.unwrap();
    for number in 0..500 {
        commit(&domain, &number.to_string()).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let kept = store.store.checkpoint(&trust_domain()).await.unwrap().unwrap();
    assert_eq!(kept.peek_unverified().size.get(), 501, "nobody asked for it");
    let puts = store.puts.load(Ordering::Relaxed);
    assert!((2..=8).contains(&puts), "{puts} checkpoints in half a second");
    assert_eq!(checkpoints.newest().await.unwrap(), kept);
}

/// Attack line 36: those who ask for checkpoints while the ledger grows do not queue for the disk.
#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_checkpoint_waits_for_two_at_most() {
    let store = Fault::new(None);
    let domain = domain(&store).await;
    let checkpoints = Checkpoints::open(Arc::clone(&domain), checkpoint_key()).await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..100 {
        commit(&domain, &number.to_string()).await;
        let checkpoints = Arc::clone(&checkpoints);
        let size = number + 2;
        waiting.spawn(async move {
            let began = tokio::time::Instant::now();
            let checkpoint = checkpoints.newest().await.unwrap();
            assert!(checkpoint.peek_unverified().size.get() >= size, "it has what was durable");
            began.elapsed()
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while let Some(took) = waiting.join_next().await {
        assert!(took.unwrap() <= 2 * PUT_TIME + Duration::from_millis(2));
    }
}

#[tokio::test]
async fn a_checkpoint_that_was_not_kept_is_not_released() {
    let store = Fault::new(None);
    let domain = domain(&store).await;
    let checkpoints = Checkpoints::open(Arc::clone(&domain), checkpoint_key()).await.unwrap();
    let first = checkpoints.newest().await.unwrap();
    store.refuse.store(true, Ordering::Relaxed);
    assert_eq!(checkpoints.newest().await.unwrap(), first, "this one was");
    commit(&domain, "one").await;
    let refused = checkpoints.newest().await.unwrap_err();
    assert_eq!(refused.reason().name(), "LEDGER_UNAVAILABLE");
    store.refuse.store(false, Ordering::Relaxed);
    assert_eq!(checkpoints.newest().await.unwrap().peek_unverified().size.get(), 2, "the twin");
}

#[tokio::test]
async fn what_was_not_decided_is_not_promised() {
    let store = Fault::new(None);
    let domain = domain(&store).await;
    let checkpoints = Checkpoints::open(Arc::clone(&domain), checkpoint_key()).await.unwrap();
    store.forge.store(true, Ordering::Relaxed);
    commit(&domain, "one").await;
    assert_eq!(checkpoints.newest().await.unwrap_err().reason().name(), "LOG_INCONSISTENT");
}

#[tokio::test]
async fn a_ledger_that_is_not_the_promised_one_is_not_continued() {
    let promise = |size: u64, root: TreeHash, seed: u8| {
        let (origin, size) = (Origin::of(&trust_domain()), TreeSize::new(size).unwrap());
        SignedCheckpoint::sign(&Checkpoint { origin, size, root }, &domain_key(seed))
    };
    let honest = {
        let domain = domain(&Fault::new(None)).await;
        domain.peek(|state, _| state.tree().root())
    };
    let open = async |kept: SignedCheckpoint| {
        let domain = domain(&Fault::new(Some(kept))).await;
        Checkpoints::open(domain, checkpoint_key()).await
    };
    let contradicted = |error| matches!(error, CheckpointError::Contradicted { .. });
    assert!(contradicted(open(promise(1, EMPTY_ROOT, 203)).await.unwrap_err()), "another root");
    assert!(contradicted(open(promise(2, honest, 203)).await.unwrap_err()), "a ledger that was cut");
    let other_key = open(promise(1, honest, 99)).await.unwrap_err();
    assert!(matches!(other_key, CheckpointError::NotOurs(_)), "{other_key}");
    assert!(open(promise(1, honest, 203)).await.is_ok(), "the twin");
}

#[tokio::test]
async fn only_the_published_key_signs() {
    let domain = domain(&Fault::new(None)).await;
    let refused = Checkpoints::open(Arc::clone(&domain), domain_key(99)).await.unwrap_err();
    assert!(matches!(refused, CheckpointError::Key(_)), "{refused}");
    assert!(
        countersign_broker::activation::Activator::new(&domain, domain_key(203), Vec::new()).is_err(),
        "nor one for another use"
    );
    assert!(
        countersign_broker::activation::Activator::new(&domain, domain_key(202), Vec::new()).is_ok(),
        "the twin"
    );
}

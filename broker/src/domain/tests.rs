use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use countersign_protocol::{
    digest::Digest,
    domain::{Event, JoinTokenIssued},
    ledger::SignedCheckpoint,
    signed::Signed,
    time::{Lifetime, Timestamp},
};
use countersign_store::{Answer, MemoryStore};
use tokio::{sync::Notify, time::timeout};

use super::*;
use crate::clock::ManualClock;

/// An engine in memory whose appends wait until they are let through, and then may fail.
#[derive(Default)]
struct SlowStore {
    inner: MemoryStore,
    slow: AtomicBool,
    through: Notify,
    broken: AtomicBool,
}

impl Store for SlowStore {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        let domain = domain.clone();
        Box::pin(async move {
            if self.slow.load(Ordering::SeqCst) {
                self.through.notified().await;
            }
            if self.broken.load(Ordering::SeqCst) {
                return Err(StoreError::ReadOnly { cause: "a test".into() });
            }
            self.inner.append(&domain, expected, entries).await
        })
    }

    fn read(&self, domain: &TrustDomain, range: Range<LeafIndex>, max: usize) -> Answer<'_, Vec<Bytes>> {
        self.inner.read(domain, range, max)
    }

    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head> {
        self.inner.head(domain)
    }

    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head> {
        self.inner.wait_past(domain, size)
    }

    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()> {
        self.inner.put_checkpoint(domain, checkpoint)
    }

    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>> {
        self.inner.checkpoint(domain)
    }
}

const NOW: Timestamp = Timestamp::new(1_800_000_000_000).unwrap();

async fn domain(store: &Arc<SlowStore>) -> Arc<Domain> {
    let policy = Policy {
        admins: Vec::new(),
        grant_rules: Vec::new(),
        svid_lifetime: Lifetime::from_millis(300_000),
        human_svid_lifetime: Lifetime::from_millis(300_000),
        digest: Digest::of(b"policy"),
    };
    let key = (1, SigningKey::from_seed(&[1; 32]));
    let store: Arc<dyn Store> = Arc::<SlowStore>::clone(store);
    let name = "acme.example".parse().unwrap();
    Domain::open(name, policy, key, store, Arc::new(ManualClock::at(NOW))).await.unwrap()
}

fn token(secret: u8) -> Event {
    Event::JoinTokenIssued(JoinTokenIssued {
        secret: Digest::of(&[secret]),
        principal: "spiffe://acme.example/agent/planner".parse().unwrap(),
        expires: NOW.plus(Lifetime::from_millis(1_000)),
        issued_by: None,
    })
}

async fn record(domain: &Domain, event: Event) -> Result<u64, Reason> {
    let decided = domain.decide(|_, _| Ok(vec![event]), |state| Ok(state.tree().size().get()));
    decided.await.map_err(|refusal| refusal.reason())
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_durable() {
    let store = Arc::new(SlowStore::default());
    let domain = domain(&store).await;
    store.slow.store(true, Ordering::SeqCst);
    let mut recording = tokio::spawn({
        let domain = Arc::clone(&domain);
        async move { record(&domain, token(1)).await }
    });
    assert!(timeout(Duration::from_millis(50), &mut recording).await.is_err(), "it is not on the disk");
    // Neither is a read, nor a refusal that the new state leads to.
    let reading = domain.read(|state, _| Ok(state.tree().size().get()));
    assert!(timeout(Duration::from_millis(50), reading).await.is_err());
    let refusing = domain.decide(|_, _| Err(Refusal::new("IDN-022", Reason::IdAlreadyUsed, "")), |_| Ok(()));
    assert!(timeout(Duration::from_millis(50), refusing).await.is_err());
    store.slow.store(false, Ordering::SeqCst);
    store.through.notify_one();
    assert_eq!(recording.await.unwrap(), Ok(1));
    assert_eq!(domain.read(|state, _| Ok(state.tree().size().get())).await, Ok(1));
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_answered_and_a_restart_reads_what_is_there() {
    let store = Arc::new(SlowStore::default());
    let first = domain(&store).await;
    assert_eq!(record(&first, token(1)).await, Ok(1));
    store.broken.store(true, Ordering::SeqCst);
    assert_eq!(record(&first, token(2)).await, Err(Reason::LedgerUnavailable));
    store.broken.store(false, Ordering::SeqCst);
    assert_eq!(record(&first, token(3)).await, Err(Reason::LedgerUnavailable), "its state is ahead");
    let read = first.read(|state, _| Ok(state.tree().size())).await.map_err(|refusal| refusal.reason());
    assert_eq!(read, Err(Reason::LedgerUnavailable));
    drop(first);
    let second = domain(&store).await;
    assert_eq!(record(&second, token(2)).await, Ok(2));
}

#[tokio::test]
async fn an_entry_that_no_engine_takes_is_refused_and_stops_nothing() {
    let store = Arc::new(SlowStore::default());
    let domain = domain(&store).await;
    let fork = |bytes: usize| {
        let renewal = Signed { payload_type: "test".into(), payload: vec![0; bytes], signatures: Vec::new() };
        let instance =
            "spiffe://acme.example/agent/a/i/01939f3e-0000-7000-8000-000000000001".parse().unwrap();
        Event::InstanceForked(countersign_protocol::domain::InstanceForked { instance, renewal })
    };
    assert_eq!(record(&domain, fork(ENTRY_MAX_BYTES)).await, Err(Reason::LimitExceeded));
    assert_eq!(record(&domain, fork(ENTRY_MAX_BYTES - 1_000)).await, Ok(1));
}

#[tokio::test]
async fn decisions_made_during_a_flush_go_out_together_and_in_order() {
    let store = Arc::new(SlowStore::default());
    let domain = domain(&store).await;
    store.slow.store(true, Ordering::SeqCst);
    let all: Vec<_> = (0..40)
        .map(|number| {
            let domain = Arc::clone(&domain);
            tokio::spawn(async move { record(&domain, token(number)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.slow.store(false, Ordering::SeqCst);
    store.through.notify_one();
    let mut sizes = Vec::new();
    for one in all {
        sizes.push(one.await.unwrap().unwrap());
    }
    sizes.sort_unstable();
    assert_eq!(sizes, (1..=40).collect::<Vec<u64>>());
    let head = store.inner.head(domain.name()).await.unwrap();
    assert_eq!(head.root, domain.peek(|state, _| state.tree().root()), "the disk has what was decided");
}

//! When answers are given, against a store that a test slows down and breaks.

mod faults;
mod snapshots;
mod start;

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use countersign_protocol::{
    digest::Digest,
    domain::{Event, InstanceForked},
    ledger::{LeafIndex, SignedCheckpoint},
    signed::Signed,
    time::{Lifetime, Timestamp},
};
use countersign_store::{Answer, ENTRY_MAX_BYTES, MemoryStore, Recalled, Snapshot};
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};

use super::*;
use crate::clock::ManualClock;

/// A store in memory whose appends wait for the test.
#[derive(Debug)]
struct GatedStore {
    inner: MemoryStore,
    gate: Semaphore,
    broken: AtomicBool,
    appends: AtomicUsize,
}

impl GatedStore {
    fn new(open: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::default(),
            gate: Semaphore::new(open),
            broken: AtomicBool::new(false),
            appends: AtomicUsize::new(0),
        })
    }
}

impl Store for GatedStore {
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head> {
        let domain = domain.clone();
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            if self.broken.load(SeqCst) {
                return Err(StoreError::ReadOnly { cause: "the test broke it".into() });
            }
            self.appends.fetch_add(1, SeqCst);
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

    fn put_snapshot(&self, domain: &TrustDomain, snapshot: Snapshot) -> Answer<'_, ()> {
        self.inner.put_snapshot(domain, snapshot)
    }

    fn take_snapshot(&self, domain: &TrustDomain) -> Answer<'_, Option<Recalled>> {
        self.inner.take_snapshot(domain)
    }
}

fn name() -> TrustDomain {
    "prod.acme.example".parse().unwrap()
}

async fn open(store: Arc<dyn Store>) -> Result<Arc<Domain>, OpenError> {
    let policy = Policy {
        admins: Vec::new(),
        grant_rules: Vec::new(),
        svid_lifetime: Lifetime::from_millis(300_000),
        human_svid_lifetime: Lifetime::from_millis(300_000),
        digest: Digest::of(b"policy"),
    };
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let [capability, rebind] = [1, 4].map(|seed| SigningKey::from_seed(&[seed; 32]));
    Domain::open(name(), policy, (1, capability), rebind, store, Arc::new(clock)).await
}

/// A decision that can be made as often as there are numbers: the operator makes a join token.
async fn decide(domain: &Domain, number: usize) -> Result<TreeSize, Refusal> {
    let secret = Digest::of(&number.to_be_bytes());
    let principal = "spiffe://prod.acme.example/agent/planner".parse().unwrap();
    domain
        .decide(
            |state, context| {
                let expires = context.now.plus(Lifetime::from_millis(1_000));
                state.decide_join_token(context, None, secret, &principal, expires)
            },
            |state| Ok(state.tree().size()),
        )
        .await
}

fn deciding(domain: &Arc<Domain>, number: usize) -> JoinHandle<Result<TreeSize, Refusal>> {
    let domain = Arc::clone(domain);
    tokio::spawn(async move { decide(&domain, number).await })
}

/// Whether a call is still waiting once everything else that can run has run.
async fn waits<T>(call: &mut JoinHandle<T>) -> bool {
    timeout(Duration::from_millis(30), call).await.is_err()
}

/// Lets everything run until so many entries have been decided, durable or not.
async fn until_decided(domain: &Domain, entries: usize) {
    let decided = async {
        while domain.peek(|state, _| state.tree().size().get()) < entries as u64 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), decided).await.unwrap();
}

fn reason<T>(outcome: Result<T, Refusal>) -> (Reason, &'static str) {
    let refusal = outcome.err().unwrap();
    (refusal.reason(), refusal.rule())
}

#[tokio::test]
async fn nothing_is_answered_before_what_it_rests_on_is_durable() {
    let store = GatedStore::new(0);
    let domain = open(store.clone()).await.unwrap();
    let mut decided = deciding(&domain, 1);
    until_decided(&domain, 1).await;
    assert!(waits(&mut decided).await);
    // A refusal, and a mere look, would tell of the first decision.
    let mut refused = deciding(&domain, 1);
    let reader = Arc::clone(&domain);
    let mut read = tokio::spawn(async move { reader.read(|state, _| Ok(state.tree().size())).await });
    assert!(waits(&mut refused).await && waits(&mut read).await);
    assert_eq!(domain.peek(|state, _| state.tree().size().get()), 1, "decided all the same");

    store.gate.add_permits(1);
    assert_eq!(decided.await.unwrap().unwrap().get(), 1);
    assert_eq!(reason(refused.await.unwrap()), (Reason::IdAlreadyUsed, "IDN-022"));
    assert_eq!(read.await.unwrap().unwrap().get(), 1);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_what_was_decided_after_it() {
    let store = GatedStore::new(0);
    let domain = open(store.clone()).await.unwrap();
    let mut first = deciding(&domain, 1);
    until_decided(&domain, 1).await;
    assert!(waits(&mut first).await);
    let mut second = deciding(&domain, 2);
    until_decided(&domain, 2).await;
    assert!(waits(&mut second).await);
    store.gate.add_permits(1);
    assert!(first.await.unwrap().is_ok());
    assert!(waits(&mut second).await, "its own append is still under way");
    store.gate.add_permits(1);
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test]
async fn what_gathers_during_a_flush_goes_out_together() {
    let store = GatedStore::new(0);
    let domain = open(store.clone()).await.unwrap();
    let mut calls = vec![deciding(&domain, 0)];
    assert!(waits(&mut calls[0]).await);
    calls.extend((1..=500).map(|number| deciding(&domain, number)));
    until_decided(&domain, 501).await;
    assert!(waits(&mut calls[500]).await);
    store.gate.add_permits(100);
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(store.appends.load(SeqCst), 2);
    let head = store.head(&name()).await.unwrap();
    assert_eq!(head.size.get(), 501);
    assert_eq!(head.root, domain.peek(|state, _| state.tree().root()), "the disk has what was decided");
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_answered_any_more() {
    let store = GatedStore::new(1);
    let domain = open(store.clone()).await.unwrap();
    assert!(decide(&domain, 0).await.is_ok());
    store.broken.store(true, SeqCst);
    let mut calls = vec![deciding(&domain, 1), deciding(&domain, 2)];
    until_decided(&domain, 3).await;
    assert!(waits(&mut calls[0]).await && waits(&mut calls[1]).await);
    store.gate.add_permits(100);
    let unavailable = (Reason::LedgerUnavailable, "LOG-002");
    for call in calls {
        assert_eq!(reason(call.await.unwrap()), unavailable);
    }
    // The disk may be well again: what is on it is unknown all the same.
    store.broken.store(false, SeqCst);
    assert_eq!(reason(decide(&domain, 3).await), unavailable);
    assert_eq!(reason(domain.read(|_, _| Ok(())).await), unavailable);
    assert_eq!(store.head(&name()).await.unwrap().size.get(), 1);
    // A restart reads what is there, and goes on.
    let domain = open(store.clone()).await.unwrap();
    assert_eq!(decide(&domain, 1).await.unwrap().get(), 2);
}

#[tokio::test]
async fn an_entry_that_no_engine_takes_is_refused_and_stops_nothing() {
    let domain = open(GatedStore::new(100)).await.unwrap();
    let fork = |bytes: usize| {
        let renewal = Signed { payload_type: "test".into(), payload: vec![0; bytes], signatures: Vec::new() };
        let instance = "spiffe://prod.acme.example/agent/a/i/01939f3e-0000-7000-8000-000000000001";
        Event::InstanceForked(InstanceForked { instance: instance.parse().unwrap(), renewal })
    };
    let record = |event| domain.decide(|_, _| Ok(vec![event]), |state| Ok(state.tree().size().get()));
    let refused = record(fork(ENTRY_MAX_BYTES)).await;
    assert_eq!(refused.err().map(|refusal| refusal.reason()), Some(Reason::LimitExceeded));
    assert_eq!(record(fork(ENTRY_MAX_BYTES - 1_000)).await.ok(), Some(1));
}

#[tokio::test]
async fn a_full_queue_refuses_and_changes_nothing() {
    let store = GatedStore::new(0);
    let domain = open(store.clone()).await.unwrap();
    let mut first = deciding(&domain, 0);
    assert!(waits(&mut first).await, "the writer has it, and the queue is empty");
    let calls: Vec<_> = (1..=DECISIONS_WAITING_MAX).map(|number| deciding(&domain, number)).collect();
    until_decided(&domain, 1 + DECISIONS_WAITING_MAX).await;
    let before = domain.peek(|state, _| state.tree().size().get());
    let mut over = deciding(&domain, DECISIONS_WAITING_MAX + 1);
    assert!(waits(&mut over).await, "even that refusal waits for what it has seen");
    assert_eq!(domain.peek(|state, _| state.tree().size().get()), before);

    store.gate.add_permits(DECISIONS_WAITING_MAX);
    assert_eq!(reason(over.await.unwrap()), (Reason::Overloaded, "API-005"));
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert!(decide(&domain, DECISIONS_WAITING_MAX + 1).await.is_ok(), "the twin");
}

#[tokio::test]
async fn a_reopened_ledger_is_the_same_state() {
    let store = GatedStore::new(100);
    let domain = open(store.clone()).await.unwrap();
    for number in 0..5 {
        decide(&domain, number).await.unwrap();
    }
    let root = domain.peek(|state, _| state.tree().root());
    let again = open(store).await.unwrap();
    assert_eq!(again.peek(|state, _| state.tree().root()), root);
    assert_eq!(reason(decide(&again, 3).await), (Reason::IdAlreadyUsed, "IDN-022"));
}

#[tokio::test]
async fn a_ledger_that_somebody_else_wrote_is_not_opened() {
    let store = GatedStore::new(100);
    let domain = open(store.clone()).await.unwrap();
    decide(&domain, 0).await.unwrap();
    let head = store.head(&name()).await.unwrap();
    store.append(&name(), head, vec![Bytes::from_static(b"not an entry")]).await.unwrap();
    assert!(matches!(open(store.clone()).await, Err(OpenError::NotAnEntry { leaf: 1, .. })));
    // The domain that was open finds out at its next write.
    assert_eq!(reason(decide(&domain, 1).await), (Reason::LedgerUnavailable, "LOG-002"));
}

/// A fold that lost what was decided would make every answer from it false.
#[test]
fn what_was_decided_is_there_or_nothing_is_answered() {
    assert_eq!(recorded(Some(7)), Ok(7), "the twin");
    let refusal = recorded::<u8>(None).unwrap_err();
    assert_eq!((refusal.rule(), refusal.reason()), ("LOG-005", Reason::LedgerUnavailable));
}

//! The one write path of a trust domain: decide, append, evolve, and answer once it is durable.
//!
//! Decisions are made one after another on the newest state, so they need not wait for the disk: the
//! ledger's writer takes all that were made during its last flush in one batch. Nobody hears of
//! anything, not even of a refusal, before the state that it rests on is durable. If a write fails,
//! the state in memory is ahead of the disk and nothing can be believed: this domain answers nothing
//! more, and another one is opened on what is really there.

mod replay;
mod snapshot;
mod waiting;
mod writer;

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use countersign_protocol::{
    domain::{Context, Decision, Entry, Policy, State},
    key::SigningKey,
    ledger::TreeSize,
    name::TrustDomain,
    payload::Payload,
    refusal::{Reason, Refusal},
    require, require_some,
    time::Timestamp,
};
use countersign_store::{ENTRY_MAX_BYTES, Head, Store, StoreError};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::{clock::Clock, limits::DECISIONS_WAITING_MAX};
use snapshot::Sealer;
use waiting::Waiting;
pub use writer::{Durable, WriteFailure};
use writer::{Told, Write};

/// Why a domain cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The ledger cannot be read.
    #[error("the ledger of {domain}: {source}")]
    Store {
        /// The domain.
        domain: TrustDomain,
        /// The engine's reason.
        source: StoreError,
    },
    /// An entry is not one: the ledger was written by something else.
    #[error("the ledger of {domain}: leaf {leaf} is not an entry: {why}")]
    NotAnEntry {
        /// The domain.
        domain: TrustDomain,
        /// Where.
        leaf: u64,
        /// Why.
        why: String,
    },
}

/// Why no snapshot is kept. Nothing depends on it but how long the next start takes.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The state that was written down did not become durable.
    #[error(transparent)]
    NotDurable(#[from] Refusal),
    /// The engine does not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was not written down.
    #[error("the state was not written down: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// One trust domain that this broker decides for.
pub struct Domain {
    name: TrustDomain,
    policy: Policy,
    capability_key: (u32, SigningKey),
    rebind_key: SigningKey,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    writer: mpsc::Sender<Write>,
    durable: watch::Receiver<Durable>,
    waiting: Arc<Waiting>,
    sealer: Sealer,
    /// The size of the ledger of which a snapshot is kept.
    snapshot: AtomicU64,
}

impl Domain {
    /// Reads the ledger and folds it into the state, or as much of it as no snapshot holds. The writer runs until the domain is dropped.
    pub async fn open(
        name: TrustDomain,
        policy: Policy,
        capability_key: (u32, SigningKey),
        rebind_key: SigningKey,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let sealer = Sealer::new(&capability_key.1);
        let (state, recalled) = replay::replay(&name, &*store, &sealer).await?;
        let snapshot = AtomicU64::new(recalled.get());
        let head = head_of(&state);
        let (writer, decided) = mpsc::channel(DECISIONS_WAITING_MAX);
        let waiting = Arc::new(Waiting::new(head.size));
        let (told, durable) = watch::channel(Durable::To(head));
        let told = Told { durable: told, waiting: Arc::clone(&waiting) };
        tokio::spawn(writer::run(name.clone(), Arc::clone(&store), decided, told));
        Ok(Arc::new(Self {
            name,
            policy,
            capability_key,
            rebind_key,
            store,
            clock,
            state: Mutex::new(state),
            writer,
            durable,
            waiting,
            sealer,
            snapshot,
        }))
    }

    /// Its name.
    pub fn name(&self) -> &TrustDomain {
        &self.name
    }

    /// What the operator allows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The clock that it decides by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The engine behind it, to read entries from. Only this domain appends.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Tells whenever more is durable.
    pub fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.clone()
    }

    /// Decides, records the events, and gives what `answer` reads off the state after them, once all
    /// of it is durable. `answer` also runs where the decision was empty because the state held the
    /// answer already.
    pub async fn decide<T>(
        &self,
        decide: impl FnOnce(&State, &Context<'_>) -> Decision,
        answer: impl FnOnce(&State) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (outcome, size) = self.decide_now(decide, answer);
        self.until_durable(size).await?;
        outcome
    }

    /// Gives what `read` finds in the state, once all that it can have seen is durable.
    pub async fn read<T>(
        &self,
        read: impl FnOnce(&State, &Context<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (outcome, size) = {
            let state = self.lock();
            (read(&state, &self.context_of(&state)), state.tree().size())
        };
        self.until_durable(size).await?;
        outcome
    }

    /// Looks at the newest state, which may be ahead of the disk: for what must not come too late,
    /// such as seeing a revocation. Nothing that is found may be told to anyone.
    pub fn peek<T>(&self, look: impl FnOnce(&State, &Context<'_>) -> T) -> T {
        let state = self.lock();
        look(&state, &self.context_of(&state))
    }

    /// The size of the ledger whose snapshot the next start goes on from, as far as is known.
    pub(crate) fn snapshot_size(&self) -> u64 {
        self.snapshot.load(Ordering::Relaxed)
    }

    /// Keeps a snapshot of the state, and gives the size of the ledger that it is of. Decisions wait
    /// while the state is written down, and for nothing else of this.
    pub async fn keep_snapshot(self: &Arc<Self>) -> Result<TreeSize, SnapshotError> {
        let this = Arc::clone(self);
        let write_down = move || {
            let (head, state) = this.peek(|state, _| (head_of(state), state.to_snapshot()));
            this.sealer.seal(&this.name, head, &state)
        };
        let snapshot = tokio::task::spawn_blocking(write_down).await?;
        let size = snapshot.head.size;
        self.until_durable(size).await?;
        self.store.put_snapshot(&self.name, snapshot).await?;
        self.snapshot.store(size.get(), Ordering::Relaxed);
        Ok(size)
    }

    /// Whether the state is what all entries fold into, if a snapshot stood for some of them at the
    /// start. Nothing may be decided meanwhile.
    pub(crate) async fn is_folded(&self) -> Result<bool, OpenError> {
        let end = self.peek(|state, _| state.tree().size().next_leaf());
        let folded = replay::fold(&self.name, &*self.store, State::default(), end).await?;
        Ok(self.peek(|state, _| *state == folded))
    }

    /// Decides and waits for nothing: what was found, and the size of the ledger that must be durable
    /// before anyone may hear of it.
    pub(crate) fn decide_now<T>(
        &self,
        decide: impl FnOnce(&State, &Context<'_>) -> Decision,
        answer: impl FnOnce(&State) -> Result<T, Refusal>,
    ) -> (Result<T, Refusal>, TreeSize) {
        let mut state = self.lock();
        // The clock is read under the lock, so entries follow one another in time.
        let context = self.context();
        let now = context.now;
        let recorded = decide(&state, &context).and_then(|events| {
            let entries = events.into_iter().map(|event| Entry { time: now, event }).collect();
            self.record(&mut state, entries)
        });
        (recorded.and_then(|()| answer(&state)), state.tree().size())
    }

    /// Hands entries to the writer and lets the state evolve by them.
    fn record(&self, state: &mut State, entries: Vec<Entry>) -> Result<(), Refusal> {
        if entries.is_empty() {
            return Ok(());
        }
        let bytes: Vec<Bytes> = entries.iter().map(|entry| Bytes::from(entry.to_bytes())).collect();
        // The engine would refuse it too, but only when the state has gone on without it.
        for entry in &bytes {
            let size = entry.len();
            require!(
                "LOG-003",
                size <= ENTRY_MAX_BYTES,
                Reason::LimitExceeded,
                "The entry would have {size} bytes."
            );
        }
        let place = self.writer.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => Refusal::new("API-005", Reason::Overloaded, ""),
            mpsc::error::TrySendError::Closed(()) => unavailable(),
        })?;
        *state = entries.iter().fold(mem::take(state), State::evolve);
        place.send(Write { entries: bytes, after: state.tree().size() });
        Ok(())
    }

    /// Waits until the ledger is durable up to that size.
    pub(crate) async fn until_durable(&self, size: TreeSize) -> Result<(), Refusal> {
        // Why a write failed is in the log: the engine's words name files, and are nobody's business here.
        if self.waiting.until(size).await { Ok(()) } else { Err(unavailable()) }
    }

    /// What is looked at is judged by this time. While the clock is behind the ledger nothing is
    /// decided, and what has expired by the ledger does not become valid again.
    pub(crate) fn time_of(&self, state: &State) -> Timestamp {
        let now = self.clock.now();
        state.last_time().map_or(now, |last| last.max(now))
    }

    fn context_of(&self, state: &State) -> Context<'_> {
        Context { now: self.time_of(state), ..self.context() }
    }

    fn context(&self) -> Context<'_> {
        let (id, key) = &self.capability_key;
        Context {
            now: self.clock.now(),
            policy: &self.policy,
            capability_key: (*id, key),
            rebind_key: &self.rebind_key,
            domain: &self.name,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // `evolve` is total and `decide` changes nothing: a panic between them leaves no half state
        // that the empty one would not make every later decision refuse.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a request that names another trust domain (API-002).
    pub fn check_named(&self, trust_domain: &str) -> Result<(), Refusal> {
        let named = trust_domain == self.name.as_str();
        require!("API-002", named, Reason::WrongDomain, "It serves {}.", self.name);
        Ok(())
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a decision has just put into the state. Were it not there, the fold would be wrong, and so would
/// be any answer from it.
pub(crate) fn recorded<T>(found: Option<T>) -> Result<T, Refusal> {
    Ok(require_some!("LOG-005", found, Reason::LedgerUnavailable))
}

fn unavailable() -> Refusal {
    Refusal::new("LOG-002", Reason::LedgerUnavailable, "")
}

pub(crate) fn head_of(state: &State) -> Head {
    Head { size: state.tree().size(), root: state.tree().root() }
}

#[cfg(test)]
mod tests;

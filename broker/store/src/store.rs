use std::{fmt, ops::Range, pin::Pin};

use bytes::Bytes;
use countersign_protocol::{
    digest::TreeHash,
    ledger::{EMPTY_ROOT, LeafIndex, SignedCheckpoint, Tree, TreeSize},
    name::TrustDomain,
};

use crate::{
    StoreError,
    limits::{BATCH_MAX_BYTES, BATCH_MAX_ENTRIES, ENTRY_MAX_BYTES},
};

/// What an engine promises: a future that does not depend on the engine's type, so that engines are
/// used as `Arc<dyn Store>`.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// An append-only log of opaque entries for each trust domain.
///
/// A domain comes into being with its first entry; before that its log is empty.
pub trait Store: Send + Sync + 'static {
    /// Appends a batch, whole or not at all, if the head is `expected`. It is durable when the
    /// answer is there.
    ///
    /// The batch is queued by the call, not by the first poll, so batches whose calls are made in
    /// order are tried in order: a caller that knows the head *after* a batch may send the next one
    /// without waiting. Dropping the future does not take the batch back.
    fn append(&self, domain: &TrustDomain, expected: Head, entries: Vec<Bytes>) -> Answer<'_, Head>;

    /// The entries from `range.start` on, in order, up to `range.end` or the head; fewer where
    /// `max_bytes` or [`READ_MAX_BYTES`](crate::READ_MAX_BYTES) would be passed, but at least one
    /// if the range has one. Only durable entries are seen.
    fn read(&self, domain: &TrustDomain, range: Range<LeafIndex>, max_bytes: usize)
    -> Answer<'_, Vec<Bytes>>;

    /// The durable head.
    fn head(&self, domain: &TrustDomain) -> Answer<'_, Head>;

    /// The head, as soon as the log is larger than `size`.
    fn wait_past(&self, domain: &TrustDomain, size: TreeSize) -> Answer<'_, Head>;

    /// Keeps a checkpoint beside the log, in place of the one before: the log can never again be
    /// opened with less than that, or with something else.
    ///
    /// It must be of a head that an append answered with, and not be older than the one kept. Its
    /// signature is the caller's affair.
    fn put_checkpoint(&self, domain: &TrustDomain, checkpoint: SignedCheckpoint) -> Answer<'_, ()>;

    /// The checkpoint that is kept.
    fn checkpoint(&self, domain: &TrustDomain) -> Answer<'_, Option<SignedCheckpoint>>;

    /// Keeps what the caller made of the log's first entries, in place of what was kept before. No
    /// append waits for it, and its failure harms none.
    ///
    /// An engine need not keep any: a snapshot only saves time.
    fn put_snapshot(&self, domain: &TrustDomain, snapshot: Snapshot) -> Answer<'_, ()> {
        let _not_kept = (domain, snapshot);
        Box::pin(std::future::ready(Ok(())))
    }

    /// Gives back, once, the snapshot that was kept when the store was opened, if the log was found to
    /// have exactly its root at its size. What it says is for the caller to check. That there is none
    /// means nothing.
    fn take_snapshot(&self, domain: &TrustDomain) -> Answer<'_, Option<Recalled>> {
        let _none_is_kept = domain;
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// What somebody made of the first entries of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which entries it was made of.
    pub head: Head,
    /// What was made, opaque to the engine.
    pub bytes: Bytes,
}

/// A snapshot whose entries are those of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The tree over the entries that it was made of, which has its root.
    pub tree: Tree,
}

/// Where a log ends: its size and the root of the Merkle tree over its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries there are.
    pub size: TreeSize,
    /// The root over them, as in RFC 9162.
    pub root: TreeHash,
}

impl Head {
    /// The head of a log without entries.
    pub const EMPTY: Self = Self { size: TreeSize::ZERO, root: EMPTY_ROOT };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.size, self.root)
    }
}

impl Recalled {
    /// The snapshot on this tree, if it was made of the entries that are in it.
    pub(crate) fn new(snapshot: Snapshot, tree: Tree) -> Option<Self> {
        let head = Head { size: tree.size(), root: tree.root() };
        (snapshot.head == head).then_some(Self { snapshot, tree })
    }
}

/// Entries within the limits of one append.
#[derive(Debug)]
pub(crate) struct Batch(Vec<Bytes>);

impl Batch {
    pub(crate) fn new(entries: Vec<Bytes>) -> Result<Self, StoreError> {
        let within = |what, got, limit| {
            if got <= limit { Ok(()) } else { Err(StoreError::Limit { what, got, limit }) }
        };
        if entries.is_empty() {
            return Err(StoreError::Limit { what: "entries in a batch", got: 0, limit: 1 });
        }
        within("entries in a batch", entries.len(), BATCH_MAX_ENTRIES)?;
        for entry in &entries {
            within("bytes in an entry", entry.len(), ENTRY_MAX_BYTES)?;
        }
        within("bytes in a batch", entries.iter().map(Bytes::len).sum(), BATCH_MAX_BYTES)?;
        Ok(Self(entries))
    }

    pub(crate) fn entries(&self) -> &[Bytes] {
        &self.0
    }

    pub(crate) fn into_entries(self) -> Vec<Bytes> {
        self.0
    }
}

/// Refuses a checkpoint that contradicts the log or would weaken what the kept one pins.
/// `root_at` gives the root of the head of a size, if the log ever had a head there.
pub(crate) fn check_successor(
    checkpoint: &SignedCheckpoint,
    kept: Option<&SignedCheckpoint>,
    root_at: impl FnOnce(TreeSize) -> Result<Option<TreeHash>, StoreError>,
) -> Result<(), StoreError> {
    let claimed = checkpoint.peek_unverified();
    if kept.is_some_and(|kept| kept.peek_unverified().size > claimed.size) {
        return Err(StoreError::Checkpoint { why: "a later one is kept already" });
    }
    match root_at(claimed.size)? {
        Some(root) if root == claimed.root => Ok(()),
        Some(_) => Err(StoreError::Checkpoint { why: "the log has another root at its size" }),
        None => Err(StoreError::Checkpoint { why: "the log never had a head of its size" }),
    }
}

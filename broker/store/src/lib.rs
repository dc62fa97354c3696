//! The ledger's storage engines: bytes in, bytes out.
//!
//! An engine appends a batch if the head is still where the caller thinks it is, and gives back
//! what was appended. It knows the Merkle tree over the entries, and nothing of what they mean.
//!
//! [`EmbeddedStore`] is the one to use; [`MemoryStore`] is for tests. Both pass the same suite.

mod embedded;
mod error;
mod limits;
mod memory;
mod store;

pub use embedded::{EmbeddedStore, Options};
#[cfg(any(test, feature = "danger-faults"))]
pub use embedded::{Fault, Faults};
pub use error::StoreError;
pub use limits::{
    BATCH_MAX_BYTES, BATCH_MAX_ENTRIES, DOMAINS_MAX, ENTRY_MAX_BYTES, QUEUE_MAX_BATCHES, QUEUE_MAX_BYTES,
    READ_MAX_BYTES, READ_MAX_ENTRIES, SEGMENT_BYTES, SNAPSHOT_MAX_BYTES,
};
pub use memory::MemoryStore;
pub use store::{Answer, Head, Recalled, Snapshot, Store};

#[cfg(test)]
mod tests;

//! The task that brings decisions to the disk.

use std::sync::Arc;

use bytes::Bytes;
use countersign_protocol::{ledger::TreeSize, name::TrustDomain};
use countersign_store::{Head, Store, StoreError};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use super::waiting::Waiting;
use crate::limits::{WRITER_BATCH_BYTES, WRITER_BATCH_ENTRIES};

/// How far the ledger is on the disk.
#[derive(Clone, Debug)]
pub enum Durable {
    /// Up to this head.
    To(Head),
    /// Unknown, since a write failed.
    Failed(WriteFailure),
}

/// Why the ledger is not written any more. The state is ahead of the disk, so nothing is answered
/// until the ledger has been read again.
#[derive(Clone, Debug, Error)]
pub enum WriteFailure {
    /// There was no room. This process can read the ledger again and go on once there is.
    #[error("{0}")]
    NoRoom(Arc<str>),
    /// Only another process can: after a flush that failed, what the system shows of a file need not
    /// be what the disk has.
    #[error("{0}")]
    Other(Arc<str>),
}

impl From<StoreError> for WriteFailure {
    fn from(error: StoreError) -> Self {
        let why = error.to_string().into();
        if matches!(error, StoreError::Full { .. }) { Self::NoRoom(why) } else { Self::Other(why) }
    }
}

/// Entries of one decision, which stand or fall together, and the size of the log after them.
pub(super) struct Write {
    pub(super) entries: Vec<Bytes>,
    pub(super) after: TreeSize,
}

/// Who hears how far the disk is. Where the writer is gone, however that came, nobody waits any longer.
pub(super) struct Told {
    pub(super) durable: watch::Sender<Durable>,
    pub(super) waiting: Arc<Waiting>,
}

impl Told {
    fn reached(&self, head: Head) {
        let size = head.size;
        self.durable.send_replace(Durable::To(head));
        self.waiting.reach(size);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.waiting.fail();
    }
}

/// Writes what was decided, in order, as much at once as has gathered during the last flush.
pub(super) async fn run(
    domain: TrustDomain,
    store: Arc<dyn Store>,
    mut waiting: mpsc::Receiver<Write>,
    told: Told,
) {
    let mut gathered = Vec::new();
    while waiting.recv_many(&mut gathered, WRITER_BATCH_ENTRIES).await > 0 {
        while let Some((after, entries)) = next_batch(&mut gathered) {
            let Durable::To(head) = told.durable.borrow().clone() else { return };
            match store.append(&domain, head, entries).await {
                Ok(head) if head.size == after => told.reached(head),
                Ok(head) => {
                    let why = format!("the head is at {head}");
                    return fail(&domain, &told.durable, WriteFailure::Other(why.into()));
                }
                Err(error) => return fail(&domain, &told.durable, error.into()),
            }
        }
    }
}

fn fail(domain: &TrustDomain, durable: &watch::Sender<Durable>, why: WriteFailure) {
    tracing::error!(%domain, %why, "the ledger was not written; nothing is answered until it is read again");
    durable.send_replace(Durable::Failed(why));
}

/// Takes the decisions that fit one append off the front. One decision always fits.
fn next_batch(gathered: &mut Vec<Write>) -> Option<(TreeSize, Vec<Bytes>)> {
    let (mut count, mut entries, mut bytes) = (0, 0, 0);
    for write in gathered.iter() {
        entries += write.entries.len();
        bytes += write.entries.iter().map(Bytes::len).sum::<usize>();
        if count > 0 && (entries > WRITER_BATCH_ENTRIES || bytes > WRITER_BATCH_BYTES) {
            break;
        }
        count += 1;
    }
    let batch: Vec<Write> = gathered.drain(..count).collect();
    let after = batch.last()?.after;
    Some((after, batch.into_iter().flat_map(|write| write.entries).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of those decisions, each of so many entries of so many bytes, one append takes.
    fn taken(decisions: &[(usize, usize)]) -> usize {
        let entries = |(count, bytes): &(usize, usize)| vec![Bytes::from(vec![7; *bytes]); *count];
        let write = |decision| Write { entries: entries(decision), after: TreeSize::ZERO };
        let mut gathered: Vec<_> = decisions.iter().map(write).collect();
        next_batch(&mut gathered).unwrap();
        decisions.len() - gathered.len()
    }

    #[test]
    fn one_append_takes_what_an_engine_does() {
        assert_eq!(taken(&[(WRITER_BATCH_ENTRIES - 1, 1), (1, 1)]), 2);
        assert_eq!(taken(&[(WRITER_BATCH_ENTRIES - 1, 1), (2, 1)]), 1);
        assert_eq!(taken(&[(1, WRITER_BATCH_BYTES - 1), (1, 1), (1, 1)]), 2);
        assert_eq!(taken(&[(1, WRITER_BATCH_BYTES - 1), (1, 2)]), 1);
    }
}

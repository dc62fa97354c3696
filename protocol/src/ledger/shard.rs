//! A part of a ledger that is verified by itself: entries, what the tree was before them, and proof that a signed
//! checkpoint is of a ledger that holds them there.

use thiserror::Error;

use super::{
    Checkpoint, ConsistencyProof, Frontier, LeafIndex, LogError, NotANote, SignedCheckpoint, TreeSize,
    leaf_hash,
};
use crate::{
    digest::TreeHash,
    limits::PAYLOAD_MAX_BYTES,
    payload,
    payload::{Malformed, Payload as _},
    trust::KeySet,
};

/// What every shard begins with.
const MAGIC: &[u8] = b"countersign-shard-v1\n";

payload! {
    /// What a shard says of its entries.
    struct Head {
        /// How many entries the ledger had before them,
        1 => before: TreeSize,
        /// and the complete subtrees that its tree fell into, the largest first.
        2 => subtrees: Vec<TreeHash>,
        /// How many it had with them.
        3 => after: TreeSize,
        /// A checkpoint of that ledger or a later one.
        4 => checkpoint: SignedCheckpoint,
        /// The path that proves it to begin with these entries.
        5 => consistency: Vec<TreeHash>,
    }
}

/// Why bytes are no shard of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAShard {
    /// They have another form.
    #[error("it is no shard, or cut short: {part}")]
    Form {
        /// Where.
        part: &'static str,
    },
    /// What it says of its entries cannot be read.
    #[error("its head: {0}")]
    Head(#[from] Malformed),
    /// The log did not sign the checkpoint.
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] NotANote),
    /// The checkpoint is not of a ledger that holds the entries there.
    #[error("its entries are not in the ledger of its checkpoint: {0}")]
    Elsewhere(#[from] LogError),
}

/// A part of a ledger, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The tree before its entries,
    pub before: Frontier,
    /// and with them.
    pub after: Frontier,
    /// The entries, as logged.
    pub entries: Vec<Vec<u8>>,
    /// What the log signed of all that.
    pub checkpoint: Checkpoint,
}

impl Shard {
    /// The leaf of its first entry.
    pub fn first(&self) -> LeafIndex {
        self.before.size().next_leaf()
    }

    /// Writes a shard down: entries that follow `before`, and proof that a checkpoint is of a ledger that holds them.
    pub fn write(
        before: &Frontier,
        entries: &[Vec<u8>],
        checkpoint: &SignedCheckpoint,
        proof: &ConsistencyProof,
    ) -> Vec<u8> {
        let head = Head {
            before: before.size(),
            subtrees: before.subtrees().to_vec(),
            after: proof.old,
            checkpoint: checkpoint.clone(),
            consistency: proof.path.clone(),
        };
        let head = head.to_bytes();
        let mut shard = MAGIC.to_vec();
        // Neither a payload nor an entry is longer than 65,535 bytes.
        shard.extend((head.len() as u16).to_be_bytes());
        shard.extend(head);
        for entry in entries {
            shard.extend((entry.len() as u16).to_be_bytes());
            shard.extend(entry);
        }
        shard
    }

    /// Reads and verifies a shard, with nothing but the keys that the reader pinned (LOG-073).
    pub fn open(bytes: &[u8], keys: &KeySet) -> Result<Self, NotAShard> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(NotAShard::Form { part: "its first line" })?;
        let head = Head::from_bytes(part(&mut rest, "its head")?)?;
        let before = Frontier::of(head.before, head.subtrees);
        let before = before.ok_or(NotAShard::Form { part: "the tree before it" })?;
        let (mut after, mut entries) = (before.clone(), Vec::new());
        while !rest.is_empty() {
            let entry = part(&mut rest, "an entry")?;
            after.push(leaf_hash(entry));
            entries.push(entry.to_vec());
        }
        if entries.is_empty() || after.size() != head.after {
            return Err(NotAShard::Form { part: "the number of its entries" });
        }
        let checkpoint = keys.open_checkpoint(&head.checkpoint)?;
        let proof = ConsistencyProof { old: after.size(), new: checkpoint.size, path: head.consistency };
        proof.verify(after.root(), checkpoint.root)?;
        Ok(Self { before, after, entries, checkpoint })
    }
}

/// The next part: its length, then so many bytes.
fn part<'b>(rest: &mut &'b [u8], part: &'static str) -> Result<&'b [u8], NotAShard> {
    let cut = NotAShard::Form { part };
    let (length, bytes) = rest.split_first_chunk().ok_or_else(|| cut.clone())?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (found, after) = bytes.split_at_checked(length.min(PAYLOAD_MAX_BYTES)).ok_or(cut)?;
    *rest = after;
    Ok(found)
}

//! The ledger as this agent has seen it: every checkpoint must agree with all before it.

use countersign_protocol::{
    contract::SeenCheckpoint,
    ledger::{Checkpoint, LeafIndex, SignedCheckpoint},
};
use thiserror::Error;

use crate::{agent::Agent, error::Error};

/// Two checkpoints that one ledger cannot both have: proof that it was changed, or that different
/// readers are shown different ones. Both are kept as they were signed.
#[derive(Clone, Debug, Error)]
#[error("two checkpoints contradict each other: {why}")]
pub struct Contradiction {
    /// The one that was seen first.
    pub held: SignedCheckpoint,
    /// The one that contradicts it.
    pub presented: SignedCheckpoint,
    /// How that was seen.
    pub why: String,
}

/// The ledger.
#[derive(Debug)]
pub struct Ledger<'a>(#[expect(dead_code, reason = "signatures first")] &'a Agent);

impl Ledger<'_> {
    /// The newest checkpoint, verified and consistent with every one seen before.
    pub async fn checkpoint(&self) -> Result<(Checkpoint, SignedCheckpoint), Error> {
        unimplemented!()
    }

    /// The newest checkpoint that this agent has verified, as contracts state it.
    pub async fn seen(&self) -> Result<SeenCheckpoint, Error> {
        unimplemented!()
    }

    /// The contradiction that was found, if one was. From then on nothing that rests on the ledger
    /// is answered.
    pub fn contradiction(&self) -> Option<Contradiction> {
        unimplemented!()
    }

    /// Checks that an entry stands at a leaf of the ledger.
    pub async fn prove_inclusion(&self, leaf: LeafIndex, entry: &[u8]) -> Result<(), Error> {
        let _ = (leaf, entry);
        unimplemented!()
    }

    /// The next entries from a leaf on, and the leaf after them; nothing at the end. Admins only.
    /// They are what the broker says: see [`prove_inclusion`](Self::prove_inclusion), or rebuild the
    /// tree and compare its root with a checkpoint's.
    pub async fn entries(&self, from: LeafIndex) -> Result<(Vec<Vec<u8>>, LeafIndex), Error> {
        let _ = from;
        unimplemented!()
    }
}

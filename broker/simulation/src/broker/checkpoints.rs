//! Checkpoints: signed of what is durable, kept before anyone sees them.

use countersign_forge::domain;
use countersign_protocol::{
    ledger::{Checkpoint, ConsistencyProof, Origin, SignedCheckpoint, TreeSize},
    trust::KeyPurpose,
};
use countersign_store::Head;

use super::Point;
use crate::{
    invariant::Invariant,
    keys::Keys,
    stop::{Flow, hold},
    world::World,
};

/// The log's word on its size and root, by the key of its last leaf.
pub fn sign(keys: &Keys, head: Head) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: Origin::of(&domain()), size: head.size, root: head.root };
    SignedCheckpoint::sign(&checkpoint, keys.signer(KeyPurpose::Checkpoint, head.size.last_leaf()).1)
}

impl World {
    /// A checkpoint of everything that is durable; none while the broker is down.
    pub fn checkpoint(&mut self) -> Flow<Option<SignedCheckpoint>> {
        let Some(process) = &self.process else { return Ok(None) };
        let head = process.durable;
        if let Some(kept) = process.newest.as_ref().filter(|kept| kept.peek_unverified().size >= head.size) {
            return Ok(Some(kept.clone()));
        }
        let same = process.state.tree().root_at(head.size) == Some(head.root);
        hold(Invariant::Record, same, || format!("what is durable is not what was decided: {head}"))?;
        let signed = sign(&self.keys, head);
        self.pass(Point::CheckpointUnkept)?;
        let kept = self.ledger.put_checkpoint(signed.clone());
        hold(Invariant::Record, kept.is_ok(), || format!("a checkpoint is not kept: {kept:?}"))?;
        self.pass(Point::CheckpointUnreleased)?;
        self.process.iter_mut().for_each(|process| process.newest = Some(signed.clone()));
        self.witness.released(head);
        Ok(Some(signed))
    }

    /// The proof that the log of one size begins with that of another.
    pub fn consistency(&self, old: TreeSize, new: TreeSize) -> Option<ConsistencyProof> {
        let path = self.process.as_ref()?.state.tree().consistency(old, new)?;
        Some(ConsistencyProof { old, new, path })
    }
}

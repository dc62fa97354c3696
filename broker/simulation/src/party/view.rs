//! The ledger as one party has seen it: every checkpoint agrees with all before it.

use countersign_protocol::{
    contract::SeenCheckpoint,
    ledger::{Checkpoint, ConsistencyProof, EMPTY_ROOT, SignedCheckpoint, TreeSize},
    trust::KeySet,
};

use crate::{
    invariant::Invariant,
    stop::{Flow, Violation},
    world::World,
};

/// What was verified so far.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The newest checkpoint.
    pub latest: Option<(Checkpoint, SignedCheckpoint)>,
}

impl View {
    /// Takes a checkpoint, with the proof that it continues the one before; or says why not.
    pub fn take(
        &mut self,
        signed: &SignedCheckpoint,
        proof: impl FnOnce(TreeSize, TreeSize) -> Option<ConsistencyProof>,
        keys: &KeySet,
    ) -> Result<(), String> {
        let new = keys.open_checkpoint(signed).map_err(|error| error.to_string())?;
        if let Some((old, _)) = &self.latest {
            if new.size < old.size {
                return Err(format!("the ledger had {} entries and now has {}", old.size, new.size));
            }
            if new.size == old.size && new.root != old.root {
                return Err(format!("at {} entries the ledger has two roots", new.size));
            }
            if new.size > old.size {
                let proof = proof(old.size, new.size).ok_or("there is no proof of consistency")?;
                if (proof.old, proof.new) != (old.size, new.size) {
                    return Err("the proof of consistency is of other sizes".into());
                }
                proof.verify(old.root, new.root).map_err(|error| error.to_string())?;
            }
        }
        self.latest = Some((new, signed.clone()));
        Ok(())
    }

    /// The ledger as contracts state it.
    pub fn seen(&self) -> SeenCheckpoint {
        match &self.latest {
            Some((latest, _)) => SeenCheckpoint { size: latest.size, root: latest.root },
            None => SeenCheckpoint { size: TreeSize::ZERO, root: EMPTY_ROOT },
        }
    }
}

impl World {
    /// Somebody reads the newest checkpoint, and holds it against what it has seen.
    pub fn look(&mut self, who: usize) -> Flow {
        let Some(signed) = self.checkpoint()? else { return Ok(()) };
        let mut view = self.parties[who].view.clone();
        let taken = view.take(&signed, |old, new| self.consistency(old, new), &self.keys.set);
        self.parties[who].view = view;
        self.believed(who, taken)
    }

    /// What an honest broker says is believed by whoever verifies it.
    pub(super) fn believed<T>(&self, who: usize, verified: Result<T, String>) -> Flow<T> {
        verified.or_else(|why| {
            let name = self.parties[who].name;
            Violation::stop(Invariant::Liveness, format!("{name} finds a lie where there is none: {why}"))
        })
    }
}

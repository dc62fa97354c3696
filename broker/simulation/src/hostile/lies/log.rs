//! Lies about the log.

use countersign_protocol::{
    audit::Audit,
    ledger::{ConsistencyProof, TreeSize},
};
use countersign_store::Head;

use super::{Checked, Lie, tree_of};
use crate::{broker::sign_checkpoint, hostile::pick, party::View, plan::Step, world::World};

impl World {
    pub(super) fn lie_of_log(&mut self, lie: Lie, step: &Step) -> Checked {
        let viewers = self.parties.iter().filter_map(|party| party.view.latest.clone());
        let (held, signed) = pick(step.who, &viewers.collect::<Vec<_>>())?;
        let mut view = View { latest: Some((held.clone(), signed)) };
        let (at, other) = self.rewritten(step.which)?;
        let tree = tree_of(&other);
        let head = |size: TreeSize| Some(Head { size, root: tree.root_at(size)? });
        let told = match lie {
            Lie::RolledBack => {
                let size = TreeSize::new(held.size.get().checked_sub(1 + u64::from(step.how % 5))?)?;
                let root = self.process.as_ref()?.state.tree().root_at(size)?;
                Head { size, root }
            }
            Lie::Forked => head(held.size)?,
            _ => head(tree.size())?,
        };
        // A log that differs only after what was seen is no lie to this one.
        let hidden = lie != Lie::RolledBack && (at as u64 >= held.size.get() || told.size < held.size);
        let unchanged = lie == Lie::ForkedAhead && told.size == held.size && told.root == held.root;
        if hidden || unchanged {
            return None;
        }
        let signed = sign_checkpoint(&self.keys, told);
        let proof = |old, new| Some(ConsistencyProof { old, new, path: tree.consistency(old, new)? });
        Some(view.take(&signed, proof, &self.keys.set))
    }

    /// A ledger that is rewritten, under a checkpoint that fits it. Who audits it finds it, or holds a
    /// checkpoint with which it does not agree.
    pub(super) fn lie_of_ledger(&mut self, lie: Lie, step: &Step) -> Checked {
        // An audit costs as much as a run.
        step.how.is_multiple_of(4).then_some(())?;
        let (at, mut ledger) = self.rewritten(step.which)?;
        // What nobody has a checkpoint of can be left out, or come later: nobody was promised it.
        let seen = self.parties.iter().filter_map(|party| party.view.latest.as_ref());
        let promised = seen.map(|(held, _)| held.size.get()).max().unwrap_or(0);
        let covered = (at as u64) < promised;
        match lie {
            Lie::LedgerDropped | Lie::LedgerReordered if !covered => return None,
            Lie::LedgerDropped => {
                ledger = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
                ledger.remove(at);
            }
            Lie::LedgerReordered => {
                ledger = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
                (at > 0).then(|| ledger.swap(at, at - 1))?;
            }
            Lie::LedgerInvented => {
                let again = ledger[at].clone();
                ledger = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
                ledger.push(again);
            }
            _ => {}
        }
        let tree = tree_of(&ledger);
        let checkpoint = sign_checkpoint(&self.keys, Head { size: tree.size(), root: tree.root() });
        let contradicted = self.parties.iter().filter_map(|party| party.view.latest.as_ref());
        let mut seen = contradicted.map(|(held, _)| tree.root_at(held.size) == Some(held.root));
        if !seen.all(|same| same) {
            return Some(Err("a client holds another checkpoint".into()));
        }
        let audit =
            ledger.iter().fold(Audit::begin(self.keys.set.clone()), |audit, entry| audit.entry(entry));
        let report = audit.finish(&checkpoint);
        Some(if report.is_clean() { Ok(()) } else { Err(format!("{} findings", report.findings.len())) })
    }
}

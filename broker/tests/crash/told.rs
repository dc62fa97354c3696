//! What the clients were told: the side of the bargain that the broker must keep.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard},
};

use countersign::{Agent, Answer, Call, Error, Held, Revoked};
use countersign_protocol::{
    digest::{ChainId, Digest, TreeHash},
    id::InvocationId,
    ledger::{LeafIndex, TreeSize},
    name::InstanceId,
    refusal::Reason,
};

/// How many of the latest answers and revocations are tried again after each kill.
const KEPT: usize = 6;

/// Everything that was acknowledged, as those noted it who were told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Notes>);

/// See [`Told`].
#[derive(Clone, Default)]
pub(crate) struct Notes {
    pub(crate) admitted: BTreeSet<InstanceId>,
    /// Grants and contracts, with the leaf that activated each.
    pub(crate) links: BTreeMap<ChainId, LeafIndex>,
    pub(crate) answers: BTreeMap<InvocationId, Noted>,
    pub(crate) revocations: BTreeMap<LeafIndex, ChainId>,
    pub(crate) checkpoints: BTreeMap<TreeSize, TreeHash>,
    /// How often each invocation was done. Noted before it is.
    pub(crate) done: BTreeMap<InvocationId, u32>,
    /// Calls that were given up without an answer.
    pub(crate) unanswered: u64,
    /// Refusals that a crash, a used up budget or a race explains.
    pub(crate) refused: BTreeMap<&'static str, u64>,
    /// What nothing explains.
    pub(crate) wrong: Vec<String>,
    /// To be asked for again.
    pub(crate) latest: VecDeque<(Use, InvocationId)>,
    /// To be tried, in vain.
    pub(crate) ended: VecDeque<Use>,
}

/// An answer, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) receipt: Digest,
    pub(crate) intent: LeafIndex,
    pub(crate) result: LeafIndex,
}

/// A use of a chain by who holds it.
#[derive(Clone)]
pub(crate) struct Use {
    pub(crate) by: Agent,
    pub(crate) held: Held,
    pub(crate) call: Call,
}

impl Told {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap()
    }

    pub(crate) fn admitted(&self, agent: &Agent) {
        self.notes().admitted.insert(agent.instance().clone());
    }

    pub(crate) fn active(&self, held: &Held) {
        self.notes().links.insert(held.chain_id(), held.active().activation().leaf);
    }

    pub(crate) fn answered(&self, made: Use, answer: &Answer) {
        let Answer { invocation, intent, result, .. } = *answer;
        let noted = Noted { receipt: answer.signed_receipt.digest(), intent, result };
        let mut notes = self.notes();
        notes.answers.insert(invocation, noted);
        notes.latest.push_back((made, invocation));
        if notes.latest.len() > KEPT {
            notes.latest.pop_front();
        }
    }

    pub(crate) fn revoked(&self, chain: ChainId, revoked: Revoked, of: Option<Use>) {
        let mut notes = self.notes();
        notes.revocations.insert(revoked.leaf, chain);
        notes.ended.extend(of);
        if notes.ended.len() > KEPT {
            notes.ended.pop_front();
        }
    }

    pub(crate) fn saw_checkpoint(&self, agent: &Agent) {
        if let Some((checkpoint, _)) = agent.ledger().latest() {
            let known = self.notes().checkpoints.insert(checkpoint.size, checkpoint.root);
            if known.is_some_and(|root| root != checkpoint.root) {
                self.wrong(format!("two agents saw two roots at {}", checkpoint.size));
            }
        }
    }

    pub(crate) fn done(&self, invocation: InvocationId) {
        *self.notes().done.entry(invocation).or_default() += 1;
    }

    pub(crate) fn wrong(&self, what: String) {
        self.notes().wrong.push(what);
    }

    /// Gives what a call came to; notes an error, and whether it was to be expected.
    pub(crate) fn outcome<T>(&self, what: &str, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(it) => return Some(it),
            Err(Error::Unavailable { .. }) => self.notes().unanswered += 1,
            Err(Error::Refused(refused)) if is_explained(refused.reason) => {
                *self.notes().refused.entry(refused.reason.name()).or_default() += 1;
            }
            Err(error) => self.wrong(format!("{what}: {error}")),
        }
        None
    }
}

impl Notes {
    /// How many things were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.admitted.len() + self.links.len() + self.answers.len() + self.revocations.len()
    }
}

/// Whether a crash, a used up budget or a race with a revocation explains it.
fn is_explained(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BudgetExceeded
            | Reason::CalleeUnavailable
            | Reason::ContractNotActive
            | Reason::InvocationCancelled
            | Reason::LedgerUnavailable
            | Reason::OutcomeUnknown
            | Reason::ParentChanged
            | Reason::PreviewStale
            | Reason::ResultNotRetained
            | Reason::Revoked
    )
}

//! An admin who reads the ledger to its end after each kill, and believes nothing of it.

use countersign::Agent;
use countersign_protocol::{
    audit::Audit,
    contract,
    domain::{Entry, Event, InvocationOutcome, State},
    ledger::{LeafIndex, SignedCheckpoint},
    payload::Payload as _,
    trust::KeySet,
};

use crate::{oracle::Oracle, remains::Remains, told::Notes};

pub(crate) struct Auditor {
    root: Agent,
    keys: KeySet,
    audit: Audit,
    /// What the core makes of the entries, and
    pub(crate) state: State,
    /// what somebody else makes of them.
    pub(crate) oracle: Oracle,
    entries: Vec<Vec<u8>>,
}

impl Auditor {
    pub(crate) fn new(root: Agent, keys: KeySet) -> Self {
        let audit = Audit::begin(keys.clone());
        Self { root, keys, audit, state: State::default(), oracle: Oracle::default(), entries: Vec::new() }
    }

    /// The first leaf that was not read yet.
    pub(crate) fn next(&self) -> LeafIndex {
        self.state.tree().size().next_leaf()
    }

    /// Reads on from where it was, up to a checkpoint that is consistent with all that were seen
    /// before. All that was read before must still be what it was: the root says so.
    pub(crate) async fn catch_up(&mut self) -> SignedCheckpoint {
        let (checkpoint, signed) = self.root.ledger().checkpoint().await.unwrap();
        while self.next() < checkpoint.size.next_leaf() {
            let (entries, _) = self.root.ledger().entries(self.next()).await.unwrap();
            assert!(!entries.is_empty(), "the ledger ends at {} before {}", self.next(), checkpoint.size);
            for entry in entries {
                if self.next() < checkpoint.size.next_leaf() {
                    self.read(entry);
                }
            }
        }
        let (size, root) = (self.state.tree().size(), self.state.tree().root());
        assert_eq!((size, root), (checkpoint.size, checkpoint.root), "the entries have the signed root");
        let report = self.audit.clone().finish(&signed);
        assert!(report.is_clean(), "{:?}", report.findings);
        signed
    }

    fn read(&mut self, bytes: Vec<u8>) {
        self.oracle.read(self.next(), &bytes);
        // An audit is moved through its steps.
        let audit = std::mem::replace(&mut self.audit, Audit::begin(self.keys.clone()));
        self.audit = audit.entry(&bytes);
        self.state = std::mem::take(&mut self.state).evolve(&Entry::from_bytes(&bytes).unwrap());
        self.entries.push(bytes);
    }

    /// What the files folded into right after the kill, and the events in them that are new.
    pub(crate) fn fold(&self, remains: &Remains) -> (State, Vec<(LeafIndex, Event)>) {
        let (mut state, mut events) = (self.state.clone(), Vec::new());
        for bytes in &remains.entries {
            let entry = Entry::from_bytes(bytes).unwrap();
            let leaf = state.tree().size().next_leaf();
            state = state.evolve(&entry);
            events.push((leaf, entry.event));
        }
        assert_eq!(state.tree().root(), remains.head.root, "what was read before the kill is still there");
        (state, events)
    }

    /// The ledger goes on from what the files held: nothing of it is gone, what was open is ended as
    /// unknown, and negotiations are where they were or further.
    pub(crate) fn check_continues(&self, remains: &Remains, before: &State) {
        let root = self.state.tree().root_at(remains.head.size);
        assert_eq!(root, Some(remains.head.root), "the ledger begins with what the files held");
        for (id, _) in before.open_invocations() {
            let end = self.oracle.ends.get(id).unwrap_or_else(|| panic!("{id} is still open"));
            assert_eq!(end.outcome, InvocationOutcome::Unknown, "{id}");
        }
        for (id, old) in before.negotiations() {
            let Some(new) = self.state.negotiation(id) else {
                assert!(old.state.is_terminal(), "{id} was forgotten while it was open");
                continue;
            };
            assert!(new.moves.starts_with(&old.moves), "{id} went back");
            assert!(
                new.moves.len() > old.moves.len() || new.ended != old.ended || new == old,
                "{id} changed"
            );
        }
    }

    /// Everything that anybody was told is in the ledger, where they were told it is.
    pub(crate) fn check_told(&self, notes: &Notes) {
        assert!(notes.wrong.is_empty(), "{:#?}", notes.wrong);
        for instance in &notes.admitted {
            assert!(self.oracle.admitted.contains(instance), "{instance} is lost");
        }
        for (chain, leaf) in &notes.links {
            assert_eq!(self.oracle.links.get(chain).map(|link| link.leaf), Some(*leaf), "{chain}");
        }
        for (leaf, chain) in &notes.revocations {
            assert_eq!(self.oracle.revocations.get(leaf), Some(chain), "a revocation is lost");
            let state = self.state.chain(chain).unwrap().state;
            assert_ne!(state, contract::State::Active, "{chain} was revoked");
        }
        for (id, told) in &notes.answers {
            assert_eq!(self.oracle.intents.get(id).map(|(leaf, _)| *leaf), Some(told.intent), "{id}");
            let end = self.oracle.ends.get(id).unwrap_or_else(|| panic!("the answer of {id} is lost"));
            let found = (end.leaf, end.receipt, end.outcome);
            assert_eq!(found, (told.result, Some(told.receipt), InvocationOutcome::Receipted), "{id}");
        }
        for (size, root) in &notes.checkpoints {
            assert_eq!(self.state.tree().root_at(*size), Some(*root), "the checkpoint of {size}");
        }
        for (id, times) in &notes.done {
            assert!(self.oracle.intents.contains_key(id), "{id} was done and is not in the ledger");
            assert_eq!(*times, 1, "{id} was done again");
        }
    }

    /// The accounts agree with what was read without them, and none is overdrawn.
    pub(crate) fn check_budgets(&self) {
        for (id, link) in &self.oracle.links {
            let chain = self.state.chain(id).unwrap();
            let balance = chain.account.balance();
            let [settled, open, delegated] =
                [&balance.settled, &balance.open, &balance.delegated].map(|it| it.get());
            assert_eq!(settled, link.settled, "{id}");
            assert!(link.receipted <= settled, "{id}: more was receipted than settled");
            let ceiling = chain.account.budget().ceiling.get();
            assert!(settled + open + delegated <= ceiling, "{id}: {balance:?} of {ceiling}");
        }
    }

    /// The broker proves that entries are where they were told to be: those of the latest answers.
    pub(crate) async fn check_proofs(&self, notes: &Notes) {
        let leaves = notes.latest.iter().filter_map(|(_, id)| notes.answers.get(id));
        for leaf in leaves.flat_map(|noted| [noted.intent, noted.result]) {
            let entry = self.entries.get(leaf.get() as usize).unwrap();
            self.root.ledger().prove_inclusion(leaf, entry).await.unwrap();
        }
    }

    /// Audits everything once more, from the first entry on.
    pub(crate) fn audit_all(&self, checkpoint: &SignedCheckpoint) {
        let audit = Audit::begin(self.keys.clone());
        let audit = self.entries.iter().fold(audit, |audit, entry| audit.entry(entry));
        let report = audit.finish(checkpoint);
        assert!(report.is_clean(), "{:?}", report.findings);
    }
}

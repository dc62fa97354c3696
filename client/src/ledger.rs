//! The ledger as this agent has seen it: every checkpoint must agree with all before it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use countersign_protocol::{
    contract::SeenCheckpoint,
    digest::TreeHash,
    ledger::{
        Checkpoint, ConsistencyProof, EMPTY_ROOT, InclusionProof, LeafIndex, SignedCheckpoint, TreeSize,
        leaf_hash,
    },
    payload::Payload,
    trust::KeySet,
};
use countersign_wire::v1::{self, ledger_client::LedgerClient};
use thiserror::Error;

use crate::{
    agent::Agent,
    error::{About, Deceit, Error, deceived},
    keyring::Keyring,
    limits::MESSAGE_MAX_BYTES,
};

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

/// What was verified so far.
#[derive(Debug)]
pub(crate) struct View {
    keyring: Arc<Keyring>,
    latest: Mutex<Option<(Checkpoint, SignedCheckpoint)>>,
    contradiction: OnceLock<Arc<Contradiction>>,
    /// One question at a time, so that an answer that is older than the one before is no accident.
    turn: tokio::sync::Mutex<()>,
}

impl View {
    /// A view that begins with a checkpoint that was verified before.
    pub(crate) fn new(keyring: Arc<Keyring>, latest: Option<SignedCheckpoint>) -> Result<Self, Error> {
        let keys = keyring.keys();
        let open = |signed: SignedCheckpoint| match keys.open_checkpoint(&signed) {
            Ok(checkpoint) => Ok((checkpoint, signed)),
            Err(error) => Err(deceived(About::Ledger, error)),
        };
        let latest = Mutex::new(latest.map(open).transpose()?);
        Ok(Self { keyring, latest, contradiction: OnceLock::new(), turn: tokio::sync::Mutex::new(()) })
    }

    /// The newest checkpoint.
    pub(crate) fn latest(&self) -> Option<(Checkpoint, SignedCheckpoint)> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// With the log's own signature alone: it convicts the log, and those of others, of which there
    /// may be a hundred kilobytes, do not.
    fn hold(&self, checkpoint: Checkpoint, signed: &SignedCheckpoint) {
        let signed = of_the_log(signed, &self.keyring.keys());
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((checkpoint, signed));
    }

    /// Fails for good once a contradiction was found.
    fn check(&self) -> Result<(), Error> {
        self.contradiction.get().map_or(Ok(()), |found| Err(contradicted(Arc::clone(found))))
    }

    /// Keeps the evidence; the first one found stays.
    fn contradict(&self, held: SignedCheckpoint, presented: SignedCheckpoint, why: String) -> Error {
        let found = Arc::new(Contradiction { held, presented, why });
        contradicted(Arc::clone(self.contradiction.get_or_init(|| found)))
    }
}

/// A checkpoint without the signatures of others.
fn of_the_log(signed: &SignedCheckpoint, keys: &KeySet) -> SignedCheckpoint {
    let (text, lines) = signed.as_str().rsplit_once("\n\n").unwrap_or_default();
    let mut alone = lines.lines().filter_map(|line| format!("{text}\n\n{line}\n").parse().ok());
    alone
        .find(|alone: &SignedCheckpoint| keys.open_checkpoint(alone).is_ok())
        .unwrap_or_else(|| signed.clone())
}

fn contradicted(found: Arc<Contradiction>) -> Error {
    let why = found.why.clone();
    Deceit { about: About::Ledger, why, evidence: Some(found) }.into()
}

/// The ledger.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'a>(&'a Agent);

impl<'a> Ledger<'a> {
    pub(crate) fn of(agent: &'a Agent) -> Self {
        Self(agent)
    }

    fn view(&self) -> &'a View {
        &self.0.inner.view
    }

    /// The newest checkpoint, verified and consistent with every one seen before. If it contradicts
    /// one of them, that is [`Error::Deceived`] with both as evidence, from then on for good.
    pub async fn checkpoint(&self) -> Result<(Checkpoint, SignedCheckpoint), Error> {
        let view = self.view();
        let _turn = view.turn.lock().await;
        view.check()?;
        let request = v1::GetCheckpointRequest { trust_domain: self.0.domain().to_string() };
        let reply = self.0.call("get a checkpoint", request, async |channel, request| {
            LedgerClient::new(channel).get_checkpoint(request).await
        });
        let bad = |error| deceived(About::Ledger, error);
        let signed: SignedCheckpoint = reply.await?.checkpoint.parse().map_err(bad)?;
        let checkpoint = view.keyring.keys().open_checkpoint(&signed).map_err(bad)?;
        self.check_against_held(&checkpoint, &signed).await?;
        view.hold(checkpoint.clone(), &signed);
        Ok((checkpoint, signed))
    }

    /// Holds a checkpoint that came beside something else against those seen before. It may be older
    /// than the newest one.
    pub(crate) async fn check_presented(&self, signed: &SignedCheckpoint) -> Result<(), Error> {
        let view = self.view();
        let _turn = view.turn.lock().await;
        view.check()?;
        let presented =
            view.keyring.keys().open_checkpoint(signed).map_err(|error| deceived(About::Ledger, error))?;
        match view.latest() {
            Some((latest, held)) if presented.size < latest.size => {
                let (old, new) = ((presented.size, presented.root), (latest.size, latest.root));
                let consistent = self.consistency(old, new).await?;
                consistent.map_err(|why| view.contradict(held, signed.clone(), why))
            }
            _ => {
                self.check_against_held(&presented, signed).await?;
                view.hold(presented, signed);
                Ok(())
            }
        }
    }

    /// The newest checkpoint as contracts state it: by signing it, each party witnesses the ledger
    /// for the other.
    pub async fn seen(&self) -> Result<SeenCheckpoint, Error> {
        let (checkpoint, _) = self.checkpoint().await?;
        Ok(SeenCheckpoint { size: checkpoint.size, root: checkpoint.root })
    }

    /// The newest checkpoint that was verified so far, without asking; none before the first.
    pub fn latest(&self) -> Option<(Checkpoint, SignedCheckpoint)> {
        self.view().latest()
    }

    /// The contradiction that was found, if one was.
    pub fn contradiction(&self) -> Option<Arc<Contradiction>> {
        self.view().contradiction.get().cloned()
    }

    async fn check_against_held(&self, new: &Checkpoint, signed: &SignedCheckpoint) -> Result<(), Error> {
        let Some((old, held)) = self.view().latest() else { return Ok(()) };
        let contradicts = |why| Err(self.view().contradict(held.clone(), signed.clone(), why));
        if new.size < old.size {
            return contradicts(format!("the ledger had {} entries and now has {}", old.size, new.size));
        }
        if new.size == old.size {
            let same = new.root == old.root;
            let why = || format!("at {} entries the ledger has two roots", new.size);
            return if same { Ok(()) } else { contradicts(why()) };
        }
        match self.consistency((old.size, old.root), (new.size, new.root)).await? {
            Ok(()) => Ok(()),
            Err(why) => contradicts(why),
        }
    }

    /// Asks for the proof that one ledger begins with another. The inner error is why it is none.
    async fn consistency(
        &self,
        old: (TreeSize, TreeHash),
        new: (TreeSize, TreeHash),
    ) -> Result<Result<(), String>, Error> {
        let proof = self.consistency_proof((old.0, new.0)).await?;
        Ok(proof.verify(old.1, new.1).map_err(|error| error.to_string()))
    }

    /// Asks for a proof of consistency between those two sizes, and does not verify it.
    async fn consistency_proof(&self, sizes: (TreeSize, TreeSize)) -> Result<ConsistencyProof, Error> {
        let request = v1::ProveConsistencyRequest {
            trust_domain: self.0.domain().to_string(),
            old_size: sizes.0.get(),
            new_size: sizes.1.get(),
        };
        let reply = self.0.call("get a proof of consistency", request, async |channel, request| {
            LedgerClient::new(channel).prove_consistency(request).await
        });
        let proof = ConsistencyProof::from_bytes(&reply.await?.proof);
        let proof = proof.map_err(|error| deceived(About::Ledger, error))?;
        if (proof.old, proof.new) != sizes {
            return Err(deceived(About::Ledger, "the proof of consistency is of other sizes"));
        }
        Ok(proof)
    }

    /// The proof that the ledger begins with so many entries, whose tree has that root; and the checkpoint that it leads
    /// to, as the log alone signed it.
    pub async fn prove_beginning(
        &self,
        size: TreeSize,
        root: TreeHash,
    ) -> Result<(ConsistencyProof, SignedCheckpoint), Error> {
        let (checkpoint, signed) = match self.latest() {
            Some((latest, signed)) if latest.size >= size => (latest, signed),
            _ => self.checkpoint().await?,
        };
        let proof = self.consistency_proof((size, checkpoint.size)).await?;
        proof.verify(root, checkpoint.root).map_err(|error| deceived(About::Ledger, error))?;
        Ok((proof, of_the_log(&signed, &self.0.keys())))
    }

    /// Holds what a counterparty says that it saw against what is shown here.
    pub(crate) async fn check_seen(&self, seen: &SeenCheckpoint) -> Result<(), Error> {
        let size = seen.size;
        let latest = match self.latest() {
            Some((latest, _)) if latest.size >= size => latest,
            _ => self.checkpoint().await?.0,
        };
        let split = |why: String| deceived(About::Ledger, why);
        if latest.size < size {
            let latest = latest.size;
            return Err(split(format!("the counterparty saw {size} entries, this agent is shown {latest}")));
        }
        let differs = format!("at {size} entries the counterparty saw another ledger");
        let same = match size {
            TreeSize::ZERO => seen.root == EMPTY_ROOT,
            _ if size == latest.size => seen.root == latest.root,
            _ => self.consistency((size, seen.root), (latest.size, latest.root)).await?.is_ok(),
        };
        if same { Ok(()) } else { Err(split(differs)) }
    }

    /// Checks that an entry, as it was logged, stands at a leaf of the ledger.
    pub async fn prove_inclusion(&self, leaf: LeafIndex, entry: &[u8]) -> Result<(), Error> {
        let checkpoint = match self.latest() {
            Some((latest, _)) if latest.size.includes(leaf) => latest,
            _ => self.checkpoint().await?.0,
        };
        self.view().check()?;
        let request = v1::ProveInclusionRequest {
            trust_domain: self.0.domain().to_string(),
            leaf: leaf.get(),
            size: checkpoint.size.get(),
        };
        let reply = self.0.call("get a proof of inclusion", request, async |channel, request| {
            LedgerClient::new(channel).prove_inclusion(request).await
        });
        let proof = InclusionProof::from_bytes(&reply.await?.proof);
        let proof = proof.map_err(|error| deceived(About::Ledger, error))?;
        if (proof.index, proof.size) != (leaf, checkpoint.size) {
            return Err(deceived(About::Ledger, "the proof of inclusion is of another place"));
        }
        proof.verify(leaf_hash(entry), checkpoint.root).map_err(|error| deceived(About::Ledger, error))
    }

    /// The next entries from a leaf on, and the leaf after them; no entries at the end. Admins only.
    ///
    /// They are what the broker says: [`prove_inclusion`](Self::prove_inclusion) checks one, and all
    /// of them together must have a checkpoint's root.
    pub async fn entries(&self, from: LeafIndex) -> Result<(Vec<Vec<u8>>, LeafIndex), Error> {
        let request = v1::ListEntriesRequest {
            trust_domain: self.0.domain().to_string(),
            first_leaf: from.get(),
            page_size: 0,
        };
        let reply = self.0.call("list the entries", request, async |channel, request| {
            let client = LedgerClient::new(channel).max_decoding_message_size(MESSAGE_MAX_BYTES);
            { client }.list_entries(request).await
        });
        let v1::ListEntriesResponse { entries, next_leaf } = reply.await?;
        let after = from.plus(entries.len() as u64);
        match after.filter(|after| entries.is_empty() || after.get() == next_leaf) {
            Some(after) => Ok((entries, after)),
            None => Err(deceived(About::Ledger, "it skips entries")),
        }
    }
}

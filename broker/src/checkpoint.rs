//! Checkpoints: the broker's signed word on how large the ledger is and what it holds.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use countersign_protocol::{
    key::SigningKey,
    ledger::{Checkpoint, NotANote, NoteVerifier, Origin, SignedCheckpoint},
    refusal::{Reason, Refusal},
    require,
    trust::KeyPurpose,
};
use countersign_store::{Head, StoreError};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::{
    domain::{Domain, Durable},
    limits::CHECKPOINT_INTERVAL,
    trust::WrongKey,
};

/// Why a domain's checkpoints cannot be continued.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The key is not the domain's.
    #[error(transparent)]
    Key(#[from] WrongKey),
    /// The kept checkpoint cannot be read.
    #[error("the checkpoint kept with the ledger: {0}")]
    Store(#[from] StoreError),
    /// The kept checkpoint was signed by nobody who may.
    #[error("the checkpoint kept with the ledger was not signed by this domain: {0}")]
    NotOurs(NotANote),
    /// The ledger is not the one that was promised.
    #[error("the checkpoint kept with the ledger says {kept}, which this ledger does not hold")]
    Contradicted {
        /// What was promised.
        kept: Head,
    },
}

/// Signs the checkpoints of one ledger.
///
/// A checkpoint promises that the ledger will only ever grow from there. So each is of entries that
/// are durable, none is older than the one before, each begins with all that the one before held,
/// and each is kept with the ledger before anyone sees it: whatever happens next, the ledger cannot
/// be opened again with less.
pub struct Checkpoints {
    domain: Arc<Domain>,
    origin: Origin,
    key: SigningKey,
    /// The newest one that is kept. Whoever holds the lock may sign the next.
    newest: Mutex<Option<SignedCheckpoint>>,
}

impl Checkpoints {
    /// Continues the domain's checkpoints, and signs one soon after each commit until it is dropped.
    pub async fn open(domain: Arc<Domain>, key: SigningKey) -> Result<Arc<Self>, CheckpointError> {
        let keys = WrongKey::check(&domain, KeyPurpose::Checkpoint, key.public())?;
        let kept = domain.store().checkpoint(domain.name()).await?;
        let origin = keys.origin();
        let this = Self { domain, origin, key, newest: Mutex::new(None) };
        if let Some(kept) = &kept {
            check_kept(&this.domain, kept)?;
        }
        let this = Arc::new(Self { newest: Mutex::new(kept), ..this });
        tokio::spawn(publish(Arc::downgrade(&this), this.domain.durable()));
        Ok(this)
    }

    /// The log that they are of.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What verifies them.
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier::new(self.origin.clone(), self.key.public())
    }

    /// A checkpoint of everything that is durable now, or of more: whoever waits for another one's to
    /// be kept is served by the next, so nobody waits for more than two.
    pub async fn newest(&self) -> Result<SignedCheckpoint, Refusal> {
        let wanted = self.durable_head()?;
        let mut newest = self.newest.lock().await;
        if let Some(kept) = &*newest
            && kept.peek_unverified().size >= wanted.size
        {
            return Ok(kept.clone());
        }
        let head = self.durable_head()?;
        self.check_held(head)?;
        let claim = Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root };
        let signed = SignedCheckpoint::sign(&claim, &self.key);
        let keeping = self.domain.store().put_checkpoint(self.domain.name(), signed.clone());
        keeping.await.map_err(|error| {
            tracing::error!(%error, "a checkpoint could not be kept, so it is not released");
            unavailable()
        })?;
        Ok(newest.insert(signed).clone())
    }

    fn durable_head(&self) -> Result<Head, Refusal> {
        match &*self.domain.durable().borrow() {
            Durable::To(head) => Ok(*head),
            Durable::Failed(_) => Err(unavailable()),
        }
    }

    /// What the engine calls durable is what was decided. The tree only grows from what the
    /// checkpoint before promised, so this one promises no less.
    fn check_held(&self, head: Head) -> Result<(), Refusal> {
        let root = self.domain.peek(|state, _| state.tree().root_at(head.size));
        require!("LOG-061", root == Some(head.root), Reason::LogInconsistent, "At size {}.", head.size);
        Ok(())
    }
}

impl fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoints").field("verifier", &self.verifier().to_string()).finish_non_exhaustive()
    }
}

/// The domain signed it, by a key of now or before, and this ledger holds what it says.
pub(crate) fn check_kept(domain: &Domain, kept: &SignedCheckpoint) -> Result<(), CheckpointError> {
    let opened = domain.peek(|state, _| state.keys().map(|keys| keys.open_checkpoint(kept)));
    let checkpoint = opened.unwrap_or(Err(NotANote::NotSigned)).map_err(CheckpointError::NotOurs)?;
    let root = domain.peek(|state, _| state.tree().root_at(checkpoint.size));
    if root != Some(checkpoint.root) {
        let kept = Head { size: checkpoint.size, root: checkpoint.root };
        return Err(CheckpointError::Contradicted { kept });
    }
    Ok(())
}

/// Signs a checkpoint after each commit, one for all of those that come close together.
async fn publish(checkpoints: Weak<Checkpoints>, mut durable: tokio::sync::watch::Receiver<Durable>) {
    loop {
        let Some(checkpoints) = checkpoints.upgrade() else { return };
        if let Err(error) = checkpoints.newest().await {
            tracing::warn!(%error, "no checkpoint was signed after the last commit");
        }
        drop(checkpoints);
        tokio::time::sleep(CHECKPOINT_INTERVAL).await;
        if durable.changed().await.is_err() {
            return;
        }
    }
}

fn unavailable() -> Refusal {
    Refusal::new("LOG-062", Reason::LedgerUnavailable, "")
}

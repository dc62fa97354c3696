//! Chains that are used often: verified once, and activated in the same words each time.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use countersign_protocol::{
    digest::ChainId,
    key::PublicKey,
    payload::Payload,
    refusal::Refusal,
    token::{Activation, KnownChains, Recent, Token, UnverifiedToken},
    trust::KeySet,
};

use crate::{
    activation::Activator,
    limits::{KNOWN_ACTIVATIONS_MAX_BYTES, KNOWN_CHAINS_MAX_BYTES},
};

/// What the broker need not verify or sign anew. Whether a chain may be used is nothing that stands here.
pub(super) struct Chains {
    known: Mutex<KnownChains>,
    activations: Mutex<Recent<ChainId, Arc<Signed>>>,
}

/// A chain as it was verified just now or before.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) token: Arc<Token>,
    is_new: bool,
}

/// An activation, and the bytes of it that were signed once.
#[derive(Debug)]
struct Signed {
    activation: Activation,
    key: Option<PublicKey>,
    bytes: Bytes,
}

impl Chains {
    pub(super) fn new() -> Self {
        Self {
            known: Mutex::new(KnownChains::new(KNOWN_CHAINS_MAX_BYTES)),
            activations: Mutex::new(Recent::new(KNOWN_ACTIVATIONS_MAX_BYTES)),
        }
    }

    /// What verifying the token gives. Nobody waits while one is verified.
    pub(super) fn verify(
        &self,
        token: &UnverifiedToken,
        claimed: ChainId,
        keys: &KeySet,
    ) -> Result<Verified, Refusal> {
        if let Some(token) = self.known().find(claimed, token, keys) {
            return Ok(Verified { token, is_new: false });
        }
        let parent = self.known().parent(token, keys);
        let verified = match parent {
            Some(parent) => token.verify_after(&parent, keys),
            None => token.verify(keys),
        };
        Ok(Verified { token: Arc::new(verified?), is_new: true })
    }

    /// Remembers a chain that is in the ledger. Any other could be made in any number by whoever holds
    /// one, and would take the room of these.
    pub(super) fn keep(&self, verified: &Verified) {
        if verified.is_new {
            self.known().keep(Arc::clone(&verified.token));
        }
    }

    /// The signed activation of a chain whose leaf is durable.
    pub(super) fn activate(&self, activation: &Activation, activator: &Activator) -> Bytes {
        let known = self.activations().get(&activation.chain_id);
        let key = activator.keys().activation_key(activation.leaf);
        if let Some(known) = known.filter(|known| known.activation == *activation && known.key == key) {
            return known.bytes.clone();
        }
        let bytes = Bytes::from(activator.sign(activation).to_bytes());
        let signed = Arc::new(Signed { activation: activation.clone(), key, bytes: bytes.clone() });
        self.activations().insert(activation.chain_id, signed, 2 * bytes.len());
        bytes
    }

    fn known(&self) -> MutexGuard<'_, KnownChains> {
        // A panic under the lock could at worst have forgotten something.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn activations(&self) -> MutexGuard<'_, Recent<ChainId, Arc<Signed>>> {
        self.activations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Chains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chains").finish_non_exhaustive()
    }
}

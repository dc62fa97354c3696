//! Chains that were verified of late: a callee is handed the same ones again and again.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{
    digest::{ChainId, Digest},
    key::PublicKey,
    payload::Payload,
    refusal::Refusal,
    signed::Signed,
    token::{Activation, KnownChains, Recent, Token, UnverifiedToken},
    trust::KeySet,
};

use crate::{
    error::{About, Error, deceived},
    limits::{KNOWN_ACTIVATIONS_MAX, KNOWN_CHAINS_MAX_BYTES},
};

/// What need not be verified anew, while the domain's keys are those that it was verified with.
pub(crate) struct Chains {
    tokens: Mutex<KnownChains>,
    /// By the digest of all of the signed bytes.
    activations: Mutex<Recent<Digest, Arc<Opened>>>,
}

/// An activation, and the key that it was verified with.
#[derive(Debug)]
struct Opened {
    activation: Activation,
    key: Option<PublicKey>,
}

impl Chains {
    pub(crate) fn new() -> Self {
        Self {
            tokens: Mutex::new(KnownChains::new(KNOWN_CHAINS_MAX_BYTES)),
            activations: Mutex::new(Recent::new(KNOWN_ACTIVATIONS_MAX)),
        }
    }

    /// The verified token and its verified activation, which may still be of another chain.
    pub(crate) fn open(
        &self,
        token: &UnverifiedToken,
        activation: &[u8],
        keys: &KeySet,
    ) -> Result<(Arc<Token>, Activation), Error> {
        let activation = self.open_activation(activation, keys)?;
        let token = self.open_token(token, activation.chain_id, keys);
        Ok((token.map_err(|refusal| deceived(About::Chain, refusal))?, activation))
    }

    fn open_token(
        &self,
        token: &UnverifiedToken,
        activated: ChainId,
        keys: &KeySet,
    ) -> Result<Arc<Token>, Refusal> {
        if let Some(known) = self.tokens().find(activated, token, keys) {
            return Ok(known);
        }
        let parent = self.tokens().parent(token, keys);
        let verified = Arc::new(match parent {
            Some(parent) => token.verify_after(&parent, keys)?,
            None => token.verify(keys)?,
        });
        // Only what the domain activated: anything else can be made in any number by a holder.
        if verified.chain_id() == activated {
            self.tokens().keep(Arc::clone(&verified));
        }
        Ok(verified)
    }

    fn open_activation(&self, bytes: &[u8], keys: &KeySet) -> Result<Activation, Error> {
        let digest = Digest::of(bytes);
        let known = self.activations().get(&digest);
        if let Some(known) = known.filter(|known| keys.activation_key(known.activation.leaf) == known.key) {
            return Ok(known.activation.clone());
        }
        let signed = Signed::from_bytes(bytes).map_err(|error| deceived(About::Chain, error))?;
        let activation =
            Activation::open(&signed, keys).map_err(|refusal| deceived(About::Chain, refusal))?;
        let opened = Opened { key: keys.activation_key(activation.leaf), activation: activation.clone() };
        self.activations().insert(digest, Arc::new(opened), 1);
        Ok(activation)
    }

    fn tokens(&self) -> MutexGuard<'_, KnownChains> {
        // A panic under the lock could at worst have forgotten something.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn activations(&self) -> MutexGuard<'_, Recent<Digest, Arc<Opened>>> {
        self.activations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Chains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chains").finish_non_exhaustive()
    }
}

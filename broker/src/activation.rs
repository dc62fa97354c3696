//! Activations: the home ledger's word that a chain is usable.

use std::fmt;

use countersign_protocol::{
    digest::ChainId,
    domain::Chain,
    key::SigningKey,
    ledger::Origin,
    name::TrustDomain,
    signed::{Signed, Statement},
    token::Activation,
    trust::{KeyPurpose, KeySet},
};

use crate::{domain::Domain, trust::WrongKey};

/// Signs activations.
///
/// A signature that was released cannot be taken back, so none is made of a chain whose leaf is not
/// durable: what is signed comes out of [`Domain::read`] or [`Domain::decide`], which wait for that.
pub struct Activator {
    key: SigningKey,
    /// Those that signed before, each for its own leaves.
    retired: Vec<SigningKey>,
    /// The domain's, which change only while no broker runs.
    keys: KeySet,
}

impl Activator {
    /// With the domain's activation key, since another one would sign what nobody believes; and with those
    /// that it had before.
    pub fn new(domain: &Domain, key: SigningKey, retired: Vec<SigningKey>) -> Result<Self, WrongKey> {
        let keys = WrongKey::check(domain, KeyPurpose::Activation, key.public())?;
        Ok(Self { key, retired, keys })
    }

    /// The keys under which readers believe what it signs.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// What is to be said of a chain in the log of that origin.
    pub fn describe(domain: &TrustDomain, origin: Origin, id: ChainId, chain: &Chain) -> Activation {
        Activation {
            domain: domain.clone(),
            chain_id: id,
            activated_by: chain.activated_by,
            subject: chain.subject,
            leaf: chain.leaf,
            origin,
        }
    }

    /// Says it, by the key of its leaf.
    pub fn sign(&self, activation: &Activation) -> Signed {
        let wanted = self.keys.activation_key(activation.leaf);
        let retired = self.retired.iter().find(|key| Some(key.public()) == wanted);
        activation.sign(retired.unwrap_or(&self.key))
    }
}

impl fmt::Debug for Activator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activator").field("key", &self.key.public()).finish_non_exhaustive()
    }
}

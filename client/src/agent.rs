//! An agent: one instance, its keys, and its standing with the broker.

use std::{fmt, io, sync::Arc};

use countersign_protocol::{
    digest::Digest,
    id::InvocationId,
    identity::InstanceStatement,
    join_token::JoinToken,
    key::PublicKey,
    name::{InstanceId, PrincipalId, TrustDomain},
    time::{Lifetime, Timestamp},
    trust::KeySet,
};
use zeroize::Zeroizing;

use crate::{Clock, SystemClock, error::Error, ledger::Ledger};

/// Where an exported identity is kept: see [`Options::danger_keep`].
pub type Keep = Arc<dyn Fn(&[u8]) -> io::Result<()> + Send + Sync>;

/// What an agent is made with.
#[derive(Clone)]
pub struct Options {
    /// Digest of what configures this copy: model, prompt, tools. Contracts name it; another
    /// configuration is another party.
    pub configuration: Digest,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Called with [`Agent::danger_export`] before each renewal is sent and after each has been
    /// answered, for an identity that must outlive its process. If it fails, the renewal waits.
    pub danger_keep: Option<Keep>,
}

impl Options {
    /// With the system's clock, and keys that stay in memory.
    pub fn new(configuration: Digest) -> Self {
        Self { configuration, clock: Arc::new(SystemClock), danger_keep: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("configuration", &self.configuration).finish_non_exhaustive()
    }
}

/// One instance and its standing with the broker. Clones are the same agent.
///
/// Its identity is renewed in the background until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Agent;

impl Agent {
    /// Joins a trust domain with a join token: makes the keys of a new instance, in memory, and has
    /// the broker certify them.
    pub async fn join(token: &JoinToken, options: Options) -> Result<Self, Error> {
        let _ = (token, options);
        unimplemented!()
    }

    /// Who this is.
    pub fn instance(&self) -> &InstanceId {
        unimplemented!()
    }

    /// The trust domain.
    pub fn domain(&self) -> &TrustDomain {
        unimplemented!()
    }

    /// This instance's public key.
    pub fn public_key(&self) -> PublicKey {
        unimplemented!()
    }

    /// The domain's keys. They are believed because they came over a channel to a broker whose
    /// authority the join token pinned.
    pub fn keys(&self) -> &KeySet {
        unimplemented!()
    }

    /// The time, as the agent's clock has it.
    pub fn now(&self) -> Timestamp {
        unimplemented!()
    }

    /// The ledger, as this agent has seen it.
    pub fn ledger(&self) -> Ledger<'_> {
        unimplemented!()
    }

    /// Completes when this identity cannot be renewed any more, with the reason.
    pub async fn ended(&self) -> Error {
        unimplemented!()
    }

    /// What the broker says about itself.
    pub async fn info(&self) -> Result<Info, Error> {
        unimplemented!()
    }

    /// Makes a join token for another process. Admins only.
    pub async fn create_join_token(
        &self,
        principal: &PrincipalId,
        lifetime: Lifetime,
    ) -> Result<JoinToken, Error> {
        let _ = (principal, lifetime);
        unimplemented!()
    }

    /// The domain's record of an instance.
    pub async fn lookup(&self, instance: &InstanceId) -> Result<InstanceStatement, Error> {
        let _ = instance;
        unimplemented!()
    }

    /// Every instance of the domain, with its standing: `live`, `revoked` or `forked`. Admins only.
    pub async fn instances(&self) -> Result<Vec<(InstanceStatement, String)>, Error> {
        unimplemented!()
    }

    /// Everything that is needed to check one invocation offline: the bytes of a bundle. Parties of
    /// its chain and admins.
    pub async fn explain(&self, invocation: InvocationId) -> Result<Vec<u8>, Error> {
        let _ = invocation;
        unimplemented!()
    }

    /// This identity as bytes, its private keys included.
    pub fn danger_export(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        unimplemented!()
    }

    /// Goes on as an identity that was exported.
    pub fn danger_import(bytes: &[u8], options: Options) -> Result<Self, Error> {
        let _ = (bytes, options);
        unimplemented!()
    }
}

/// What the broker says about itself. Nothing in it is signed.
#[derive(Clone, Debug)]
pub struct Info {
    /// The versions of the specification, newest first.
    pub spec_versions: Vec<String>,
    /// The name and version of the implementation.
    pub implementation: (String, String),
    /// Its time, and how far that may be from true time.
    pub server_time: (Timestamp, Lifetime),
    /// The limits by name.
    pub limits: Vec<(String, u64)>,
    /// The optional parts that it offers.
    pub features: Vec<String>,
    /// How long a used proof is remembered.
    pub proof_retention: Lifetime,
    /// How long a completed invocation answers a retry.
    pub result_retention: Lifetime,
}

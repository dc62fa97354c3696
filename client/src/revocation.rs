//! Ending rights before their time.

use countersign_protocol::{digest::ChainId, ledger::LeafIndex, name::InstanceId};
use countersign_wire::v1;

use crate::{agent::Agent, error::Error};

/// What is revoked, with everything beneath it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A chain.
    Chain(ChainId),
    /// An instance, with all that it holds.
    Instance(InstanceId),
}

/// What a revocation would end.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The links in force, the upper before the lower, as the broker tells them.
    pub links: Vec<v1::Link>,
    /// How many: the number to confirm.
    pub chains: u64,
}

/// A revocation that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The leaf that records it.
    pub leaf: LeafIndex,
    /// The number of revocations so far.
    pub epoch: u64,
}

/// The feed of revocations that concern this agent. It reconnects and goes on where it was.
#[derive(Debug)]
pub struct Revocations;

impl Revocations {
    /// The next chains that ended by revocation.
    pub async fn next(&mut self) -> Result<Vec<ChainId>, Error> {
        unimplemented!()
    }
}

impl Agent {
    /// What revoking `target` would end.
    pub async fn preview_revocation(&self, target: &Target) -> Result<Preview, Error> {
        let _ = target;
        unimplemented!()
    }

    /// Revokes. `confirmed` is the number that a preview gave; if it is no longer true, nothing is
    /// revoked. Once this returns, nothing beneath is forwarded any more.
    pub async fn revoke(&self, target: &Target, confirmed: u64) -> Result<Revoked, Error> {
        let _ = (target, confirmed);
        unimplemented!()
    }

    /// Tells of every revocation of a chain that this agent is a party to, from now on.
    pub async fn watch_revocations(&self) -> Result<Revocations, Error> {
        unimplemented!()
    }
}

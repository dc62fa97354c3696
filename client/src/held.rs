//! A chain that has been verified, with what makes it usable and the contract behind it.

use countersign_protocol::{
    capability::Rights,
    contract::ContractBody,
    digest::ChainId,
    name::{InstanceId, PrincipalId},
    signed::Signed,
    token::{ActiveToken, Holder},
};

use crate::{agent::Agent, error::Error};

/// A verified chain: its token back to the domain's key, its activation, and the contract that its
/// last hop stands for, signed by both parties. A grant has no contract.
#[derive(Clone, Debug)]
pub struct Held {
    active: ActiveToken,
    contract: Option<(ContractBody, Signed)>,
}

impl Held {
    /// Names the chain.
    pub fn chain_id(&self) -> ChainId {
        self.active.token().chain_id()
    }

    /// What it allows.
    pub fn rights(&self) -> &Rights {
        &self.active.token().leaf().rights
    }

    /// Who may use it.
    pub fn holder(&self) -> &Holder {
        &self.active.token().leaf().holder
    }

    /// Who everything under it answers to.
    pub fn originator(&self) -> &PrincipalId {
        &self.active.token().grant().originator
    }

    /// The verified token and its activation.
    pub fn active(&self) -> &ActiveToken {
        &self.active
    }

    /// The contract; none for a grant.
    pub fn contract(&self) -> Option<&ContractBody> {
        self.contract.as_ref().map(|(body, _)| body)
    }

    /// The contract as both parties signed it; none for a grant.
    pub fn signed_contract(&self) -> Option<&Signed> {
        self.contract.as_ref().map(|(_, signed)| signed)
    }
}

impl Agent {
    /// Grants rights to an instance: this agent is the originator, signs, and answers for it.
    pub async fn grant(&self, holder: &InstanceId, rights: Rights) -> Result<Held, Error> {
        let _ = (holder, rights);
        unimplemented!()
    }

    /// The chains in force that this instance holds.
    pub async fn holdings(&self) -> Result<Vec<Held>, Error> {
        unimplemented!()
    }

    /// One chain that this agent is a party to.
    pub async fn held(&self, chain: ChainId) -> Result<Held, Error> {
        let _ = chain;
        unimplemented!()
    }
}

//! Activations: what makes a chain usable.

use std::sync::Arc;

use countersign_protocol::{
    contract,
    digest::ChainId,
    domain::{Chain, State},
    ledger::Origin,
    payload::Payload,
    refusal::{Reason, Refusal},
    require,
    token::Activation,
    trust::KeySet,
};
use countersign_wire::v1;
use tonic::{Request, Response, Status};

use super::{caller::Caller, convert};
use crate::{activation::Activator, domain::Domain};

/// The service of that name.
#[derive(Debug)]
pub struct Activations {
    domain: Arc<Domain>,
    activator: Arc<Activator>,
}

impl Activations {
    /// Activations of that domain's chains.
    pub fn new(domain: Arc<Domain>, activator: Arc<Activator>) -> Self {
        Self { domain, activator }
    }

    async fn get(
        &self,
        caller: &mut Caller,
        request: v1::GetActivationRequest,
    ) -> Result<v1::ActiveChain, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let id = convert::chain_id(&request.chain_id)?;
        let chain = self.domain.read(|state, _| {
            let chain = caller.chain(state, id)?;
            usable(state, &self.domain, id, chain)
        });
        Ok(chain.await?.activate(&self.activator))
    }
}

#[tonic::async_trait]
impl v1::activations_server::Activations for Activations {
    async fn get_activation(
        &self,
        request: Request<v1::GetActivationRequest>,
    ) -> Result<Response<v1::GetActivationResponse>, Status> {
        let mut caller = Caller::of(&request, &self.domain)?;
        let chain = self.get(&mut caller, request.into_inner()).await;
        caller.reply(chain.map(|chain| v1::GetActivationResponse { chain: Some(chain) }))
    }
}

/// A chain that may be activated once everything that was read with it is durable.
pub(super) struct UsableChain {
    token: Vec<u8>,
    activation: Activation,
}

impl UsableChain {
    /// Signs the activation, which nobody may do before the chain's leaf is durable: the caller has
    /// this from [`Domain::read`] or [`Domain::decide`], which wait for that.
    pub(super) fn activate(self, activator: &Activator) -> v1::ActiveChain {
        v1::ActiveChain {
            chain_id: self.activation.chain_id.as_bytes().to_vec(),
            token: self.token,
            activation: activator.sign(&self.activation).to_bytes(),
        }
    }
}

/// A chain of which every link is in force: no activation is given for another one (CHN-050).
pub(super) fn usable(
    state: &State,
    domain: &Domain,
    id: ChainId,
    chain: &Chain,
) -> Result<UsableChain, Refusal> {
    let now = domain.time_of(state);
    for (_, link) in state.path(id) {
        require!("CHN-050", link.state != contract::State::Revoked, Reason::Revoked);
        let suspended = link.state == contract::State::Suspended;
        require!("CHN-054", !suspended, Reason::ContractSuspended);
        let in_force = link.state == contract::State::Active && now < link.rights.not_after;
        require!("CHN-051", in_force, Reason::ContractNotActive, "A link is {}.", link.state.name());
    }
    // Who has a chain has keys; without any, it is of no log that a reader believes.
    let origin = state.keys().map_or_else(|| Origin::of(domain.name()), KeySet::origin);
    let activation = Activator::describe(domain.name(), origin, id, chain);
    Ok(UsableChain { token: chain.token.clone(), activation })
}

//! What a broker tells of what is durable.

use countersign_forge::POLICY;
use countersign_protocol::{
    contract,
    contract::Party,
    digest::ChainId,
    domain::{Event, State},
    explain::{self, Bundle},
    id::{InvocationId, NegotiationId},
    ledger::{InclusionProof, LeafIndex, TreeSize},
    name::InstanceId,
    signed::{Signed, Statement},
    time::Timestamp,
    trust::KeyPurpose,
};

use crate::{network::Told, stop::Flow, world::World};

/// A chain with everything that a party to it is shown.
#[derive(Clone, Debug)]
pub struct Concluded {
    /// The chain.
    pub chain: ChainId,
    /// Its token.
    pub token: Vec<u8>,
    /// Its activation.
    pub activation: Signed,
    /// The contract, and when it was recorded; a grant has none.
    pub contract: Option<(Signed, Timestamp)>,
    /// Who has taken it over, and when that was recorded.
    pub rebind: Option<(Signed, Timestamp)>,
}

impl World {
    /// The state, where everything in it is durable: what rests on less is told to nobody.
    pub fn readable(&self) -> Option<&State> {
        let process = self.process.as_ref()?;
        (process.durable.size == process.state.tree().size()).then_some(&process.state)
    }

    /// A negotiation with all its moves, as it stands after the last decision.
    pub(super) fn account(&self, id: NegotiationId) -> Option<Told> {
        let known = self.process.as_ref()?.state.negotiation(&id)?;
        let moves = known.moves.iter().filter_map(|made| {
            match &self.witness.entries.get(made.leaf.get() as usize)?.event {
                Event::Moved(moved) => Some((made.leaf, moved.signed_move.clone())),
                _ => None,
            }
        });
        Some(Told { id, state: known.state, moves: moves.collect(), chain: known.outcome })
    }

    /// A negotiation, for its parties.
    pub fn read_account(&self, id: NegotiationId) -> Option<Told> {
        self.readable()?;
        self.account(id)
    }

    /// The negotiations that wait for an answer of that party, or in which it stands.
    pub fn read_asked(&self, instance: &InstanceId) -> Vec<NegotiationId> {
        let Some(state) = self.readable() else { return Vec::new() };
        let asked = state.negotiations().filter(|(_, talk)| {
            *instance.principal() == talk.delegator
                && talk.delegator_instance.as_ref().is_none_or(|by| by == instance)
                && talk.state == countersign_protocol::negotiation::State::Requested
        });
        asked.map(|(id, _)| *id).collect()
    }

    /// An instance's key and configuration, as the domain recorded them: who has asked once knows.
    pub fn read_party(&self, instance: &InstanceId) -> Option<Party> {
        let member = self.witness.model.members.get(instance)?;
        Some(Party { instance: instance.clone(), key: member.key, configuration: member.configuration })
    }

    /// A chain of which every link is in force: no activation is given for another one.
    pub fn read_chain(&mut self, id: ChainId) -> Flow<Option<Concluded>> {
        let Some(state) = self.readable() else { return Ok(None) };
        let now = self.time_of(state);
        let mut path = state.path(id);
        let usable =
            path.all(|(_, link)| link.state == contract::State::Active && now < link.rights.not_after);
        let Some((chain, activation)) = state.chain(&id).zip(state.activation(id)).filter(|_| usable) else {
            return Ok(None);
        };
        let hop = state.chain(&chain.hop(id)).unwrap_or(chain);
        let entry = self.witness.entries.get(chain.leaf.get() as usize);
        let rebind = entry.and_then(|entry| match &entry.event {
            Event::ChainRebound(event) => Some((event.request.clone(), entry.time)),
            _ => None,
        });
        let entry = self.witness.entries.get(hop.leaf.get() as usize);
        let contract = entry.and_then(|entry| match &entry.event {
            Event::ContractFinalized(event) => Some((event.contract.clone(), entry.time)),
            _ => None,
        });
        let (token, leaf) = (chain.token.clone(), activation.leaf);
        let activation = activation.sign(self.keys.signer(KeyPurpose::Activation, leaf).1);
        self.witness.activated(id, leaf, &self.ledger)?;
        Ok(Some(Concluded { chain: id, token, activation, contract, rebind }))
    }

    /// The proof that a leaf is in the log of that size.
    pub fn inclusion(&self, index: LeafIndex, size: TreeSize) -> Option<InclusionProof> {
        let path = self.process.as_ref()?.state.tree().inclusion(index, size)?;
        Some(InclusionProof { index, size, path })
    }

    /// The evidence of an invocation.
    pub fn read_bundle(&mut self, id: InvocationId) -> Flow<Option<Bundle>> {
        let Some(checkpoint) = self.checkpoint()? else { return Ok(None) };
        let Some(state) = self.readable() else { return Ok(None) };
        let Ok(leaves) = explain::leaves(state, id) else { return Ok(None) };
        let entries = leaves.iter().filter_map(|leaf| Some((*leaf, self.ledger.entry(*leaf)?.to_vec())));
        let activation = state.trace(&id).and_then(|trace| state.activation(trace.chain));
        let Some(activation) = activation else { return Ok(None) };
        let activation = activation.sign(self.keys.signer(KeyPurpose::Activation, activation.leaf).1);
        let policy = Some(POLICY.to_vec());
        Ok(explain::assemble(state, id, checkpoint, entries.collect(), activation, policy).ok())
    }
}

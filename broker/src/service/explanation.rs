//! Gathering the evidence that explains an invocation.

use countersign_protocol::{
    digest::Digest,
    domain::{Entry, Event, State},
    explain::{self, Bundle},
    id::InvocationId,
    ledger::{LeafIndex, SignedCheckpoint},
    payload::Payload,
    refusal::Refusal,
    signed::Signed,
    token::Activation,
};

use super::entries;
use crate::domain::Domain;

/// What explains an invocation, and where the ledger has it.
pub(super) struct Evidence {
    id: InvocationId,
    leaves: Vec<LeafIndex>,
    activation: Activation,
}

/// The same with the entries themselves.
pub(super) struct Gathered {
    evidence: Evidence,
    entries: Vec<(LeafIndex, Vec<u8>)>,
}

impl Evidence {
    /// What the state knows to be needed.
    pub(super) fn about(state: &State, id: InvocationId) -> Result<Self, Refusal> {
        Ok(Self { id, leaves: explain::leaves(state, id)?, activation: explain::activation(state, id)? })
    }

    /// Reads the entries.
    pub(super) async fn gather(self, domain: &Domain) -> Result<Gathered, Refusal> {
        let mut entries = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            entries.push((*leaf, entries::bytes(domain, *leaf).await?.to_vec()));
        }
        Ok(Gathered { evidence: self, entries })
    }
}

impl Gathered {
    /// What is to be signed of the chain's last link.
    pub(super) fn activation(&self) -> &Activation {
        &self.evidence.activation
    }

    /// The policy that the INTENT names.
    pub(super) fn policy(&self) -> Option<Digest> {
        let events = self.entries.iter().filter_map(|(_, bytes)| Entry::from_bytes(bytes).ok());
        let mut policies = events.filter_map(|entry| match entry.event {
            Event::Intent(intent) => Some(intent.policy),
            Event::SessionIntent(intent) => Some(intent.policy),
            _ => None,
        });
        policies.next()
    }

    /// The bundle; none if the invocation has ended since, so that there is more to gather.
    pub(super) fn assemble(
        self,
        state: &State,
        checkpoint: SignedCheckpoint,
        activation: Signed,
        policy: Option<Vec<u8>>,
    ) -> Result<Option<Bundle>, Refusal> {
        let Self { evidence, entries } = self;
        if explain::leaves(state, evidence.id)? != evidence.leaves {
            return Ok(None);
        }
        explain::assemble(state, evidence.id, checkpoint, entries, activation, policy).map(Some)
    }
}

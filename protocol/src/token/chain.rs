//! Names of chains.

use super::{
    compile,
    terms::{GrantTerms, Holder, HopTerms, RebindTerms},
};
use crate::{
    contract::Rebind,
    digest::{ChainId, tagged_hash},
    key::PublicKey,
    name::TrustDomain,
    trust::DomainKey,
};

/// Names a grant by its domain and what its authority block says (TOK-020).
pub fn grant_chain_id(domain: &TrustDomain, payload: &[u8]) -> ChainId {
    ChainId::from_bytes(tagged_hash("countersign grant v1", &[domain.as_bytes(), payload]))
}

/// Names a delegation by the chain before it, what its hop says, and who signed the hop.
///
/// One signed hop can be wrapped into Biscuits with different bytes and different revocation ids;
/// this stays the same, so revocations, budgets, proofs and contracts refer to it.
pub fn hop_chain_id(parent: ChainId, payload: &[u8], grantor: &[u8; 32]) -> ChainId {
    ChainId::from_bytes(tagged_hash("countersign hop v1", &[parent.as_bytes(), payload, grantor]))
}

impl GrantTerms {
    /// Names the chain that begins with this grant.
    pub fn chain_id(&self) -> ChainId {
        grant_chain_id(&self.domain, &compile::authority_block(self))
    }
}

impl HopTerms {
    /// Names the chain that this hop, signed by `grantor`, makes of `parent`.
    pub fn chain_id(&self, parent: ChainId, grantor: &PublicKey) -> ChainId {
        hop_chain_id(parent, &compile::hop_block(self), &grantor.to_array())
    }
}

impl RebindTerms {
    /// Names the chain that this rebind, signed with the domain's key, makes of that hop's.
    pub fn chain_id(&self, hop: ChainId, key: &PublicKey) -> ChainId {
        hop_chain_id(hop, &compile::rebind_block(self), &key.to_array())
    }
}

/// One link of a verified chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// Names the chain up to and including this link.
    pub chain_id: ChainId,
    /// Who holds it.
    pub holder: Holder,
    /// What it allows.
    pub rights: crate::capability::Rights,
    /// The contract behind it; a grant has none.
    pub contract: Option<crate::digest::ContractHash>,
    /// Whether a fresh instance of its holder may take it over; a grant is never.
    pub rebind: Rebind,
    /// How its holder came to it, where that is not the one whom the hop names.
    pub rebound: Option<Rebound>,
}

/// A link that another instance of its holder has taken over. The link stands in the place of the hop.
#[derive(Clone, Debug)]
pub struct Rebound {
    /// Names the chain up to the hop.
    pub hop: ChainId,
    /// Whom the hop names.
    pub named: Holder,
    /// What was signed of it,
    pub terms: RebindTerms,
    /// and with which key.
    pub by: DomainKey,
}

//! Between the messages of the wire and the values of the core.

use std::str::FromStr;

use countersign_protocol::{
    contract::Rebind,
    digest::ChainId,
    domain::{Chain, EndCause, Negotiation},
    id::NegotiationId,
    ledger::{LeafIndex, TreeSize},
    payload::{Malformed, Payload},
    refusal::{Reason, Refusal},
    require_some,
    signed::{Signed, Statement},
};
use countersign_wire::v1;

/// An id or name from its text (API-064).
pub(super) fn text<T: FromStr>(field: &str, text: &str) -> Result<T, Refusal> {
    Ok(require_some!(
        "API-064",
        text.parse().ok(),
        Reason::PayloadMalformed,
        "{field} is not in its normal form."
    ))
}

/// A chain's id from its 32 bytes (API-064).
pub(super) fn chain_id(bytes: &[u8]) -> Result<ChainId, Refusal> {
    Ok(require_some!(
        "API-064",
        bytes.try_into().ok(),
        Reason::PayloadMalformed,
        "chain_id has {} bytes, not 32.",
        bytes.len()
    ))
}

/// A leaf's index (API-064).
pub(super) fn leaf(number: u64) -> Result<LeafIndex, Refusal> {
    Ok(require_some!("API-064", LeafIndex::new(number), Reason::PayloadMalformed, "No ledger has that leaf."))
}

/// A ledger's size (API-064).
pub(super) fn size(number: u64) -> Result<TreeSize, Refusal> {
    Ok(require_some!("API-064", TreeSize::new(number), Reason::PayloadMalformed, "No ledger has that size."))
}

/// A signed statement's envelope; nothing in it is believed yet.
pub(super) fn signed(bytes: &[u8]) -> Result<Signed, Refusal> {
    Signed::from_bytes(bytes).map_err(malformed)
}

/// What a statement says of itself, for finding what it is about; nothing of it is believed yet.
pub(super) fn claimed<T: Statement>(signed: &Signed) -> Result<T, Refusal> {
    signed
        .peek_unverified()
        .map_err(|error| Refusal::new("CONV-010", Reason::PayloadMalformed, format!("{error}.")))
}

/// What is not of the form that its field asks for.
pub(super) fn malformed(error: Malformed) -> Refusal {
    Refusal::new("CONV-010", Reason::PayloadMalformed, format!("{error}."))
}

/// A link of a chain.
pub(crate) fn link(id: ChainId, chain: &Chain) -> v1::Link {
    let balance = chain.account.balance();
    v1::Link {
        chain_id: id.as_bytes().to_vec(),
        parent: chain.parent.map(|parent| parent.as_bytes().to_vec()).unwrap_or_default(),
        grant_id: chain.grant_id.to_string(),
        contract_id: chain.contract.map(|(id, _)| id.to_string()).unwrap_or_default(),
        holder: chain.holder.to_string(),
        originator: chain.originator.to_string(),
        state: chain.state.name().into(),
        rights: chain.rights.to_bytes(),
        leaf: chain.leaf.get(),
        settled: balance.settled.get(),
        open: balance.open.get(),
        delegated: balance.delegated.get(),
        leaf_time_ms: chain.at.as_millis(),
        rebind: rule(chain.rebind).into(),
        chains: chain.live,
        hop: chain.rebound.map(|hop| hop.as_bytes().to_vec()).unwrap_or_default(),
        rebind_asked: chain.asked.as_ref().map(Payload::to_bytes).unwrap_or_default(),
    }
}

fn rule(rebind: Rebind) -> &'static str {
    match rebind {
        Rebind::Never => "NEVER",
        Rebind::GrantorConsent => "GRANTOR_CONSENT",
        Rebind::Domain => "DOMAIN",
    }
}

/// A negotiation without its moves, which only the ledger has.
pub(super) fn negotiation(id: NegotiationId, negotiation: &Negotiation) -> v1::Negotiation {
    let instance = negotiation.delegator_instance.as_ref();
    v1::Negotiation {
        negotiation_id: id.to_string(),
        state: negotiation.state.name().into(),
        delegatee: negotiation.delegatee.to_string(),
        delegator: negotiation.delegator.to_string(),
        delegator_instance: instance.map(ToString::to_string).unwrap_or_default(),
        round: negotiation.round,
        max_rounds: negotiation.max_rounds,
        deadline_ms: negotiation.deadline.as_millis(),
        transcript: negotiation.transcript.as_bytes().to_vec(),
        moves: Vec::new(),
        ended: negotiation.ended.map(cause).unwrap_or_default().into(),
        chain_id: negotiation.outcome.map(|chain| chain.as_bytes().to_vec()).unwrap_or_default(),
    }
}

fn cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Deadline => "DEADLINE",
        EndCause::Equivocation => "EQUIVOCATION",
        EndCause::Awarded => "AWARDED",
    }
}

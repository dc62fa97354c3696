//! Reading back what the ledger holds and the state does not: the statements themselves.

use bytes::Bytes;
use countersign_protocol::{
    domain::{Entry, Event},
    ledger::LeafIndex,
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::Signed,
};
use countersign_store::READ_MAX_BYTES;
use countersign_wire::v1;

use crate::domain::Domain;

/// A negotiation with its moves, which stand at those leaves.
pub(super) async fn with_moves(
    domain: &Domain,
    mut negotiation: v1::Negotiation,
    leaves: Vec<LeafIndex>,
) -> Result<v1::Negotiation, Refusal> {
    for leaf in leaves {
        let signed_move = signed_move(domain, leaf).await?.to_bytes();
        negotiation.moves.push(v1::OrderedMove { leaf: leaf.get(), signed_move });
    }
    Ok(negotiation)
}

/// The contract that was finalized at that leaf.
pub(super) async fn contract(domain: &Domain, leaf: LeafIndex) -> Result<Signed, Refusal> {
    match event(domain, leaf).await? {
        Event::ContractFinalized(finalized) => Ok(finalized.contract),
        event => Err(unreadable(leaf, &format!("it holds {}, not a contract", event.kind().name()))),
    }
}

/// The bytes of the entry at that leaf.
pub(super) async fn bytes(domain: &Domain, leaf: LeafIndex) -> Result<Bytes, Refusal> {
    let end = leaf.plus(1).ok_or_else(|| unreadable(leaf, "no leaf comes after it"))?;
    let entries = domain.store().read(domain.name(), leaf..end, READ_MAX_BYTES).await;
    let entries = entries.map_err(|error| unreadable(leaf, &error.to_string()))?;
    entries.into_iter().next().ok_or_else(|| unreadable(leaf, "it is not there"))
}

async fn signed_move(domain: &Domain, leaf: LeafIndex) -> Result<Signed, Refusal> {
    match event(domain, leaf).await? {
        Event::Moved(moved) => Ok(moved.signed_move),
        event => Err(unreadable(leaf, &format!("it holds {}, not a move", event.kind().name()))),
    }
}

async fn event(domain: &Domain, leaf: LeafIndex) -> Result<Event, Refusal> {
    let bytes = bytes(domain, leaf).await?;
    let entry = Entry::from_bytes(&bytes).map_err(|error| unreadable(leaf, &error.to_string()))?;
    Ok(entry.event)
}

/// The engine's own words name files: they are for the log, not for callers.
pub(super) fn unreadable(leaf: LeafIndex, why: &str) -> Refusal {
    tracing::error!(%leaf, why, "the ledger cannot be read");
    Refusal::new("LOG-060", Reason::LedgerUnavailable, format!("Leaf {leaf} cannot be read."))
}

//! Reading back what the ledger holds and the state does not: the statements themselves.

use bytes::Bytes;
use countersign_protocol::{
    domain::{Entry, Event},
    ledger::LeafIndex,
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::Signed,
    time::Timestamp,
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

/// What the new holder signed that took a chain over at that leaf.
pub(super) async fn rebind_request(domain: &Domain, leaf: LeafIndex) -> Result<Signed, Refusal> {
    match event(domain, leaf).await? {
        Event::ChainRebound(rebound) => Ok(rebound.request),
        event => Err(unreadable(leaf, &format!("it holds {}, not a rebind", event.kind().name()))),
    }
}

/// The rotation of the domain's keys at that leaf; none where keys begin that were published ahead.
pub(super) async fn rotation(domain: &Domain, leaf: LeafIndex) -> Result<Option<Signed>, Refusal> {
    if domain.peek(|state, _| !state.tree().size().includes(leaf)) {
        return Ok(None);
    }
    match event(domain, leaf).await? {
        Event::KeysRotated(rotated) => Ok(Some(rotated.rotation)),
        _ => Ok(None),
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

/// The time of the entry at that leaf.
pub(super) async fn time(domain: &Domain, leaf: LeafIndex) -> Result<Timestamp, Refusal> {
    Ok(entry(domain, leaf).await?.time)
}

async fn event(domain: &Domain, leaf: LeafIndex) -> Result<Event, Refusal> {
    Ok(entry(domain, leaf).await?.event)
}

async fn entry(domain: &Domain, leaf: LeafIndex) -> Result<Entry, Refusal> {
    let bytes = bytes(domain, leaf).await?;
    Entry::from_bytes(&bytes).map_err(|error| unreadable(leaf, &error.to_string()))
}

/// The engine's own words name files: they are for the log, not for callers.
pub(super) fn unreadable(leaf: LeafIndex, why: &str) -> Refusal {
    tracing::error!(%leaf, why, "the ledger cannot be read");
    Refusal::new("LOG-060", Reason::LedgerUnavailable, format!("Leaf {leaf} cannot be read."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediation::tests::world::World;

    fn refused<T: std::fmt::Debug>(read: Result<T, Refusal>) -> (&'static str, Reason) {
        let refusal = read.unwrap_err();
        assert!(!refusal.detail().contains("the test says so"), "{refusal}");
        (refusal.rule(), refusal.reason())
    }

    /// Attack line 30: an entry that is not there, or is not what the state says that it is.
    #[tokio::test]
    async fn what_the_ledger_does_not_give_back_is_not_answered() {
        let unreadable = ("LOG-060", Reason::LedgerUnavailable);
        let (world, [grant, first, _]) = World::with_chain().await;
        let leaf = |chain| world.look(|state| state.chain(&chain).unwrap().leaf);
        assert!(contract(&world.domain, leaf(first)).await.is_ok(), "the twin");
        assert_eq!(refused(contract(&world.domain, leaf(grant)).await), unreadable, "a grant");
        assert_eq!(refused(signed_move(&world.domain, leaf(first)).await), unreadable, "a contract");
        let end = world.look(|state| state.tree().size().next_leaf());
        assert_eq!(refused(bytes(&world.domain, end).await), unreadable, "none");
        let last = LeafIndex::new(i64::MAX as u64).unwrap();
        assert_eq!(refused(bytes(&world.domain, last).await), unreadable, "none after it");
        world.store.fail_reads();
        assert_eq!(refused(contract(&world.domain, leaf(first)).await), unreadable, "a disk that fails");
    }
}

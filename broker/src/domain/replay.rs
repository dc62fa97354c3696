//! A start: from the ledger to the state.

use countersign_protocol::{
    domain::{Entry, State},
    ledger::{LeafIndex, TreeSize},
    name::TrustDomain,
    payload::Payload as _,
};
use countersign_store::{READ_MAX_BYTES, Store};

use super::{OpenError, snapshot::Sealer};

/// Folds the ledger, from its snapshot on if there is one to use, and tells of how many entries that
/// was. What was decided is not decided again.
pub(super) async fn replay(
    domain: &TrustDomain,
    store: &dyn Store,
    sealer: &Sealer,
) -> Result<(State, TreeSize), OpenError> {
    let failed = |source| OpenError::Store { domain: domain.clone(), source };
    let end = store.head(domain).await.map_err(failed)?.size.next_leaf();
    let state = recalled(domain, store, sealer).await;
    let known = state.tree().size();
    let state = fold(domain, store, state, end).await?;
    tracing::info!(%domain, entries = end.get(), from_snapshot = known.get(), "the ledger is read");
    Ok((state, known))
}

/// Folds the entries that the state has not seen, up to that one.
pub(super) async fn fold(
    domain: &TrustDomain,
    store: &dyn Store,
    mut state: State,
    end: LeafIndex,
) -> Result<State, OpenError> {
    let failed = |source| OpenError::Store { domain: domain.clone(), source };
    loop {
        let next = state.tree().size().next_leaf();
        if next >= end {
            return Ok(state);
        }
        let entries = store.read(domain, next..end, READ_MAX_BYTES).await.map_err(failed)?;
        for bytes in entries {
            let leaf: LeafIndex = state.tree().size().next_leaf();
            let entry = Entry::from_bytes(&bytes).map_err(|why| OpenError::NotAnEntry {
                domain: domain.clone(),
                leaf: leaf.get(),
                why: why.to_string(),
            })?;
            state = state.evolve(&entry);
        }
    }
}

/// The state of the snapshot, or of a ledger without entries.
async fn recalled(domain: &TrustDomain, store: &dyn Store, sealer: &Sealer) -> State {
    let unusable = match store.take_snapshot(domain).await {
        Ok(None) => return State::default(),
        Ok(Some(recalled)) => match sealer.open(domain, recalled) {
            Ok(state) => return state,
            Err(why) => why.to_string(),
        },
        Err(why) => why.to_string(),
    };
    tracing::warn!(%domain, why = unusable, "the snapshot of the state is not used; every entry is folded");
    State::default()
}

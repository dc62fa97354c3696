//! From a ledger to a bundle.

use std::collections::BTreeSet;

use super::{Bundle, ProvenEntry};
use crate::{
    digest::ChainId,
    domain::{Actor, Chain, Context, Said, State, Trace},
    id::{InvocationId, SessionId},
    ledger::{LeafIndex, SignedCheckpoint, leaf_hash},
    name::InstanceId,
    payload::{Bounded, Payload},
    refusal::{Reason, Refusal},
    require, require_some,
    session::Side,
    signed::Signed,
    token::Activation,
};

/// Whether that caller may have an invocation explained: the originator, a holder of the chain, the
/// callee, or an admin. To everyone else it does not exist.
pub fn may_see(state: &State, context: &Context<'_>, actor: &Actor, id: InvocationId) -> Result<(), Refusal> {
    state.admitted(actor)?;
    let (trace, _) = find(state, id)?;
    let callee = state.instance(&actor.instance).is_some_and(|known| known.admitted == trace.callee);
    let party = callee || context.is_admin(&actor.instance) || is_above(state, trace.chain, &actor.instance);
    require!("LOG-030", party, Reason::NotFound);
    Ok(())
}

fn is_above(state: &State, chain: ChainId, instance: &InstanceId) -> bool {
    state.path(chain).any(|(_, link)| link.holder == *instance || link.originator == *instance.principal())
}

fn find(state: &State, id: InvocationId) -> Result<(&Trace, Activation), Refusal> {
    let found = state.trace(&id).and_then(|trace| Some((trace, state.activation(trace.chain)?)));
    Ok(require_some!("LOG-030", found, Reason::NotFound))
}

/// What is to be signed of the chain that an invocation used.
pub fn activation(state: &State, id: InvocationId) -> Result<Activation, Refusal> {
    find(state, id).map(|(_, activation)| activation)
}

/// The leaves that a bundle about this invocation is made of, in ascending order.
pub fn leaves(state: &State, id: InvocationId) -> Result<Vec<LeafIndex>, Refusal> {
    let (trace, _) = find(state, id)?;
    let links: Vec<&Chain> = state.path(trace.chain).map(|(_, link)| link).collect();
    // What was rebound is shown with the hop behind it.
    let hops = links.iter().filter_map(|link| state.chain(&link.rebound?));
    let links: Vec<&Chain> = links.iter().copied().chain(hops).collect();
    let named = links.iter().flat_map(|link| [&link.grantor, &link.holder]);
    let admitted = named.filter_map(|instance| state.instance(instance)).map(|instance| instance.admitted);
    let mut leaves: BTreeSet<LeafIndex> = admitted.chain(links.iter().map(|link| link.leaf)).collect();
    leaves.extend([trace.intent, trace.callee]);
    leaves.extend(state.keys_leaf().into_iter().chain(trace.ended));
    if let Some((session, seq)) = trace.session {
        let said = [Said::Opening, Said::Answer].into_iter().filter_map(|it| state.session_leaf(session, it));
        leaves.extend(said);
        leaves.extend(up_to_head(state, session, Side::Caller, seq));
        let told = trace.told.map(|number| up_to_head(state, session, Side::Callee, number));
        leaves.extend(told.into_iter().flatten());
    }
    Ok(leaves.into_iter().collect())
}

/// A side's link of that number; and, where a head covers it, that head and all links between the two.
fn up_to_head(state: &State, session: SessionId, side: Side, number: u64) -> Vec<LeafIndex> {
    let head = state.session_head(session, side, number);
    let last = head.map_or(number, |(covered, _)| covered);
    let links = (number..=last).filter_map(|number| state.session_leaf(session, Said::Link(side, number)));
    links.chain(head.map(|(_, leaf)| leaf)).collect()
}

/// Puts a bundle together. The entries are the ledger's bytes at [`leaves`], in that order; the
/// checkpoint is one of this ledger that already holds them all; the activation is that of the
/// chain's last link.
pub fn assemble(
    state: &State,
    id: InvocationId,
    checkpoint: SignedCheckpoint,
    entries: Vec<(LeafIndex, Vec<u8>)>,
    activation: Signed,
    policy: Option<Vec<u8>>,
) -> Result<Bundle, Refusal> {
    let wanted = leaves(state, id)?;
    let given = entries.iter().map(|(leaf, _)| leaf);
    require!("LOG-031", given.eq(&wanted), Reason::LedgerUnavailable, "These are not the entries needed.");
    let size = checkpoint.peek_unverified().size;
    let root = state.tree().root_at(size);
    let root = require_some!("LOG-031", root, Reason::LedgerUnavailable, "The checkpoint is ahead.");
    let mut proven = Vec::new();
    for (leaf, entry) in entries {
        let path = state.tree().inclusion(leaf, size);
        let path = require_some!("LOG-031", path, Reason::LedgerUnavailable, "The checkpoint is too old.");
        let entry = ProvenEntry { leaf, entry, path };
        let included = entry.inclusion(size).verify(leaf_hash(&entry.entry), root);
        require!("LOG-031", included.is_ok(), Reason::LedgerUnavailable, "Entry {leaf} is not the ledger's.");
        proven.push(entry);
    }
    let entries = Bounded::new(proven).ok();
    let bundle = entries.map(|entries| Bundle { invocation_id: id, checkpoint, entries, activation, policy });
    let bundle = bundle.filter(|bundle| bundle.to_bytes().len() <= Bundle::MAX_BYTES);
    Ok(require_some!("LOG-046", bundle, Reason::LimitExceeded, "No reader takes as much."))
}

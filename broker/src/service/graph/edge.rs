//! An edge as it is told.

use countersign_protocol::{
    contract,
    digest::ChainId,
    domain::{Chain, State},
    graph::Moment,
    payload::Payload,
};
use countersign_wire::v1;

use crate::service::caller::Caller;

/// To a party to its chain, or an admin.
pub(super) fn edge(id: ChainId, link: &Chain, moment: Moment) -> v1::Edge {
    let ended = link.ended().filter(|leaf| *leaf < moment.size.next_leaf());
    v1::Edge {
        contract_id: link.contract.map(|(id, _)| id.to_string()).unwrap_or_default(),
        leaf: link.leaf.get(),
        leaf_time_ms: link.at.as_millis(),
        ended_leaf: ended.map(|leaf| leaf.get()),
        ..from_token(id, link, moment)
    }
}

/// To whom it may be told: all of an edge in the caller's sight, and of another one no more than the
/// token says that led the caller to it.
pub(super) fn told(caller: &Caller, state: &State, id: ChainId, moment: Moment) -> Option<v1::Edge> {
    let seen = caller.is_admin() || caller.is_party_to_chain(state, id);
    let tell = if seen { edge } else { from_token };
    state.chain(&id).map(|link| tell(id, link, moment))
}

fn from_token(id: ChainId, link: &Chain, moment: Moment) -> v1::Edge {
    v1::Edge {
        chain_id: id.as_bytes().to_vec(),
        parent: link.parent.map(|parent| parent.as_bytes().to_vec()).unwrap_or_default(),
        grant_id: link.grant_id.to_string(),
        grantor: link.grantor.to_string(),
        holder: link.holder.to_string(),
        originator: link.originator.to_string(),
        rights: link.rights.to_bytes(),
        state: link.state_at(moment.size).unwrap_or(contract::State::None).name().into(),
        ..v1::Edge::default()
    }
}

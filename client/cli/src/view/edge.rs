//! One edge of the delegation graph.

use countersign::Edge;
use serde::Serialize;

use super::RightsView;

/// An edge. It is the broker's word: what was signed is verified where a chain is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EdgeView {
    pub(crate) chain_id: String,
    pub(crate) parent: Option<String>,
    pub(crate) grant_id: String,
    pub(crate) contract_id: Option<String>,
    pub(crate) grantor: String,
    pub(crate) holder: String,
    pub(crate) originator: String,
    pub(crate) state: &'static str,
    pub(crate) rights: RightsView,
    pub(crate) leaf: Option<u64>,
    pub(crate) ended_leaf: Option<u64>,
}

impl From<&Edge> for EdgeView {
    fn from(edge: &Edge) -> Self {
        Self {
            chain_id: edge.chain_id.to_string(),
            parent: edge.parent.map(|parent| parent.to_string()),
            grant_id: edge.grant.to_string(),
            contract_id: edge.contract.map(|contract| contract.to_string()),
            grantor: edge.grantor.to_string(),
            holder: edge.holder.to_string(),
            originator: edge.originator.to_string(),
            state: edge.state.name(),
            rights: RightsView::from(&edge.rights),
            leaf: edge.began.map(|(leaf, _)| leaf.get()),
            ended_leaf: edge.ended.map(|leaf| leaf.get()),
        }
    }
}

impl EdgeView {
    /// Whether it is a grant or came of a contract.
    pub(crate) fn kind(&self) -> &'static str {
        if self.parent.is_some() { "contract" } else { "grant" }
    }

    /// What the ledger calls it: the grant at the root, or the contract.
    pub(crate) fn id(&self) -> &str {
        self.contract_id.as_deref().unwrap_or(&self.grant_id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use countersign::{Edge, Link};

    use super::*;
    use crate::view::link::tests::link;

    /// Edge number `chain` beneath number `parent`, whose holder signed it; a grant beneath none.
    pub(crate) fn edge(chain: u8, parent: Option<u8>, holder: &str) -> Edge {
        let Link { chain_id, parent, grant, contract, holder, originator, state, rights, leaf, at, .. } =
            link(chain, parent, holder);
        let grantor = link(0, None, "planner").holder;
        Edge {
            chain_id,
            parent,
            grant,
            contract,
            grantor,
            holder,
            originator,
            rights,
            began: Some((leaf, at)),
            state,
            ended: None,
        }
    }

    /// Several edges, as they are shown.
    pub(crate) fn views(edges: &[Edge]) -> Vec<EdgeView> {
        edges.iter().map(EdgeView::from).collect()
    }
}

//! One link of a chain, as the ledger has it.

use countersign::Link;
use countersign_protocol::contract::State;
use serde::Serialize;

use super::{RightsView, rights::BudgetView};

/// A link. It is the broker's word: what was signed is verified where a chain is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LinkView {
    pub(crate) chain_id: String,
    pub(crate) parent: Option<String>,
    pub(crate) grant_id: String,
    pub(crate) contract_id: Option<String>,
    pub(crate) holder: String,
    pub(crate) originator: String,
    pub(crate) state: &'static str,
    pub(crate) rights: RightsView,
    pub(crate) leaf: u64,
    #[serde(flatten)]
    pub(crate) account: AccountView,
}

/// How a budget stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AccountView {
    pub(crate) settled: u64,
    pub(crate) open: u64,
    pub(crate) delegated: u64,
    pub(crate) left: u64,
}

impl From<&Link> for LinkView {
    fn from(link: &Link) -> Self {
        let (settled, open, delegated) = (link.settled.get(), link.open.get(), link.delegated.get());
        // Amounts are below 2^63, and a broker that states more than there was has left nothing.
        let used = settled.saturating_add(open).saturating_add(delegated);
        Self {
            chain_id: link.chain_id.to_string(),
            parent: link.parent.map(|parent| parent.to_string()),
            grant_id: link.grant.to_string(),
            contract_id: link.contract.map(|contract| contract.to_string()),
            holder: link.holder.to_string(),
            originator: link.originator.to_string(),
            state: link.state.name(),
            rights: RightsView::from(&link.rights),
            leaf: link.leaf.get(),
            account: AccountView {
                settled,
                open,
                delegated,
                left: link.rights.budget.ceiling.get().saturating_sub(used),
            },
        }
    }
}

impl LinkView {
    /// What the ledger calls it: the grant at the root, or the contract.
    pub(crate) fn id(&self) -> &str {
        self.contract_id.as_deref().unwrap_or(&self.grant_id)
    }

    /// Whether it has not ended: it can be used, or it may be used again.
    pub(crate) fn is_active(&self) -> bool {
        [State::Active, State::Suspended].iter().any(|state| state.name() == self.state)
    }

    /// How its budget stands.
    pub(crate) fn account(&self) -> String {
        self.account.line(&self.rights.budget)
    }
}

impl AccountView {
    /// For people.
    pub(crate) fn line(&self, budget: &BudgetView) -> String {
        let Self { settled, open, delegated, left } = self;
        let mut parts = vec![format!("{settled} used")];
        if *open > 0 {
            parts.push(format!("{open} under way"));
        }
        if *delegated > 0 {
            parts.push(format!("{delegated} delegated"));
        }
        format!("{left} of {} {} left ({})", budget.ceiling, budget.unit, parts.join(", "))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use countersign_protocol::{
        capability::Amount,
        digest::ChainId,
        ledger::LeafIndex,
        settings::{self, Scope},
        time::{Lifetime, Timestamp},
    };

    use super::*;

    const RIGHTS: &str = r#"
audiences = ["spiffe://acme.example/service/files"]
delegations_left = 1
budget = { unit = "calls", ceiling = 10, per_call = 1 }
capability = [{ resource = "file:/data/**", actions = ["read"] }]
"#;

    /// Link number `chain` beneath number `parent`; a grant beneath none.
    pub(crate) fn link(chain: u8, parent: Option<u8>, holder: &str) -> Link {
        let scope = settings::read("rights.toml", RIGHTS, Scope::read).unwrap();
        let from = Timestamp::new(1_800_000_000_000).unwrap();
        let contract = format!("01939f3e-0000-7000-8000-0000000000{chain:02x}");
        let holder = format!("spiffe://acme.example/agent/{holder}/i/01939f3e-0000-7000-8000-000000000001");
        let amount = |amount| Amount::new(amount).unwrap();
        Link {
            chain_id: ChainId::from_bytes([chain; 32]),
            parent: parent.map(|parent| ChainId::from_bytes([parent; 32])),
            grant: "01939f3e-0000-7000-8000-000000000000".parse().unwrap(),
            contract: parent.map(|_| contract.parse().unwrap()),
            holder: holder.parse().unwrap(),
            originator: "spiffe://acme.example/human/alice".parse().unwrap(),
            state: State::Active,
            rights: scope.between(from, Lifetime::from_millis(3_600_000)).unwrap(),
            leaf: LeafIndex::new(7).unwrap(),
            settled: amount(1),
            open: amount(2),
            delegated: amount(3),
            at: from,
            rebind: countersign_protocol::contract::Rebind::Never,
            chains: 1,
            hop: None,
            asked: None,
        }
    }

    /// Several links, as they are shown.
    pub(crate) fn views(links: &[Link]) -> Vec<LinkView> {
        links.iter().map(LinkView::from).collect()
    }

    #[test]
    fn what_is_left_is_what_is_neither_used_nor_promised() {
        let view = LinkView::from(&link(1, None, "planner"));
        assert_eq!(view.account(), "4 of 10 calls left (1 used, 2 under way, 3 delegated)");
        assert_eq!((view.id(), view.parent.as_deref()), ("01939f3e-0000-7000-8000-000000000000", None));
        let over = Link { settled: Amount::new(u64::MAX >> 1).unwrap(), ..link(1, None, "planner") };
        assert_eq!(LinkView::from(&over).account.left, 0);
    }
}

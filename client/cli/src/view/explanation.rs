//! Why an invocation was allowed, who answers for it, and what came of it.

use countersign_protocol::{
    domain::InvocationOutcome,
    explain::{Ended, ExplainedLink, Explanation},
    ledger::Checkpoint,
    receipt::{ActionOutcome, Receipt},
};
use serde::Serialize;

use super::RightsView;
use crate::{
    table::{GOOD, Page, SAID},
    terminal::View,
};

/// A bundle that was verified.
#[derive(Debug, Serialize)]
pub(crate) struct ExplanationView {
    pub(crate) invocation_id: String,
    pub(crate) trust_domain: String,
    pub(crate) originator: String,
    pub(crate) chain: Vec<ChainLinkView>,
    pub(crate) callee: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) arguments_digest: String,
    pub(crate) decided: String,
    pub(crate) intent_leaf: u64,
    pub(crate) outcome: OutcomeView,
    pub(crate) checkpoint: CheckpointView,
    pub(crate) proven: Vec<String>,
    pub(crate) attested: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ChainLinkView {
    pub(crate) chain_id: String,
    pub(crate) grantor: String,
    pub(crate) holder: String,
    /// Whom the contract names, where another instance of it has taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grantee: Option<String>,
    pub(crate) contract_id: Option<String>,
    pub(crate) contract_hash: Option<String>,
    pub(crate) rights: RightsView,
    pub(crate) leaf: u64,
    pub(crate) at: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct OutcomeView {
    /// `open`, `receipted`, `cancelled` or `unknown`.
    pub(crate) state: &'static str,
    pub(crate) settled: Option<u64>,
    pub(crate) leaf: Option<u64>,
    pub(crate) at: Option<String>,
    pub(crate) receipt: Option<ReceiptView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReceiptView {
    pub(crate) callee: String,
    /// `done` or `failed`.
    pub(crate) outcome: &'static str,
    pub(crate) result_digest: String,
    pub(crate) cost: u64,
    pub(crate) finished: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct CheckpointView {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: String,
}

impl From<&Explanation> for ExplanationView {
    fn from(it: &Explanation) -> Self {
        Self {
            invocation_id: it.invocation_id.to_string(),
            trust_domain: it.originator.domain().to_string(),
            originator: it.originator.to_string(),
            chain: it.links.iter().map(ChainLinkView::from).collect(),
            callee: it.callee.to_string(),
            action: it.action.to_string(),
            resource: it.resource.to_string(),
            arguments_digest: it.arguments.to_string(),
            decided: it.decided.to_string(),
            intent_leaf: it.intent.get(),
            outcome: it.end.as_ref().map_or_else(OutcomeView::open, OutcomeView::ended),
            checkpoint: CheckpointView::from(&it.checkpoint),
            proven: it.proven.iter().map(ToString::to_string).collect(),
            attested: it.attested.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&Checkpoint> for CheckpointView {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            origin: checkpoint.origin.to_string(),
            size: checkpoint.size.get(),
            root: checkpoint.root.to_string(),
        }
    }
}

impl From<&ExplainedLink> for ChainLinkView {
    fn from(link: &ExplainedLink) -> Self {
        Self {
            chain_id: link.chain_id.to_string(),
            grantor: link.grantor.to_string(),
            holder: link.holder.to_string(),
            grantee: link.named.as_ref().map(ToString::to_string),
            contract_id: link.contract.map(|(id, _)| id.to_string()),
            contract_hash: link.contract.map(|(_, hash)| hash.to_string()),
            rights: RightsView::from(&link.rights),
            leaf: link.leaf.get(),
            at: link.at.to_string(),
        }
    }
}

impl From<&Receipt> for ReceiptView {
    fn from(receipt: &Receipt) -> Self {
        Self {
            callee: receipt.callee.to_string(),
            outcome: match receipt.outcome {
                ActionOutcome::Done => "done",
                ActionOutcome::Failed => "failed",
            },
            result_digest: receipt.result.to_string(),
            cost: receipt.cost.get(),
            finished: receipt.finished.to_string(),
        }
    }
}

impl View for ExplanationView {
    fn write(&self, page: &mut Page) {
        page.heading(&format!("Invocation {} in {}", self.invocation_id, self.trust_domain));
        page.node(&[], &[self.originator.clone(), "  answers for everything beneath".to_owned()]);
        let mut ancestors = vec![false];
        for link in &self.chain {
            page.node(&ancestors, &link.lines());
            ancestors.push(false);
        }
        page.node(&ancestors, &self.invocation());
        ancestors.push(false);
        page.node(&ancestors, &self.outcome.lines());

        page.heading("Proven by signatures and by the log");
        self.proven.iter().for_each(|sentence| page.marked(GOOD, "✓", sentence));
        page.heading("Attested by the broker, and not shown by this evidence");
        self.attested.iter().for_each(|sentence| page.marked(SAID, "?", sentence));
    }
}

impl ExplanationView {
    fn invocation(&self) -> Vec<String> {
        vec![
            format!("{} on {}", self.action, self.resource),
            format!("  at {}", self.callee),
            format!("  allowed {}, leaf {}", self.decided, self.intent_leaf),
            format!("  arguments of digest {}", self.arguments_digest),
        ]
    }
}

impl ChainLinkView {
    fn lines(&self) -> Vec<String> {
        let made = match &self.contract_id {
            Some(contract) => format!("contract {contract} with {}", self.grantor),
            None => format!("grant signed by {}", self.grantor),
        };
        let since = format!("  since {}, leaf {}", self.at, self.leaf);
        let mut lines = vec![self.holder.clone(), format!("  by {made}"), since];
        lines
            .extend(self.grantee.iter().map(|grantee| format!("  taken over; the contract names {grantee}")));
        lines.extend(self.rights.lines());
        lines
    }
}

impl OutcomeView {
    fn open() -> Self {
        Self { state: "open", settled: None, leaf: None, at: None, receipt: None }
    }

    fn ended(end: &Ended) -> Self {
        Self {
            state: match end.outcome {
                InvocationOutcome::Receipted => "receipted",
                InvocationOutcome::Cancelled => "cancelled",
                InvocationOutcome::Unknown => "unknown",
                InvocationOutcome::InSession => "in_session",
            },
            settled: Some(end.settled.get()),
            leaf: Some(end.leaf.get()),
            at: Some(end.at.to_string()),
            receipt: end.receipt.as_ref().map(ReceiptView::from),
        }
    }

    fn lines(&self) -> Vec<String> {
        let when = |what: &str| {
            let at = self.at.as_deref().unwrap_or("?");
            format!("{what} {at}, leaf {}", self.leaf.unwrap_or_default())
        };
        let cost = format!("  settled at {}", self.settled.unwrap_or_default());
        match (self.state, &self.receipt) {
            ("open", _) => vec!["no result yet".to_owned()],
            ("in_session", _) => vec![when("answered in a session,"), cost],
            ("cancelled", _) => vec![when("cancelled before it was forwarded,")],
            (_, Some(receipt)) => vec![
                when(&format!("{}, with a receipt signed by the callee,", receipt.outcome)),
                cost,
                format!("  result of digest {}", receipt.result_digest),
            ],
            _ => vec![when("outcome unknown, closed"), cost],
        }
    }
}

//! `countersign contract list`, `show`, `verify`, and what becomes of contracts

use clap::{Args, Subcommand};
use countersign::{Agent, Held};
use countersign_protocol::contract::ContractBody;
use serde::Serialize;

use super::{change, rebind};
use crate::{
    context::Context,
    exit::Exit,
    failure::Failure,
    lookup::{Name, links},
    table::{Page, Short},
    terminal::View,
    view::{ContractView, LinkView, VerifiedView},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// List the contracts that you are a party to; all of them for an admin.
    List(List),
    /// Show what both parties signed, once it has been verified.
    Show(Which),
    /// Show what is verified of a contract, back to the key of its trust domain.
    Verify(Which),
    /// Let nothing be used under it, nor beneath it, until the same side resumes it.
    Suspend(change::Held),
    /// Take back a suspension that the same side made.
    Resume(change::Held),
    /// Give back what you hold, with all beneath it. It does not come back.
    Retire(change::Which),
    /// End it, with all beneath it, and record that the other side broke it. It does not come back.
    Breach(change::Breach),
    Rebind(rebind::TakeOver),
    Consent(rebind::Consent),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Also those that ended.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The contract, or its chain.
    #[arg(value_name = "ID")]
    contract: Name,
}

#[derive(Serialize)]
struct Contracts {
    contracts: Vec<LinkView>,
}

/// A contract and nothing else of it: what `verify` is about.
#[derive(Serialize)]
struct Names {
    contract_id: String,
    hash: String,
    chain_id: String,
    token_hops: usize,
    activation_leaf: u64,
}

impl Contract {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show(which) => which.show(context).await,
            Self::Verify(which) => which.verify(context).await,
            Self::Suspend(held) => held.suspend(context).await,
            Self::Resume(held) => held.resume(context).await,
            Self::Retire(which) => which.retire(context).await,
            Self::Breach(breach) => breach.run(context).await,
            Self::Rebind(take_over) => take_over.run(context).await,
            Self::Consent(consent) => consent.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut contracts = context.as_person(async |agent, _| links(agent).await).await?;
        contracts.retain(|link| link.contract_id.is_some() && (self.all || link.is_active()));
        context.terminal.show(&Contracts { contracts })
    }
}

impl Which {
    async fn show(self, context: &mut Context) -> Result<(), Failure> {
        let held = context.as_person(async |agent, _| self.fetch(agent).await).await?;
        let view = ContractView::from(self.contract(&held)?);
        context.terminal.show(&view)
    }

    async fn verify(self, context: &mut Context) -> Result<(), Failure> {
        let held = context
            .as_person(async |agent, _| {
                let held = self.fetch(agent).await?;
                let id = self.contract(&held)?.contract_id;
                // Holds the keys in it against the domain's record of the parties.
                let known = agent.contract(id).await;
                known.map_err(|error| Failure::sdk(format!("{} does not verify", self.contract), &error))?;
                Ok(held)
            })
            .await?;
        let contract = self.contract(&held)?;
        let view = VerifiedView { subject: Names::of(&held, contract), verified: sentences(&held, contract) };
        context.terminal.show(&view)
    }

    /// The chain, which the SDK verifies as a whole before it gives it out.
    async fn fetch(&self, agent: &Agent) -> Result<Held, Failure> {
        let chain = self.contract.chain(agent).await?;
        let held = agent.held(chain).await;
        held.map_err(|error| Failure::sdk(format!("{} is not shown", self.contract), &error))
    }

    fn contract<'a>(&self, held: &'a Held) -> Result<&'a ContractBody, Failure> {
        held.contract().ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                format!("{} is not shown", self.contract),
                "It is a grant, and no contract.",
                "See it with countersign grant list.",
            )
        })
    }
}

/// What [`Agent::held`] and [`Agent::contract`] have verified, or they would have failed.
fn sentences(held: &Held, contract: &ContractBody) -> Vec<String> {
    let token = held.token();
    let activation = held.active().activation();
    let (grantor, grantee) = (&contract.grantor.instance, &contract.grantee.instance);
    let hops = match token.depth() {
        1 => "The token's one hop is".to_owned(),
        hops => format!("Each of the token's {hops} hops is"),
    };
    vec![
        format!("{grantor} signed it."),
        format!("{grantee} signed the same bytes."),
        "The keys that signed are those that the domain recorded of the two.".to_owned(),
        format!("The token's last hop follows from it, and {grantor} signed that hop too."),
        format!(
            "{hops} within the right before it, back to the grant for {}, which the key of {} signed.",
            token.grant().originator,
            token.grant().domain
        ),
        format!("{} activated the chain at leaf {}.", activation.domain, activation.leaf),
    ]
}

impl Names {
    fn of(held: &Held, contract: &ContractBody) -> Self {
        Self {
            contract_id: contract.contract_id.to_string(),
            hash: contract.hash().to_string(),
            chain_id: held.chain_id().to_string(),
            token_hops: held.token().depth(),
            activation_leaf: held.active().activation().leaf.get(),
        }
    }
}

impl View for Names {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("contract", self.contract_id.clone()),
            ("hash", self.hash.clone()),
            ("chain", self.chain_id.clone()),
        ]);
    }
}

impl View for Contracts {
    const ROWS: Option<&'static str> = Some("contracts");

    fn write(&self, page: &mut Page) {
        let short = Short::of(self.contracts.iter().map(|link| link.chain_id.as_str()));
        let row = |link: &LinkView| {
            vec![
                link.id().to_owned(),
                link.holder.clone(),
                link.rights.summary(),
                link.state.to_owned(),
                format!(
                    "{} of {} {}",
                    link.account.left, link.rights.budget.ceiling, link.rights.budget.unit
                ),
                link.rights.not_after.clone(),
                short.show(&link.chain_id),
            ]
        };
        let header = ["CONTRACT", "HOLDER", "MAY", "STATE", "LEFT", "UNTIL", "CHAIN"];
        page.table(&header, self.contracts.iter().map(row).collect(), "There are none.");
    }
}

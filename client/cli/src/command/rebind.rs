//! `countersign contract rebind` and `consent`

use clap::Args;
use countersign::{Agent, Link, RebindAsked, TakenOver};
use countersign_protocol::{contract::Rebind, name::InstanceId};
use serde::Serialize;

use crate::{
    context::Context, exit::Exit, failure::Failure, lookup::Name, table::Page, terminal::View, view::LinkView,
};

/// Take over what another copy of you held: after a restart, or on another machine.
///
/// Without a contract it lists what there is to take over. The other copy can do nothing more under it, what it
/// had handed on has ended, and what was left of the budget is what you have. Where the contract asks for its
/// grantor's consent, the grantor is asked.
#[derive(Debug, Args)]
pub(crate) struct TakeOver {
    /// The contract, or its chain.
    #[arg(value_name = "ID", requires = "confirm")]
    contract: Option<Name>,
    /// Do it, if it ends exactly this many chains.
    #[arg(long, value_name = "N", requires = "contract")]
    confirm: Option<u64>,
}

/// Let another copy of whom you delegated to take the contract over.
///
/// Without a contract it lists who asks.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// The contract, or its chain.
    #[arg(value_name = "ID", requires = "to")]
    contract: Option<Name>,
    /// Only if it is this copy that asks.
    #[arg(long, value_name = "INSTANCE", requires = "contract")]
    to: Option<InstanceId>,
}

#[derive(Serialize)]
struct Takeable {
    contracts: Vec<TakeableView>,
}

/// A contract that can be taken over.
#[derive(Serialize)]
struct TakeableView {
    #[serde(flatten)]
    link: LinkView,
    /// `domain`: at once; `grantor_consent`: if the grantor agrees.
    rebind: &'static str,
    chains: u64,
}

#[derive(Serialize)]
struct Askers {
    asked: Vec<AskedView>,
}

#[derive(Serialize)]
struct AskedView {
    contract_id: Option<String>,
    holder: String,
    by: String,
}

#[derive(Serialize)]
struct Done {
    contract_id: Option<String>,
    chain_id: String,
    holder: String,
    /// `held`, or `asked`: its grantor has to consent first.
    outcome: &'static str,
}

impl TakeOver {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let (Some(name), Some(confirmed)) = (self.contract, self.confirm) else { return list(context).await };
        let done = context
            .as_person(async |agent, _| {
                let link = found(takeable(agent).await?, &name)?;
                let link = Link { chains: confirmed, ..link };
                let taken = agent.take_over(&link).await;
                let taken = taken.map_err(|error| Failure::sdk("Nothing was taken over", &error))?;
                let contract_id = link.contract.map(|id| id.to_string());
                Ok(match taken {
                    TakenOver::Held(held) => Done {
                        contract_id,
                        chain_id: held.chain_id().to_string(),
                        holder: held.holder().instance.to_string(),
                        outcome: "held",
                    },
                    TakenOver::Asked => Done {
                        contract_id,
                        chain_id: link.chain_id.to_string(),
                        holder: link.holder.to_string(),
                        outcome: "asked",
                    },
                })
            })
            .await?;
        context.terminal.show(&done)
    }
}

async fn list(context: &mut Context) -> Result<(), Failure> {
    let links = context.as_person(async |agent, _| takeable(agent).await).await?;
    let contracts = links.iter().map(|link| TakeableView {
        link: LinkView::from(link),
        rebind: if link.rebind == Rebind::GrantorConsent { "grantor_consent" } else { "domain" },
        chains: link.chains,
    });
    context.terminal.show(&Takeable { contracts: contracts.collect() })
}

async fn takeable(agent: &Agent) -> Result<Vec<Link>, Failure> {
    agent.rebindable().await.map_err(|error| Failure::sdk("What can be taken over was not listed", &error))
}

fn found(links: Vec<Link>, name: &Name) -> Result<Link, Failure> {
    let views: Vec<LinkView> = links.iter().map(LinkView::from).collect();
    let chain = &name.only(&views)?.chain_id;
    let found = links.into_iter().find(|link| link.chain_id.to_string() == *chain);
    found.ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            "Nothing was taken over",
            format!("{name} is not yours to take over."),
            "List what is with countersign contract rebind.",
        )
    })
}

impl Consent {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let (Some(name), Some(to)) = (self.contract, self.to) else { return list_asked(context).await };
        let done = context
            .as_person(async |agent, _| {
                let chain = name.chain(agent).await?;
                let asked = asked(agent)
                    .await?
                    .into_iter()
                    .find(|it| it.link.chain_id == chain && it.by.instance == to);
                let asked = asked.ok_or_else(|| {
                    Failure::new(
                        Exit::NotFound,
                        "Nothing was consented to",
                        format!("{to} does not ask for {name}."),
                        "List who asks with countersign contract consent.",
                    )
                })?;
                let link = agent.consent_to_rebind(&asked).await;
                let link = link.map_err(|error| Failure::sdk("Nothing was consented to", &error))?;
                Ok(Done {
                    contract_id: link.contract.map(|id| id.to_string()),
                    chain_id: link.chain_id.to_string(),
                    holder: link.holder.to_string(),
                    outcome: "held",
                })
            })
            .await?;
        context.terminal.show(&done)
    }
}

async fn list_asked(context: &mut Context) -> Result<(), Failure> {
    let asked = context.as_person(async |agent, _| asked(agent).await).await?;
    let asked = asked.iter().map(|it| AskedView {
        contract_id: it.link.contract.map(|id| id.to_string()),
        holder: it.link.holder.to_string(),
        by: it.by.instance.to_string(),
    });
    context.terminal.show(&Askers { asked: asked.collect() })
}

async fn asked(agent: &Agent) -> Result<Vec<RebindAsked>, Failure> {
    agent.rebinds_asked().await.map_err(|error| Failure::sdk("Who asks was not listed", &error))
}

impl View for Takeable {
    const ROWS: Option<&'static str> = Some("contracts");

    fn write(&self, page: &mut Page) {
        let row = |it: &TakeableView| {
            let chains = it.chains.to_string();
            vec![
                it.link.id().to_owned(),
                it.link.holder.clone(),
                it.link.rights.summary(),
                it.rebind.to_owned(),
                chains,
            ]
        };
        let header = ["CONTRACT", "HOLDER", "MAY", "REBIND", "CHAINS"];
        page.table(&header, self.contracts.iter().map(row).collect(), "There is nothing to take over.");
    }
}

impl View for Askers {
    const ROWS: Option<&'static str> = Some("asked");

    fn write(&self, page: &mut Page) {
        let row = |it: &AskedView| {
            vec![it.contract_id.clone().unwrap_or_default(), it.holder.clone(), it.by.clone()]
        };
        let header = ["CONTRACT", "HOLDER", "ASKED BY"];
        page.table(&header, self.asked.iter().map(row).collect(), "Nobody asks.");
    }
}

impl View for Done {
    fn write(&self, page: &mut Page) {
        let what = if self.outcome == "held" { "held by" } else { "its grantor is asked; held by" };
        page.fields(&[
            ("contract", self.contract_id.clone().unwrap_or_default()),
            ("chain", self.chain_id.clone()),
            (what, self.holder.clone()),
        ]);
    }
}

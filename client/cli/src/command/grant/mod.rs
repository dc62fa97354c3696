//! `countersign grant create`, `countersign grant list`

mod create;
pub(crate) mod rights;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    context::Context,
    failure::Failure,
    table::{Page, Short},
    terminal::View,
    view::LinkView,
};

use create::Create;

#[derive(Debug, Subcommand)]
pub(crate) enum Grant {
    Create(Box<Create>),
    /// List the grants that you gave or hold; all of them for an admin.
    List(List),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Also those that ended.
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Grants {
    grants: Vec<LinkView>,
}

impl Grant {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::List(list) => list.run(context).await,
        }
    }
}

impl List {
    async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let links = context
            .as_person(async |agent, _| {
                let links = agent.grants().await;
                links.map_err(|error| Failure::sdk("The grants were not listed", &error))
            })
            .await?;
        let grants = links.iter().map(LinkView::from).filter(|grant| self.all || grant.is_active());
        let grants = grants.collect();
        context.terminal.show(&Grants { grants })
    }
}

impl View for Grants {
    const ROWS: Option<&'static str> = Some("grants");

    fn write(&self, page: &mut Page) {
        let short = Short::of(self.grants.iter().map(|grant| grant.chain_id.as_str()));
        let row = |grant: &LinkView| {
            vec![
                grant.grant_id.clone(),
                grant.holder.clone(),
                grant.rights.summary(),
                grant.state.to_owned(),
                format!(
                    "{} of {} {}",
                    grant.account.left, grant.rights.budget.ceiling, grant.rights.budget.unit
                ),
                grant.rights.not_after.clone(),
                grant.originator.clone(),
                short.show(&grant.chain_id),
            ]
        };
        let header = ["GRANT", "HOLDER", "MAY", "STATE", "LEFT", "UNTIL", "FOR", "CHAIN"];
        page.table(&header, self.grants.iter().map(row).collect(), "There are none.");
    }
}

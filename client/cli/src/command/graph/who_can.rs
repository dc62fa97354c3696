//! `countersign graph who-can`

use clap::Args;
use serde::Serialize;

use super::{AsOf, failed};
use crate::{
    context::Context,
    failure::Failure,
    table::{Page, Short},
    terminal::View,
    view::EdgeView,
    wanted::Wanted,
};

/// Show who can have something done, and by which chain.
///
/// Without --arg any arguments will do; chains that allow only some say so. Their budgets are not looked
/// at: countersign can tells whether one use would be allowed now.
#[derive(Debug, Args)]
pub(crate) struct WhoCan {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Serialize)]
struct Abilities {
    as_of: u64,
    abilities: Vec<Ability>,
}

#[derive(Serialize)]
struct Ability {
    #[serde(flatten)]
    edge: EdgeView,
    some_arguments: bool,
}

impl WhoCan {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let wanted = self.wanted.as_use()?;
        let found = context
            .as_person(async |agent, _| self.as_of.graph(agent).who_can(&wanted).await.map_err(failed));
        let found = found.await?;
        let ability = |it: &countersign::Ability| Ability {
            edge: EdgeView::from(&it.edge),
            some_arguments: it.some_arguments,
        };
        let abilities = found.items.iter().map(ability).collect();
        context.terminal.show(&Abilities { as_of: found.size.get(), abilities })
    }
}

impl Abilities {
    fn rows(&self, wide: bool) -> Vec<Vec<String>> {
        let short = Short::of(self.abilities.iter().map(|it| it.edge.chain_id.as_str()));
        let row = |it: &Ability| {
            let with = if it.some_arguments { "some" } else { "any" };
            let mut row = vec![it.edge.holder.clone(), it.edge.rights.summary(), with.to_owned()];
            row.extend([it.edge.rights.not_after.clone(), it.edge.id().to_owned()]);
            if wide {
                row.extend([it.edge.grantor.clone(), it.edge.originator.clone(), it.edge.chain_id.clone()]);
            } else {
                row.push(short.show(&it.edge.chain_id));
            }
            row
        };
        self.abilities.iter().map(row).collect()
    }
}

impl View for Abilities {
    const ROWS: Option<&'static str> = Some("abilities");

    fn write(&self, page: &mut Page) {
        let header = ["HOLDER", "MAY", "ARGUMENTS", "UNTIL", "GRANT OR CONTRACT", "CHAIN"];
        page.table(&header, self.rows(false), "Nobody that you may see can.");
    }

    fn write_wide(&self, page: &mut Page) {
        let header =
            ["HOLDER", "MAY", "ARGUMENTS", "UNTIL", "GRANT OR CONTRACT", "SIGNED BY", "FOR", "CHAIN"];
        page.table(&header, self.rows(true), "Nobody that you may see can.");
    }
}

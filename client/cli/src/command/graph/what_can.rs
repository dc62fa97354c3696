//! `countersign graph what-can`

use clap::Args;
use countersign::Holding;
use serde::Serialize;

use super::{AsOf, failed};
use crate::{
    context::Context,
    failure::Failure,
    table::{Page, Short},
    terminal::View,
    view::EdgeView,
};

/// Show what a principal, or one instance of it, can have done.
#[derive(Debug, Args)]
pub(crate) struct WhatCan {
    /// Who: spiffe://<trust domain>/<agent|human|service>/<name>, or an instance.
    #[arg(value_name = "HOLDER")]
    holder: Holding,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Serialize)]
struct Edges {
    as_of: u64,
    edges: Vec<EdgeView>,
}

impl WhatCan {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let found = context
            .as_person(async |agent, _| self.as_of.graph(agent).what_can(&self.holder).await.map_err(failed));
        let found = found.await?;
        let edges = found.items.iter().map(EdgeView::from).collect();
        context.terminal.show(&Edges { as_of: found.size.get(), edges })
    }
}

impl Edges {
    fn rows(&self, wide: bool) -> Vec<Vec<String>> {
        let short = Short::of(self.edges.iter().map(|edge| edge.chain_id.as_str()));
        let row = |edge: &EdgeView| {
            let rights = &edge.rights;
            let mut row = vec![rights.summary(), rights.audiences.join(", "), rights.budget.line()];
            row.extend([rights.not_after.clone(), edge.id().to_owned()]);
            if wide {
                row.extend([edge.holder.clone(), edge.grantor.clone(), edge.originator.clone()]);
                row.push(edge.chain_id.clone());
            } else {
                row.push(short.show(&edge.chain_id));
            }
            row
        };
        self.edges.iter().map(row).collect()
    }
}

impl View for Edges {
    const ROWS: Option<&'static str> = Some("edges");

    fn write(&self, page: &mut Page) {
        let header = ["MAY", "AT", "BUDGET", "UNTIL", "GRANT OR CONTRACT", "CHAIN"];
        page.table(&header, self.rows(false), "Nothing that you may see.");
    }

    fn write_wide(&self, page: &mut Page) {
        let header =
            ["MAY", "AT", "BUDGET", "UNTIL", "GRANT OR CONTRACT", "HOLDER", "SIGNED BY", "FOR", "CHAIN"];
        page.table(&header, self.rows(true), "Nothing that you may see.");
    }
}

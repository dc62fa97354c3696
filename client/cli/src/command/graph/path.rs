//! `countersign graph path`

use clap::Args;
use countersign::{Edge, Holding};
use countersign_protocol::name::PrincipalId;
use serde::Serialize;

use super::{AsOf, failed};
use crate::{
    context::Context,
    drawing::Drawing,
    failure::Failure,
    table::{Page, Short},
    terminal::View,
    view::EdgeView,
};

/// Show how rights came to a holder: each chain from the grant, or the first link that you may see.
#[derive(Debug, Args)]
pub(crate) struct Path {
    /// Who holds: spiffe://<trust domain>/<agent|human|service>/<name>, or an instance.
    #[arg(value_name = "HOLDER")]
    holder: Holding,
    /// Only chains that answer to this person.
    #[arg(long, value_name = "PRINCIPAL")]
    from: Option<PrincipalId>,
    /// Also what had ended.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Serialize)]
struct Paths {
    as_of: u64,
    paths: Vec<Way>,
}

#[derive(Serialize)]
struct Way {
    edges: Vec<EdgeView>,
}

impl Path {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let found = context.as_person(async |agent, _| {
            let graph = self.as_of.graph(agent);
            graph.paths(self.from.as_ref(), &self.holder, self.all).await.map_err(failed)
        });
        let found = found.await?;
        let way = |edges: &Vec<Edge>| Way { edges: edges.iter().map(EdgeView::from).collect() };
        let paths = found.items.iter().map(way).collect();
        context.terminal.show(&Paths { as_of: found.size.get(), paths })
    }
}

impl View for Paths {
    const ROWS: Option<&'static str> = Some("paths");

    fn write(&self, page: &mut Page) {
        let edges = || self.paths.iter().flat_map(|path| &path.edges);
        let short = Short::of(edges().map(|edge| edge.chain_id.as_str()));
        for path in &self.paths {
            let Some(first) = path.edges.first() else { continue };
            page.node(&[], std::slice::from_ref(&first.originator));
            for (depth, edge) in path.edges.iter().enumerate() {
                let lines = [
                    format!("{}  {}", edge.holder, edge.state),
                    format!("  {} {}, chain {}", edge.kind(), edge.id(), short.show(&edge.chain_id)),
                    format!("  {}", edge.rights.summary()),
                ];
                page.node(&vec![false; depth + 1], &lines);
            }
        }
        if self.paths.is_empty() {
            page.line("There is no chain that you may see.");
        }
    }

    fn drawing(&self) -> Option<Drawing> {
        Some(Drawing::of(self.paths.iter().flat_map(|path| &path.edges).collect()))
    }
}

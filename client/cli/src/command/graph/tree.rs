//! `countersign graph tree`

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::{AsOf, failed};
use crate::{
    context::Context,
    drawing::Drawing,
    failure::Failure,
    lookup::{self, Name},
    table::{Page, Short},
    terminal::View,
    view::{AccountView, EdgeView},
};

/// Show who delegated what to whom, as far as you may see it; everything for an admin.
///
/// Drawn for other programs with -o dot or -o mermaid.
#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// Only this grant, contract or chain and what is beneath it.
    #[arg(value_name = "ID")]
    top: Option<Name>,
    /// Also what had ended.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    as_of: AsOf,
}

/// One link with everything beneath it.
#[derive(Debug, Serialize)]
struct Node {
    #[serde(flatten)]
    edge: EdgeView,
    /// How its budget stands; nobody knows how it stood.
    #[serde(flatten)]
    account: Option<AccountView>,
    children: Vec<Node>,
}

/// Trees whose tops are grants, or links whose parents the caller may not see.
#[derive(Debug, Serialize)]
struct Forest {
    as_of: u64,
    trees: Vec<Node>,
}

/// An edge, and its budget where that is known.
type Link = (EdgeView, Option<AccountView>);

impl Tree {
    pub(super) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let Self { top, all, as_of } = self;
        let (size, links) = context
            .as_person(async |agent, _| {
                let top = match &top {
                    Some(top) => Some(top.chain(agent).await?),
                    None => None,
                };
                let found = as_of.graph(agent).edges(top, all).await.map_err(failed)?;
                let edges = found.items.iter().map(EdgeView::from);
                if as_of.is_past() {
                    return Ok((found.size, edges.map(|edge| (edge, None)).collect::<Vec<Link>>()));
                }
                let links = lookup::links(agent).await?;
                let mut accounts: BTreeMap<_, _> =
                    links.into_iter().map(|link| (link.chain_id.clone(), link.account)).collect();
                let with_account = |edge: EdgeView| {
                    let account = accounts.remove(&edge.chain_id);
                    (edge, account)
                };
                Ok((found.size, edges.map(with_account).collect()))
            })
            .await?;
        context.terminal.show(&Forest::grow(size.get(), links))
    }
}

impl Forest {
    /// Puts links beneath their parents. Those whose parents are not there are tops.
    fn grow(as_of: u64, links: Vec<Link>) -> Self {
        let known: std::collections::BTreeSet<String> =
            links.iter().map(|(edge, _)| edge.chain_id.clone()).collect();
        let mut tops = Vec::new();
        let mut beneath: BTreeMap<String, Vec<Link>> = BTreeMap::new();
        for link in links {
            match link.0.parent.clone().filter(|parent| known.contains(parent)) {
                Some(parent) => beneath.entry(parent).or_default().push(link),
                None => tops.push(link),
            }
        }
        Self { as_of, trees: tops.into_iter().map(|link| Node::grow(link, &mut beneath)).collect() }
    }

    fn edges(&self) -> Vec<&EdgeView> {
        let mut found = Vec::new();
        self.trees.iter().for_each(|tree| tree.edges(&mut found));
        found
    }
}

impl Node {
    /// Takes what is beneath out of the map, so that no list can lead around in a circle.
    fn grow((edge, account): Link, beneath: &mut BTreeMap<String, Vec<Link>>) -> Self {
        let children = beneath.remove(&edge.chain_id).unwrap_or_default();
        let children = children.into_iter().map(|child| Self::grow(child, beneath)).collect();
        Self { edge, account, children }
    }

    fn edges<'a>(&'a self, found: &mut Vec<&'a EdgeView>) {
        found.push(&self.edge);
        self.children.iter().for_each(|child| child.edges(found));
    }

    fn write(&self, ancestors: &mut Vec<bool>, short: &Short, page: &mut Page) {
        let EdgeView { holder, state, rights, originator, chain_id, .. } = &self.edge;
        let whom = if ancestors.is_empty() { format!("for {originator}, ") } else { String::new() };
        let account = self.account.as_ref().map(|account| account.line(&rights.budget));
        let budget = account.unwrap_or_else(|| rights.budget.line());
        page.node(
            ancestors,
            &[
                format!("{holder}  {state}"),
                format!("  {} {}, {whom}chain {}", self.edge.kind(), self.edge.id(), short.show(chain_id)),
                format!("  {}", rights.summary()),
                format!("  {budget}, until {}", rights.not_after),
            ],
        );
        let last = self.children.len().saturating_sub(1);
        for (index, child) in self.children.iter().enumerate() {
            ancestors.push(index != last);
            child.write(ancestors, short, page);
            ancestors.pop();
        }
    }
}

impl View for Forest {
    const ROWS: Option<&'static str> = Some("trees");

    fn write(&self, page: &mut Page) {
        let short = Short::of(self.edges().into_iter().map(|edge| edge.chain_id.as_str()));
        self.trees.iter().for_each(|tree| tree.write(&mut Vec::new(), &short, page));
        if self.trees.is_empty() {
            page.line("There are no chains that you may see.");
        }
    }

    fn drawing(&self) -> Option<Drawing> {
        Some(Drawing::of(self.edges()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::edge::tests::{edge, views};

    fn account() -> AccountView {
        AccountView { settled: 1, open: 2, delegated: 3, left: 4 }
    }

    fn forest(edges: &[countersign::Edge]) -> Forest {
        let links = views(edges).into_iter().map(|edge| (edge, Some(account()))).collect();
        Forest::grow(9, links)
    }

    #[test]
    fn links_stand_beneath_their_parents() {
        let forest = forest(&[
            edge(1, None, "planner"),
            edge(4, None, "other"),
            edge(2, Some(1), "researcher"),
            edge(3, Some(2), "fetcher"),
            edge(5, Some(1), "writer"),
            edge(7, Some(6), "guest"),
        ]);
        let json = serde_json::to_value(forest).unwrap();
        let tops: Vec<_> = json["trees"].as_array().unwrap().iter().map(|top| &top["chain_id"]).collect();
        let id = |chain: u8| serde_json::Value::from(format!("{chain:02x}").repeat(32));
        assert_eq!(tops, [&id(1), &id(4), &id(7)], "a link with an unknown parent is a top");
        assert_eq!(json["trees"][0]["children"][0]["children"][0]["chain_id"], id(3));
        assert_eq!(json["trees"][0]["children"][1]["chain_id"], id(5));
    }

    #[test]
    fn links_that_lead_in_a_circle_are_no_trees() {
        assert!(forest(&[edge(1, Some(2), "a"), edge(2, Some(1), "b")]).trees.is_empty());
    }

    #[test]
    fn a_tree_is_drawn_with_holder_state_budget_and_time() {
        let mut page = Page::default();
        forest(&[edge(2, Some(1), "researcher"), edge(3, Some(2), "fetcher")]).write(&mut page);
        let text = page.into_text();
        let expected = "\
spiffe://acme.example/agent/researcher/i/01939f3e-0000-7000-8000-000000000001  ACTIVE
  contract 01939f3e-0000-7000-8000-000000000002, for spiffe://acme.example/human/alice, chain 020202020202
  read on file:/data/**
  4 of 10 calls left (1 used, 2 under way, 3 delegated), until 2027-01-15T09:00:00.000Z
└─ spiffe://acme.example/agent/fetcher/i/01939f3e-0000-7000-8000-000000000001  ACTIVE
     contract 01939f3e-0000-7000-8000-000000000003, chain 030303030303
     read on file:/data/**
     4 of 10 calls left (1 used, 2 under way, 3 delegated), until 2027-01-15T09:00:00.000Z
";
        assert_eq!(text, expected);
    }
}

//! `countersign graph tree`

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    context::Context,
    failure::Failure,
    lookup::{self, Name},
    table::{Page, Short},
    terminal::View,
    view::LinkView,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Graph {
    /// Show who delegated what to whom, as far as you may see it; everything for an admin.
    Tree(Tree),
}

#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// Only this grant, contract or chain and what is beneath it.
    #[arg(value_name = "ID")]
    top: Option<Name>,
    /// Also what ended.
    #[arg(long)]
    all: bool,
}

/// One link with everything beneath it.
#[derive(Debug, Serialize)]
struct Node {
    #[serde(flatten)]
    link: LinkView,
    children: Vec<Node>,
}

/// Trees whose tops are grants, or links whose parents the caller may not see.
#[derive(Debug, Serialize)]
struct Forest {
    trees: Vec<Node>,
}

impl Graph {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let Self::Tree(Tree { top, all }) = self;
        let mut links = context.as_person(async |agent, _| lookup::links(agent).await).await?;
        let top = top.map(|name| name.only(&links).map(|link| link.chain_id.clone())).transpose()?;
        // What is beneath something that ended has ended too.
        links.retain(|link| all || link.is_active());
        context.terminal.show(&Forest::grow(links, top.as_deref()))
    }
}

impl Forest {
    /// Puts links beneath their parents.
    fn grow(links: Vec<LinkView>, top: Option<&str>) -> Self {
        let known: Vec<String> = links.iter().map(|link| link.chain_id.clone()).collect();
        let mut tops = Vec::new();
        let mut beneath: BTreeMap<String, Vec<LinkView>> = BTreeMap::new();
        for link in links {
            let parent = link.parent.clone().filter(|parent| known.contains(parent));
            match (top, parent) {
                (Some(top), _) if link.chain_id == top => tops.push(link),
                (_, Some(parent)) => beneath.entry(parent).or_default().push(link),
                (Some(_), None) => {}
                (None, None) => tops.push(link),
            }
        }
        Self { trees: tops.into_iter().map(|link| Node::grow(link, &mut beneath)).collect() }
    }
}

impl Node {
    /// Takes what is beneath out of the map, so that no list can lead around in a circle.
    fn grow(link: LinkView, beneath: &mut BTreeMap<String, Vec<LinkView>>) -> Self {
        let children = beneath.remove(&link.chain_id).unwrap_or_default();
        Self { children: children.into_iter().map(|child| Self::grow(child, beneath)).collect(), link }
    }

    fn chains<'a>(&'a self, found: &mut Vec<&'a str>) {
        found.push(&self.link.chain_id);
        self.children.iter().for_each(|child| child.chains(found));
    }

    fn write(&self, ancestors: &mut Vec<bool>, short: &Short, page: &mut Page) {
        let LinkView { holder, state, rights, originator, chain_id, .. } = &self.link;
        let kind = if self.link.contract_id.is_some() { "contract" } else { "grant" };
        let whom = if ancestors.is_empty() { format!("for {originator}, ") } else { String::new() };
        page.node(
            ancestors,
            &[
                format!("{holder}  {state}"),
                format!("  {kind} {}, {whom}chain {}", self.link.id(), short.show(chain_id)),
                format!("  {}", rights.summary()),
                format!("  {}, until {}", self.link.account(), rights.not_after),
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
    fn write(&self, page: &mut Page) {
        let mut chains = Vec::new();
        self.trees.iter().for_each(|tree| tree.chains(&mut chains));
        let short = Short::of(chains.into_iter());
        self.trees.iter().for_each(|tree| tree.write(&mut Vec::new(), &short, page));
        if self.trees.is_empty() {
            page.line("There are no chains that you may see.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::tests::{link, views};

    fn forest(top: Option<u8>) -> Forest {
        let links = [
            link(1, None, "planner"),
            link(4, None, "other"),
            link(2, Some(1), "researcher"),
            link(3, Some(2), "fetcher"),
            link(5, Some(1), "writer"),
            link(7, Some(6), "guest"),
        ];
        let top = top.map(|top| format!("{top:02x}").repeat(32));
        Forest::grow(views(&links), top.as_deref())
    }

    #[test]
    fn links_stand_beneath_their_parents() {
        let json = serde_json::to_value(forest(None)).unwrap();
        let tops: Vec<_> = json["trees"].as_array().unwrap().iter().map(|top| &top["chain_id"]).collect();
        let id = |chain: u8| serde_json::Value::from(format!("{chain:02x}").repeat(32));
        assert_eq!(tops, [&id(1), &id(4), &id(7)], "a link with an unknown parent is a top");
        assert_eq!(json["trees"][0]["children"][0]["children"][0]["chain_id"], id(3));
        assert_eq!(json["trees"][0]["children"][1]["chain_id"], id(5));
    }

    #[test]
    fn a_tree_can_be_looked_at_from_one_link_down() {
        let forest = forest(Some(2));
        assert_eq!(forest.trees.len(), 1);
        assert_eq!(forest.trees[0].children.len(), 1);
    }

    #[test]
    fn links_that_lead_in_a_circle_are_no_trees() {
        let links = views(&[link(1, Some(2), "a"), link(2, Some(1), "b")]);
        assert!(Forest::grow(links.clone(), None).trees.is_empty());
        let top = links[0].chain_id.clone();
        assert_eq!(Forest::grow(links, Some(&top)).trees.len(), 1);
    }

    #[test]
    fn a_tree_is_drawn_with_holder_state_budget_and_time() {
        let mut page = Page::default();
        forest(Some(2)).write(&mut page);
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

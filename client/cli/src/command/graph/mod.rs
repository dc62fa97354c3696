//! `countersign graph`: who delegated what to whom, now or at any earlier size of the ledger.

mod path;
mod tree;
mod watch;
mod what_can;
mod who_can;

use clap::{Args, Subcommand};
use countersign::{Agent, Error};
use countersign_protocol::ledger::TreeSize;

use crate::{command::revoke::Target, context::Context, failure::Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Graph {
    Tree(tree::Tree),
    WhoCan(who_can::WhoCan),
    WhatCan(what_can::WhatCan),
    Path(path::Path),
    /// Show what a revocation would end, and end nothing: the same as revoke --dry-run.
    BlastRadius(Target),
    Watch(watch::Watch),
}

/// The past.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct AsOf {
    /// As it was when the ledger had so many entries, back to the first.
    #[arg(long, value_name = "SIZE", value_parser = past)]
    as_of: Option<TreeSize>,
}

impl Graph {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        match self {
            Self::Tree(tree) => tree.run(context).await,
            Self::WhoCan(who_can) => who_can.run(context).await,
            Self::WhatCan(what_can) => what_can.run(context).await,
            Self::Path(path) => path.run(context).await,
            Self::BlastRadius(target) => target.preview(context).await,
            Self::Watch(watch) => watch.run(context).await,
        }
    }

    /// Whether it has a form of its own for `-o tree`, `dot` and `mermaid`.
    pub(crate) fn is_drawn(&self) -> bool {
        matches!(self, Self::Tree(_) | Self::Path(_))
    }
}

impl AsOf {
    fn graph(self, agent: &Agent) -> countersign::Graph<'_> {
        self.as_of.map_or(agent.graph(), |size| agent.graph().as_of(size))
    }

    fn is_past(self) -> bool {
        self.as_of.is_some()
    }
}

/// A size that a ledger can have had.
fn size(text: &str) -> Result<TreeSize, String> {
    let number = text.parse().map_err(|error| format!("{error}"))?;
    TreeSize::new(number).ok_or_else(|| "no ledger has that many entries".to_owned())
}

/// The same of one that was not empty.
fn past(text: &str) -> Result<TreeSize, String> {
    match size(text)? {
        TreeSize::ZERO => Err("before the first entry there was nothing".to_owned()),
        size => Ok(size),
    }
}

fn failed(error: Error) -> Failure {
    Failure::sdk("The graph was not read", &error)
}

//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use countersign_protocol::name::TrustDomain;

use crate::{command, terminal::Format};

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 2 usage, 3 denied, 4 not found, 5 tampered, 6 unavailable, 7 conflict.";

/// Grant rights to AI agents, watch over them, and answer for them.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// How data is printed.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// The trust domain to act in; needed only where there are sessions in several.
    #[arg(long, global = true, env = "COUNTERSIGN_DOMAIN", value_name = "DOMAIN")]
    pub(crate) domain: Option<TrustDomain>,
    /// Where sessions are kept [default: $XDG_STATE_HOME/countersign or ~/.local/state/countersign].
    #[arg(long, global = true, env = "COUNTERSIGN_HOME", value_name = "DIR", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,
}

/// The commands. Those without a comment are described where their arguments are.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Join(command::Join),
    /// Say in which trust domain commands act.
    #[command(subcommand)]
    Context(command::Context),
    Status(command::Status),
    Doctor(command::Doctor),
    /// See and admit the agents, services and people of the domain.
    #[command(subcommand)]
    Agent(command::Agent),
    /// Give rights to an agent: the root of every chain.
    #[command(subcommand)]
    Grant(command::Grant),
    /// Come to a contract by hand, from either side.
    #[command(subcommand)]
    Negotiate(command::Negotiate),
    /// Look into contracts.
    #[command(subcommand)]
    Contract(command::Contract),
    /// Look into tokens.
    #[command(subcommand)]
    Token(command::Token),
    Can(Box<command::Can>),
    Invoke(Box<command::Invoke>),
    /// See who delegated what to whom, now or as it was.
    #[command(subcommand)]
    Graph(Box<command::Graph>),
    Explain(command::Explain),
    Revoke(command::Revoke),
    /// Check the record of everything.
    #[command(subcommand)]
    Ledger(command::Ledger),
    Verify(command::Verify),
    Drain(command::Drain),
    Completion(command::Completion),
    Man(command::Man),
}

impl Command {
    /// Whether it has a form of its own for `-o tree`, `dot` and `mermaid`.
    pub(crate) fn is_drawn(&self) -> bool {
        matches!(self, Self::Graph(graph) if graph.is_drawn())
    }
}

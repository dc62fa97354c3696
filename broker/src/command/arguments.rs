//! The arguments of `countersignd`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use countersign_protocol::name::{PrincipalId, TrustDomain};

/// The Countersign broker.
#[derive(Debug, Parser)]
#[command(name = "countersignd", version, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// The configuration.
    #[arg(long, short, global = true, env = "COUNTERSIGN_CONFIG", default_value = "countersign.toml")]
    pub(super) config: PathBuf,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a trust domain: its keys, its ledger, and a join token for its first admin.
    Init {
        /// The trust domain, where there is no configuration yet.
        #[arg(long)]
        trust_domain: Option<TrustDomain>,
        /// The first admin, where there is no configuration yet.
        #[arg(long)]
        admin: Option<PrincipalId>,
        /// Where data and keys are to be, where there is no configuration yet; else beside it.
        #[arg(long, value_parser = state_dir)]
        state_dir: Option<String>,
        /// Where to put the join token, for its owner alone; else it goes to stdout.
        #[arg(long)]
        join_token_file: Option<PathBuf>,
    },
    /// Make another join token for an admin, while no broker runs.
    AdminToken {
        /// Who is to join with it; one of `admins`.
        admin: PrincipalId,
        /// Where to put the join token, for its owner alone; else it goes to stdout.
        #[arg(long)]
        join_token_file: Option<PathBuf>,
    },
    /// Serve until SIGTERM or SIGINT. Logs are JSON on stderr; COUNTERSIGN_LOG filters them.
    Run,
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look at everything that a broker needs, and say what to do about what is wrong.
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration.
    Check,
}

/// It goes into a TOML string as it is.
fn state_dir(text: &str) -> Result<String, String> {
    let fits = text.starts_with('/') && !text.contains(['"', '\\']) && !text.contains(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err("an absolute path without quotes or backslashes is expected".into())
    }
}

//! The arguments of `countersignd`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use countersign_protocol::{
    name::{PrincipalId, TrustDomain},
    trust::KeyPurpose,
};

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
    /// Copy what a broker keeps, apart from its keys, to a new directory, and check the copy. A broker may
    /// run meanwhile.
    Backup {
        /// The directory, which must not be there yet.
        directory: PathBuf,
    },
    /// Go on from a backup, as another ledger of the domain, while there is none.
    ///
    /// What could act at the time of the backup is held up: every instance is locked, every grant and contract
    /// suspended, every join token void. Make a token for an admin, run, revoke what was revoked since the
    /// backup, and resume the rest.
    Restore {
        /// What `countersignd backup` has made.
        backup: PathBuf,
    },
    /// See to the domain's private keys.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Look at everything that a broker needs, and say what to do about what is wrong.
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration.
    Check,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Replace keys by new ones, while no broker runs; or finish a rotation that was interrupted.
    ///
    /// The old keys sign the new ones, and the ledger tells of it. Agents and auditors follow. What the old
    /// keys have signed stays good; they sign nothing of what comes later.
    Rotate {
        /// Which keys.
        #[arg(value_enum, default_values_t = Purpose::ALL)]
        purposes: Vec<Purpose>,
    },
}

/// A key that can be rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Purpose {
    Capability,
    Activation,
    Checkpoint,
    Rebind,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Capability, Self::Activation, Self::Checkpoint, Self::Rebind];
}

impl From<Purpose> for KeyPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Capability => Self::Capability,
            Purpose::Activation => Self::Activation,
            Purpose::Checkpoint => Self::Checkpoint,
            Purpose::Rebind => Self::Rebind,
        }
    }
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

//! `countersign completion`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{args::Cli, context::Context, failure::Failure};

/// Print what completes commands in your shell.
///
/// For bash: countersign completion bash > ~/.local/share/bash-completion/completions/countersign
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "countersign", &mut script);
        context.terminal.print(&String::from_utf8_lossy(&script))
    }
}

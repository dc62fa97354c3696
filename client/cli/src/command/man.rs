//! `countersign man`

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;

use crate::{args::Cli, context::Context, exit::Exit, failure::Failure, output_file};

/// Print the manual page of countersign, or write those of all its commands to a directory.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write countersign.1, countersign-grant-create.1 and so on to this directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut command = Cli::command();
        command.build();
        let Some(dir) = self.dir else {
            let page = rendered(command)?;
            return context.terminal.print(&String::from_utf8_lossy(&page));
        };
        for (name, command) in pages("countersign", command) {
            output_file::write(&dir.join(format!("{name}.1")), &rendered(command)?)?;
        }
        Ok(())
    }
}

/// A command and all beneath it, each with the name of its page.
fn pages(name: &str, command: Command) -> Vec<(String, Command)> {
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let beneath: Vec<_> = command.get_subcommands().filter(shown).cloned().collect();
    let mut all = vec![(name.to_owned(), command)];
    for command in beneath {
        all.extend(pages(&format!("{name}-{}", command.get_name()), command));
    }
    all
}

fn rendered(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Page::new(command).render(&mut page).map_err(|error| {
        Failure::new(
            Exit::Unavailable,
            "There is no manual page",
            format!("{error}."),
            "Use --help, and report this.",
        )
    })?;
    Ok(page)
}

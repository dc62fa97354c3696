//! The Countersign command line: `countersign`.
//!
//! It is for people: those who grant rights, watch over them, and answer for them. Programs use the
//! SDK. Data goes to standard output, as a table or as one JSON document; messages go to standard
//! error; how it ended is the exit code (see [`Exit`]).

mod archive;
mod args;
mod audit;
mod command;
mod context;
mod drawing;
mod evidence;
mod exit;
mod failure;
mod input;
mod json;
mod keys;
mod limits;
mod lookup;
mod output_file;
mod progress;
mod session;
mod streams;
mod table;
mod terminal;
mod view;
mod wanted;

use std::ffi::OsString;

use clap::Parser as _;

use args::Cli;
use context::Context;
use terminal::{Format, Terminal};

pub use exit::Exit;
pub use failure::Failure;
pub use streams::Streams;

/// Runs one command. The first argument is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: Streams) -> Exit {
    let mut terminal = Terminal { streams, format: Format::Table };
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return terminal.explain_usage(&error),
    };
    terminal.format = cli.global.output;
    let mut context = Context { global: cli.global, terminal };
    match context.block_on(cli.command) {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            context.terminal.fail(&failure);
            failure.exit
        }
    }
}

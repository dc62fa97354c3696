//! `countersign`: see the library.

use std::process::ExitCode;

use countersign_cli::Streams;

fn main() -> ExitCode {
    countersign_cli::run(std::env::args_os(), Streams::standard()).into()
}

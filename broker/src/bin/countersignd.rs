//! `countersignd`: the Countersign broker.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_broker::command::run(std::env::args_os())
}

//! `cargo xtask codegen`: checks and generators that keep the house in order.

mod reasons;

use std::process::ExitCode;

fn main() -> ExitCode {
    match reasons::generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

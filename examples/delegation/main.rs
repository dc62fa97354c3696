//! alice → planner → researcher → fetcher → a files service: a whole delegation with real processes,
//! mutual TLS and a ledger on disk; then what an attacker would try, a revocation, and an audit with
//! the broker switched off.
//!
//! `cargo run --release --example delegation`
//!
//! The program runs itself once per process of the story. It exits with 1 if anything is not as it
//! says.

mod page;
mod process;
mod role;
mod scope;
mod script;
mod story;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let role = std::env::args().nth(1);
    let outcome = match role.as_deref() {
        None => story::tell().await,
        Some("broker") => role::broker::run().await,
        Some("auditor") => role::auditor::run().await,
        Some(name) => Box::pin(role::agent::run(name)).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            page::wrong(&*error);
            ExitCode::FAILURE
        }
    }
}

//! How much a broker mediates, and how fast, beside floors that do nothing else in the same run.
//!
//! `cargo run --release -p countersign-broker --example load`
//!
//! Broker, callee and callers are separate processes: this program in another role each. Three systems
//! run at once and are measured in turn, so that only figures of the same minute are compared:
//!
//! - **invoke**: the broker and the SDK, callers with a chain of their own each;
//! - **floor**: a relay over the callee's one stream with the same mutual TLS, the same number of Ed25519
//!   operations in the same processes and the same two group commits of entries as long, and nothing else;
//! - **relay**: the floor without signatures and commits.
//!
//! Of sessions, the first two are measured: **session** through the broker, where each connection has one
//! for all its callers, and its floor, with the same links, MACs, heads and commits.
//!
//! `COUNTERSIGN_LOAD_SECONDS` (2) each, `COUNTERSIGN_LOAD_ROUNDS` (5), `COUNTERSIGN_LOAD_CALLERS`
//! (`1,16,64,256`), `COUNTERSIGN_LOAD_LEDGERS` (`disk,memory`).
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::expect_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::panic, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::indexing_slicing, reason = "a measurement that cannot be set up must stop")]

mod drive;
mod floor;
mod floor_session;
#[expect(dead_code, reason = "memory is not measured here")]
mod process;
mod real;
mod report;
mod tls;

use std::{env, path::PathBuf};

use process::Process;
use report::{Run, Table};

/// A system that is measured: where its callers are told what to do, and whose work is counted.
struct System {
    name: &'static str,
    broker: Process,
    callers: Process,
    _callee: Process,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    match arguments.first().map(String::as_str) {
        None => conduct().await,
        Some("broker") => real::broker(&rest[0]).await,
        Some("callee") => real::callee(&rest[0]).await,
        Some("callers") => real::callers(rest).await,
        Some("floor-relay") => floor::relay(&rest[0], rest.get(1).map(PathBuf::from)).await,
        Some("floor-callee") => floor::callee(&rest[0], &rest[1], rest[2] == "signed").await,
        Some("floor-callers") => floor::callers(&rest[0], &rest[1], rest[2] == "signed").await,
        Some(other) => panic!("there is no role {other}"),
    }
}

async fn conduct() {
    let setting = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_owned());
    let seconds = setting("COUNTERSIGN_LOAD_SECONDS", "2");
    let rounds: usize = setting("COUNTERSIGN_LOAD_ROUNDS", "5").parse().expect("a number");
    let callers = setting("COUNTERSIGN_LOAD_CALLERS", "1,16,64,256");
    for ledger in setting("COUNTERSIGN_LOAD_LEDGERS", "disk,memory").split(',') {
        let directory = match ledger {
            "memory" => tempfile::tempdir_in("/dev/shm").expect("a file system in memory"),
            _ => tempfile::tempdir().unwrap(),
        };
        let mut systems = start(directory.path()).await;
        let mut table = Table::new(ledger);
        let mut peak = 0.0_f64;
        let mut unary = Vec::new();
        for callers in callers.split(',') {
            let command = format!("invoke closed {callers} {seconds}");
            let runs = measure(&mut systems, &command, rounds).await;
            let median = report::median(runs.iter().map(|round| round[0].per_second));
            peak = peak.max(median);
            unary.push(median);
            table.closed(callers, &runs);
        }
        let command = format!("invoke open {} {seconds}", (peak / 2.0).round());
        let runs = measure(&mut systems, &command, rounds).await;
        table.open(peak / 2.0, &runs);
        for (callers, unary) in callers.split(',').zip(unary) {
            let command = format!("session closed {callers} {seconds}");
            let runs = measure(&mut systems[..2], &command, rounds).await;
            table.sessions(callers, unary, &runs);
        }
        for system in systems {
            system.callers.end().await;
            system.broker.end().await;
        }
    }
}

/// One round after the other, each system once in each.
async fn measure(systems: &mut [System], command: &str, rounds: usize) -> Vec<Vec<Run>> {
    let mut runs = Vec::new();
    // The first one warms up.
    for round in 0..=rounds {
        let mut of_round = Vec::new();
        for system in systems.iter_mut() {
            let before = system.broker.processor_time();
            let told = system.callers.ask(command).await;
            let used = system.broker.processor_time() - before;
            of_round.push(Run::read(system.name, &told, used));
        }
        if round > 0 {
            runs.push(of_round);
        }
    }
    runs
}

async fn start(directory: &std::path::Path) -> Vec<System> {
    let text = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    for name in ["invoke", "floor", "tls"] {
        std::fs::create_dir(directory.join(name)).unwrap();
    }
    tls::make(&directory.join("tls"));
    let tls = text("tls");

    let (broker, callers, callee) = real::start(&text("invoke")).await;
    let mut systems = vec![System { name: "invoke", broker, callers, _callee: callee }];
    for (name, is_signed, ledger) in [("floor", "signed", Some(text("floor"))), ("relay", "bare", None)] {
        let mut arguments = vec!["floor-relay".to_owned(), tls.clone()];
        arguments.extend(ledger);
        let mut broker = Process::start(&arguments);
        let address = broker.line().await;
        let role = |role: &str| [role, &tls, &address, is_signed].map(str::to_owned);
        let mut callee = Process::start(&role("floor-callee"));
        callee.line().await;
        let mut callers = Process::start(&role("floor-callers"));
        callers.line().await;
        systems.push(System { name, broker, callers, _callee: callee });
    }
    systems
}

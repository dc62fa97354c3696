//! What many agents cost, and how soon all of them hear of a revocation; and what a negotiation takes.
//!
//! `cargo run --release -p countersign-broker --example crowd`
//!
//! - **memory**: the broker's resident size with so many agents joined, and with a `Serve` stream of each, by agent;
//! - **revocation**: from the acknowledgement until the last of so many streams on as many connections was told, beside
//!   a service of the same library over the same TLS that does nothing but tell them;
//! - **negotiation**: a request, three offers, two counters and an acceptance between two agents, beside as many
//!   lone durable appends and as many empty calls as it has moves.
//!
//! `COUNTERSIGN_CROWD` (1000) agents, `COUNTERSIGN_CROWD_ROUNDS` (100) revocations and negotiations.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::expect_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::panic, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::indexing_slicing, reason = "a measurement that cannot be set up must stop")]

#[path = "../load/drive.rs"]
mod drive;
mod fan;
mod negotiation;
#[path = "../load/process.rs"]
#[expect(dead_code, reason = "the processor's time is not measured here")]
mod process;
#[path = "../load/real.rs"]
#[expect(dead_code, reason = "the callers are others")]
mod real;
#[path = "../load/tls.rs"]
mod tls;
mod told;

use std::{env, num::NonZeroU32, time::Duration};

use countersign::{Agent, Invocation, Outcome, Target};
use countersign_protocol::{capability::Amount, receipt::ActionOutcome};
use tokio::{task::JoinSet, time::sleep};

use process::Process;
use told::Told;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        None => conduct().await,
        Some("broker") => real::broker(&arguments[1]).await,
        Some("fan") => fan::serve(&arguments[1]).await,
        Some(other) => panic!("there is no role {other}"),
    }
}

async fn conduct() {
    let setting = |name: &str, usual: usize| env::var(name).map_or(usual, |it| it.parse().expect("a number"));
    let (crowd, rounds) = (setting("COUNTERSIGN_CROWD", 1_000), setting("COUNTERSIGN_CROWD_ROUNDS", 100));
    let directory = tempfile::tempdir().unwrap();
    let text = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for name in ["broker", "tls", "append"] {
        std::fs::create_dir(directory.path().join(name)).unwrap();
    }
    tls::make(&directory.path().join("tls"));
    let mut broker = Process::start(&["broker".to_owned(), text("broker")]);
    let root = real::join(&broker.line().await).await;
    let alice = real::join(&real::invite(&root, "human/alice").await).await;

    negotiation::measure(&root, &alice, &text("append"), &text("tls"), rounds).await;

    let empty = settled(&broker).await;
    let agents = enter(&root, crowd).await;
    let joined = settled(&broker).await;
    let mut serving = JoinSet::new();
    for agent in agents.clone() {
        serving.spawn(async move { agent.serve(done, NonZeroU32::new(16).unwrap()).await });
    }
    let idle = settled(&broker).await;
    let each = |more: u64| more as f64 / crowd as f64 / 1024.0;
    println!("\n{crowd} agents that do nothing, KiB of the broker's memory for each:");
    println!("  joined and connected {:.1}", each(joined.saturating_sub(empty)));
    println!("  with Serve open      {:.1}", each(idle.saturating_sub(empty)));
    serving.shutdown().await;

    let planner = real::join(&real::invite(&root, "agent/planner").await).await;
    let mut chains = Vec::new();
    for _ in 0..=rounds {
        chains.push(alice.grant(planner.instance(), real::rights()).await.unwrap().chain_id());
    }
    let told = Told::watch(&agents).await;
    let mut ours = Vec::new();
    for chain in chains {
        let target = Target::Chain(chain);
        let revoke = async { _ = alice.revoke(&target, 1).await.unwrap() };
        ours.push(told.last_after(crowd, revoke).await);
        sleep(Duration::from_millis(20)).await;
    }
    let floor = fan::measure(&text("tls"), crowd, rounds).await;
    told::print(crowd, ours, floor);
    drop(told);
    broker.end().await;
}

async fn done(invocation: Invocation) -> Outcome {
    Outcome { body: invocation.body, outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
}

/// So many instances of alice, who is a party to all that she originates.
async fn enter(root: &Agent, crowd: usize) -> Vec<Agent> {
    let (mut joining, mut agents) = (JoinSet::new(), Vec::new());
    for _ in 0..crowd {
        let root = root.clone();
        joining.spawn(async move { real::join(&real::invite(&root, "human/alice").await).await });
        if joining.len() >= 8 {
            agents.push(joining.join_next().await.unwrap().unwrap());
        }
    }
    agents.extend(joining.join_all().await);
    agents
}

/// The resident size of the broker, once it has nothing to do.
async fn settled(broker: &Process) -> u64 {
    sleep(Duration::from_secs(3)).await;
    broker.resident()
}

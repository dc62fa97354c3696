//! `countersignd` under pressure: slow, silent and flooding peers, one kind after another, while honest
//! ones go about their work. No honest call may fail and the broker's memory stays within what is
//! stated; what the pressure costs the honest is measured against calm in the same run.
//!
//! `COUNTERSIGN_PRESSURE_SECONDS` says how long each kind goes on (1). From 5 on, which wants a release
//! build and a machine of its own, the 99th percentile of the honest may be three times that of calm:
//! `COUNTERSIGN_PRESSURE_SECONDS=10 cargo test --release -p countersign-broker --test pressure -- --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod arena;
mod attack;
#[path = "../crash/daemon.rs"]
#[expect(dead_code, reason = "nothing is killed here")]
mod daemon;
#[path = "../crash/disk.rs"]
#[expect(dead_code, reason = "the disk keeps its power")]
mod disk;
#[path = "../crash/heard.rs"]
mod heard;
mod honest;
mod memory;
mod report;

use std::{env, process::Command, thread, time::Duration};

use tokio::{runtime::Runtime, time::sleep};

use arena::Arena;
use attack::Attack;
use honest::Honest;
use memory::Memory;
use report::{Row, Table};

/// From this length on, percentiles mean something.
const MEASURED_FROM: Duration = Duration::from_secs(5);

/// By how much the 99th percentile may grow.
const SLOWER_MAX: f64 = 3.0;

fn phase() -> Duration {
    let seconds = env::var("COUNTERSIGN_PRESSURE_SECONDS").map_or(1, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// A runtime of its own: what the attackers do must not slow down those who measure. Real ones have
/// machines of their own, so their threads get only what of the processor nobody else wants: the
/// scheduler's idle class, where a low priority still keeps others waiting for a whole slice.
fn runtime(idle: bool) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    if idle {
        builder.on_thread_start(|| {
            let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
            let idle = Command::new("chrt").args(["--idle", "--pid", "0", &thread]).status();
            assert!(idle.unwrap().success(), "chrt, of util-linux, is there");
        });
    }
    builder.build().unwrap()
}

#[test]
fn peers_that_are_slow_silent_or_many_stop_nobody_else() {
    let (honest, hostile) = (runtime(false), runtime(true));
    let phase = phase();
    let mut arena = honest.block_on(Box::pin(Arena::open()));
    let mut table = Table::default();
    for attack in Attack::all() {
        // Each has parties of its own, who are there before it begins.
        let prepared = honest.block_on(Box::pin(attack.prepare(&mut arena)));
        let calm = honest.block_on(measure(&arena, phase));
        let attacking = hostile.block_on(async { attack.begin(prepared) });
        thread::sleep(phase / 4);
        let under = honest.block_on(measure(&arena, phase));
        let counts = attacking.end();
        // What it left behind ends within its own deadlines; the next one begins in peace.
        thread::sleep(phase / 4);
        let row = Row::new(attack, &calm, &under, counts);
        println!("{row}");
        table.add(row);
    }
    table.check(if phase >= MEASURED_FROM { SLOWER_MAX } else { f64::INFINITY });
}

/// The honest ones at work for that long, and the most memory that the broker had meanwhile.
async fn measure(arena: &Arena, phase: Duration) -> (Honest, Memory) {
    let working = arena.work();
    let memory = memory::watch(arena.process());
    sleep(phase).await;
    (working.end().await, memory.end().await)
}

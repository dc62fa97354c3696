//! `countersignd` killed under load, again and again: what it acknowledged must be there when it is
//! started on the same files, and nothing that had ended may work.
//!
//! `COUNTERSIGN_KILLS` says how often (3), `COUNTERSIGN_SEED` repeats a plan. Run with `--nocapture`
//! to see each kill: `COUNTERSIGN_KILLS=200 cargo test -p countersign-broker --test crash -- --nocapture`.
//! Power cuts need root: `COUNTERSIGN_CUTS=40 ... --test crash power_cut -- --ignored --nocapture`, and so
//! does a disk that is full: `COUNTERSIGN_FULL=5 ... --test crash full_disk -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod aim;
mod auditor;
mod crew;
mod daemon;
mod disk;
mod heard;
mod oracle;
mod pace;
mod phase;
mod remains;
mod retry;
mod ruin;
mod siege;
mod team;
mod told;

use std::env;

use daemon::Shortage;
use ruin::Ruin;
use siege::{How, Siege};

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is {text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing_that_it_acknowledged() {
    let kills = number("COUNTERSIGN_KILLS").unwrap_or(3);
    let seed = number("COUNTERSIGN_SEED").unwrap_or_else(rand::random);
    println!("COUNTERSIGN_SEED={seed} COUNTERSIGN_KILLS={kills}");
    let mut siege = Box::pin(Siege::begin(How::Kill, seed)).await;
    for number in 1..=kills {
        Box::pin(siege.strike(number)).await;
    }
    let (found, starts) = Box::pin(siege.end()).await;
    // A few kills need not find everything; many must.
    let missed: Vec<_> = found.iter().filter(|(_, times)| **times == 0).collect();
    assert!(kills < 100 || missed.is_empty(), "no kill found {missed:?}");
    for start in [(Ruin::None, true), (Ruin::Deleted, false), (Ruin::Garbled, false), (Ruin::Cut, false)] {
        assert!(kills < 100 || starts.contains_key(&start), "no start was {start:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, loop devices and mkfs.ext4"]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let cuts = number("COUNTERSIGN_CUTS").unwrap_or(3);
    let seed = number("COUNTERSIGN_SEED").unwrap_or_else(rand::random);
    println!("COUNTERSIGN_SEED={seed} COUNTERSIGN_CUTS={cuts}");
    let mut siege = Box::pin(Siege::begin(How::PowerCut, seed)).await;
    for number in 1..=cuts {
        Box::pin(siege.strike(number)).await;
    }
    Box::pin(siege.end()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_room_everything_is_refused_and_with_room_the_same_process_goes_on() {
    let mut siege = Box::pin(Siege::begin(How::Kill, number("COUNTERSIGN_SEED").unwrap_or(1))).await;
    Box::pin(siege.run_out_of_disk(Shortage::OfBlocks)).await;
    Box::pin(siege.end()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, loop devices and mkfs.ext4"]
async fn on_a_full_disk_everything_is_refused_and_with_room_the_same_process_goes_on() {
    let seed = number("COUNTERSIGN_SEED").unwrap_or(1);
    for round in 0..number("COUNTERSIGN_FULL").unwrap_or(1) {
        let mut siege = Box::pin(Siege::begin(How::PowerCut, seed + round)).await;
        Box::pin(siege.run_out_of_disk(Shortage::OfDisk)).await;
        Box::pin(siege.end()).await;
    }
}

//! Ten thousand seeds, or as many as `COUNTERSIGN_SEEDS` says, from `COUNTERSIGN_FIRST_SEED` on and for
//! no longer than `COUNTERSIGN_SIM_SECONDS`.
#![expect(clippy::expect_used, reason = "a test that cannot be set up must stop")]

use std::{
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

use countersign_simulation::{coverage::Coverage, fleet::run_all, plan::Plan, shrink::shrink};

/// From so many seeds on, a run must have met everything that there is.
const FULL: u64 = 10_000;

/// So many broken seeds say enough.
const ENOUGH: usize = 20;

/// A number from the environment; one that is none stops the test.
fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect(name))
}

#[test]
fn nothing_that_must_never_be_possible_happens() {
    let seeds = variable("COUNTERSIGN_SEEDS").unwrap_or(FULL);
    let first = variable("COUNTERSIGN_FIRST_SEED").unwrap_or(0);
    let budget = variable("COUNTERSIGN_SIM_SECONDS").map(Duration::from_secs);
    let begun = Instant::now();
    let report = run_all(first..first + seeds, budget, ENOUGH);
    let coverage = Coverage::of(&report.tally);
    print!("{coverage}");
    println!("{} seeds in {:.1} s", report.seeds, begun.elapsed().as_secs_f64());

    // Of each sentence that was untrue, one seed in full.
    let first_of_each: BTreeMap<_, _> =
        report.broken.iter().rev().map(|(seed, it)| (it.invariant, (seed, it))).collect();
    for (seed, violation) in first_of_each.values() {
        println!("\ncargo run -p countersign-simulation -- --seed {seed}\n{violation}");
        shrink(&Plan::draw(**seed)).steps.iter().for_each(|step| println!("    {step}"));
    }
    let broken: Vec<_> = report.broken.keys().collect();
    assert!(broken.is_empty(), "{} of {} seeds are broken: {broken:?}", broken.len(), report.seeds);
    if report.seeds >= FULL {
        assert!(coverage.missed().is_empty(), "never met: {:#?}", coverage.missed());
    }
}

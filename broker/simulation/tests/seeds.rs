//! Ten thousand seeds, or as many as `COUNTERSIGN_SEEDS` says, within `COUNTERSIGN_SIM_SECONDS`.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use countersign_simulation::{fleet::run_all, plan::Plan, shrink::shrink};

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn nothing_that_must_never_be_possible_happens() {
    let seeds = variable("COUNTERSIGN_SEEDS").unwrap_or(10_000);
    let first = variable("COUNTERSIGN_FIRST_SEED").unwrap_or(0);
    let budget = variable("COUNTERSIGN_SIM_SECONDS").map(Duration::from_secs);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let report = run_all(first..first + seeds, budget, threads);
    let seconds = begun.elapsed().as_secs_f64();
    for group in [
        "act",
        "event",
        "refusal",
        "fault",
        "crash point",
        "negotiation cell",
        "contract cell",
        "hostile act",
        "lie",
    ] {
        println!("{group}:");
        report.tally.group(group).for_each(|(name, count)| println!("  {count:>10}  {name}"));
    }
    println!("{} seeds in {seconds:.1} s on {threads} threads", report.seeds);
    let mut kinds = std::collections::BTreeMap::new();
    for (seed, violation) in &report.broken {
        kinds.entry(violation.invariant).or_insert((seed, violation));
    }
    for (seed, violation) in kinds.values() {
        let small = shrink(&Plan::draw(**seed));
        println!("\ncargo run -p countersign-simulation -- --seed {seed}\n{violation}");
        small.steps.iter().for_each(|step| println!("    {step}"));
    }
    assert!(report.broken.is_empty(), "{} of {} seeds are broken", report.broken.len(), report.seeds);
}

//! Many seeds, on every core.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{plan::Plan, run::run, stop::Violation, tally::Tally};

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were run.
    pub seeds: u64,
    /// What was met.
    pub tally: Tally,
    /// The seeds that broke something.
    pub broken: BTreeMap<u64, Violation>,
}

/// How many broken seeds are enough.
const ENOUGH: usize = 20;

/// Runs seeds on so many threads, until they are done, time is over, or enough are broken.
pub fn run_all(seeds: Range<u64>, budget: Option<Duration>, threads: usize) -> Report {
    let (next, begun) = (AtomicU64::new(seeds.start), Instant::now());
    let report = Mutex::new(Report::default());
    let work = || {
        let mut own = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let over = budget.is_some_and(|budget| begun.elapsed() >= budget);
            if seed >= seeds.end || over || own.broken.len() >= ENOUGH {
                break;
            }
            let outcome = run(&Plan::draw(seed), false);
            own.seeds += 1;
            own.tally.add(&outcome.tally);
            own.broken.extend(outcome.broken.map(|(_, violation)| (seed, violation)));
        }
        let mut all = report.lock().unwrap_or_else(PoisonError::into_inner);
        all.seeds += own.seeds;
        all.tally.add(&own.tally);
        all.broken.extend(own.broken);
    };
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

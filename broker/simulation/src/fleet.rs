//! Many seeds, on every core.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
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

/// Runs seeds on every core, until they are done, time is over, or enough are broken.
pub fn run_all(seeds: Range<u64>, budget: Option<Duration>, enough: usize) -> Report {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, begun, broken) = (AtomicU64::new(seeds.start), Instant::now(), AtomicUsize::new(0));
    let report = Mutex::new(Report::default());
    let work = || {
        let mut own = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let over = budget.is_some_and(|budget| begun.elapsed() >= budget);
            if seed >= seeds.end || over || broken.load(Ordering::Relaxed) >= enough {
                break;
            }
            let outcome = run(&Plan::draw(seed), false);
            own.seeds += 1;
            own.tally.add(&outcome.tally);
            if let Some((_, violation)) = outcome.broken {
                broken.fetch_add(1, Ordering::Relaxed);
                own.broken.insert(seed, violation);
            }
        }
        let mut all = report.lock().unwrap_or_else(PoisonError::into_inner);
        all.seeds += own.seeds;
        all.tally.add(&own.tally);
        all.broken.extend(own.broken);
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

//! One guard off at a time.

use std::{
    collections::{BTreeSet, VecDeque},
    error::Error,
    fmt, io,
    sync::{Mutex, PoisonError},
    thread,
};

use super::{
    site::Site,
    suite::{Sightings, Suite},
};

/// How many guards are tried side by side, each in processes of its own.
const WORKERS: usize = 2;

/// What the tests made of a guard's absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// One turned red.
    Killed,
    /// None makes the guard refuse.
    NeverRefused,
    /// Some do, so many, and stay green without it.
    Unmissed(usize),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => write!(f, "a test turned red"),
            Self::NeverRefused => write!(f, "no test makes it refuse"),
            Self::Unmissed(tests) => write!(f, "{tests} tests make it refuse, and none misses it"),
        }
    }
}

/// Those of the sites that no test misses.
pub(super) fn run(
    suite: &Suite,
    sightings: &Sightings,
    sites: Vec<Site>,
) -> Result<Vec<(Site, Outcome)>, Box<dyn Error>> {
    let all = sites.len();
    let queue = Mutex::new(VecDeque::from(sites));
    let survivors = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || -> io::Result<()> {
        while let Some(site) = next() {
            let outcome = try_without(suite, sightings, &site)?;
            if outcome == Outcome::Killed {
                println!("{site}: {outcome}");
            } else {
                survivors.lock().unwrap_or_else(PoisonError::into_inner).push((site, outcome));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS.min(all)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(worked) => worked.map_err(Box::<dyn Error>::from),
            Err(_) => Err("guards: a worker panicked".into()),
        })
    })?;
    let mut survivors = survivors.into_inner().unwrap_or_else(PoisonError::into_inner);
    survivors.sort_by(|(a, _), (b, _)| a.place.cmp(&b.place));
    Ok(survivors)
}

/// A guard that refuses nothing makes no difference by its absence, so only the tests that made it
/// refuse are run: those known by name, then whatever else their binaries do.
fn try_without(suite: &Suite, sightings: &Sightings, site: &Site) -> io::Result<Outcome> {
    let Some(seen) = sightings.get(&site.place) else { return Ok(Outcome::NeverRefused) };
    for (binary, tests) in seen {
        let named: Vec<&str> = tests.iter().flatten().map(String::as_str).collect();
        if !named.is_empty() && suite.turns_red(*binary, &named, &site.place)? {
            return Ok(Outcome::Killed);
        }
    }
    for (binary, _) in seen.iter().filter(|(_, tests)| tests.contains(&None)) {
        if suite.turns_red(*binary, &[], &site.place)? {
            return Ok(Outcome::Killed);
        }
    }
    Ok(Outcome::Unmissed(seen.values().map(BTreeSet::len).sum()))
}

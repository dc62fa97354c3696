//! How the ledger is written.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::Buckets;

/// From 100 µs, which a disk with a battery takes, to 3 s, which is a disk that is going.
const SECONDS: Buckets = Buckets { first: 0.000_1, count: 16 };
/// One entry to the most that fit one batch.
const ENTRIES: Buckets = Buckets { first: 1.0, count: 11 };

/// Batches that became durable, and those that did not.
#[derive(Clone, Debug)]
pub(crate) struct Appends {
    seconds: Histogram,
    entries: Histogram,
    failures: Counter,
}

/// That nobody looks at.
impl Default for Appends {
    fn default() -> Self {
        Self { seconds: SECONDS.histogram(), entries: ENTRIES.histogram(), failures: Counter::default() }
    }
}

impl Appends {
    /// That the registry shows.
    pub(super) fn shown(registry: &mut Registry) -> Self {
        let this = Self::default();
        let help = "From handing a batch to the engine until it is durable";
        registry.register_with_unit("append", help, Unit::Seconds, this.seconds.clone());
        registry.register("append_entries", "Entries in a batch that became durable", this.entries.clone());
        registry.register("append_failures", "Batches that did not become durable", this.failures.clone());
        this
    }

    /// A batch of so many entries became durable, or did not, after that long.
    pub(crate) fn observe(&self, entries: usize, took: Duration, durable: bool) {
        if durable {
            self.seconds.observe(took.as_secs_f64());
            // A batch has at most 1,024.
            self.entries.observe(f64::from(u32::try_from(entries).unwrap_or(u32::MAX)));
        } else {
            self.failures.inc();
        }
    }
}

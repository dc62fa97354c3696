//! What each kind of pressure cost.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    attack::Attack,
    honest::{Honest, quantile},
    memory::Memory,
};

/// What the broker may have beyond what it had before: the bytes of messages that are held for one
/// instance, what waits for one callee and for its streams, connections, and room for the allocator.
/// Each attack has at most eight instances, and one holds most.
const MEMORY_MAX: u64 = 512 << 20;

/// How often each thing happened to the attackers.
pub(crate) type Counts = BTreeMap<String, u64>;

pub(crate) struct Row {
    name: &'static str,
    calm: Seen,
    under: Seen,
    counts: Counts,
    failed: Vec<String>,
}

/// One phase in numbers: how many calls and their median and 99th percentile, the same of newcomers, and the
/// most memory that the broker had.
struct Seen {
    calls: usize,
    middle: Duration,
    high: Duration,
    joins: usize,
    join_high: Duration,
    memory: Memory,
}

impl Row {
    pub(crate) fn new(
        attack: Attack,
        calm: &(Honest, Memory),
        under: &(Honest, Memory),
        counts: Counts,
    ) -> Self {
        let failed = [&calm.0, &under.0].iter().flat_map(|honest| honest.failed.clone()).collect();
        Self { name: attack.name(), calm: Seen::of(calm), under: Seen::of(under), counts, failed }
    }

    /// By how much the honest calls became slower.
    fn slower(&self) -> f64 {
        self.under.high.as_secs_f64() / self.calm.high.as_secs_f64()
    }

    fn grown(&self) -> Memory {
        Memory(self.under.memory.0.saturating_sub(self.calm.memory.0))
    }
}

impl Seen {
    fn of((honest, memory): &(Honest, Memory)) -> Self {
        Self {
            calls: honest.calls.len(),
            middle: quantile(&honest.calls, 500),
            high: quantile(&honest.calls, 990),
            joins: honest.joins.len(),
            join_high: quantile(&honest.joins, 990),
            memory: *memory,
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, middle, high, joins, join_high, memory } = self;
        write!(f, "{calls:>6} calls {middle:>8.1?} {high:>8.1?}  {joins:>3} joins {join_high:>8.1?}")?;
        write!(f, "  {:>4} MiB", memory.mebibytes())
    }
}

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    /// No honest call failed, all attackers attacked, and the broker stayed within its memory.
    pub(crate) fn check(&self, slower_max: f64) {
        for row in &self.0 {
            let Row { name, failed, counts, .. } = row;
            assert!(failed.is_empty(), "{name}: {failed:#?}");
            assert!(row.calm.calls > 0 && row.under.calls > 0, "{name}: nothing was called");
            assert!(row.calm.joins > 0 && row.under.joins > 0, "{name}: nobody joined");
            assert!(counts.values().sum::<u64>() > 0, "{name}: no pressure at all");
            assert!(row.grown() <= Memory(MEMORY_MAX), "{name}: {} MiB more", row.grown().mebibytes());
        }
        let slow: Vec<_> = self.0.iter().filter(|row| row.slower() > slower_max).collect();
        let names: Vec<_> = slow.iter().map(|row| format!("{} ({:.1} ×)", row.name, row.slower())).collect();
        assert!(slow.is_empty(), "more than {slower_max} × of calm: {}", names.join(", "));
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, calm, under, counts, .. } = self;
        writeln!(f, "{name}: {:.2} × of calm, {} MiB more", self.slower(), self.grown().mebibytes())?;
        write!(f, "    calm  {calm}\n    under {under}")?;
        counts.iter().try_for_each(|(what, times)| write!(f, "\n    {times:>8} {what}"))
    }
}

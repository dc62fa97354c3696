//! Ratios of one round, and of these the medians.

/// What one system did in one round.
pub(crate) struct Run {
    pub(crate) per_second: f64,
    /// Microseconds of the broker's processor for each call.
    processor: f64,
    /// p50, p90, p99, p99.9 in microseconds.
    latency: [f64; 4],
    failed: u64,
}

impl Run {
    pub(crate) fn read(name: &str, told: &str, used: f64) -> Self {
        let numbers: Vec<f64> = told.split(' ').map(|number| number.parse().unwrap()).collect();
        let [done, failed, took, latency @ ..] = &numbers[..] else { panic!("{name}: {told}") };
        let latency = latency.try_into().unwrap();
        Self { per_second: done / took, processor: used / done * 1e6, latency, failed: *failed as u64 }
    }
}

/// What is printed of one ledger.
pub(crate) struct Table {
    has_head: bool,
    has_sessions: bool,
}

impl Table {
    pub(crate) fn new(ledger: &str) -> Self {
        println!("\n## Ledger on {ledger}\n");
        Self { has_head: false, has_sessions: false }
    }

    /// Systems in each round: invoke, floor, relay.
    pub(crate) fn closed(&mut self, callers: &str, rounds: &[Vec<Run>]) {
        if !std::mem::replace(&mut self.has_head, true) {
            println!(
                "| callers | invoke / floor | broker's CPU / floor's | invoke / relay | invoke per s | floor per s | \
                 relay per s | CPU µs | p50, p99 ms | failed |\n|---|---|---|---|---|---|---|---|---|---|"
            );
        }
        let to = |system: usize| ratios(rounds, |round| round[0].per_second / round[system].per_second);
        let per_second = |system: usize| median(rounds.iter().map(|round| round[system].per_second));
        println!(
            "| {callers} | {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2}, {:.2} | {} |",
            to(1),
            ratios(rounds, |round| round[0].processor / round[1].processor),
            to(2),
            per_second(0),
            per_second(1),
            per_second(2),
            median(rounds.iter().map(|round| round[0].processor)),
            median(rounds.iter().map(|round| round[0].latency[0])) / 1e3,
            median(rounds.iter().map(|round| round[0].latency[2])) / 1e3,
            rounds.iter().flatten().map(|run| run.failed).sum::<u64>(),
        );
    }

    /// Systems in each round: session, its floor. `unary` is what `Invoke` did with as many callers.
    pub(crate) fn sessions(&mut self, callers: &str, unary: f64, rounds: &[Vec<Run>]) {
        if !std::mem::replace(&mut self.has_sessions, true) {
            println!(
                "\n| callers | session / floor | broker's CPU / floor's | session / invoke | session per s | CPU µs | \
                 p50, p99 ms | failed |\n|---|---|---|---|---|---|---|---|"
            );
        }
        println!(
            "| {callers} | {} | {} | {} | {:.0} | {:.0} | {:.2}, {:.2} | {} |",
            ratios(rounds, |round| round[0].per_second / round[1].per_second),
            ratios(rounds, |round| round[0].processor / round[1].processor),
            ratios(rounds, |round| round[0].per_second / unary),
            median(rounds.iter().map(|round| round[0].per_second)),
            median(rounds.iter().map(|round| round[0].processor)),
            median(rounds.iter().map(|round| round[0].latency[0])) / 1e3,
            median(rounds.iter().map(|round| round[0].latency[2])) / 1e3,
            rounds.iter().flatten().map(|run| run.failed).sum::<u64>(),
        );
    }

    pub(crate) fn open(&self, rate: f64, rounds: &[Vec<Run>]) {
        println!("\nOpen loop at {rate:.0} calls per second, half of the highest peak, in milliseconds:\n");
        println!("| system | p50 | p90 | p99 | p99.9 |\n|---|---|---|---|---|");
        for (system, name) in ["invoke", "floor", "relay"].into_iter().enumerate() {
            let at = |part: usize| median(rounds.iter().map(|round| round[system].latency[part])) / 1e3;
            println!("| {name} | {:.2} | {:.2} | {:.2} | {:.2} |", at(0), at(1), at(2), at(3));
        }
        let at = |part: usize| ratios(rounds, move |round| round[0].latency[part] / round[1].latency[part]);
        println!("| invoke / floor | {} | {} | {} | {} |", at(0), at(1), at(2), at(3));
    }
}

/// The median of what is taken in one round, with the range of all.
fn ratios(rounds: &[Vec<Run>], of: impl Fn(&[Run]) -> f64) -> String {
    let all = || rounds.iter().map(|round| of(round));
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    format!("{:.2} ({low:.2} – {high:.2})", median(all()))
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

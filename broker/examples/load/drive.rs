//! Callers: as many as are asked for, each waiting for its answer, or at a rate, waiting for none.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::process::{commands, say};

/// One call by the caller of that number.
pub(crate) type Call =
    Arc<dyn Fn(usize) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What came of the calls: microseconds of those that were answered, and how many were not.
struct Heard {
    micros: Histogram<u64>,
    failed: u64,
    why: Option<String>,
}

/// Calls as it is told, in the way that is named, until there are no more commands.
pub(crate) async fn obey(ways: &[(&str, Call)]) {
    let mut commands = commands();
    while let Some(command) = commands.next_line().await.unwrap() {
        let words: Vec<&str> = command.split(' ').collect();
        let [way, kind, number, seconds] = words[..] else { panic!("{command}") };
        let (_, call) = ways.iter().find(|(name, _)| *name == way).expect("a way of calling");
        let time = Duration::from_secs_f64(seconds.parse().unwrap());
        let begun = Instant::now();
        let heard = match kind {
            "closed" => closed(call, number.parse().unwrap(), time).await,
            "open" => open(call, number.parse().unwrap(), time).await,
            other => panic!("{other}"),
        };
        heard.say(begun.elapsed());
    }
}

/// Each caller calls again as soon as it has its answer.
async fn closed(call: &Call, callers: usize, time: Duration) -> Heard {
    let end = Instant::now() + time;
    let mut working = JoinSet::new();
    for caller in 0..callers {
        let call = Arc::clone(call);
        working.spawn(async move {
            let mut heard = Heard::new();
            while Instant::now() < end {
                let begun = Instant::now();
                let outcome = call(caller).await;
                heard.note(begun, outcome);
            }
            heard
        });
    }
    let mut all = Heard::new();
    while let Some(heard) = working.join_next().await {
        all.add(&heard.unwrap());
    }
    all
}

/// So many calls each second, whatever becomes of the ones before. A call's time begins when it was due,
/// so that one which had to wait for its turn is seen to have waited.
async fn open(call: &Call, rate: f64, time: Duration) -> Heard {
    let (begun, mut all, mut working) = (Instant::now(), Heard::new(), JoinSet::new());
    let calls = (rate * time.as_secs_f64()) as usize;
    for number in 0..calls {
        let due = begun + Duration::from_secs_f64(number as f64 / rate);
        tokio::time::sleep_until(due.into()).await;
        let call = Arc::clone(call);
        working.spawn(async move { (due, call(number).await) });
        while let Some(done) = working.try_join_next() {
            let (due, outcome) = done.unwrap();
            all.note(due, outcome);
        }
    }
    while let Some(done) = working.join_next().await {
        let (due, outcome) = done.unwrap();
        all.note(due, outcome);
    }
    all
}

impl Heard {
    fn new() -> Self {
        Self { micros: Histogram::new_with_bounds(1, 60_000_000, 3).unwrap(), failed: 0, why: None }
    }

    fn note(&mut self, begun: Instant, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.micros.saturating_record(begun.elapsed().as_micros() as u64),
            Err(why) => {
                self.failed += 1;
                self.why.get_or_insert(why);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.micros.add(&other.micros).unwrap();
        self.failed += other.failed;
        self.why = self.why.take().or_else(|| other.why.clone());
    }

    fn say(&self, took: Duration) {
        if let Some(why) = &self.why {
            eprintln!("{} calls failed; the first: {why}", self.failed);
        }
        let at = |part| self.micros.value_at_quantile(part);
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(at);
        let (done, failed, took) = (self.micros.len(), self.failed, took.as_secs_f64());
        say(&format!("{done} {failed} {took} {p50} {p90} {p99} {p999}"));
    }
}

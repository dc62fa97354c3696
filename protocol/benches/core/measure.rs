//! Costs as ratios, taken in one run.
//!
//! Absolute times tell as much of the machine as of the code, and two runs of one machine differ by more
//! than what is looked for. So each round measures each thing right after the floor that it is held against,
//! half a millisecond of either, and only these two are compared. Of all rounds the median is told, with the
//! range of the middle eight tenths. (criterion compares runs with one another, and measures one thing to
//! its end before it begins the next.)

use std::{
    env, mem,
    time::{Duration, Instant},
};

/// Rounds, unless `COUNTERSIGN_BENCH_ROUNDS` says how many.
const ROUNDS: usize = 301;
/// How long one thing is repeated in one round.
const STRETCH: Duration = Duration::from_micros(500);

/// Something to do, and what it is called.
struct Row<'a> {
    name: String,
    work: Box<dyn FnMut() + 'a>,
    times: u32,
    ratios: Vec<f64>,
    nanos: Vec<f64>,
}

/// Things that are held against one floor.
pub(crate) struct Table<'a> {
    title: &'static str,
    floor: &'static str,
    rows: Vec<Row<'a>>,
}

impl<'a> Table<'a> {
    /// The floor is the first row of its table.
    pub(crate) fn new(title: &'static str, floor: &'static str, work: impl FnMut() + 'a) -> Self {
        Self { title, floor, rows: Vec::new() }.row(floor, work)
    }

    pub(crate) fn row(mut self, name: impl Into<String>, work: impl FnMut() + 'a) -> Self {
        let work = Box::new(work);
        self.rows.push(Row { name: name.into(), work, times: 1, ratios: Vec::new(), nanos: Vec::new() });
        self
    }

    /// Measures all of it, or what `cargo bench … -- PART_OF_A_NAME` asks for, and prints it.
    pub(crate) fn print(mut self) {
        let asked = env::args().skip(1).find(|argument| !argument.starts_with('-'));
        let mut is_floor = true;
        self.rows.retain(|row| {
            let keeps = asked.as_ref().is_none_or(|part| row.name.contains(part));
            keeps || mem::take(&mut is_floor)
        });
        self.rows.iter_mut().for_each(Row::calibrate);
        for _ in 0..rounds(ROUNDS) {
            let Some((floor, rows)) = self.rows.split_first_mut() else { return };
            for row in rows {
                let [floor_nanos, nanos] = [floor.once(), row.once()];
                floor.nanos.push(floor_nanos);
                floor.ratios.push(1.0);
                row.nanos.push(nanos);
                row.ratios.push(nanos / floor_nanos);
            }
        }
        if self.rows.len() < 2 {
            return;
        }
        println!("\n{} (1 = {})\n", self.title, self.floor);
        println!("| what | × | middle 8 of 10 | time |\n|---|---|---|---|");
        for row in &mut self.rows {
            let [low, median, high] = spread(&mut row.ratios);
            let [_, nanos, _] = spread(&mut row.nanos);
            println!("| {} | {median:.3} | {low:.3} – {high:.3} | {} |", row.name, time(nanos));
        }
    }
}

impl Row<'_> {
    /// Finds how often it is done in one stretch, and warms what it uses.
    fn calibrate(&mut self) {
        while self.times < 1 << 24 {
            let took = self.once() * f64::from(self.times);
            if took >= STRETCH.as_nanos() as f64 {
                return;
            }
            self.times *= 2;
        }
    }

    /// Nanoseconds that it takes once.
    fn once(&mut self) -> f64 {
        let begun = Instant::now();
        (0..self.times).for_each(|_| (self.work)());
        begun.elapsed().as_nanos() as f64 / f64::from(self.times)
    }
}

/// How many rounds were asked for.
pub(crate) fn rounds(usual: usize) -> usize {
    let asked = env::var("COUNTERSIGN_BENCH_ROUNDS").ok();
    asked.map_or(usual, |rounds| rounds.parse().expect("COUNTERSIGN_BENCH_ROUNDS is a number")).max(1)
}

/// The first tenth, the median and the last tenth.
pub(crate) fn spread(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.1, 0.5, 0.9].map(|part| values[((values.len() - 1) as f64 * part).round() as usize])
}

/// For people.
pub(crate) fn time(nanos: f64) -> String {
    match nanos {
        ..1e3 => format!("{nanos:.0} ns"),
        ..1e6 => format!("{:.1} µs", nanos / 1e3),
        ..1e9 => format!("{:.1} ms", nanos / 1e6),
        _ => format!("{:.2} s", nanos / 1e9),
    }
}

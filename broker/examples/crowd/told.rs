//! Who was told of a revocation, and when the last one was.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use countersign::Agent;
use tokio::{sync::Notify, task::JoinSet};

/// Counts who was told.
#[derive(Default)]
pub(crate) struct Count {
    told: AtomicUsize,
    last: Mutex<Option<Instant>>,
    changed: Notify,
}

impl Count {
    pub(crate) fn add(&self) {
        *self.last.lock().unwrap() = Some(Instant::now());
        self.told.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }
}

/// All who listen, each on its own connection.
pub(crate) struct Told {
    count: Arc<Count>,
    _listening: JoinSet<()>,
}

impl Told {
    pub(crate) fn new(count: Arc<Count>, listening: JoinSet<()>) -> Self {
        Self { count, _listening: listening }
    }

    /// Listens with each agent.
    pub(crate) async fn watch(agents: &[Agent]) -> Self {
        let (count, mut listening) = (Arc::<Count>::default(), JoinSet::new());
        for agent in agents {
            let mut revocations = agent.watch_revocations().await.unwrap();
            let count = Arc::clone(&count);
            listening.spawn(async move {
                loop {
                    match revocations.next().await {
                        Ok(chains) => chains.iter().for_each(|_| count.add()),
                        Err(error) => eprintln!("{error}"),
                    }
                }
            });
        }
        // Feeds open when they are first asked.
        tokio::time::sleep(Duration::from_secs(5)).await;
        Self::new(count, listening)
    }

    /// How long after `act` was acknowledged the last of so many was told; nothing where all were before.
    pub(crate) async fn last_after(&self, crowd: usize, act: impl Future<Output = ()>) -> Duration {
        self.count.told.store(0, Ordering::SeqCst);
        act.await;
        let acknowledged = Instant::now();
        while self.count.told.load(Ordering::SeqCst) < crowd {
            self.count.changed.notified().await;
        }
        let last = *self.count.last.lock().unwrap();
        last.unwrap_or(acknowledged).saturating_duration_since(acknowledged)
    }
}

/// Without the first of each, which warms up.
pub(crate) fn print(crowd: usize, ours: Vec<Duration>, floor: Vec<Duration>) {
    let sorted = |mut all: Vec<Duration>| {
        all.remove(0);
        all.sort();
        all
    };
    let at = |all: &[Duration], hundredth: usize| all[(all.len() - 1) * hundredth / 100].as_secs_f64() * 1e3;
    let (ours, floor) = (sorted(ours), sorted(floor));
    println!("\nFrom the acknowledgement to the last of {crowd} streams on {crowd} connections, ms:");
    for (name, all) in [("revocation", &ours), ("plain fan-out", &floor)] {
        println!("  {name:14} p50 {:.2}, p99 {:.2}", at(all, 50), at(all, 99));
    }
    println!("  ratio at p99   {:.2}", at(&ours, 99) / at(&floor, 99));
}

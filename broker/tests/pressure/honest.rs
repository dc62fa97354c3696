//! Those who only want their work done: readers who invoke, one call after another, and newcomers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use countersign::{Agent, Call, Error, Held, Options};
use countersign_protocol::{capability::Arguments, digest::Digest, time::Lifetime};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::arena::principal;

/// Between two newcomers.
const PAUSE: Duration = Duration::from_millis(100);

/// An honest call that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(20);

/// How long each call took, in order of length.
#[derive(Debug, Default)]
pub(crate) struct Honest {
    pub(crate) calls: Vec<Duration>,
    pub(crate) joins: Vec<Duration>,
    /// What went wrong.
    pub(crate) failed: Vec<String>,
}

/// The value below which that part of a thousand lies.
pub(crate) fn quantile(sorted: &[Duration], thousandth: usize) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * thousandth / 1000).min(last)).copied().unwrap_or_default()
}

/// The honest at work.
pub(crate) struct Working {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Honest>>,
}

impl Working {
    pub(crate) fn begin(readers: &[(Agent, Held)], root: &Agent) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let reading =
            readers.iter().cloned().map(|(reader, held)| tokio::spawn(read(reader, held, Arc::clone(&stop))));
        let joining = tokio::spawn(join(root.clone(), Arc::clone(&stop)));
        let tasks = reading.chain([joining]).collect();
        Self { stop, tasks }
    }

    /// Lets them finish what they are at.
    pub(crate) async fn end(self) -> Honest {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Honest::default();
        for task in self.tasks {
            let Honest { calls, joins, failed } = task.await.unwrap();
            all.calls.extend(calls);
            all.joins.extend(joins);
            all.failed.extend(failed);
        }
        all.calls.sort();
        all.joins.sort();
        all
    }
}

async fn read(reader: Agent, held: Held, stop: Arc<AtomicBool>) -> Honest {
    let mut done = Honest::default();
    while !stop.load(Ordering::SeqCst) {
        let call = Call {
            callee: principal("service/files"),
            action: "files:read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: Arguments::new(Vec::new()).unwrap(),
            body: b"please".to_vec(),
        };
        note(reader.invoke(&held, call), &mut done.calls, &mut done.failed).await;
    }
    done
}

async fn join(root: Agent, stop: Arc<AtomicBool>) -> Honest {
    let mut done = Honest::default();
    while !stop.load(Ordering::SeqCst) {
        let joining = async {
            let token =
                root.create_join_token(&principal("agent/newcomer"), Lifetime::from_millis(60_000)).await?;
            Agent::join(&token, Options::new(Digest::of(b"newcomer"))).await
        };
        note(joining, &mut done.joins, &mut done.failed).await;
        sleep(PAUSE).await;
    }
    done
}

async fn note<T>(
    call: impl Future<Output = Result<T, Error>>,
    times: &mut Vec<Duration>,
    failed: &mut Vec<String>,
) {
    let begun = Instant::now();
    match timeout(LONGEST, Box::pin(call)).await {
        Ok(Ok(_)) => times.push(begun.elapsed()),
        Ok(Err(error)) => failed.push(error.to_string()),
        Err(_) => failed.push(format!("no answer within {LONGEST:?}")),
    }
}

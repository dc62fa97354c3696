//! How much memory the broker has, as the system counts it.

use std::{fs, time::Duration};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Resident bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Memory(pub(crate) u64);

impl Memory {
    pub(crate) fn mebibytes(self) -> u64 {
        self.0 >> 20
    }
}

/// Notes the largest value until it is told to end.
pub(crate) struct Watch {
    end: oneshot::Sender<()>,
    watching: JoinHandle<Memory>,
}

pub(crate) fn watch(process: u32) -> Watch {
    let (end, mut ended) = oneshot::channel();
    let watching = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(20));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut most = resident(process);
        loop {
            tokio::select! {
                _ = ticks.tick() => most = most.max(resident(process)),
                _ = &mut ended => return most,
            }
        }
    });
    Watch { end, watching }
}

impl Watch {
    pub(crate) async fn end(self) -> Memory {
        let _ = self.end.send(());
        self.watching.await.unwrap()
    }
}

fn resident(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    Memory(kibibytes * 1024)
}

//! When the clients work, and how many of their calls are under way.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

/// How long whatever is under way may take to end.
const QUIET_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Pace {
    working: watch::Sender<bool>,
    under_way: AtomicUsize,
    writing: AtomicUsize,
}

/// Counts something until it is dropped.
pub(crate) struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pace {
    pub(crate) fn new() -> Self {
        let [under_way, writing] = [(); 2].map(|()| AtomicUsize::new(0));
        Self { working: watch::Sender::new(true), under_way, writing }
    }

    /// Begins a step, which is a call or several, once work goes on.
    pub(crate) async fn step(&self) -> Busy<'_> {
        let mut working = self.working.subscribe();
        loop {
            let _ = working.wait_for(|working| *working).await;
            let busy = Busy::new(&self.under_way);
            // Whoever paused meanwhile must not be surprised by this one.
            if *self.working.borrow() {
                return busy;
            }
        }
    }

    /// Makes one of the calls that write once and are answered: a grant, an invocation, a revocation.
    pub(crate) fn write(&self) -> Busy<'_> {
        Busy::new(&self.writing)
    }

    /// Steps under way, and calls under way that write once.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.under_way(), self.writing.load(Ordering::SeqCst))
    }

    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    /// Lets what is under way end, and nothing begin.
    pub(crate) async fn pause(&self) {
        self.working.send_replace(false);
        let quiet = async {
            while self.under_way() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(QUIET_MAX, quiet).await.unwrap_or_else(|_| panic!("{} steps do not end", self.under_way()));
    }

    pub(crate) fn resume(&self) {
        self.working.send_replace(true);
    }
}

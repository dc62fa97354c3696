//! The time of day, as an argument. This is the one file of the broker that reads the system's.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use countersign_protocol::time::{Lifetime, Timestamp};
use tokio::sync::watch;

use crate::limits::CLOCK_SLEEP_MAX;

/// Completes when a point in time has been reached.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time of day, and when a point in it has come.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Completes once [`now`](Self::now) is `at` or later; at once if it already is.
    fn wait_until(&self, at: Timestamp) -> Wait;
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

/// What a clock that cannot be read says: no certificate, statement or token is valid then.
const UNREADABLE: Timestamp = Timestamp::new(1).unwrap();

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).ok().and_then(Timestamp::new).unwrap_or(UNREADABLE)
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        let clock = *self;
        Box::pin(async move {
            loop {
                let left = Duration::from_millis(at.since(clock.now()).as_millis());
                if left.is_zero() {
                    return;
                }
                // The runtime's timers do not see the time of day being set, nor a suspended
                // machine resume: look at it again now and then.
                tokio::time::sleep(left.min(CLOCK_SLEEP_MAX)).await;
            }
        })
    }
}

/// A clock that stands still until it is set: for tests and simulations.
#[derive(Clone, Debug)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Sets the time, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.0.send_replace(now);
    }

    /// Moves the time on.
    pub fn advance(&self, by: Lifetime) {
        self.0.send_modify(|now| *now = now.plus(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn wait_until(&self, at: Timestamp) -> Wait {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            if time.wait_for(|now| *now >= at).await.is_err() {
                // Nobody is left to move this clock: the time never comes.
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(millis).unwrap()
    }

    #[tokio::test]
    async fn a_wait_ends_when_its_time_comes_and_not_before() {
        let clock = ManualClock::at(at(1_000));
        let mut wait = tokio::spawn(clock.wait_until(at(2_000)));
        clock.set(at(1_999));
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut wait).await.is_err());
        clock.advance(Lifetime::from_millis(1));
        wait.await.unwrap();
    }

    #[tokio::test]
    async fn the_system_clock_waits_until_its_own_now() {
        let until = SystemClock.now().plus(Lifetime::from_millis(30));
        SystemClock.wait_until(until).await;
        assert!(SystemClock.now() >= until);
    }
}

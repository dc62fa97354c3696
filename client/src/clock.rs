//! Time and randomness. This is the one file of the SDK that reads either from the system.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use countersign_protocol::time::Timestamp;
use rand_core::{OsRng, RngCore as _};
use rustls::{pki_types::UnixTime, time_provider::TimeProvider};

use crate::limits::CLOCK_SLEEP_MAX;

/// Tells the time of day.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;
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
}

/// Completes once the time of day is `at` or later.
pub(crate) async fn wait_until(clock: &dyn Clock, at: Timestamp) {
    loop {
        let left = Duration::from_millis(at.since(clock.now()).as_millis());
        if left.is_zero() {
            return;
        }
        // The runtime's timers do not see the time of day being set, nor a suspended machine.
        tokio::time::sleep(left.min(CLOCK_SLEEP_MAX)).await;
    }
}

/// Lets TLS judge certificates by a [`Clock`].
#[derive(Debug)]
pub(crate) struct TlsTime(pub(crate) std::sync::Arc<dyn Clock>);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now().as_millis())))
    }
}

/// The operating system's entropy: for keys, ids and nonces.
pub(crate) fn entropy() -> OsRng {
    OsRng
}

/// Somewhere between half of `pause` and all of it, so that clients that failed together do not come
/// back together.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    half + some_of(half)
}

/// Anything from nothing to all of `pause`.
pub(crate) fn some_of(pause: Duration) -> Duration {
    pause.mul_f64(f64::from(OsRng.next_u32()) / f64::from(u32::MAX))
}

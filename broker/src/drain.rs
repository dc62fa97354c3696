//! Draining: the broker takes nothing new, what is under way goes on to its end, and then it stops.

use std::time::Duration;

use countersign_protocol::{
    refusal::{Reason, Refusal},
    require,
};
use rand::{Rng as _, rngs::OsRng};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    domain::Domain,
    health::{Health, Standing},
    limits::DRAIN_LOOK,
};

/// The methods that begin something. All others go on until the broker stops: whoever revokes, suspends, renews or
/// waits to serve what is under way must not be kept from it.
const BEGINS: [&str; 6] = [
    "/countersign.v1.Enrolment/Join",
    "/countersign.v1.Grants/IssueGrant",
    "/countersign.v1.Identity/CreateJoinToken",
    "/countersign.v1.Mediation/Invoke",
    "/countersign.v1.Mediation/OpenSession",
    "/countersign.v1.Negotiations/SubmitMove",
];

/// What has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Invocations.
    pub invocations: usize,
    /// Sessions.
    pub sessions: usize,
}

impl UnderWay {
    /// What is under way in that domain.
    pub fn of(domain: &Domain) -> Self {
        domain.peek(|state, _| Self {
            invocations: state.open_invocations().count(),
            sessions: state.open_sessions().count(),
        })
    }

    fn is_nothing(self) -> bool {
        (self.invocations, self.sessions) == (0, 0)
    }
}

/// Whether the broker drains, and until when at the longest. It outlives a domain that is opened anew.
#[derive(Clone, Debug)]
pub struct Drain {
    until: watch::Sender<Option<Instant>>,
    run: [u8; 16],
    health: Health,
}

impl Drain {
    /// Of a broker that stands there. Nothing is drained yet.
    pub fn new(health: Health) -> Self {
        Self { until: watch::Sender::new(None), run: OsRng.r#gen(), health }
    }

    /// Names this run of the broker: another one at the same address is not meant.
    pub fn run(&self) -> &[u8] {
        &self.run
    }

    /// Begins, or goes on with the earlier end of the two. Gives how long it may take at the longest.
    pub fn begin(&self, within: Duration) -> Duration {
        let asked = Instant::now() + within;
        self.until.send_modify(|until| *until = Some(until.map_or(asked, |until| until.min(asked))));
        self.health.set(Standing::Draining);
        let until = self.until.borrow().unwrap_or(asked);
        until.saturating_duration_since(Instant::now())
    }

    /// Whether it has begun.
    pub fn is_begun(&self) -> bool {
        self.until.borrow().is_some()
    }

    /// Refuses what would begin something new.
    pub(crate) fn check(&self, method: &str) -> Result<(), Refusal> {
        let taken = !self.is_begun() || !BEGINS.contains(&method);
        require!("API-068", taken, Reason::BrokerDraining);
        Ok(())
    }

    /// Completes once it has begun and nothing is under way any more, or the time is over.
    pub(crate) async fn done(&self, domain: &Domain) {
        let mut until = self.until.subscribe();
        loop {
            let end = *until.borrow_and_update();
            match end {
                Some(end) if end <= Instant::now() => {
                    let left = UnderWay::of(domain);
                    tracing::warn!(?left, "the time to drain is over");
                    return;
                }
                Some(_) if UnderWay::of(domain).is_nothing() => return,
                _ => {}
            }
            tokio::select! {
                changed = until.changed() => if changed.is_err() { return std::future::pending().await },
                () = sleep(DRAIN_LOOK), if end.is_some() => {}
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::methods;

    #[test]
    fn what_begins_something_is_there_and_nothing_else_is_refused() {
        let (idle, draining) = (Drain::new(Health::default()), Drain::new(Health::default()));
        draining.begin(Duration::from_secs(1));
        let paths: Vec<String> =
            methods().iter().map(|(service, name)| format!("/{service}/{name}")).collect();
        assert!(BEGINS.iter().all(|begins| paths.iter().any(|path| path == begins)), "{paths:?}");
        for path in paths {
            assert!(idle.check(&path).is_ok());
            let refused = draining.check(&path).err().map(|refusal| refusal.reason());
            let expected = BEGINS.contains(&path.as_str()).then_some(Reason::BrokerDraining);
            assert_eq!(refused, expected, "{path}");
        }
    }

    /// A second admin who is in more of a hurry is heard, and nobody can put the end off.
    #[tokio::test]
    async fn the_earliest_end_holds() {
        let drain = Drain::new(Health::default());
        let second = Duration::from_secs(1);
        assert!(drain.begin(60 * second) > 59 * second);
        assert!(drain.begin(second) <= second);
        assert!(drain.begin(60 * second) <= second);
        assert_eq!(drain.health.standing(), Standing::Draining);
    }
}

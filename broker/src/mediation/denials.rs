//! Denials that the ledger records, and how many of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use countersign_protocol::{
    limits::DENIES_PER_MINUTE,
    name::InstanceId,
    refusal::{Reason, Refusal},
    time::Timestamp,
};

/// How many denials each instance caused in the current minute. Its keys are instances that were
/// admitted, of which the state itself holds more.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: u64,
    tallies: BTreeMap<InstanceId, Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    recorded: u32,
    /// Denials since the last one that was recorded.
    uncounted: u64,
}

impl Denials {
    /// Counts one more denial. `Some` where it is to be recorded, with how many were only counted
    /// before it.
    pub(super) fn count(&self, caller: &InstanceId, now: Timestamp) -> Option<u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_millis() / 60_000;
        if minute.number != number {
            minute.number = number;
            minute.tallies.retain(|_, tally| tally.uncounted > 0);
            minute.tallies.values_mut().for_each(|tally| tally.recorded = 0);
        }
        let tally = minute.tallies.entry(caller.clone()).or_default();
        if tally.recorded >= DENIES_PER_MINUTE {
            tally.uncounted += 1;
            return None;
        }
        tally.recorded += 1;
        Some(std::mem::take(&mut tally.uncounted))
    }
}

/// Whether a refusal denies the caller something, rather than telling of a fault that is not its
/// own or of how an earlier invocation ended.
pub(crate) fn is_denial(refusal: &Refusal) -> bool {
    !matches!(
        refusal.reason(),
        Reason::CalleeUnavailable
            | Reason::CalleeFault
            | Reason::DeadlineExceeded
            | Reason::InvocationCancelled
            | Reason::OutcomeUnknown
            | Reason::ResultNotRetained
            | Reason::LedgerUnavailable
            | Reason::ClockWentBack
            | Reason::Overloaded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(millis).unwrap()
    }

    #[test]
    fn further_denials_are_counted_and_told_with_the_next() {
        let denials = Denials::default();
        let principal = "spiffe://acme.example/agent/mallory";
        let caller = |n: u8| format!("{principal}/i/01900000-0000-7000-8000-00000000000{n}").parse().unwrap();
        let (mallory, other) = (caller(1), caller(2));
        for _ in 0..DENIES_PER_MINUTE {
            assert_eq!(denials.count(&mallory, at(60_000)), Some(0));
        }
        assert_eq!(denials.count(&mallory, at(60_000)), None);
        assert_eq!(denials.count(&mallory, at(119_999)), None);
        assert_eq!(denials.count(&other, at(119_999)), Some(0), "each has a count of its own");
        assert_eq!(denials.count(&mallory, at(120_000)), Some(2));
        assert_eq!(denials.count(&mallory, at(120_000)), Some(0));
        denials.count(&other, at(180_000));
        assert_eq!(denials.0.lock().unwrap().tallies.len(), 1, "who is quiet is forgotten");
    }
}

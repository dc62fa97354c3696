//! Bodies of results, kept for retries: bounded in bytes and time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use countersign_protocol::{
    id::InvocationId,
    limits::RESULT_RETENTION_MS,
    time::{Lifetime, Timestamp},
};

use crate::limits::{RESULT_OVERHEAD_BYTES, RESULTS_MAX_BYTES};

/// What callees answered of late. The receipt that vouches for a body is in the ledger.
#[derive(Debug)]
pub(super) struct Results {
    max_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bodies: BTreeMap<InvocationId, Bytes>,
    /// In order of time; names some that were removed already.
    until: VecDeque<(Timestamp, InvocationId)>,
    body_bytes: usize,
}

impl Default for Results {
    fn default() -> Self {
        Self::new(RESULTS_MAX_BYTES)
    }
}

impl Results {
    fn new(max_bytes: usize) -> Self {
        Self { max_bytes, kept: Mutex::default() }
    }

    /// Keeps a body; the oldest ones make room.
    pub(super) fn put(&self, id: InvocationId, body: Bytes, now: Timestamp) {
        let mut kept = self.kept();
        kept.body_bytes += body.len();
        kept.bodies.insert(id, body);
        kept.until.push_back((now.plus(Lifetime::from_millis(RESULT_RETENTION_MS)), id));
        kept.forget(now, self.max_bytes);
    }

    /// The body, while it is kept.
    pub(super) fn get(&self, id: &InvocationId, now: Timestamp) -> Option<Bytes> {
        let mut kept = self.kept();
        kept.forget(now, self.max_bytes);
        kept.bodies.get(id).cloned()
    }

    /// Forgets a body that no receipt vouches for.
    pub(super) fn remove(&self, id: &InvocationId) {
        self.kept().remove(id);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic under the lock could at worst leave the count too high: less is kept.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, now: Timestamp, max_bytes: usize) {
        while let Some((until, id)) = self.until.front().copied() {
            let stale = !self.bodies.contains_key(&id);
            if until > now && self.bytes() <= max_bytes && !stale {
                return;
            }
            self.until.pop_front();
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &InvocationId) {
        if let Some(body) = self.bodies.remove(id) {
            self.body_bytes = self.body_bytes.saturating_sub(body.len());
        }
    }

    fn bytes(&self) -> usize {
        self.body_bytes + self.until.len() * RESULT_OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> InvocationId {
        format!("01900000-0000-7000-8000-{number:012}").parse().unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(millis).unwrap()
    }

    #[test]
    fn a_body_is_kept_for_its_time_and_no_longer() {
        let results = Results::default();
        results.put(id(1), Bytes::from_static(b"body"), at(1));
        assert_eq!(results.get(&id(1), at(RESULT_RETENTION_MS)), Some(Bytes::from_static(b"body")));
        assert_eq!(results.get(&id(1), at(RESULT_RETENTION_MS + 1)), None);
        assert_eq!(results.kept().bytes(), 0);
    }

    #[test]
    fn the_oldest_bodies_make_room() {
        let results = Results::new(2 * (RESULT_OVERHEAD_BYTES + 10));
        for number in 1..=3 {
            results.put(id(number), Bytes::from_static(&[7; 10]), at(number));
        }
        assert_eq!(results.get(&id(1), at(4)), None);
        assert!(results.get(&id(2), at(4)).is_some() && results.get(&id(3), at(4)).is_some());
    }

    #[test]
    fn a_body_that_was_removed_leaves_nothing_behind() {
        let results = Results::default();
        for number in 1..=3 {
            results.put(id(number), Bytes::from_static(b"body"), at(1));
            results.remove(&id(number));
        }
        results.get(&id(1), at(1));
        let kept = results.kept();
        assert_eq!((kept.bytes(), kept.bodies.len(), kept.until.len()), (0, 0, 0));
    }
}

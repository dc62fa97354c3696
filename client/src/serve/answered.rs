//! What a callee remembers so that no invocation is done twice.

use std::collections::BTreeMap;

use countersign_protocol::{digest::Digest, id::InvocationId};

use crate::limits::{SERVED_BODIES_MAX_BYTES, SERVED_MAX};

/// What is to be done about an invocation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is new: it is to be done now.
    Begin,
    /// It was done, and this was answered.
    Again(Answered),
    /// It is being done, or was done and its result is no longer kept, or its id stands for
    /// something else, or is older than what is remembered: it is not done, and not answered.
    Ignore,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// The signed receipt.
    pub(super) receipt: Vec<u8>,
    /// The result.
    pub(super) body: Vec<u8>,
}

/// Invocations by id, which are in the order of time. Bounded: what falls out at the old end is not
/// forgotten but refused, by its age.
#[derive(Debug, Default)]
pub(crate) struct Served {
    known: BTreeMap<InvocationId, Entry>,
    /// The newest id that fell out.
    floor: Option<InvocationId>,
    /// Bytes of all results.
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    fingerprint: Digest,
    answer: Option<Answered>,
}

impl Served {
    /// Looks an invocation up, and makes a note of it if it is new.
    pub(super) fn turn(&mut self, id: InvocationId, fingerprint: Digest) -> Turn {
        match self.known.get(&id) {
            Some(entry) if entry.fingerprint == fingerprint => {
                entry.answer.clone().map_or(Turn::Ignore, Turn::Again)
            }
            Some(_) => Turn::Ignore,
            None if self.floor.is_some_and(|floor| id <= floor) => Turn::Ignore,
            None => {
                self.known.insert(id, Entry { fingerprint, answer: None });
                if self.known.len() > SERVED_MAX
                    && let Some((oldest, entry)) = self.known.pop_first()
                {
                    self.floor = Some(oldest);
                    self.bytes -= size(&entry);
                }
                Turn::Begin
            }
        }
    }

    /// Keeps what was answered; the results of the oldest make room.
    pub(super) fn answered(&mut self, id: InvocationId, answer: Answered) {
        let Some(entry) = self.known.get_mut(&id) else { return };
        entry.answer = Some(answer);
        self.bytes += size(entry);
        let mut oldest = self.known.values_mut();
        while self.bytes > SERVED_BODIES_MAX_BYTES
            && let Some(entry) = oldest.next()
        {
            self.bytes -= size(entry);
            entry.answer = None;
        }
    }
}

fn size(entry: &Entry) -> usize {
    entry.answer.as_ref().map_or(0, |answer| answer.receipt.len() + answer.body.len())
}

#[cfg(test)]
mod tests {
    use countersign_protocol::time::Timestamp;
    use rand_core::OsRng;

    use super::*;

    fn id(millis: u64) -> InvocationId {
        InvocationId::new(Timestamp::new(millis).unwrap(), &mut OsRng)
    }

    fn answer(bytes: usize) -> Answered {
        Answered { receipt: vec![1], body: vec![0; bytes] }
    }

    #[test]
    fn an_invocation_begins_once() {
        let (mut served, id, print) = (Served::default(), id(5), Digest::of(b"a"));
        assert_eq!(served.turn(id, print), Turn::Begin);
        assert_eq!(served.turn(id, print), Turn::Ignore, "while it is being done");
        served.answered(id, answer(3));
        assert_eq!(served.turn(id, print), Turn::Again(answer(3)));
        assert_eq!(served.turn(id, Digest::of(b"b")), Turn::Ignore, "another one under its id");
    }

    #[test]
    fn what_fell_out_is_refused_and_never_begins_again() {
        let mut served = Served::default();
        let (first, print) = (id(1), Digest::of(b"a"));
        assert_eq!(served.turn(first, print), Turn::Begin);
        for millis in 0..SERVED_MAX as u64 {
            assert_eq!(served.turn(id(1_000 + millis), print), Turn::Begin);
        }
        assert_eq!(served.known.len(), SERVED_MAX);
        assert_eq!(served.turn(first, print), Turn::Ignore);
        assert_eq!(served.turn(id(2_000_000), print), Turn::Begin);
    }

    #[test]
    fn results_are_bounded_and_the_oldest_make_room() {
        let mut served = Served::default();
        // Each has a receipt of one byte as well.
        let (print, half) = (Digest::of(b"a"), SERVED_BODIES_MAX_BYTES / 2 - 1);
        let ids = [id(1), id(2), id(3)];
        for id in ids {
            assert_eq!(served.turn(id, print), Turn::Begin);
        }
        served.answered(ids[0], answer(half));
        served.answered(ids[1], answer(half));
        assert_eq!(served.bytes, SERVED_BODIES_MAX_BYTES);
        assert_eq!(served.turn(ids[0], print), Turn::Again(answer(half)), "the twin: both fit");
        served.answered(ids[2], answer(0));
        assert_eq!(served.turn(ids[0], print), Turn::Ignore, "done, and its result is gone");
        assert_eq!(served.turn(ids[1], print), Turn::Again(answer(half)));
        assert_eq!(served.turn(ids[2], print), Turn::Again(answer(0)));
    }
}

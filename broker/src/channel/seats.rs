//! How many connections there may be, in all and of one holder.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::name::InstanceId;

/// On whose account a connection is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// An instance, whose certificate was verified.
    Instance(InstanceId),
    /// Whoever is at that place, for want of an identity.
    Source(IpAddr),
}

/// The seats of one listener. The map is bounded by the number of seats.
#[derive(Debug)]
pub(crate) struct Seats {
    total: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_holder: BTreeMap<Holder, usize>,
}

impl Seats {
    /// `total` seats, of which one holder gets at most `each`.
    pub(crate) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { total, each, taken: Mutex::default() })
    }

    /// Takes a seat until it is dropped; `None` if all, or all of this holder's, are taken.
    pub(crate) fn take(self: &Arc<Self>, holder: Holder) -> Option<Seat> {
        let mut taken = self.taken();
        let own = taken.by_holder.get(&holder).copied().unwrap_or_default();
        if taken.total >= self.total || own >= self.each {
            return None;
        }
        taken.total += 1;
        taken.by_holder.insert(holder.clone(), own + 1);
        Some(Seat { holder, seats: Arc::clone(self) })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // No code that holds the lock can leave the counts half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One taken seat.
#[derive(Debug)]
pub(crate) struct Seat {
    holder: Holder,
    seats: Arc<Seats>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.total = taken.total.saturating_sub(1);
        if let Some(own) = taken.by_holder.get_mut(&self.holder) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_holder.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Holder {
        Holder::Source([127, 0, 0, last].into())
    }

    #[test]
    fn one_holder_does_not_get_the_seats_of_others() {
        let seats = Seats::new(3, 2);
        let first = seats.take(source(1)).unwrap();
        let _second = seats.take(source(1)).unwrap();
        assert!(seats.take(source(1)).is_none(), "two each");
        let _other = seats.take(source(2)).unwrap();
        assert!(seats.take(source(3)).is_none(), "three in all");

        drop(first);
        assert!(seats.take(source(1)).is_some(), "a seat that was left is free");
    }

    #[test]
    fn holders_who_have_left_are_forgotten() {
        let seats = Seats::new(8, 8);
        drop((seats.take(source(1)), seats.take(source(2))));
        assert!(seats.taken().by_holder.is_empty());
        assert_eq!(seats.taken().total, 0);
    }
}

//! How many connections, calls or bytes there may be, in all and of one holder.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::turn::Turn;
use countersign_protocol::name::InstanceId;

/// On whose account something is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// An instance, whose certificate was verified.
    Instance(InstanceId),
    /// Whoever is at that place, for want of an identity.
    Source(IpAddr),
}

/// Seats for one kind of thing. The map is bounded by the number of seats.
#[derive(Debug)]
pub(crate) struct Seats {
    total: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_holder: BTreeMap<Holder, Own>,
}

/// What one holder has.
#[derive(Debug, Default)]
struct Own {
    seats: usize,
    turn: Turn,
}

impl Seats {
    /// `total` seats, of which one holder gets at most `each`.
    pub(crate) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { total, each, taken: Mutex::default() })
    }

    /// Takes a seat until it is dropped; `None` if all, or all of this holder's, are taken.
    pub(crate) fn take(self: &Arc<Self>, holder: Holder) -> Option<Seat> {
        let mut seat = self.stand(holder);
        seat.grow(1).then_some(seat)
    }

    /// Takes none yet: a place to [`Seat::grow`] from.
    pub(crate) fn stand(self: &Arc<Self>, holder: Holder) -> Seat {
        Seat { holder, width: 0, seats: Arc::clone(self) }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // No code that holds the lock can leave the counts half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one thing takes up: one seat, or as many as it is wide.
#[derive(Debug)]
pub(crate) struct Seat {
    holder: Holder,
    width: usize,
    seats: Arc<Seats>,
}

impl Seat {
    /// How many seats it takes up.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The turn of its holder, which all that it has under way share.
    pub(crate) fn turn(&self) -> Turn {
        self.seats.taken().by_holder.get(&self.holder).map(|own| own.turn.clone()).unwrap_or_default()
    }

    /// Another one of the same holder, that takes none yet.
    pub(crate) fn beside(&self) -> Self {
        self.seats.stand(self.holder.clone())
    }

    /// Takes so many more; none of them, and `false`, where that would be too many.
    pub(crate) fn grow(&mut self, more: usize) -> bool {
        let mut taken = self.seats.taken();
        let own = taken.by_holder.get(&self.holder).map(|own| own.seats).unwrap_or_default();
        let fits = |taken: usize, most: usize| taken.saturating_add(more) <= most;
        if !fits(taken.total, self.seats.total) || !fits(own, self.seats.each) {
            return false;
        }
        if more > 0 {
            taken.total += more;
            taken.by_holder.entry(self.holder.clone()).or_default().seats += more;
        }
        self.width += more;
        true
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.width == 0 {
            return;
        }
        let mut taken = self.seats.taken();
        taken.total = taken.total.saturating_sub(self.width);
        if let Some(own) = taken.by_holder.get_mut(&self.holder) {
            own.seats = own.seats.saturating_sub(self.width);
            if own.seats == 0 {
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
    fn whatever_grows_takes_all_that_it_asks_for_or_nothing() {
        let seats = Seats::new(10, 6);
        let mut wide = seats.stand(source(1));
        assert!(wide.grow(4) && wide.grow(2) && wide.grow(0));
        assert!(!wide.grow(1), "six each");
        let mut other = seats.stand(source(2));
        assert!(!other.grow(5), "ten in all");
        assert!(!other.grow(usize::MAX));
        assert!(other.grow(4), "the twin: what was refused took nothing");
        drop(wide);
        assert_eq!(other.width(), 4);
        assert!(other.grow(2), "what was left is free");
    }

    #[test]
    fn holders_who_have_left_are_forgotten() {
        let seats = Seats::new(8, 8);
        drop(seats.stand(source(3)));
        drop((seats.take(source(1)), seats.take(source(2))));
        assert!(seats.taken().by_holder.is_empty());
        assert_eq!(seats.taken().total, 0);
    }
}

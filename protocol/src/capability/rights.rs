//! Everything that one link of a chain allows, and when a link is within the one before it.

use super::Capability;
use crate::{
    limits::{AUDIENCES_MAX, CAPABILITIES_MAX, CHAIN_MAX_DEPTH},
    name::{PrincipalId, Word},
    payload,
    payload::{Ascending, Bounded},
    time::{Lifetime, Timestamp},
};

/// An amount in the unit of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Any amount that Datalog's signed integers can hold as well.
    pub const fn new(amount: u64) -> Option<Self> {
        if amount <= i64::MAX as u64 { Some(Self(amount)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or `None` where it cannot be represented.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// What is left after `other` is taken, or `None` where there is less.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

crate::scalar!(Amount, zero = absent_means_zero);

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

payload! {
    /// How much of a budget one stretch of time may use.
    pub struct Window {
        /// At most this much,
        1 => pub ceiling: Amount,
        /// in each stretch of this length, counted from the Unix epoch.
        2 => pub length: Lifetime,
    }
    valid_if Window::is_valid;
}

impl Window {
    fn is_valid(&self) -> bool {
        self.ceiling > Amount::ZERO && self.length.as_millis() > 0
    }
}

payload! {
    /// How much may be used in all, and at most at once.
    pub struct Budget {
        /// What is counted: `calls`, `tokens`, `cents`.
        1 => pub unit: Word,
        /// In all, together with everything that is delegated further.
        2 => pub ceiling: Amount,
        /// Reserved before each invocation; the most that its receipt can settle.
        3 => pub per_call: Amount,
        /// A limit over time, if there is one.
        4 => pub window: Option<Window>,
    }
    valid_if Budget::is_valid;
}

impl Budget {
    fn is_valid(&self) -> bool {
        Amount::ZERO < self.per_call
            && self.per_call <= self.ceiling
            && self.window.as_ref().is_none_or(|window| self.per_call <= window.ceiling)
    }

    fn contains(&self, other: &Self) -> bool {
        let window = match (&self.window, &other.window) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => narrow.length == wide.length && narrow.ceiling <= wide.ceiling,
        };
        self.unit == other.unit && other.ceiling <= self.ceiling && other.per_call <= self.per_call && window
    }
}

payload! {
    /// What a grant, a contract and a hop allow. The same message in all three, so that "the block
    /// says what the contract says" is equality.
    pub struct Rights {
        /// A request must be allowed by one of these.
        1 => pub capabilities: Bounded<Capability, 1, CAPABILITIES_MAX>,
        /// The callees that may be invoked.
        2 => pub audiences: Ascending<PrincipalId, 1, AUDIENCES_MAX>,
        /// Valid from this point in time on,
        3 => pub not_before: Timestamp,
        /// up to, and not at, this one.
        4 => pub not_after: Timestamp,
        /// How much may be used.
        5 => pub budget: Budget,
        /// How many further hops may follow; zero means that the holder cannot delegate.
        6 => pub delegations_left: u32,
    }
    valid_if Rights::is_valid;
}

impl Rights {
    fn is_valid(&self) -> bool {
        self.not_before < self.not_after && self.delegations_left as usize <= CHAIN_MAX_DEPTH
    }

    /// The first way in which `child` goes beyond these rights, or `None` where it is within them.
    ///
    /// It is sound: if it finds nothing, every request that the child allows is allowed here. Each
    /// child capability must be within *one* of these; a union that happens to cover it is not seen.
    pub fn first_widening(&self, child: &Rights) -> Option<Widening> {
        let within_one = |narrow: &Capability| self.capabilities.iter().any(|wide| wide.contains(narrow));
        if !child.capabilities.iter().all(within_one) {
            Some(Widening::Capability)
        } else if !child.audiences.is_subset(&self.audiences) {
            Some(Widening::Audience)
        } else if child.not_before < self.not_before || child.not_after > self.not_after {
            Some(Widening::Time)
        } else if !self.budget.contains(&child.budget) {
            Some(Widening::Budget)
        } else if child.delegations_left >= self.delegations_left {
            Some(Widening::Delegations)
        } else {
            None
        }
    }
}

/// In what a child goes beyond its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widening {
    /// A capability that no single capability of the parent contains.
    Capability,
    /// A callee that the parent does not name.
    Audience,
    /// A time before the parent's beginning or after its end.
    Time,
    /// Another unit, a higher ceiling, a higher amount per call, or a looser window.
    Budget,
    /// As many further hops as the parent, or more.
    Delegations,
}

impl std::fmt::Display for Widening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Capability => "a capability is not within any capability of the parent",
            Self::Audience => "an audience is not among the parent's",
            Self::Time => "it begins before the parent or ends after it",
            Self::Budget => "the budget is not within the parent's",
            Self::Delegations => "it leaves as many delegations as the parent, or more",
        })
    }
}

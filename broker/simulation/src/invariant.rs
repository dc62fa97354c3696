//! What must never be possible, as sentences with names.

use std::fmt;

use crate::plan::counted;

counted! {
    /// A sentence that holds after every event.
    Invariant {
        /// 1
        Authority,
        /// 2
        Consent,
        /// 3
        Holder,
        /// 4
        Record,
        /// 5
        Revocation,
        /// 6
        Budget,
        /// 7
        Secrecy,
        /// 8
        Bounds,
        /// 9
        Doubt,
        /// The core against the reference model.
        Model,
        /// What the rules allow.
        Liveness,
        /// A restart.
        Recovery,
    }
}

impl Invariant {
    /// The sentence that was untrue if it is broken.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Authority => {
                "Authority never grows along a chain, nor appears without an originator and its evidence."
            }
            Self::Consent => {
                "No delegation is usable that its grantor's key did not sign or that was not activated, and no \
                 contract binds someone who did not sign it."
            }
            Self::Holder => {
                "No token is of use to anyone but its holder, or outside its audience, argument, time and channel."
            }
            Self::Record => {
                "Nothing was done that is not in the ledger, and nothing can be removed from it unseen."
            }
            Self::Revocation => {
                "Nothing that was revoked works after the acknowledgement, nor comes back after a crash or a race."
            }
            Self::Budget => {
                "Siblings together never exceed their parent, and what is settled is what was done."
            }
            Self::Secrecy => "No stranger learns from a refusal whether a thing exists.",
            Self::Bounds => "No peer can stop the broker, or make it hold more than the limits say.",
            Self::Doubt => "No missing, stale or unreadable input means yes.",
            Self::Model => "The core and the reference model see one state, and allow the same.",
            Self::Liveness => "What the rules allow an honest party is not refused.",
            Self::Recovery => "A restart finds what was durable, and nothing else.",
        }
    }

    /// Its number in the design, where it has one.
    pub fn number(self) -> Option<usize> {
        let number = self as usize + 1;
        (number <= 9).then_some(number)
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "{} ({number}): {}", self.name(), self.sentence()),
            None => write!(f, "{}: {}", self.name(), self.sentence()),
        }
    }
}

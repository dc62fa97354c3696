//! Refusals: each names the rule of `spec/` that it enforces and a reason from `spec/errors.toml`.
//!
//! A refusal has three views. A stranger to the thing it concerns gets one constant answer, so that
//! *absent* and *forbidden* look alike; a party gets the cause and a hint; an operator gets
//! everything.

mod guard;
mod reasons;

use std::fmt;

#[doc(hidden)]
pub use guard::guard_stands;
pub use reasons::Reason;

/// Why the core said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    rule: &'static str,
    reason: Reason,
    detail: String,
}

impl Refusal {
    /// A refusal under the rule of that number. [`require!`](crate::require!) is the usual way.
    #[cfg_attr(feature = "guards-told", track_caller)]
    pub fn new(rule: &'static str, reason: Reason, detail: impl Into<String>) -> Self {
        #[cfg(feature = "guards-told")]
        guard::tell(std::panic::Location::caller());
        Self { rule, reason, detail: detail.into() }
    }

    /// The number of the sentence in `spec/` that was enforced.
    pub fn rule(&self) -> &'static str {
        self.rule
    }

    /// The reason, as the log and a party know it.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What exactly was wrong; for parties and operators, never for strangers.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What that viewer may be told.
    pub fn view(&self, viewer: Viewer) -> View {
        match viewer {
            Viewer::Stranger => {
                let reason = self.reason.stranger();
                View { reason, message: reason.message().into(), hint: reason.hint(), rule: "" }
            }
            Viewer::Party | Viewer::Operator => {
                let mut message = self.reason.message().to_owned();
                if !self.detail.is_empty() {
                    message = format!("{message} {}", self.detail);
                }
                let rule = if viewer == Viewer::Operator { self.rule } else { "" };
                View { reason: self.reason, message, hint: self.reason.hint(), rule }
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.reason.name(), self.rule, self.reason.message())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " {}", self.detail) }
    }
}

impl std::error::Error for Refusal {}

/// Who is told about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody whom the thing concerns.
    Stranger,
    /// A party to the negotiation, contract, chain or invocation.
    Party,
    /// An operator of the trust domain.
    Operator,
}

/// What one viewer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The public reason.
    pub reason: Reason,
    /// A sentence that a person can act on.
    pub message: String,
    /// What to do next.
    pub hint: &'static str,
    /// The rule's number; empty for all but operators.
    pub rule: &'static str,
}

/// How a caller may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call will be refused again.
    No,
    /// The same call may succeed later.
    Later,
    /// A new call with fresh content may succeed at once.
    Fresh,
}

/// Refuses unless a condition of the spec holds.
///
/// `require!("NEG-014", now < expiry, Reason::OfferExpired)`, optionally followed by a formatted
/// detail. The list of these guards is the list of enforced rules: `cargo xtask trace` holds it
/// against the sentences of `spec/`, and `cargo xtask guards` shows that a test misses each.
#[macro_export]
macro_rules! require {
    ($rule:literal, $condition:expr, $reason:expr $(,)?) => {
        if !$condition && $crate::refusal::guard_stands() {
            return Err($crate::refusal::Refusal::new($rule, $reason, "").into());
        }
    };
    ($rule:literal, $condition:expr, $reason:expr, $($detail:tt)+) => {
        if !$condition && $crate::refusal::guard_stands() {
            return Err($crate::refusal::Refusal::new($rule, $reason, format!($($detail)+)).into());
        }
    };
}

/// Takes the value out of an `Option`, or refuses under a rule of the spec.
#[macro_export]
macro_rules! require_some {
    ($rule:literal, $value:expr, $reason:expr $(, $($detail:tt)+)?) => {
        match $value {
            Some(value) => value,
            None => {
                return Err($crate::refusal::Refusal::new(
                    $rule,
                    $reason,
                    $crate::detail!($($($detail)+)?),
                )
                .into());
            }
        }
    };
}

/// The detail of a refusal: empty, or formatted.
#[doc(hidden)]
#[macro_export]
macro_rules! detail {
    () => { String::new() };
    ($($detail:tt)+) => { format!($($detail)+) };
}

//! What can go wrong, grouped by whose fault it is. Each error is a sentence that ends with what to
//! do next.

use std::{fmt, sync::Arc};

use countersign_protocol::{
    id::NegotiationId,
    refusal::{Reason, Retry},
};
use thiserror::Error;

use crate::ledger::Contradiction;

/// Why something was not done.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The broker said no, with a reason of the registry.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no answer. What was asked may have been done; the SDK repeated it as often as that
    /// is safe.
    #[error("{what}. Check the network and the broker, then try again")]
    Unavailable {
        /// What was tried, and what happened.
        what: String,
    },
    /// What the broker said does not verify: it lies, or something between lies for it.
    #[error(transparent)]
    Deceived(#[from] Deceit),
    /// The call itself cannot be made.
    #[error(transparent)]
    Caller(#[from] CallerFault),
    /// The negotiation ended without a contract, which is nobody's fault.
    #[error("negotiation {negotiation} ended without a contract: {ending}. Open a new one to ask again")]
    Ended {
        /// Which.
        negotiation: NegotiationId,
        /// How.
        ending: Ending,
    },
}

/// The broker's no.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {message} {hint}", reason.name())]
pub struct Refused {
    /// The reason, from `spec/errors.toml`.
    pub reason: Reason,
    /// The broker's sentence; it may say more than the registry does.
    pub message: String,
    /// What to do next, as the registry has it.
    pub hint: &'static str,
    /// The rule of the specification; told to operators only.
    pub rule: Option<String>,
}

/// A word of the broker that does not verify.
#[derive(Clone, Debug, Error)]
#[error(
    "the broker's {about} does not verify: {why}. Do not act on it; show this to an operator of the trust domain"
)]
pub struct Deceit {
    /// What was false.
    pub about: About,
    /// How that was seen.
    pub why: String,
    /// The two checkpoints that contradict each other, where that is what was found.
    pub evidence: Option<Arc<Contradiction>>,
}

/// What a false word was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A reply that is not of the specification's form, or answers something else.
    Answer,
    /// The domain's certificates or keys.
    Bundle,
    /// This instance's own certificate.
    Certificate,
    /// Who another instance is.
    Instance,
    /// A token or its activation.
    Chain,
    /// The state, order or content of a negotiation.
    Negotiation,
    /// What both parties signed.
    Contract,
    /// The callee's receipt, or the result that came with it.
    Receipt,
    /// What was said in a session.
    Session,
    /// What was said in a stream.
    Stream,
    /// The ledger: a checkpoint or a proof.
    Ledger,
    /// The feed of revocations.
    Revocations,
    /// The evidence of an invocation.
    Evidence,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "answer",
            Self::Bundle => "bundle of keys and certificates",
            Self::Certificate => "certificate for this instance",
            Self::Instance => "statement about an instance",
            Self::Chain => "token or activation",
            Self::Negotiation => "account of a negotiation",
            Self::Contract => "contract",
            Self::Receipt => "receipt or result",
            Self::Session => "account of a session",
            Self::Stream => "account of a stream",
            Self::Ledger => "ledger",
            Self::Revocations => "feed of revocations",
            Self::Evidence => "evidence of an invocation",
        })
    }
}

/// A call that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallerFault {
    /// The certificate has ended and was not renewed in time.
    #[error("the certificate of this instance has ended. Join again with a new join token")]
    IdentityEnded,
    /// Bytes that are no exported identity.
    #[error("these bytes are no exported identity: {why}. Join again with a new join token")]
    NotAnExport {
        /// How that was seen.
        why: String,
    },
    /// Something is too large or too many.
    #[error("{what} is beyond its limit of {limit}. Make it smaller")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The chain is held by another instance, so only that one can do this.
    #[error("the chain is held by {holder}. Ask it, or use a chain that this instance holds")]
    NotTheHolder {
        /// Who holds it.
        holder: String,
    },
    /// A session is with one callee.
    #[error("the session is with {callee}. Open another one for another callee")]
    AnotherCallee {
        /// With whom.
        callee: String,
    },
    /// The library that makes keys or connections failed.
    #[error("this process cannot make keys or connections: {why}. Check its build and its limits")]
    Local {
        /// What failed.
        why: String,
    },
}

/// How a negotiation ended that did not lead to a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The other side, or this one, rejected what was asked or offered.
    Rejected,
    /// The other side, or this one, took its word back.
    Withdrawn,
    /// The broker ended it: its deadline passed, or a side contradicted itself.
    Closed,
    /// The delegatee accepted another delegator's offer, which the broker says.
    Awarded,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "one side rejected it",
            Self::Withdrawn => "one side took its word back",
            Self::Awarded => "the delegatee accepted another offer",
            Self::Closed => "its deadline passed, or one side contradicted itself",
        })
    }
}

impl Error {
    /// The broker's reason, where it gave one.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused(refused) => Some(refused.reason),
            _ => None,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.reason.retry() == Retry::Later,
            Self::Unavailable { .. } => true,
            _ => false,
        }
    }
}

/// The broker's word does not verify.
pub(crate) fn deceived(about: About, why: impl fmt::Display) -> Error {
    Deceit { about, why: why.to_string(), evidence: None }.into()
}

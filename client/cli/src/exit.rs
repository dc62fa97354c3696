//! The codes that the program ends with, and the one table of what leads to which.

use std::process::ExitCode;

use countersign::{CallerFault, Error};
use countersign_protocol::refusal::Reason;

/// How the program ended. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done, or what was asked is printed.
    Ok = 0,
    /// The command, or a file that it was given, is not of the right form.
    Usage = 2,
    /// The broker, or this program, did not allow it.
    Denied = 3,
    /// There is no such thing, or none that the caller may see.
    NotFound = 4,
    /// Something that was signed, or a word of the broker, does not verify.
    Tampered = 5,
    /// No answer, from the network or from this machine; the same command may succeed later.
    Unavailable = 6,
    /// Something else came first, or the state of the thing does not allow it.
    Conflict = 7,
}

impl Exit {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Usage => "usage",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Tampered => "tampered",
            Self::Unavailable => "unavailable",
            Self::Conflict => "conflict",
        }
    }

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Refused(refused) => Self::from(refused.reason),
            Error::Unavailable { .. } => Self::Unavailable,
            Error::Deceived(_) => Self::Tampered,
            Error::Ended { .. } => Self::Conflict,
            Error::Caller(fault) => match fault {
                CallerFault::IdentityEnded | CallerFault::NotTheHolder { .. } => Self::Denied,
                CallerFault::NotAnExport { .. } => Self::Tampered,
                CallerFault::TooLarge { .. } | CallerFault::AnotherCallee { .. } => Self::Usage,
                CallerFault::Local { .. } => Self::Unavailable,
            },
        }
    }
}

/// A refusal by the broker, by the status code that the registry gives its reason. Where something is
/// verified here instead, whatever does not verify is [`Exit::Tampered`].
impl From<Reason> for Exit {
    fn from(reason: Reason) -> Self {
        match reason {
            // A budget that is used up is a no; a queue that is full, under the same code, is not.
            Reason::BudgetExceeded | Reason::BudgetWindowExceeded => Self::Denied,
            _ => match reason.grpc_code() {
                // INVALID_ARGUMENT, OUT_OF_RANGE
                3 | 11 => Self::Usage,
                // PERMISSION_DENIED, UNAUTHENTICATED
                7 | 16 => Self::Denied,
                // NOT_FOUND
                5 => Self::NotFound,
                // DATA_LOSS
                15 => Self::Tampered,
                // ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED
                6 | 9 | 10 => Self::Conflict,
                // DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE, and whatever says less
                _ => Self::Unavailable,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reason of the registry, by how the program ends with it.
    const TABLE: [(Exit, &str); 6] = [
        (
            Exit::Usage,
            "PAYLOAD_MALFORMED SIGNATURE_INVALID EXTENSION_UNKNOWN LIMIT_EXCEEDED \
             NAME_NOT_NORMAL WRONG_DOMAIN TOKEN_MALFORMED OFFER_MISMATCH",
        ),
        (
            Exit::Denied,
            "NOT_ADMITTED JOIN_REFUSED INSTANCE_UNKNOWN INSTANCE_REVOKED INSTANCE_FORKED CERTIFICATE_EXPIRED \
             CHANNEL_MISMATCH ADMIN_REQUIRED TOKEN_UNTRUSTED HOP_NOT_BY_HOLDER RIGHTS_WIDENED \
             CHAIN_TOO_DEEP CHAIN_LOOPS NOT_ACTIVATED CHECK_FAILED AUDIENCE_MISMATCH OUTSIDE_VALIDITY \
             REVOKED CONTRACT_NOT_ACTIVE CONTRACT_SUSPENDED CHANGE_NOT_ALLOWED REBIND_NOT_ALLOWED PROOF_INVALID \
             PROOF_EXPIRED PROOF_REPLAYED GRANT_NOT_ALLOWED NOT_A_PARTY REVOCATION_NOT_ALLOWED BUDGET_EXCEEDED BUDGET_WINDOW_EXCEEDED",
        ),
        (Exit::NotFound, "NOT_AVAILABLE NOT_FOUND NEGOTIATION_UNKNOWN"),
        (Exit::Tampered, "BUNDLE_INVALID LOG_INCONSISTENT"),
        (
            Exit::Unavailable,
            "CALLEE_UNAVAILABLE CALLEE_FAULT DEADLINE_EXCEEDED LEDGER_UNAVAILABLE \
             CLOCK_WENT_BACK OVERLOADED BROKER_DRAINING",
        ),
        (
            Exit::Conflict,
            "STATEMENT_STALE INVOCATION_CONFLICT INVOCATION_ID_STALE INVOCATION_CANCELLED OUTCOME_UNKNOWN RESULT_NOT_RETAINED ID_ALREADY_USED \
             MOVE_NOT_ALLOWED STALE_TRANSCRIPT OUT_OF_SEQUENCE ROUNDS_EXHAUSTED DEADLINE_PASSED \
             OFFER_EXPIRED ACCEPT_MISMATCH PARENT_CHANGED EQUIVOCATION ALREADY_AWARDED PREVIEW_STALE CONTRACT_NOT_SUSPENDED SESSION_NOT_ALLOWED \
             SESSION_OVER",
        ),
    ];

    #[test]
    fn every_reason_has_its_exit() {
        for reason in Reason::ALL {
            let row = TABLE.iter().find(|(_, names)| names.split(' ').any(|name| name == reason.name()));
            let (expected, _) = row.unwrap_or_else(|| panic!("say how {} ends the program", reason.name()));
            assert_eq!(Exit::from(*reason), *expected, "{}", reason.name());
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_documentation() {
        let exits = [
            (Exit::Ok, 0),
            (Exit::Usage, 2),
            (Exit::Denied, 3),
            (Exit::NotFound, 4),
            (Exit::Tampered, 5),
            (Exit::Unavailable, 6),
            (Exit::Conflict, 7),
        ];
        for (exit, code) in exits {
            assert_eq!(exit.code(), code, "{}", exit.name());
        }
    }
}

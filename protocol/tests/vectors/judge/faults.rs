//! How the core's errors that name no rule are called in the vectors.

use countersign_protocol::{
    capability::Widening,
    ledger::{LogError, NotANote},
    payload::Malformed,
    signed::NotOpened,
};

/// The core's rejection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct No {
    pub(crate) reason: String,
    pub(crate) fault: Option<&'static str>,
    /// The sentences that the rejection can be for: one, where the core says which.
    pub(crate) rules: Vec<&'static str>,
}

impl No {
    pub(super) fn reason(reason: &str, rules: &[&'static str]) -> Self {
        Self { reason: reason.to_owned(), fault: None, rules: rules.to_vec() }
    }

    fn fault(reason: &str, fault: &'static str, rules: &[&'static str]) -> Self {
        Self { reason: reason.to_owned(), fault: Some(fault), rules: rules.to_vec() }
    }

    pub(super) fn inclusion(error: LogError) -> Self {
        Self::fault("BUNDLE_INVALID", log_fault(error), &["LOG-111"])
    }

    pub(super) fn consistency(error: LogError) -> Self {
        Self::fault("LOG_INCONSISTENT", log_fault(error), &["LOG-112"])
    }
}

fn log_fault(error: LogError) -> &'static str {
    match error {
        LogError::OutOfRange { .. } => "out_of_range",
        LogError::Shrunk { .. } => "shrunk",
        LogError::PathLength { .. } => "path_length",
        LogError::Root { .. } => "root",
    }
}

impl From<Malformed> for No {
    fn from(error: Malformed) -> Self {
        let (fault, rules): (_, &[&str]) = match error {
            Malformed::Varint { .. } => ("varint", &["CONV-012"]),
            Malformed::WireType { .. } => ("wire_type", &["CONV-010", "CONV-016"]),
            Malformed::Truncated { .. } => ("truncated", &["CONV-010"]),
            Malformed::Missing { .. } => ("missing", &["CONV-010", "CONV-011", "CONV-014"]),
            Malformed::StatedDefault { .. } => ("stated_default", &["CONV-010", "CONV-013", "CONV-016"]),
            Malformed::Unexpected { .. } => ("unexpected", &["CONV-011", "CONV-015"]),
            Malformed::Value { .. } => {
                ("value", &["CONV-010", "CONV-014", "CONV-017", "CONV-102", "IDN-100", "TOK-031", "TOK-033"])
            }
            Malformed::Inconsistent => ("inconsistent", &["CONV-010", "CONV-017", "IDN-109", "TOK-030"]),
            Malformed::TooLong { .. } => ("too_long", &["CONV-019"]),
        };
        Self::fault("PAYLOAD_MALFORMED", fault, rules)
    }
}

impl From<NotOpened> for No {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Type => Self::fault("PAYLOAD_MALFORMED", "type", &["CONV-010"]),
            NotOpened::Signers => Self::fault("SIGNATURE_INVALID", "signers", &["CONV-030"]),
            NotOpened::Signature(_) => {
                Self::fault("SIGNATURE_INVALID", "signature", &["CONV-030", "CONV-020"])
            }
            NotOpened::Malformed(malformed) => malformed.into(),
        }
    }
}

impl From<Widening> for No {
    fn from(widening: Widening) -> Self {
        let fault = match widening {
            Widening::Capability => "capability",
            Widening::Audience => "audience",
            Widening::Time => "time",
            Widening::Budget => "budget",
            Widening::Delegations => "delegations",
        };
        Self::fault("RIGHTS_WIDENED", fault, &["CHN-002"])
    }
}

impl From<NotANote> for No {
    fn from(error: NotANote) -> Self {
        let (fault, rule) = match error {
            NotANote::TooLong { .. } => ("too_long", "LOG-122"),
            NotANote::Malformed { .. } => ("malformed", "LOG-120"),
            NotANote::NotSigned => ("not_signed", "LOG-121"),
            NotANote::Signature(_) => ("signature", "LOG-121"),
            NotANote::OtherOrigin => ("other_origin", "LOG-123"),
        };
        Self::fault("BUNDLE_INVALID", fault, &[rule])
    }
}

/// Whether a guard of the core enforces that sentence: its own, or one that it holds together with it.
pub(crate) fn stands_for(rule: &str, requirement: &str) -> bool {
    let with_it: &[&str] = match rule {
        // One reader refuses every departure from the container's encoding and limits.
        "TOK-001" => &["TOK-002", "TOK-004", "TOK-101"],
        // What stands before the terms may hide them from the reader that looks for them.
        "TOK-011" => &["TOK-010"],
        _ => &[],
    };
    rule == requirement || with_it.contains(&requirement)
}

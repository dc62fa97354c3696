//! What a command says when it was not done: what, why, and what to do next.

use std::fmt::Display;

use countersign_protocol::refusal::Refusal;
use serde::Serialize;

use crate::exit::Exit;

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What the program ends with.
    #[serde(rename = "exit", serialize_with = "name_of")]
    pub exit: Exit,
    /// What was not done.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do next.
    pub next: String,
    /// The reason from `spec/errors.toml`, where it was a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The sentence of the specification that was enforced, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl Failure {
    /// A failure without a reason of the registry.
    pub fn new(exit: Exit, what: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: why.into(), next: next.into(), reason: None, rule: None }
    }

    /// The command or its input is not of the right form.
    pub fn usage(what: impl Into<String>, why: impl Display, next: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, why.to_string(), next)
    }

    /// Something here does not verify: nothing that the broker decided, but what was signed.
    pub fn tampered(what: impl Into<String>, refusal: &Refusal) -> Self {
        let reason = refusal.reason();
        Self {
            exit: Exit::Tampered,
            what: what.into(),
            why: join(reason.message(), refusal.detail()),
            next:
                "Do not act on it; get it anew from where it was made, and show both to an operator of the \
                   trust domain."
                    .into(),
            reason: Some(reason.name()),
            rule: Some(refusal.rule().to_owned()),
        }
    }

    /// The SDK could not do it.
    pub fn sdk(what: impl Into<String>, error: &countersign::Error) -> Self {
        let exit = Exit::from(error);
        if let countersign::Error::Refused(refused) = error {
            return Self {
                reason: Some(refused.reason.name()),
                rule: refused.rule.clone(),
                ..Self::new(exit, what, refused.message.clone(), refused.hint)
            };
        }
        // Each error of the SDK is a sentence that says why, then one that says what to do next.
        let sentence = error.to_string();
        let (why, next) = sentence.rsplit_once(". ").unwrap_or((&sentence, "Try again"));
        Self::new(exit, what, format!("{why}."), format!("{}.", next.trim_end_matches('.')))
    }
}

fn join(message: &str, detail: &str) -> String {
    if detail.is_empty() { message.to_owned() } else { format!("{message} {detail}") }
}

fn name_of<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(exit.name())
}

#[cfg(test)]
mod tests {
    use countersign::{Error, Refused};
    use countersign_protocol::refusal::Reason;

    use super::*;

    #[test]
    fn an_error_of_the_sdk_is_told_in_two_parts() {
        let error = Error::Unavailable { what: "the broker did not answer in 10 s".into() };
        let failure = Failure::sdk("The agents cannot be listed", &error);
        assert_eq!(failure.exit, Exit::Unavailable);
        assert_eq!(failure.why, "the broker did not answer in 10 s.");
        assert_eq!(failure.next, "Check the network and the broker, then try again.");
    }

    #[test]
    fn a_refusal_keeps_its_reason_and_hint() {
        let refused = Refused {
            reason: Reason::PreviewStale,
            message: "It is 3 now.".into(),
            hint: Reason::PreviewStale.hint(),
            rule: None,
        };
        let failure = Failure::sdk("Nothing was revoked", &Error::Refused(refused));
        assert_eq!(failure.exit, Exit::Conflict);
        assert_eq!(failure.reason, Some("PREVIEW_STALE"));
        assert_eq!(
            (failure.why.as_str(), failure.next.as_str()),
            ("It is 3 now.", Reason::PreviewStale.hint())
        );
    }

    #[test]
    fn what_does_not_verify_here_is_tampered_whatever_its_reason() {
        let refusal = Refusal::new("CHN-002", Reason::RightsWidened, "In this hop the budget is.");
        let failure = Failure::tampered("The token does not verify", &refusal);
        assert_eq!(failure.exit, Exit::Tampered);
        assert_eq!(failure.rule.as_deref(), Some("CHN-002"));
        assert!(failure.why.ends_with("In this hop the budget is."));
    }
}

//! `spec/errors.toml` → `protocol/src/refusal/reasons.rs`.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::{self, Write as _},
    path::Path,
};

use serde::Deserialize;

use super::{camel, read};

const SOURCE: &str = "spec/errors.toml";

/// The closed registry of refusal reasons, by name.
pub(crate) struct Registry(BTreeMap<String, Entry>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: Code,
    retry: Retry,
    stranger: Option<String>,
    message: String,
    hint: String,
}

/// The gRPC status codes that a refusal may have, with their numbers.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Retry {
    No,
    Later,
    Fresh,
}

impl Registry {
    /// Reads `spec/errors.toml` of the workspace at `root`.
    pub(crate) fn read(root: &Path) -> Result<Self, Box<dyn Error>> {
        Self::parse(&read(root, SOURCE)?).map_err(|error| format!("{SOURCE}: {error}").into())
    }

    /// Parses the registry; what a stranger is told must itself be a reason.
    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let registry = Self(toml::from_str(text)?);
        for (name, entry) in &registry.0 {
            if let Some(stranger) = &entry.stranger
                && !registry.contains(stranger)
            {
                return Err(format!("{name}: stranger = {stranger:?} is not a reason").into());
            }
        }
        Ok(registry)
    }

    /// Whether a reason has that name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The enumeration `Reason` with its tables.
    pub(super) fn render(&self) -> Result<String, fmt::Error> {
        let mut out = format!(
            "// Generated from {SOURCE} by `cargo xtask codegen`. Do not edit.\n\nuse super::Retry;\n\n\
             /// A reason from the closed registry `{SOURCE}`.\n\
             #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]\npub enum Reason {{\n"
        );
        for (name, entry) in &self.0 {
            writeln!(out, "/// {}\n{},", entry.message, camel(name))?;
        }
        out.push_str("}\n\nimpl Reason {\n/// Every reason.\npub const ALL: &[Reason] = &[\n");
        for name in self.0.keys() {
            writeln!(out, "Reason::{},", camel(name))?;
        }
        out.push_str("];\n");
        self.table(&mut out, "name", "&'static str", "The name on the wire.", |name, _| format!("{name:?}"))?;
        self.table(&mut out, "grpc_code", "i32", "The gRPC status code's number.", |_, entry| {
            (entry.code as i32).to_string()
        })?;
        self.table(&mut out, "retry", "Retry", "How a caller may try again.", |_, entry| {
            format!("Retry::{:?}", entry.retry)
        })?;
        self.table(&mut out, "stranger", "Reason", "What a stranger is told instead.", |name, entry| {
            format!("Reason::{}", camel(entry.stranger.as_deref().unwrap_or(name)))
        })?;
        let doc = "A sentence that a person can act on.";
        self.table(&mut out, "message", "&'static str", doc, |_, entry| format!("{:?}", entry.message))?;
        self.table(&mut out, "hint", "&'static str", "What to do next.", |_, entry| {
            format!("{:?}", entry.hint)
        })?;
        out.push_str(
            "\n/// The reason with that name.\npub fn from_name(name: &str) -> Option<Self> {\n\
             Self::ALL.iter().copied().find(|reason| reason.name() == name)\n}\n}\n",
        );
        Ok(out)
    }

    /// One method that maps each reason to a value.
    fn table(
        &self,
        out: &mut String,
        function: &str,
        returns: &str,
        doc: &str,
        value: impl Fn(&str, &Entry) -> String,
    ) -> fmt::Result {
        writeln!(out, "\n/// {doc}\npub const fn {function}(self) -> {returns} {{\nmatch self {{")?;
        for (name, entry) in &self.0 {
            writeln!(out, "Reason::{} => {},", camel(name), value(name, entry))?;
        }
        out.push_str("}\n}\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: &str = "code = 'NOT_FOUND'\nretry = 'no'\nmessage = 'm'\nhint = 'h'\n";

    #[test]
    fn a_stranger_is_told_a_reason_of_the_registry() {
        assert!(Registry::parse(&format!("[A]\n{REASON}stranger = 'A'")).is_ok());
        assert!(Registry::parse(&format!("[A]\n{REASON}stranger = 'B'")).is_err());
    }

    #[test]
    fn a_code_or_retry_outside_the_closed_lists_is_refused() {
        assert!(Registry::parse(&format!("[A]\n{}", REASON.replace("NOT_FOUND", "OK"))).is_err());
        assert!(Registry::parse(&format!("[A]\n{}", REASON.replace("'no'", "'maybe'"))).is_err());
    }
}

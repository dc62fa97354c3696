//! Who acts: trust domains, principals and instances, as SPIFFE IDs.
//!
//! Names arrive in their one normal form or are refused; nothing here normalizes (IDN-002).

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{
    id::InstanceUuid,
    limits::{SPIFFE_ID_MAX_BYTES, WORD_MAX_BYTES},
};

/// Why text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotName {
    /// Longer than its limit, or empty.
    #[error("a name has 1 to {limit} bytes")]
    Length {
        /// Bytes allowed.
        limit: usize,
    },
    /// A character that the kind of name does not have.
    #[error("a name has a character outside {allowed}")]
    Character {
        /// The characters that are allowed.
        allowed: &'static str,
    },
    /// Not of the form that the kind of name has.
    #[error("not of the form {form}")]
    Form {
        /// The form.
        form: &'static str,
    },
}

/// Gives a validated string type its reading, printing and encoding.
macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub(crate) fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = NotName;

            fn try_from(bytes: &[u8]) -> Result<Self, NotName> {
                std::str::from_utf8(bytes).map_err(|_| NotName::Character { allowed: "UTF-8" })?.parse()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        $crate::blob!($name);
    };
}
pub(crate) use text_name;

/// One environment of one organisation, with its own keys, CA and ledger: `prod.acme.example`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

impl FromStr for TrustDomain {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.is_empty() || text.len() > 128 {
            return Err(NotName::Length { limit: 128 });
        }
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        if !text.bytes().all(allowed) {
            return Err(NotName::Character { allowed: "a-z 0-9 . -" });
        }
        let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        if !text.split('.').all(label) {
            return Err(NotName::Form { form: "labels joined by dots" });
        }
        Ok(Self(text.to_owned()))
    }
}
text_name!(TrustDomain);

impl TrustDomain {
    /// Who its brokers are. Nobody else is certified under that name.
    pub fn broker(&self) -> PrincipalId {
        PrincipalId(format!("spiffe://{self}/service/broker"))
    }
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// A program that acts by itself.
    Agent,
    /// A person.
    Human,
    /// A program that serves actions.
    Service,
}

/// Who acts, whichever copy is running: `spiffe://prod.acme.example/agent/planner`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalId(String);

const PRINCIPAL_FORM: &str = "spiffe://<trust domain>/<agent|human|service>/<name>";

impl FromStr for PrincipalId {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.len() > SPIFFE_ID_MAX_BYTES {
            return Err(NotName::Length { limit: SPIFFE_ID_MAX_BYTES });
        }
        let form = NotName::Form { form: PRINCIPAL_FORM };
        let (domain, path) =
            text.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')).ok_or(form)?;
        domain.parse::<TrustDomain>()?;
        let mut segments = path.split('/');
        kind_of(segments.next().unwrap_or_default()).ok_or(form)?;
        let names: Vec<&str> = segments.collect();
        if names.is_empty() {
            return Err(form);
        }
        for name in names {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if !name.bytes().all(allowed) {
                return Err(NotName::Character { allowed: "A-Z a-z 0-9 . - _" });
            }
            // "i" sets an instance apart from its principal.
            if matches!(name, "" | "." | ".." | "i") {
                return Err(form);
            }
        }
        Ok(Self(text.to_owned()))
    }
}
text_name!(PrincipalId);

impl PrincipalId {
    /// The trust domain that the principal belongs to.
    pub fn domain(&self) -> TrustDomain {
        let rest = self.0.strip_prefix("spiffe://").unwrap_or_default();
        TrustDomain(rest.split('/').next().unwrap_or_default().to_owned())
    }

    /// What the principal is.
    pub fn kind(&self) -> PrincipalKind {
        let kind = self.0.split('/').nth(3).unwrap_or_default();
        kind_of(kind).unwrap_or(PrincipalKind::Agent)
    }

    /// The running copy of this principal with that UUID.
    pub fn instance(&self, uuid: InstanceUuid) -> InstanceId {
        InstanceId { text: format!("{}/i/{uuid}", self.0), principal: self.clone() }
    }

    /// The last part of the path: what a person would call it.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

fn kind_of(segment: &str) -> Option<PrincipalKind> {
    match segment {
        "agent" => Some(PrincipalKind::Agent),
        "human" => Some(PrincipalKind::Human),
        "service" => Some(PrincipalKind::Service),
        _ => None,
    }
}

/// One running copy of a principal: `spiffe://prod.acme.example/agent/planner/i/<uuid>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    text: String,
    principal: PrincipalId,
}

impl FromStr for InstanceId {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        let form = NotName::Form { form: "<principal>/i/<UUIDv7>" };
        let (principal, uuid) = text.rsplit_once("/i/").ok_or(form)?;
        let uuid: InstanceUuid = uuid.parse().map_err(|_| form)?;
        Ok(principal.parse::<PrincipalId>()?.instance(uuid))
    }
}

impl InstanceId {
    /// The SPIFFE ID.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whose copy this is.
    pub fn principal(&self) -> &PrincipalId {
        &self.principal
    }
}

impl TryFrom<&[u8]> for InstanceId {
    type Error = NotName;

    fn try_from(bytes: &[u8]) -> Result<Self, NotName> {
        std::str::from_utf8(bytes).map_err(|_| NotName::Character { allowed: "UTF-8" })?.parse()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({})", self.text)
    }
}

crate::blob!(InstanceId);

/// A short lower-case word: an action, the name of an argument, the unit of a budget.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(String);

impl FromStr for Word {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.is_empty() || text.len() > WORD_MAX_BYTES {
            return Err(NotName::Length { limit: WORD_MAX_BYTES });
        }
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b':');
        if !first || !text.bytes().all(allowed) {
            return Err(NotName::Character { allowed: "a-z first, then a-z 0-9 _ - . :" });
        }
        Ok(Self(text.to_owned()))
    }
}
text_name!(Word);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_knows_its_principal() {
        let text = "spiffe://prod.acme.example/agent/planner/i/01939f3e-0000-7000-8000-000000000001";
        let instance: InstanceId = text.parse().unwrap();
        assert_eq!(instance.as_str(), text);
        assert_eq!(instance.principal().as_str(), "spiffe://prod.acme.example/agent/planner");
        assert_eq!(instance.principal().domain().as_str(), "prod.acme.example");
        assert_eq!(instance.principal().kind(), PrincipalKind::Agent);
    }

    #[test]
    fn look_alikes_of_a_principal_are_refused() {
        for text in [
            "spiffe://prod.acme.example/agent",
            "spiffe://prod.acme.example/agent/",
            "spiffe://prod.acme.example/agent//planner",
            "spiffe://prod.acme.example/agent/../human/alice",
            "spiffe://prod.acme.example/agent/planner/",
            "spiffe://prod.acme.example/agent/planner/i/1",
            "spiffe://prod.acme.example/agent/pl%61nner",
            "spiffe://prod.acme.example/agent/plаnner",
            "spiffe://PROD.acme.example/agent/planner",
            "spiffe://prod.acme.example:443/agent/planner",
            "spiffe://u@prod.acme.example/agent/planner",
            "spiffe://prod..example/agent/planner",
            "SPIFFE://prod.acme.example/agent/planner",
            "spiffe://prod.acme.example/Agent/planner",
            "spiffe://prod.acme.example/robot/planner",
        ] {
            assert!(text.parse::<PrincipalId>().is_err(), "{text}");
        }
    }
}

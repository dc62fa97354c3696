use std::{fmt, str::FromStr};

use crate::name::{NotName, TrustDomain, text_name};

/// Names a log: `prod.acme.example/ledger`. A restored backup continues under another origin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);
text_name!(Origin);

impl Origin {
    /// The first log of a trust domain.
    pub fn of(domain: &TrustDomain) -> Self {
        Self(format!("{domain}/ledger"))
    }
}

impl FromStr for Origin {
    type Err = NotName;

    /// Signed notes forbid spaces and `+` in names; control characters would forge lines.
    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.is_empty() || text.len() > 255 {
            return Err(NotName::Length { limit: 255 });
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'+') {
            return Err(NotName::Character { allowed: "printable ASCII without + and space" });
        }
        Ok(Self(text.to_owned()))
    }
}

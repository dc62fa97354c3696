//! What a single value may be.

use std::net::SocketAddr;

use toml::de::{DeInteger, DeValue};

use super::LifetimeText;
use crate::{
    capability::{Amount, Cidr, PathName, ResourcePattern, Text},
    name::{PrincipalId, TrustDomain, Word},
    time::Lifetime,
};

/// A type that a value of a document is read as.
pub trait Setting: Sized {
    /// What is expected, as a part of a sentence.
    const EXPECTED: &'static str;

    /// Reads it, or says what is wrong.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;
}

/// What stands there, for a message. Long text is cut: the place is told anyhow.
pub(super) fn got(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() > 80 => {
            format!("it is \"{}…\"", text.chars().take(80).collect::<String>().escape_default())
        }
        DeValue::String(text) => format!("it is \"{}\"", text.escape_default()),
        DeValue::Integer(number) => format!("it is {number}"),
        DeValue::Float(number) => format!("it is {number}"),
        DeValue::Boolean(truth) => format!("it is {truth}"),
        DeValue::Datetime(time) => format!("it is {time}"),
        DeValue::Array(_) => "it is a list".to_owned(),
        DeValue::Table(_) => "it is a table".to_owned(),
    }
}

fn number(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

impl Setting for String {
    const EXPECTED: &'static str = "text";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            other => Err(got(other)),
        }
    }
}

impl Setting for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Integer(integer) => number(integer).ok_or_else(|| got(value)),
            other => Err(got(other)),
        }
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number from 0 on";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        i64::read(value)?.try_into().map_err(|_| got(value))
    }
}

impl Setting for Amount {
    const EXPECTED: &'static str = "a whole number from 0 on";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        u64::try_from(i64::read(value)?).ok().and_then(Amount::new).ok_or_else(|| got(value))
    }
}

impl Setting for Lifetime {
    const EXPECTED: &'static str = "a length of time such as \"90s\", \"5m\", \"8h\" or \"1d\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map(|LifetimeText(lifetime)| lifetime).map_err(|_| got(value))
    }
}

/// Reads a type from its text form.
macro_rules! text_setting {
    ($($name:ty: $expected:literal),* $(,)?) => {$(
        impl Setting for $name {
            const EXPECTED: &'static str = $expected;

            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                let text = String::read(value)?;
                text.parse().map_err(|error| format!("{}, which is refused: {error}", got(value)))
            }
        }
    )*};
}

text_setting! {
    TrustDomain: "a trust domain such as \"prod.acme.example\"",
    PrincipalId: "a principal such as \"spiffe://prod.acme.example/agent/planner\"",
    Word: "a lower-case word such as \"files:read\"",
    Text: "text of 1 to 1024 bytes",
    ResourcePattern: "a resource pattern such as \"file:/data/**\"",
    PathName: "an absolute path such as \"/data\", without \".\", \"..\" or an empty segment",
    Cidr: "a block of addresses such as \"10.1.0.0/16\"",
    SocketAddr: "an address and port such as \"127.0.0.1:7443\"",
}

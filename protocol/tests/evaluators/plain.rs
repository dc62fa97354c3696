//! What chains and requests say, as plain texts and numbers: all that the brute-force evaluator sees.
//! The types of the core are made from these by its own parsers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use countersign_protocol::capability::{
    self as core, Argument, Arguments, Cidr, Constraint, IntRange, IntSet, IpName, UrlPrefix,
};
use countersign_protocol::payload::{Ascending, Bounded};

use crate::cast;

/// One link's rights; budgets are not the evaluators' business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) audiences: BTreeSet<String>,
    pub(crate) from: u64,
    pub(crate) until: u64,
    pub(crate) delegations_left: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(crate) resource: String,
    pub(crate) actions: BTreeSet<String>,
    pub(crate) constraints: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    TextIn(BTreeSet<String>),
    IntIn(BTreeSet<i64>),
    IntRange(i64, i64),
    PathUnder(String),
    IpIn(Vec<u8>, u32),
    UrlUnder { scheme: String, host: String, port: u32, path: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
    Path(String),
    Ip(Vec<u8>),
    Url(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) callee: String,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) arguments: BTreeMap<String, Value>,
}

impl Link {
    /// The same in the core's types, or `None` where one of its parsers refuses.
    pub(crate) fn to_core(&self) -> Option<core::Rights> {
        let capabilities: Option<_> = self.capabilities.iter().map(Capability::to_core).collect();
        let audiences: Option<_> = self.audiences.iter().map(|audience| audience.parse().ok()).collect();
        Some(core::Rights {
            capabilities: Bounded::new(capabilities?).ok()?,
            audiences: Ascending::new(audiences?).ok()?,
            not_before: cast::at(self.from),
            not_after: cast::at(self.until),
            delegations_left: self.delegations_left,
            ..cast::rights(0)
        })
    }
}

impl Capability {
    pub(crate) fn to_core(&self) -> Option<core::Capability> {
        let actions: Option<_> = self.actions.iter().map(|action| action.parse().ok()).collect();
        let constraint = |(name, rule): (&String, &Rule)| {
            Some(Constraint { argument: name.parse().ok()?, rule: rule.to_core()? })
        };
        let constraints: Option<_> = self.constraints.iter().map(constraint).collect();
        Some(core::Capability {
            resource: self.resource.parse().ok()?,
            actions: Ascending::new(actions?).ok()?,
            constraints: Bounded::new(constraints?).ok()?,
        })
    }
}

impl Rule {
    pub(crate) fn to_core(&self) -> Option<core::Rule> {
        Some(match self {
            Self::TextIn(texts) => {
                let texts: Option<_> = texts.iter().map(|text| text.parse().ok()).collect();
                core::Rule::TextIn(Ascending::new(texts?).ok()?)
            }
            Self::IntIn(numbers) => core::Rule::IntIn(IntSet::new(numbers.iter().copied().collect()).ok()?),
            Self::IntRange(min, max) => core::Rule::IntRange(IntRange { min: *min, max: *max }),
            Self::PathUnder(path) => core::Rule::PathUnder(path.parse().ok()?),
            Self::IpIn(base, length) => core::Rule::IpIn(Cidr::new(address(base)?, *length)?),
            Self::UrlUnder { scheme, host, port, path } => core::Rule::UrlUnder(UrlPrefix {
                scheme: scheme.parse().ok()?,
                host: host.parse().ok()?,
                port: *port,
                path: path.parse().ok()?,
            }),
        })
    }

    /// What the tally calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TextIn(_) => "text_in",
            Self::IntIn(_) => "int_in",
            Self::IntRange(..) => "int_range",
            Self::PathUnder(_) => "path_under",
            Self::IpIn(base, _) if base.len() == 4 => "ip_in, version 4",
            Self::IpIn(..) => "ip_in, version 6",
            Self::UrlUnder { host, .. } if host.starts_with('*') => "url_under, all hosts beneath",
            Self::UrlUnder { .. } => "url_under, one host",
        }
    }
}

impl Value {
    pub(crate) fn to_core(&self) -> Option<core::Value> {
        Some(match self {
            Self::Text(text) => core::Value::Text(text.parse().ok()?),
            Self::Int(number) => core::Value::Int(*number),
            Self::Path(path) => core::Value::Path(path.parse().ok()?),
            Self::Ip(bytes) => core::Value::Ip(address(bytes)?),
            Self::Url(url) => core::Value::Url(url.parse().ok()?),
        })
    }
}

impl Request {
    pub(crate) fn to_core(&self) -> Option<core::Request> {
        let arguments = self
            .arguments
            .iter()
            .map(|(name, value)| Some(Argument { name: name.parse().ok()?, value: value.to_core()? }));
        Some(core::Request {
            callee: self.callee.parse().ok()?,
            action: self.action.parse().ok()?,
            resource: self.resource.parse().ok()?,
            arguments: Arguments::new(arguments.collect::<Option<_>>()?).ok()?,
        })
    }
}

fn address(bytes: &[u8]) -> Option<IpName> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    let v6 = || <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
    IpName::new(v4.or_else(|_| v6()).ok()?)
}

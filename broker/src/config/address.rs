//! Where others find this broker.

use std::net::SocketAddr;

use countersign_protocol::{
    capability::Text,
    settings::{self, Setting},
};

/// A host name or address, and a port: `broker.acme.example:7443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort(Text);

impl HostPort {
    /// What is expected where one is read.
    pub const EXPECTED: &'static str = "a host and port such as \"broker.acme.example:7443\"";

    fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        let name = |host: &str| {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        };
        let bracketed = |host: &str| {
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
        };
        let fits = port > 0 && (name(host) || bracketed(host));
        fits.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl Setting for HostPort {
    const EXPECTED: &'static str = Self::EXPECTED;

    fn read(value: &settings::Value<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        Self::parse(&text).ok_or_else(|| format!("it is \"{}\"", text.escape_default()))
    }
}

/// A collector of spans, over OTLP and gRPC without TLS: beside the broker, or in a network of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector(String);

impl Collector {
    /// What is expected where one is read.
    pub const EXPECTED: &'static str = "the address of a collector such as \"http://127.0.0.1:4317\"";

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Collector {
    const EXPECTED: &'static str = Self::EXPECTED;

    fn read(value: &settings::Value<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        let found = text.strip_prefix("http://").and_then(HostPort::parse);
        found.map(|_| Self(text.clone())).ok_or_else(|| format!("it is \"{}\"", text.escape_default()))
    }
}

/// What is advertised, or else the address itself if someone else could connect to it.
pub(super) fn told(advertise: Option<&HostPort>, listen: SocketAddr) -> Option<Text> {
    match advertise {
        Some(HostPort(text)) => Some(text.clone()),
        None if listen.port() == 0 || listen.ip().is_unspecified() => None,
        None => listen.to_string().parse().ok(),
    }
}

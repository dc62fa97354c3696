//! Names in text.

use countersign_protocol::{
    capability::{HostPattern, PathName, ResourceName, ResourcePattern, UrlName},
    id::RequestId,
    ledger::Origin,
    name::{InstanceId, PrincipalId, TrustDomain, Word},
};

use super::{Answer, No};

/// Names are taken as they are or not at all, so there is nothing to answer but yes or no.
pub(super) fn parse(kind: &str, text: &str) -> Answer {
    let (taken, rule) = match kind {
        "domain" => (text.parse::<TrustDomain>().is_ok(), "IDN-100"),
        "principal" => (text.parse::<PrincipalId>().is_ok(), "IDN-100"),
        "instance" => (text.parse::<InstanceId>().is_ok(), "IDN-100"),
        "word" => (text.parse::<Word>().is_ok(), "CONV-010"),
        "resource" => (text.parse::<ResourceName>().is_ok(), "TOK-031"),
        "pattern" => (text.parse::<ResourcePattern>().is_ok(), "TOK-031"),
        "path" => (text.parse::<PathName>().is_ok(), "TOK-031"),
        "url" => (text.parse::<UrlName>().is_ok(), "TOK-033"),
        "host" => (text.parse::<HostPattern>().is_ok(), "TOK-033"),
        "origin" => (text.parse::<Origin>().is_ok(), "LOG-120"),
        "uuid" => (text.parse::<RequestId>().is_ok(), "CONV-103"),
        other => panic!("nothing parses a {other}"),
    };
    if taken { Ok(None) } else { Err(No::reason("NAME_NOT_NORMAL", &[rule])) }
}

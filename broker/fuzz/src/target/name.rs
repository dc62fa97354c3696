//! Names and values in text: what is read prints as it was read, and is read again as the same.

use std::{fmt::Display, str::FromStr};

use countersign_protocol::{
    capability::{Cidr, HostPattern, PathName, ResourceName, ResourcePattern, Text, UrlName},
    digest::Digest,
    id::RequestId,
    key::PublicKey,
    ledger::Origin,
    limits::{
        NAME_MAX_BYTES, ORIGIN_MAX_BYTES, SEGMENTS_MAX, SPIFFE_ID_MAX_BYTES, TEXT_MAX_BYTES, WORD_MAX_BYTES,
    },
    name::{InstanceId, PrincipalId, TrustDomain, Word},
    settings::LifetimeText,
};

use super::{Seed, Verdict, seeds_of};
use crate::{memory, vectors};

/// The first byte selects the kind of the rest.
pub(super) fn name(input: &[u8]) -> Verdict {
    let Some((kind, bytes)) = input.split_first() else { return Verdict::Refused };
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    match kind {
        b'd' => one_text::<TrustDomain>(text, 128),
        b'p' => principal(text),
        b'i' => instance(text),
        b'w' => one_text::<Word>(text, WORD_MAX_BYTES),
        b'r' => resource(text),
        b't' => pattern(text),
        b'a' => path(text),
        b'u' => url(text),
        b'h' => one_text::<HostPattern>(text, NAME_MAX_BYTES),
        b'o' => one_text::<Origin>(text, ORIGIN_MAX_BYTES),
        b'7' => one_text::<RequestId>(text, 36),
        b'x' => one_text::<Text>(text, TEXT_MAX_BYTES),
        b'c' => as_written::<Cidr>(text),
        b'k' => one_text::<PublicKey>(text, 64),
        b'g' => one_text::<Digest>(text, 64),
        b'l' => as_written::<LifetimeText>(text),
        _ => Verdict::Refused,
    }
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    memory::in_proportion(text.len(), || text.parse().ok())
}

/// A value has one text, of so many bytes at most.
fn one_text<T: FromStr + Display>(text: &str, max: usize) -> Verdict {
    let value: Option<T> = parsed(text);
    if let Some(value) = &value {
        assert_eq!(value.to_string(), text, "a second text of one value");
        assert!(text.len() <= max, "{} bytes were taken", text.len());
    }
    Verdict::of(value)
}

fn principal(text: &str) -> Verdict {
    if let Some(principal) = parsed::<PrincipalId>(text) {
        assert!(text.starts_with(&format!("spiffe://{}/", principal.domain())));
        assert!(text.parse::<InstanceId>().is_err(), "one text is a principal and an instance");
        assert!(text.ends_with(principal.short()) && !principal.short().is_empty());
        let _ = principal.kind();
    }
    one_text::<PrincipalId>(text, SPIFFE_ID_MAX_BYTES)
}

fn instance(text: &str) -> Verdict {
    if let Some(instance) = parsed::<InstanceId>(text) {
        let (principal, uuid) = text.rsplit_once("/i/").unwrap();
        assert_eq!(instance.principal().as_str(), principal);
        assert_eq!(uuid.len(), 36);
    }
    one_text::<InstanceId>(text, SPIFFE_ID_MAX_BYTES + 39)
}

/// Nothing in a name means anything to whoever opens it as a path.
fn check_segments(path: &str) {
    assert!(path.split('/').count() <= SEGMENTS_MAX);
    for segment in path.split('/') {
        assert!(!matches!(segment, "" | "." | ".."));
        assert!(
            segment
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'?' | b'#' | b'*'))
        );
        assert!(!segment.contains("%2F") && !segment.contains("%2E") && !segment.contains("%00"));
    }
}

fn resource(text: &str) -> Verdict {
    if let Some(resource) = parsed::<ResourceName>(text) {
        let path = resource.segments().collect::<Vec<_>>().join("/");
        assert_eq!(format!("{}:/{path}", resource.scheme()), text);
        check_segments(&path);
        // A name without wildcards is the pattern of itself.
        let pattern: ResourcePattern = text.parse().expect("a name is a pattern");
        assert!(pattern.contains(&pattern));
    }
    one_text::<ResourceName>(text, NAME_MAX_BYTES)
}

fn pattern(text: &str) -> Verdict {
    if let Some(pattern) = parsed::<ResourcePattern>(text) {
        assert!(pattern.contains(&pattern));
        assert_eq!(text.parse::<ResourceName>().is_err(), text.contains('*'));
    }
    one_text::<ResourcePattern>(text, NAME_MAX_BYTES)
}

fn path(text: &str) -> Verdict {
    if let Some(rest) = parsed::<PathName>(text).and_then(|_| text.strip_prefix('/'))
        && !rest.is_empty()
    {
        check_segments(rest);
    }
    one_text::<PathName>(text, NAME_MAX_BYTES)
}

fn url(text: &str) -> Verdict {
    let Some(url) = parsed::<UrlName>(text) else { return Verdict::Refused };
    assert!(url.as_str() == text && text.len() <= NAME_MAX_BYTES && text.is_ascii());
    assert!(!text.contains(['@', '#', '\\', ' ']) && text.starts_with("http"));
    Verdict::Accepted
}

/// What people write in several ways is printed in one, which means the same.
fn as_written<T: FromStr + Display + PartialEq>(text: &str) -> Verdict {
    let value: Option<T> = parsed(text);
    if let Some(value) = &value {
        assert!(value.to_string().parse().is_ok_and(|again: T| again == *value), "{value} reads as another");
    }
    Verdict::of(value)
}

const OTHERS: [&str; 10] = [
    "c10.1.0.0/16",
    "c2001:db8::/32",
    "c2001:DB8::/32",
    "k1b16fd2a322b42d8a37f1b7cc874d974e5d8ddc8258e97bf93c57dcf418256a7",
    "g00bcb741d171f7b2098179ce039cdc4fb407e74ff5d42e1bdc7054d0232f4acb",
    "l1h30m",
    "l90s",
    "xopaque",
    "afile",
    "zunknown",
];

pub(super) fn seeds() -> Vec<Seed> {
    let names = vectors::VECTORS.iter().filter(|vector| vector.op == "parse_name").map(|vector| {
        let text = |field: &str| vector.input[field].as_str().unwrap();
        let kind = match text("kind") {
            "domain" => 'd',
            "principal" => 'p',
            "instance" => 'i',
            "word" => 'w',
            "resource" => 'r',
            "pattern" => 't',
            "path" => 'a',
            "url" => 'u',
            "host" => 'h',
            "origin" => 'o',
            _ => '7',
        };
        (vector.id.clone(), format!("{kind}{}", text("text")).into_bytes())
    });
    let others = OTHERS.iter().enumerate().map(|(n, text)| (format!("text.{n}"), text.as_bytes().to_vec()));
    seeds_of(names.chain(others).chain(long()))
}

/// Of each kind that has a bound one that is too long, and nothing else.
fn long() -> impl Iterator<Item = (String, Vec<u8>)> {
    let long = "x".repeat(NAME_MAX_BYTES);
    let texts = [
        format!("d{long}"),
        format!("pspiffe://acme.example/agent/{long}"),
        format!("w{long}"),
        format!("rfile:/{long}"),
        format!("tfile:/{long}/**"),
        format!("a/{long}"),
        format!("uhttps://acme.example/{long}"),
        format!("h{long}.example"),
        format!("o{long}"),
        format!("x{long}x"),
    ];
    texts.into_iter().enumerate().map(|(n, text)| (format!("long.{n}"), text.into_bytes()))
}

//! Which texts are names, by TOK-031, TOK-033, `spec/conventions.md` and `spec/identity.md`: each is
//! taken apart, put together again the one right way, and compared.

use super::address;

/// Punycode labels in use here. That a label is what its Unicode form encodes to takes IDNA's tables,
/// the one thing that is not written down a second time.
const PUNYCODE: [&str; 2] = ["xn--mnchen-3ya", "xn--e1afmkfd"];

pub(crate) fn is(kind: &str, text: &str) -> bool {
    match kind {
        "text" => (1..=1024).contains(&text.len()),
        "word" => is_word(text),
        "resource" => is_resource(text, false),
        "pattern" => is_resource(text, true),
        "path" => is_path(text),
        "url" => split_url(text).is_some_and(|url| url.is_normal(text)),
        "host" => is_host_pattern(text),
        "principal" => is_principal(text),
        "block" => address::is_block(text),
        other => panic!("nothing is a {other}"),
    }
}

/// The bytes that a segment stands for. What is no escape stands for itself.
pub(crate) fn decode(segment: &str) -> Vec<u8> {
    let digit = |at: usize| segment.get(at..at + 1).and_then(|digit| u8::from_str_radix(digit, 16).ok());
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < segment.len() {
        match (segment.as_bytes()[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                at += 3;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    bytes
}

fn encode(bytes: &[u8]) -> String {
    let stands = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&byte);
    let written = bytes.iter().map(|byte| match stands(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    written.collect()
}

fn is_segment(text: &str) -> bool {
    let bytes = decode(text);
    let Ok(means) = String::from_utf8(bytes.clone()) else { return false };
    let hidden = |c: char| matches!(c, '/' | '\\' | '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}');
    encode(&bytes) == text && !["", ".", ".."].contains(&means.as_str()) && !means.contains(hidden)
}

fn is_resource(text: &str, pattern: bool) -> bool {
    let Some((scheme, path)) = text.split_once(":/") else { return false };
    let segments: Vec<&str> = path.split('/').collect();
    let wild = |(at, segment): (usize, &str)| {
        pattern && (segment == "*" || segment == "**" && at + 1 == segments.len())
    };
    let mut letters = scheme.chars();
    text.len() <= 1024
        && scheme.len() <= 64
        && letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|c| matches!(c, 'a'..='z' | '0'..='9' | '+' | '-' | '.'))
        && segments.len() <= 32
        && segments.iter().enumerate().all(|(at, segment)| wild((at, segment)) || is_segment(segment))
}

fn is_path(text: &str) -> bool {
    let Some(path) = text.strip_prefix('/') else { return false };
    let segments: Vec<&str> = path.split('/').collect();
    text == "/" || text.len() <= 1024 && segments.len() <= 32 && segments.into_iter().all(is_segment)
}

fn is_word(text: &str) -> bool {
    let mut letters = text.chars();
    text.len() <= 64
        && letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '.' | ':'))
}

fn is_principal(text: &str) -> bool {
    let Some((domain, path)) = text.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let Some((kind, name)) = path.split_once('/') else { return false };
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(ends) && label.ends_with(ends) && label.chars().all(|c| ends(c) || c == '-')
    };
    let part = |part: &str| {
        !["", ".", "..", "i"].contains(&part)
            && part.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    };
    text.len() <= 256
        && domain.len() <= 128
        && domain.split('.').all(label)
        && ["agent", "human", "service"].contains(&kind)
        && name.split('/').all(part)
}

/// A URL cut at its marks, whatever stands between them.
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) host: String,
    port: Option<String>,
    pub(crate) path: String,
    query: Option<String>,
}

/// `None` where the marks are not there.
pub(crate) fn split_url(text: &str) -> Option<Url> {
    let (scheme, rest) = text.split_once("://")?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query.to_owned())),
        None => (rest, None),
    };
    let slash = rest.find('/')?;
    let (authority, path) = rest.split_at(slash);
    let (host, port) = match authority.rsplit_once(':') {
        // A colon within brackets is the address's.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.to_owned())),
        _ => (authority, None),
    };
    let (scheme, host, path) = (scheme.to_owned(), host.to_owned(), path.to_owned());
    Some(Url { scheme, host, port, path, query })
}

impl Url {
    fn default_port(&self) -> u32 {
        if self.scheme == "http" { 80 } else { 443 }
    }

    pub(crate) fn effective_port(&self) -> u32 {
        self.port.as_ref().map_or(self.default_port(), |port| port.parse().unwrap())
    }

    fn is_normal(&self, whole: &str) -> bool {
        let port = self.port.as_ref().is_none_or(|port| {
            let number: u32 = port.parse().unwrap_or_default();
            (1..=65_535).contains(&number) && number.to_string() == *port && number != self.default_port()
        });
        // WHATWG's special-query set, with what it does not encode.
        let stays = |c: char| matches!(c, '!'..='~') && !"\"#<>'".contains(c);
        let path = match self.path.strip_suffix('/') {
            // The root alone is not the root with a slash at its end.
            Some("" | "/") | None => self.path.as_str(),
            Some(path) => path,
        };
        whole.len() <= 1024
            && !whole.contains('@')
            && ["http", "https"].contains(&self.scheme.as_str())
            && is_host(&self.host)
            && port
            && is_path(path)
            && self.query.as_ref().is_none_or(|query| query.chars().all(stays))
    }
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => address::is_normal_v6(address),
        None => is_host_name(text) || address::is_normal_v4(text),
    }
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
            && (!label.starts_with("xn--") || PUNYCODE.contains(&label))
    };
    // WHATWG takes a host whose last label is a number for an IPv4 address.
    let last = text.rsplit('.').next().unwrap();
    let hexadecimal =
        last.strip_prefix("0x").is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    text.split('.').all(label) && !hexadecimal && !last.chars().all(|c| c.is_ascii_digit())
}

fn is_host_pattern(text: &str) -> bool {
    match text.strip_prefix("*.") {
        Some(domain) => is_host_name(domain) && domain.contains('.'),
        None => is_host(text),
    }
}

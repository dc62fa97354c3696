//! What an action is called with: typed arguments, each in one normal form.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use url::{Host, Url};

use super::segment;
use crate::{
    digest::{Digest, tagged_hash},
    limits::{ARGUMENTS_MAX, NAME_MAX_BYTES, SEGMENTS_MAX, TEXT_MAX_BYTES},
    name::{NotName, Word, text_name},
    payload,
    payload::{Ascending, Malformed, NotList, Payload, Reader, Writer},
};

/// Opaque text: compared byte by byte, never parsed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(String);
text_name!(Text);

impl FromStr for Text {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        let fits = (1..=TEXT_MAX_BYTES).contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err(NotName::Length { limit: TEXT_MAX_BYTES }) }
    }
}

/// An absolute path: `/` or `/segment/segment`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathName(String);
text_name!(PathName);

impl FromStr for PathName {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.len() > NAME_MAX_BYTES {
            return Err(NotName::Length { limit: NAME_MAX_BYTES });
        }
        let path = text.strip_prefix('/').ok_or(NotName::Form { form: "/<segment>/<segment>…" })?;
        if !path.is_empty() {
            if path.split('/').count() > SEGMENTS_MAX {
                return Err(NotName::Length { limit: SEGMENTS_MAX });
            }
            path.split('/').try_for_each(segment::check)?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl PathName {
    /// Whether this is that path, or one below it.
    pub(crate) fn is_at_or_beneath(&self, top: &Self) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        top.0 == "/" || self.0.strip_prefix(&top.0).is_some_and(below)
    }

    /// The path with a slash after every segment: one path is beneath another exactly if its
    /// closed form starts with the other's.
    pub(crate) fn closed(&self) -> String {
        if self.0 == "/" { self.0.clone() } else { format!("{}/", self.0) }
    }
}

/// An http or https URL in the WHATWG normal form, without user-info and fragment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UrlName {
    text: String,
    parts: UrlParts,
}

/// What a constraint can look at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UrlParts {
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As in [`PathName::closed`].
    pub(crate) closed_path: String,
}

const URL_FORM: &str = "an http or https URL in normal form, without user-info and fragment";

impl FromStr for UrlName {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.len() > NAME_MAX_BYTES {
            return Err(NotName::Length { limit: NAME_MAX_BYTES });
        }
        let form = NotName::Form { form: URL_FORM };
        let url = Url::parse(text).map_err(|_| form)?;
        let plain = url.as_str() == text
            && matches!(url.scheme(), "http" | "https")
            && !text.contains('@')
            && url.fragment().is_none();
        if !plain {
            return Err(form);
        }
        let host = match url.host().ok_or(form)? {
            // The URL standard lets `*`, empty labels and the root's dot through; a host name here has none.
            Host::Domain(name) if name.split('.').all(is_host_label) => name.to_owned(),
            Host::Domain(_) => return Err(form),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) if address.to_ipv4_mapped().is_some() => return Err(form),
            Host::Ipv6(address) => format!("[{address}]"),
        };
        // A trailing slash names another resource but lies beneath the same prefix.
        let path: PathName = match url.path().strip_suffix('/') {
            Some("") => "/",
            // `//` is an empty segment, not the root with a slash at its end.
            Some("/") => return Err(form),
            path => path.unwrap_or(url.path()),
        }
        .parse()?;
        // No constraint can name port 0, and to a socket it means any port.
        let port = url.port_or_known_default().filter(|port| *port > 0).ok_or(form)?;
        let parts = UrlParts { scheme: url.scheme().to_owned(), host, port, closed_path: path.closed() };
        Ok(Self { text: text.to_owned(), parts })
    }
}

fn is_host_label(label: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    !label.is_empty() && label.bytes().all(allowed)
}

impl UrlName {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn parts(&self) -> &UrlParts {
        &self.parts
    }
}

impl fmt::Debug for UrlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UrlName({})", self.text)
    }
}

/// An IP address; an IPv4 address in IPv6 clothes is refused, because it would have two spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpName(IpAddr);

impl IpName {
    /// `None` for an IPv4-mapped IPv6 address.
    pub fn new(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => None,
            _ => Some(Self(address)),
        }
    }

    /// The address.
    pub fn get(self) -> IpAddr {
        self.0
    }

    /// `4:` or `6:` and one `0` or `1` per bit: a CIDR block is a prefix of this text.
    pub(crate) fn bits(self) -> String {
        match self.0 {
            IpAddr::V4(v4) => format!("4:{:032b}", v4.to_bits()),
            IpAddr::V6(v6) => format!("6:{:0128b}", v6.to_bits()),
        }
    }

    /// How many bits it has, and these as a number.
    pub(crate) fn to_number(self) -> (u32, u128) {
        match self.0 {
            IpAddr::V4(v4) => (32, v4.to_bits().into()),
            IpAddr::V6(v6) => (128, v6.to_bits()),
        }
    }

    pub(crate) fn to_octets(self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        }
    }

    pub(crate) fn from_octets(bytes: &[u8]) -> Option<Self> {
        if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
            return Some(Self(IpAddr::from(v4)));
        }
        Self::new(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)))
    }
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Opaque text.
    Text(Text),
    /// A whole number; there are no fractions and nothing beyond 64 bits.
    Int(i64),
    /// An absolute path.
    Path(PathName),
    /// An IP address.
    Ip(IpName),
    /// A URL.
    Url(UrlName),
}

/// One named argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Argument {
    /// Its name.
    pub name: Word,
    /// Its value.
    pub value: Value,
}

payload! {
    /// A number is a message of its own, so that zero is stated like any other value.
    struct IntValue { 1 => value: i64, }
}

payload! {
    /// Exactly one of the fields from 2 on is present.
    struct ArgumentFields {
        1 => name: Word,
        2 => text: Option<Text>,
        3 => int: Option<IntValue>,
        4 => path: Option<PathName>,
        5 => ip: Option<Vec<u8>>,
        6 => url: Option<Text>,
    }
}

impl Payload for Argument {
    fn encode_fields(&self, writer: &mut Writer) {
        let mut fields = ArgumentFields {
            name: self.name.clone(),
            text: None,
            int: None,
            path: None,
            ip: None,
            url: None,
        };
        match &self.value {
            Value::Text(text) => fields.text = Some(text.clone()),
            Value::Int(value) => fields.int = Some(IntValue { value: *value }),
            Value::Path(path) => fields.path = Some(path.clone()),
            Value::Ip(ip) => fields.ip = Some(ip.to_octets()),
            Value::Url(url) => fields.url = Some(Text(url.text.clone())),
        }
        fields.encode_fields(writer);
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let fields = ArgumentFields::decode_fields(reader)?;
        let value = match (fields.text, fields.int, fields.path, fields.ip, fields.url) {
            (Some(text), None, None, None, None) => Value::Text(text),
            (None, Some(int), None, None, None) => Value::Int(int.value),
            (None, None, Some(path), None, None) => Value::Path(path),
            (None, None, None, Some(ip), None) => {
                Value::Ip(IpName::from_octets(&ip).ok_or(Malformed::Value { field: 5 })?)
            }
            (None, None, None, None, Some(url)) => {
                Value::Url(url.as_str().parse().map_err(|_| Malformed::Value { field: 6 })?)
            }
            _ => return Err(Malformed::Inconsistent),
        };
        Ok(Self { name: fields.name, value })
    }
}
crate::embedded!(Argument);

payload! {
    /// The arguments of one invocation, each name once, ascending.
    pub struct Arguments {
        1 => list: Ascending<Argument, 0, ARGUMENTS_MAX>,
    }
    valid_if Arguments::names_differ;
}

impl Arguments {
    /// Sorts the arguments; a name that is given twice is refused.
    pub fn new(arguments: Vec<Argument>) -> Result<Self, NotList> {
        let arguments = Self { list: Ascending::new(arguments)? };
        if arguments.names_differ() { Ok(arguments) } else { Err(NotList { min: 0, max: ARGUMENTS_MAX }) }
    }

    fn names_differ(&self) -> bool {
        self.list.is_sorted_by(|a, b| a.name < b.name)
    }

    /// The value of that name.
    pub fn get(&self, name: &Word) -> Option<&Value> {
        let found = self.list.binary_search_by(|argument| argument.name.cmp(name)).ok()?;
        self.list.get(found).map(|argument| &argument.value)
    }

    /// In ascending order of names.
    pub fn iter(&self) -> impl Iterator<Item = &Argument> {
        self.list.iter()
    }

    /// What a holder's proof binds: the arguments and the opaque body together (TOK-043).
    pub fn digest(&self, body: &[u8]) -> Digest {
        Digest::from_bytes(tagged_hash("countersign arguments v1", &[&self.to_bytes(), body]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_hide_something_are_refused() {
        for good in ["https://api.example.com/v1/x", "http://h:8080/", "https://[2001:db8::1]/a?q=1&r=/../x"]
        {
            assert!(good.parse::<UrlName>().is_ok(), "{good}");
        }
        for bad in [
            "https://api.example.com",
            "https://user@api.example.com/",
            "https://api.example.com:443/",
            "https://API.example.com/",
            "https://api.example.com./",
            "https://*.example.com/",
            "https://api.example.com/a/../b",
            "https://api.example.com//a",
            "https://api.example.com//",
            "https://api.example.com/%61",
            "https://api.example.com/a%2Fb",
            "https://api.example.com/a#b",
            "https://api.example.com\\@evil.example/",
            "https://0x7f.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "ftp://api.example.com/",
            "https:/api.example.com/",
            "https://ex\u{430}mple.com/",
            "https://.example.com/",
            "https://a..example.com/",
            "https://api.example.com:0/",
        ] {
            assert!(bad.parse::<UrlName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mapped_address_has_no_second_spelling() {
        assert!(IpName::new("::ffff:10.0.0.1".parse().unwrap()).is_none());
        assert!(IpName::from_octets(&[0; 5]).is_none());
        let mapped: Ipv6Addr = "::ffff:10.0.0.1".parse().unwrap();
        assert!(IpName::from_octets(&mapped.octets()).is_none());
    }

    #[test]
    fn arguments_read_back_and_stand_in_one_order() {
        let argument = |name: &str, value| Argument { name: name.parse().unwrap(), value };
        let list = vec![argument("b", Value::Int(0)), argument("a", Value::Text("x".parse().unwrap()))];
        let arguments = Arguments::new(list).unwrap();
        assert_eq!(Arguments::from_bytes(&arguments.to_bytes()).as_ref(), Ok(&arguments));
        assert!(Arguments::new(vec![argument("a", Value::Int(1)), argument("a", Value::Int(2))]).is_err());
    }
}

//! Constraints on arguments, and when one is at least as strict as another.

use std::{fmt, str::FromStr};

use super::argument::{IpName, PathName, Text};
use crate::{
    limits::CHOICES_MAX,
    name::{NotName, Word, text_name},
    payload,
    payload::{Ascending, Malformed, NotList, Packed, Payload, Reader, Writer},
};

/// What one argument must satisfy. An argument that is absent, or of another type, satisfies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The argument's name.
    pub argument: Word,
    /// What its value must be.
    pub rule: Rule,
}

/// A set of values of one type. Equality is *one of* with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Text that is one of these.
    TextIn(Ascending<Text, 1, CHOICES_MAX>),
    /// A number that is one of these.
    IntIn(IntSet),
    /// A number within these bounds, both included.
    IntRange(IntRange),
    /// The path itself or one beneath it.
    PathUnder(PathName),
    /// An address in the block.
    IpIn(Cidr),
    /// A URL of this scheme, host and port whose path is at or beneath a prefix.
    UrlUnder(UrlPrefix),
}

/// One to [`CHOICES_MAX`] numbers, each once, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntSet(Vec<i64>);

impl IntSet {
    /// Sorts the numbers; one that is given twice is refused.
    pub fn new(mut numbers: Vec<i64>) -> Result<Self, NotList> {
        numbers.sort_unstable();
        Self::sorted(numbers)
    }

    fn sorted(numbers: Vec<i64>) -> Result<Self, NotList> {
        let fits = (1..=CHOICES_MAX).contains(&numbers.len()) && numbers.is_sorted_by(|a, b| a < b);
        if fits { Ok(Self(numbers)) } else { Err(NotList { min: 1, max: CHOICES_MAX }) }
    }

    /// In ascending order.
    pub fn as_slice(&self) -> &[i64] {
        &self.0
    }
}

payload! {
    /// From `min` to `max`, both included; never empty.
    pub struct IntRange {
        /// The smallest number.
        1 => pub min: i64,
        /// The greatest number.
        2 => pub max: i64,
    }
    valid_if IntRange::is_not_empty;
}

impl IntRange {
    fn is_not_empty(&self) -> bool {
        self.min <= self.max
    }

    pub(crate) fn holds(&self, number: i64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

/// A block of addresses of one family: `10.1.0.0/16`. Bits beyond the length are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpName,
    length: u32,
}

impl Cidr {
    /// `None` where the length does not fit the family or the base has bits beyond it.
    pub fn new(base: IpName, length: u32) -> Option<Self> {
        let bits = base.bits();
        let host = bits.get(2 + usize::try_from(length).ok()?..)?;
        (!host.contains('1')).then_some(Self { base, length })
    }

    /// Its first address, and how many bits from the front all its addresses share.
    pub(crate) fn base(&self) -> (IpName, u32) {
        (self.base, self.length)
    }

    /// The prefix of [`IpName::bits`] that all its addresses share.
    pub(crate) fn bits(&self) -> String {
        self.base.bits().chars().take(2 + self.length as usize).collect()
    }
}

impl FromStr for Cidr {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        let form = NotName::Form { form: "<address>/<prefix length> without host bits" };
        let (base, length) = text.split_once('/').ok_or(form)?;
        let base = base.parse().ok().and_then(IpName::new).ok_or(form)?;
        let number: u32 = length.parse().map_err(|_| form)?;
        // `+8` and `08` are numbers to Rust.
        if number.to_string() == length { Self::new(base, number).ok_or(form) } else { Err(form) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base.get(), self.length)
    }
}

payload! {
    struct CidrFields {
        1 => base: Vec<u8>,
        2 => length: u32,
    }
}

impl Payload for Cidr {
    fn encode_fields(&self, writer: &mut Writer) {
        CidrFields { base: self.base.to_octets(), length: self.length }.encode_fields(writer);
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let fields = CidrFields::decode_fields(reader)?;
        let base = IpName::from_octets(&fields.base).ok_or(Malformed::Value { field: 1 })?;
        Cidr::new(base, fields.length).ok_or(Malformed::Value { field: 2 })
    }
}
crate::embedded!(Cidr);

/// A host name, or `*.` and a suffix of at least two labels that stands for every name beneath it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(String);
text_name!(HostPattern);

impl FromStr for HostPattern {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        let form = NotName::Form { form: "a host in normal form, or *.<domain of two labels or more>" };
        let name = text.strip_prefix("*.").unwrap_or(text);
        let url: super::argument::UrlName = format!("https://{name}/").parse().map_err(|_| form)?;
        let is_address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
        let wild = name != text;
        if url.parts().host != name || (wild && (is_address || !name.contains('.'))) {
            return Err(form);
        }
        Ok(Self(text.to_owned()))
    }
}

impl HostPattern {
    /// `.example.com` for `*.example.com`; `None` for an exact host.
    pub(crate) fn suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }

    pub(crate) fn holds(&self, host: &str) -> bool {
        match self.suffix() {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.0,
        }
    }

    fn contains(&self, other: &Self) -> bool {
        match (self.suffix(), other.suffix()) {
            (Some(wide), Some(narrow)) => narrow.ends_with(wide),
            (Some(_), None) => self.holds(&other.0),
            (None, Some(_)) => false,
            (None, None) => self == other,
        }
    }
}

payload! {
    /// Scheme, host and port of a URL, and the path that its path is at or beneath.
    pub struct UrlPrefix {
        /// `http` or `https`.
        1 => pub scheme: Word,
        /// The host, or all hosts beneath a domain.
        2 => pub host: HostPattern,
        /// The port, stated even where it is the scheme's default.
        3 => pub port: u32,
        /// Where the path begins.
        4 => pub path: PathName,
    }
    valid_if UrlPrefix::is_valid;
}

impl UrlPrefix {
    fn is_valid(&self) -> bool {
        matches!(self.scheme.as_str(), "http" | "https") && (1..=65_535).contains(&self.port)
    }

    fn contains(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host.contains(&other.host)
            && self.port == other.port
            && other.path.is_at_or_beneath(&self.path)
    }
}

impl Rule {
    /// Whether every value that `other` holds is also held by this rule.
    pub fn contains(&self, other: &Rule) -> bool {
        match (self, other) {
            (Rule::TextIn(wide), Rule::TextIn(narrow)) => narrow.is_subset(wide),
            (Rule::IntIn(wide), Rule::IntIn(narrow)) => narrow.0.iter().all(|n| wide.0.contains(n)),
            (Rule::IntRange(wide), Rule::IntIn(narrow)) => narrow.0.iter().all(|n| wide.holds(*n)),
            (Rule::IntRange(wide), Rule::IntRange(narrow)) => {
                wide.holds(narrow.min) && wide.holds(narrow.max)
            }
            // The range is walked no further than the set is long.
            (Rule::IntIn(wide), Rule::IntRange(narrow)) => {
                let mut numbers = narrow.min..=narrow.max;
                numbers.by_ref().take(wide.0.len()).all(|n| wide.0.contains(&n)) && numbers.next().is_none()
            }
            (Rule::PathUnder(wide), Rule::PathUnder(narrow)) => narrow.is_at_or_beneath(wide),
            (Rule::IpIn(wide), Rule::IpIn(narrow)) => narrow.bits().starts_with(&wide.bits()),
            (Rule::UrlUnder(wide), Rule::UrlUnder(narrow)) => wide.contains(narrow),
            _ => false,
        }
    }
}

payload! {
    /// Exactly one of the fields from 2 on is present.
    struct ConstraintFields {
        1 => argument: Word,
        2 => text_in: Ascending<Text, 0, CHOICES_MAX>,
        3 => int_in: Packed,
        4 => int_range: Option<IntRange>,
        5 => path_under: Option<PathName>,
        6 => ip_in: Option<Cidr>,
        7 => url_under: Option<UrlPrefix>,
    }
}

impl Payload for Constraint {
    fn encode_fields(&self, writer: &mut Writer) {
        use crate::payload::Field as _;
        self.argument.put(1, writer);
        match &self.rule {
            Rule::TextIn(choices) => choices.put(2, writer),
            Rule::IntIn(choices) => Packed(choices.0.clone()).put(3, writer),
            Rule::IntRange(range) => range.put(4, writer),
            Rule::PathUnder(prefix) => prefix.put(5, writer),
            Rule::IpIn(block) => block.put(6, writer),
            Rule::UrlUnder(prefix) => prefix.put(7, writer),
        }
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let fields = ConstraintFields::decode_fields(reader)?;
        let mut rules = Vec::new();
        if !fields.text_in.is_empty() {
            let choices = Ascending::sorted(fields.text_in.to_vec());
            rules.push(Rule::TextIn(choices.map_err(|_| Malformed::Value { field: 2 })?));
        }
        if !fields.int_in.0.is_empty() {
            let choices = IntSet::sorted(fields.int_in.0);
            rules.push(Rule::IntIn(choices.map_err(|_| Malformed::Value { field: 3 })?));
        }
        rules.extend(fields.int_range.map(Rule::IntRange));
        rules.extend(fields.path_under.map(Rule::PathUnder));
        rules.extend(fields.ip_in.map(Rule::IpIn));
        rules.extend(fields.url_under.map(Rule::UrlUnder));
        let (Some(rule), true) = (rules.pop(), rules.is_empty()) else { return Err(Malformed::Inconsistent) };
        Ok(Self { argument: fields.argument, rule })
    }
}
crate::embedded!(Constraint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_pattern_stands_for_names_beneath_a_domain_only() {
        let host = |text: &str| text.parse::<HostPattern>();
        assert!(host("*.example.com").unwrap().holds("a.example.com"));
        assert!(!host("*.example.com").unwrap().holds("example.com"));
        assert!(!host("*.example.com").unwrap().holds("badexample.com"));
        assert!(host("*.example.com").unwrap().contains(&host("*.eu.example.com").unwrap()));
        assert!(!host("*.eu.example.com").unwrap().contains(&host("*.example.com").unwrap()));
        for bad in [
            "*",
            "*.",
            "*.com",
            "a.*.com",
            "Example.com",
            "example.com.",
            "*.10.0.0.1",
            "u@h.example",
            "h:80",
            "*..example.com",
            "a..example.com",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_block_has_no_host_bits() {
        assert!("10.1.0.0/16".parse::<Cidr>().is_ok());
        for bad in [
            "10.1.0.1/16",
            "10.0.0.0/33",
            "::ffff:10.0.0.0/104",
            "10.0.0.0",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08",
        ] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn two_rules_in_one_constraint_are_malformed() {
        let constraint = |rule| Constraint { argument: "n".parse().unwrap(), rule };
        let mut bytes = constraint(Rule::IntIn(IntSet::new(vec![1]).unwrap())).to_bytes();
        assert!(Constraint::from_bytes(&bytes).is_ok());
        IntRange { min: 0, max: 9 }.put_field_4(&mut bytes);
        assert_eq!(Constraint::from_bytes(&bytes), Err(Malformed::Inconsistent));
        assert_eq!(
            Constraint::from_bytes(&[0x0a, 1, b'n']),
            Err(Malformed::Inconsistent),
            "no rule is not any rule"
        );
    }

    impl IntRange {
        fn put_field_4(&self, bytes: &mut Vec<u8>) {
            let mut writer = Writer::default();
            crate::payload::Field::put(self, 4, &mut writer);
            bytes.extend(writer.into_bytes());
        }
    }
}

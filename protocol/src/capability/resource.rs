//! What is acted on: resource names, and the patterns that capabilities name them by.

use std::{fmt, str::FromStr};

use super::segment;
use crate::{
    limits::{NAME_MAX_BYTES, SEGMENTS_MAX, WORD_MAX_BYTES},
    name::{NotName, text_name},
};

const NAME_FORM: &str = "<scheme>:/<segment>/<segment>…";

/// One resource: `file:/data/eu/q3.csv`. It is compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(String);
text_name!(ResourceName);

impl FromStr for ResourceName {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        let (_, segments) = split(text)?;
        for segment in segments {
            segment::check(segment)?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl ResourceName {
    /// What stands before the colon.
    pub fn scheme(&self) -> &str {
        self.0.split_once(":/").unwrap_or_default().0
    }

    /// What stands between the slashes: one segment or more.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split_once(":/").unwrap_or_default().1.split('/')
    }
}

/// A set of resources: segments that are literal or `*` (exactly one, any), and at the end possibly
/// `**` (one or more, any). `file:/data/**` holds `file:/data/eu/q3.csv` but not `file:/data`.
///
/// Whether one pattern holds all of another is decided segment by segment, so the answer is exact.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePattern(String);
text_name!(ResourcePattern);

impl FromStr for ResourcePattern {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        let (_, segments) = split(text)?;
        let last = segments.len() - 1;
        for (position, segment) in segments.into_iter().enumerate() {
            let wild = segment == "*" || (segment == "**" && position == last);
            if !wild {
                segment::check(segment)?;
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl ResourcePattern {
    /// Whether the pattern holds every resource that `other` holds.
    pub fn contains(&self, other: &Self) -> bool {
        let (wide, narrow) = (self.parts(), other.parts());
        let depth_fits = match (wide.open, narrow.open) {
            // Open beneath n segments means at least n + 1.
            (true, true) => narrow.segments.len() >= wide.segments.len(),
            (true, false) => narrow.segments.len() > wide.segments.len(),
            (false, true) => false,
            (false, false) => narrow.segments.len() == wide.segments.len(),
        };
        let within = |(wide, narrow): (&Option<&str>, &Option<&str>)| wide.is_none() || wide == narrow;
        wide.scheme == narrow.scheme && depth_fits && wide.segments.iter().zip(&narrow.segments).all(within)
    }

    /// Whether the pattern holds that resource.
    pub fn holds(&self, name: &ResourceName) -> bool {
        let (scheme, wanted) = self.0.split_once(":/").unwrap_or_default();
        let (named, found) = name.0.split_once(":/").unwrap_or_default();
        let mut found = found.split('/');
        for wanted in wanted.split('/') {
            match (wanted, found.next()) {
                // It is the last, and one segment or more.
                ("**", last) => return scheme == named && last.is_some(),
                (wanted, Some(found)) if wanted == "*" || wanted == found => {}
                _ => return false,
            }
        }
        scheme == named && found.next().is_none()
    }

    pub(crate) fn parts(&self) -> PatternParts<'_> {
        let (scheme, mut segments) = split(&self.0).unwrap_or_default();
        let open = segments.last() == Some(&"**");
        if open {
            segments.pop();
        }
        let segments = segments.into_iter().map(|segment| (segment != "*").then_some(segment)).collect();
        PatternParts { scheme, segments, open }
    }
}

/// A pattern taken apart: what the Datalog check and the decision table are made from.
pub(crate) struct PatternParts<'a> {
    pub(crate) scheme: &'a str,
    /// A literal, or `None` for `*`.
    pub(crate) segments: Vec<Option<&'a str>>,
    /// Whether `**` follows.
    pub(crate) open: bool,
}

fn split(text: &str) -> Result<(&str, Vec<&str>), NotName> {
    if text.is_empty() || text.len() > NAME_MAX_BYTES {
        return Err(NotName::Length { limit: NAME_MAX_BYTES });
    }
    let form = NotName::Form { form: NAME_FORM };
    let (scheme, path) = text.split_once(":/").ok_or(form)?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.');
    let starts = scheme.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if !starts || scheme.len() > WORD_MAX_BYTES || !scheme.bytes().all(allowed) {
        return Err(form);
    }
    let segments: Vec<&str> = path.split('/').collect();
    if segments.len() > SEGMENTS_MAX {
        return Err(NotName::Length { limit: SEGMENTS_MAX });
    }
    Ok((scheme, segments))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name is the pattern that holds it alone, so `contains` says the same.
    #[test]
    fn a_pattern_holds_the_names_that_it_contains_as_patterns() {
        let names = ["file:/a", "file:/a/b", "file:/a/b/c", "file:/b", "file:/b/c", "http:/a", "file:/ab"];
        let patterns =
            ["file:/**", "file:/*", "file:/a", "file:/a/*", "file:/a/**", "file:/*/b", "file:/*/*/**"];
        let (mut held, mut not) = (0, 0);
        for pattern in patterns.iter().chain(&names).map(|text| text.parse::<ResourcePattern>().unwrap()) {
            for name in names {
                let (exact, name) = (name.parse().unwrap(), name.parse().unwrap());
                assert_eq!(pattern.holds(&name), pattern.contains(&exact), "{pattern} and {name}");
                *(if pattern.holds(&name) { &mut held } else { &mut not }) += 1;
            }
        }
        assert_eq!((held, not), (22, 76));
    }

    #[test]
    fn names_that_are_not_normal_are_refused() {
        for text in [
            "file:/data/../etc",
            "file:/data//eu",
            "file:/data/",
            "file:/",
            "file:data",
            "FILE:/data",
            "file:/da%74a",
            "file:/data/*",
            "/data",
            "",
            "file:/data/%2e%2e/etc",
            "file:/dаta",
        ] {
            assert!(text.parse::<ResourceName>().is_err(), "{text}");
        }
        for text in ["file:/**/data", "file:/data/***", "file:/data/a*", "file:/data/**/x"] {
            assert!(text.parse::<ResourcePattern>().is_err(), "{text}");
        }
    }
}

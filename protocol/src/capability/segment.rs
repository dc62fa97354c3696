//! One segment of a resource name, a path or a URL's path, in its one normal form (TOK-031).
//!
//! Names are compared byte by byte, so each must have exactly one spelling. This module does not
//! normalize: two programs that normalize differently are how `..`, `//`, case and
//! percent-encoding become holes. It refuses.

use crate::name::NotName;

const ALLOWED: &str = "A-Z a-z 0-9 - . _ ~ ! $ & ' ( ) + , ; = : @ and %XX for everything else";

/// Checks one segment: not empty, not a dot segment, percent-encoded only where it has to be.
pub(super) fn check(segment: &str) -> Result<(), NotName> {
    if matches!(segment, "" | "." | "..") {
        return Err(NotName::Form { form: "segments that are neither empty nor dots" });
    }
    let refused = NotName::Character { allowed: ALLOWED };
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let byte = bytes.next().and_then(hex).zip(bytes.next().and_then(hex)).ok_or(refused)?;
                let byte = byte.0 << 4 | byte.1;
                // What may stand as it is must; a hidden separator or control character never may.
                if is_plain(byte) || matches!(byte, b'/' | b'\\') {
                    return Err(refused);
                }
                decoded.push(byte);
            }
            _ if is_plain(byte) => decoded.push(byte),
            _ => return Err(refused),
        }
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| refused)?;
    if text.chars().any(char::is_control) { Err(refused) } else { Ok(()) }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@".contains(&byte)
}

/// The value of an upper-case hexadecimal digit: percent-encoding has one spelling too.
fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_spelling() {
        for good in ["a", "q3.csv", "...", ".x", "%2A", "r%C3%A9sum%C3%A9", "50%25", "a:b@c", "%20"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "", ".", "..", "*", "a b", "%2E", "%2e", "%2F", "%5C", "%61", "%3A", "%00", "%1F", "%", "%4",
            "%zz", "é", "%C3", "%C0%AF", "a/b", "a\\b", "a?b", "a#b", "%C2%85",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}

//! IP addresses as text, digit by digit.

/// Four decimal numbers below 256 without leading zeros.
pub(super) fn v4(text: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| part.parse::<u8>().ok().filter(|number| number.to_string() == **part);
    let bytes: Option<Vec<u8>> = parts.iter().map(number).collect();
    bytes.filter(|bytes| bytes.len() == 4)
}

/// RFC 4291: eight groups, one run of them left out as `::`, the last two perhaps as an IPv4 address.
pub(super) fn v6(text: &str) -> Option<[u16; 8]> {
    let (before, after) = match text.split_once("::") {
        Some((before, after)) => (groups(before, false)?, groups(after, true)?),
        None => (groups(text, true)?, Vec::new()),
    };
    let left_out = text.contains("::");
    let given = before.len() + after.len();
    if (left_out && given > 7) || (!left_out && given != 8) {
        return None;
    }
    let zeros = vec![0; 8 - given];
    [before, zeros, after].concat().try_into().ok()
}

fn groups(text: &str, last: bool) -> Option<Vec<u16>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let parts: Vec<&str> = text.split(':').collect();
    let mut groups = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if last && at + 1 == parts.len() && part.contains('.') {
            let bytes = v4(part)?;
            groups.extend(bytes.chunks(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])));
        } else {
            let fits = (1..=4).contains(&part.len()) && part.chars().all(|c| c.is_ascii_hexdigit());
            groups.push(u16::from_str_radix(part, 16).ok().filter(|_| fits)?);
        }
    }
    Some(groups)
}

/// WHATWG: lower case, no leading zeros, the first longest run of two zero groups or more left out.
fn write_v6(groups: [u16; 8]) -> String {
    let text = |groups: &[u16]| groups.iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":");
    for length in (2..=8).rev() {
        for start in 0..=8 - length {
            if groups[start..start + length].iter().all(|group| *group == 0) {
                return format!("{}::{}", text(&groups[..start]), text(&groups[start + length..]));
            }
        }
    }
    text(&groups)
}

fn is_mapped(groups: [u16; 8]) -> bool {
    groups[..6] == [0, 0, 0, 0, 0, 0xffff]
}

pub(super) fn is_normal_v4(text: &str) -> bool {
    v4(text).is_some()
}

pub(super) fn is_normal_v6(text: &str) -> bool {
    v6(text).is_some_and(|groups| write_v6(groups) == text && !is_mapped(groups))
}

/// An address that is not IPv4-mapped, a slash and a length, with no bit set beyond it.
pub(super) fn is_block(text: &str) -> bool {
    block(text).is_some()
}

/// Its bytes and how many bits count.
pub(crate) fn block(text: &str) -> Option<(Vec<u8>, u32)> {
    let (address, digits) = text.split_once('/')?;
    let length: u32 = digits.parse().ok().filter(|length: &u32| length.to_string() == digits)?;
    let bytes = match (v4(address), v6(address)) {
        (Some(bytes), _) => bytes,
        (None, Some(groups)) if !is_mapped(groups) => {
            groups.iter().flat_map(|group| group.to_be_bytes()).collect()
        }
        _ => return None,
    };
    let beyond = (length..bytes.len() as u32 * 8).all(|place| !super::bit(&bytes, place));
    (length <= bytes.len() as u32 * 8 && beyond).then_some((bytes, length))
}

/// Four bytes, or sixteen that are not an IPv4-mapped address.
pub(super) fn is_address(bytes: &[u8]) -> bool {
    match bytes.len() {
        4 => true,
        16 => bytes[..12] != [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        _ => false,
    }
}

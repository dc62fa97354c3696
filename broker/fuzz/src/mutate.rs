//! Mutations that know what they mutate: a field is changed within its message and the lengths around
//! it are mended, so that an input is wrong in one thing and gets as far as that thing.

use rand::{Rng, seq::SliceRandom as _};

use crate::{
    target::Form,
    wire::{Field, Value},
};

/// Words that decide something in one of our texts.
const WORDS: [&str; 60] = [
    "..",
    ".",
    "/",
    "//",
    "%2F",
    "%2f",
    "%41",
    "%",
    "*",
    "**",
    "*.",
    ":443",
    ":80",
    ":0",
    ":65536",
    "@",
    "é",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    "#",
    "+",
    "-",
    "_",
    "0",
    "1",
    "00",
    "9223372036854775808",
    "-9223372036854775808",
    "0x",
    "1e9",
    "true",
    "spiffe://",
    "https://",
    "http://",
    "file:/",
    "::ffff:10.0.0.1",
    "[::1]",
    "0.0.0.0",
    "/0",
    "/32",
    "/129",
    "i",
    "agent",
    "service",
    "human",
    "— ",
    "\u{feff}",
    "\u{202e}",
];

/// Numbers at which something changes.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    15,
    16,
    17,
    127,
    128,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// One to a few mutations of an input. `donors` are inputs from which parts may be taken.
pub fn mutate(form: Form, input: &[u8], donors: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.gen_range(0..3) {
        bytes = match form {
            Form::Message { selectors } if bytes.len() >= selectors && rng.gen_bool(0.85) => {
                let donor =
                    donors.choose(rng).map_or(&[][..], |donor| donor.get(selectors..).unwrap_or_default());
                let (front, message) = bytes.split_at(selectors);
                let mut mutated = front.to_vec();
                if !mutated.is_empty() && rng.gen_bool(0.1) {
                    let place = rng.gen_range(0..mutated.len());
                    mutated[place] = rng.gen_range(0..40);
                }
                mutated.extend(mutate_message(message, donor, 0, rng));
                mutated
            }
            Form::Text if rng.gen_bool(0.85) => mutate_text(&bytes, donors, rng),
            _ => mutate_bytes(bytes, rng),
        };
    }
    bytes
}

/// Changes a field of the message, or of a message in it.
fn mutate_message(bytes: &[u8], donor: &[u8], depth: usize, rng: &mut impl Rng) -> Vec<u8> {
    let Some(mut fields) = Field::read_all(bytes).filter(|fields| !fields.is_empty()) else {
        return mutate_value(bytes, donor, rng);
    };
    let place = rng.gen_range(0..fields.len());
    if let Value::Bytes(inner) = &fields[place].value
        && depth < 12
        && inner.len() > 1
        && rng.gen_bool(0.75)
    {
        let theirs = Field::read_all(donor).unwrap_or_default();
        let same = theirs.iter().filter(|field| field.tag == fields[place].tag);
        let donor = same.filter_map(Field::as_bytes).next().unwrap_or_default();
        // Text looks like a message now and then; it is none.
        let mutated = if Field::read_all(inner).is_some() {
            mutate_message(inner, donor, depth + 1, rng)
        } else {
            mutate_value(inner, donor, rng)
        };
        fields[place].value = Value::Bytes(mutated);
        return Field::write_all(&fields);
    }
    mutate_fields(&mut fields, place, donor, rng);
    Field::write_all(&fields)
}

fn mutate_fields(fields: &mut Vec<Field>, place: usize, donor: &[u8], rng: &mut impl Rng) {
    let other = rng.gen_range(0..fields.len());
    match rng.gen_range(0..12) {
        0 => drop(fields.remove(place)),
        1 => fields.insert(place, fields[other].clone()),
        2 => fields.swap(place, other),
        3 => fields[place].value = fields[other].value.clone(),
        4 => fields[place].padding[rng.gen_range(0..2)] += 1,
        5 => {
            fields[place].tag = fields[place].tag.wrapping_add_signed(*[8, -8, 16, 1, 2].choose(rng).unwrap())
        }
        6 => {
            let number = rng.gen_range(1..40);
            let field = match rng.gen_bool(0.5) {
                true => Field::varint(number, number_near(0, rng)),
                false => Field::of_bytes(number, &[rng.r#gen()]),
            };
            fields.insert(place, field);
        }
        7 | 8 => {
            let theirs = Field::read_all(donor).unwrap_or_default();
            if let Some(field) = theirs.choose(rng) {
                // Preferably into the place of its like.
                match fields.iter().position(|own| own.tag == field.tag) {
                    Some(place) if rng.gen_bool(0.8) => fields[place] = field.clone(),
                    _ => fields.insert(place, field.clone()),
                }
            }
        }
        _ => {
            fields[place].value = match &fields[place].value {
                Value::Varint(value) => Value::Varint(number_near(*value, rng)),
                Value::Bytes(bytes) => Value::Bytes(mutate_bytes(bytes.clone(), rng)),
            }
        }
    }
}

/// Changes what is not a message: text, a name, a digest, packed numbers.
fn mutate_value(bytes: &[u8], donor: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    if !donor.is_empty() && rng.gen_bool(0.2) {
        return donor.to_vec();
    }
    let printable = bytes.iter().all(|byte| byte.is_ascii_graphic());
    if printable && rng.gen_bool(0.6) {
        mutate_text(bytes, &[], rng)
    } else {
        mutate_bytes(bytes.to_vec(), rng)
    }
}

fn number_near(value: u64, rng: &mut impl Rng) -> u64 {
    match rng.gen_range(0..4) {
        0 => value.wrapping_add(1),
        1 => value.wrapping_sub(1),
        2 => value ^ (1 << rng.gen_range(0..64)),
        _ => *NUMBERS.choose(rng).unwrap(),
    }
}

fn mutate_text(bytes: &[u8], donors: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let (start, end) = range(bytes.len(), rng);
    match rng.gen_range(0..6) {
        0 | 1 => {
            let word = WORDS.choose(rng).unwrap().bytes();
            bytes.splice(start..start, word);
        }
        2 => {
            let word = WORDS.choose(rng).unwrap().bytes();
            bytes.splice(start..end, word);
        }
        3 => drop(bytes.drain(start..end)),
        4 => {
            let again = bytes[start..end].to_vec();
            let times = rng.gen_range(1..4);
            bytes.splice(end..end, again.repeat(times));
        }
        _ => match donors.choose(rng) {
            // Lines of one text between those of another.
            Some(donor) => {
                let line = donor.split(|byte| *byte == b'\n').collect::<Vec<_>>().choose(rng).copied();
                let line = [line.unwrap_or_default(), b"\n"].concat();
                let at = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                bytes.splice(at..at, line);
            }
            None => bytes = mutate_bytes(bytes, rng),
        },
    }
    bytes
}

fn mutate_bytes(mut bytes: Vec<u8>, rng: &mut impl Rng) -> Vec<u8> {
    let (start, end) = range(bytes.len(), rng);
    match rng.gen_range(0..8) {
        0 | 1 if !bytes.is_empty() => {
            let place = start.min(bytes.len() - 1);
            bytes[place] ^= 1 << rng.gen_range(0..8);
        }
        2 if !bytes.is_empty() => {
            let place = start.min(bytes.len() - 1);
            bytes[place] = rng.r#gen();
        }
        3 => bytes.insert(start, rng.r#gen()),
        4 => bytes.push(rng.r#gen()),
        5 => drop(bytes.drain(start..end)),
        6 => bytes.truncate(start),
        _ => {
            let again = bytes[start..end].to_vec();
            bytes.splice(end..end, again);
        }
    }
    bytes
}

/// Where a change begins and ends: mostly a few bytes.
fn range(length: usize, rng: &mut impl Rng) -> (usize, usize) {
    let start = rng.gen_range(0..=length);
    let most = if rng.gen_bool(0.8) { 4 } else { length };
    (start, (start + rng.gen_range(0..=most.max(1))).min(length))
}

//! The field tables of `payloads.txt`, and a reader that decodes by them whatever can be decoded and
//! lists each departure from the grammar beside it.

use countersign_forge::wire::{Raw, read_varint, scan};
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::cast;

/// How often a field may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Often {
    Once,
    Repeated,
}

struct Field {
    number: u64,
    name: String,
    kind: String,
    often: Often,
    codes: BTreeMap<u64, String>,
}

/// The tables by the name of their message.
pub(crate) struct Grammar(BTreeMap<String, Vec<Field>>);

impl Grammar {
    pub(crate) fn read() -> Self {
        let mut tables: BTreeMap<String, Vec<Field>> = BTreeMap::new();
        let mut name = "";
        for line in include_str!("../../../conformance/vectors/payloads.txt").lines() {
            match line.strip_prefix("  ") {
                _ if line.is_empty() || line.starts_with('#') => (),
                None => name = line,
                Some(rule) if rule.starts_with("if ") => (),
                Some(field) => tables.entry(name.to_owned()).or_default().push(Field::read(field)),
            }
        }
        Self(tables)
    }

    /// What the bytes say, and how they say it other than the grammar wants.
    pub(crate) fn explain(&self, message: &str, bytes: &[u8], form: &mut Vec<String>) -> Value {
        self.message(message, bytes, message, form)
    }

    fn message(&self, message: &str, bytes: &[u8], place: &str, form: &mut Vec<String>) -> Value {
        let table = self.0.get(message).unwrap_or_else(|| panic!("no table for {message}"));
        let (fields, rest) = scan(bytes);
        let mut object = Map::new();
        for field in table.iter().filter(|field| field.often == Often::Repeated) {
            object.insert(field.name.clone(), json!([]));
        }
        let mut last = 0;
        for raw in &fields {
            let shown = short_hex(raw.whole);
            let Some(field) = table.iter().find(|field| field.number == raw.number) else {
                form.push(format!("{place}: unknown field {}: {shown}", raw.number));
                continue;
            };
            let place = format!("{place}.{}", field.name);
            if !raw.minimal {
                form.push(format!("{place}: not minimal: {shown}"));
            }
            if raw.number < last {
                form.push(format!("{place}: stands after field {last}"));
            }
            last = last.max(raw.number);
            let value = match raw.wire_type == field.wire_type() {
                true => self.value(field, raw, &place, form),
                false => json!({ "wire_type": raw.wire_type, "field": shown }),
            };
            match (field.often, object.get_mut(&field.name)) {
                (Often::Repeated, Some(Value::Array(list))) => list.push(value),
                (Often::Once, Some(_)) => form.push(format!("{place}: stands twice: {shown}")),
                _ => drop(object.insert(field.name.clone(), value)),
            }
        }
        for field in table.iter().filter(|field| field.has_default()) {
            let missing = || if field.kind == "i64-packed" { json!([]) } else { json!(0) };
            object.entry(field.name.clone()).or_insert_with(missing);
        }
        if !rest.is_empty() {
            form.push(format!("{place}: no field: {}", short_hex(rest)));
        }
        Value::Object(object)
    }

    fn value(&self, field: &Field, raw: &Raw<'_>, place: &str, form: &mut Vec<String>) -> Value {
        let bytes = raw.value;
        match field.kind.as_str() {
            "u32" | "u64" | "amount" | "leaf" | "size" | "i64" if raw.integer == 0 => {
                form.push(format!("{place}: zero is stated"));
                json!(0)
            }
            "u32" | "u64" | "amount" | "leaf" | "size" | "length" | "stated" => number(raw.integer),
            "i64" => signed(raw.integer),
            "time" => json!(cast::time_text(raw.integer)),
            "code" => field.codes.get(&raw.integer).map_or(number(raw.integer), |name| json!(name)),
            "i64-packed" => {
                if bytes.is_empty() {
                    form.push(format!("{place}: an empty list is stated"));
                }
                packed(bytes)
            }
            "key" => json!(cast::key_name(bytes)),
            "uuid" => json!(uuid_text(bytes)),
            "ip" => json!(ip_text(bytes)),
            "bytes" | "datalog" => blob(bytes),
            "digest" | "signature" | "nonce" => json!(hex::encode(bytes)),
            name if name.starts_with(char::is_uppercase) => self.message(name, bytes, place, form),
            _ => json!(text(bytes)),
        }
    }
}

impl Field {
    /// `3 signatures KeyedSignature[]`, with `code=name` after it for codes.
    fn read(line: &str) -> Self {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        let (number, name, kind) = (word().parse().unwrap(), word().to_owned(), word());
        let codes = words.map(|code| code.split_once('=').unwrap());
        let codes = codes.map(|(code, name)| (code.parse().unwrap(), name.to_owned())).collect();
        let packed = kind.starts_with("i64-packed");
        let often = if kind.contains(['[', '{']) && !packed { Often::Repeated } else { Often::Once };
        let kind = kind.split(['[', '{', '?']).next().unwrap().to_owned();
        Self { number, name, kind, often, codes }
    }

    fn wire_type(&self) -> u64 {
        if self.is_integer() || matches!(self.kind.as_str(), "time" | "code" | "stated") { 0 } else { 2 }
    }

    fn is_integer(&self) -> bool {
        matches!(self.kind.as_str(), "u32" | "u64" | "amount" | "leaf" | "size" | "length" | "i64")
    }

    fn has_default(&self) -> bool {
        (self.is_integer() && self.kind != "length") || self.kind == "i64-packed"
    }
}

/// Numbers that JSON readers round are written as text.
fn number(value: u64) -> Value {
    if value < 1 << 53 { json!(value) } else { json!(value.to_string()) }
}

fn signed(zigzag: u64) -> Value {
    let value = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    if value.unsigned_abs() < 1 << 53 { json!(value) } else { json!(value.to_string()) }
}

fn packed(mut bytes: &[u8]) -> Value {
    let mut values = Vec::new();
    while let Some((value, length, minimal)) = read_varint(bytes) {
        values.push(if minimal { signed(value) } else { json!(hex::encode(&bytes[..length])) });
        bytes = &bytes[length..];
    }
    if !bytes.is_empty() {
        values.push(json!(hex::encode(bytes)));
    }
    json!(values)
}

/// Long ones are named by length and digest.
pub(crate) fn blob(bytes: &[u8]) -> Value {
    match bytes.len() {
        0..=64 => json!(hex::encode(bytes)),
        length => json!({ "bytes": length, "sha256": hex::encode(cast::sha256(bytes)) }),
    }
}

/// The beginning and the length of what is long.
pub(crate) fn short_hex(bytes: &[u8]) -> String {
    match bytes.len() {
        0..=128 => hex::encode(bytes),
        length => format!("{}… ({length} bytes)", hex::encode(&bytes[..16])),
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| format!("hex:{}", hex::encode(bytes)), str::to_owned)
}

fn uuid_text(bytes: &[u8]) -> String {
    let hex = hex::encode(bytes);
    if bytes.len() != 16 {
        return hex;
    }
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn ip_text(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    <[u8; 16]>::try_from(bytes)
        .map_or_else(|_| hex::encode(bytes), |v6| std::net::Ipv6Addr::from(v6).to_string())
}

//! The decoded view of a signed note.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::super::{cast, grammar, read};

/// Lines as they are; a signature's line taken apart, if it has the parts.
pub(super) fn explain(context: &Value, input: &Value) -> Value {
    let note = grammar::text(&read::base64(input, "note_b64"));
    let lines: Vec<&str> = note.split('\n').collect();
    let first = lines.iter().position(|line| line.starts_with("— ")).unwrap_or(lines.len());
    let (text, signatures) = lines.split_at(first);
    let signed: String =
        text.strip_suffix(&[""]).unwrap_or(text).iter().map(|line| format!("{line}\n")).collect();
    let mut shown: Vec<Value> = text.iter().map(|line| json!(line)).collect();
    match signatures.len() {
        0..=8 => shown.extend(signatures.iter().map(|line| signature(line, &signed))),
        count => shown.push(json!({ "signatures": count - 1 })),
    }
    json!({ "vkey": context["vkey"], "lines": shown })
}

fn signature(line: &str, message: &str) -> Value {
    let parts = line.strip_prefix("— ").and_then(|rest| rest.split_once(' '));
    let decoded = parts.and_then(|(name, code)| Some((name, STANDARD.decode(code).ok()?)));
    let Some((name, bytes)) = decoded.filter(|(_, bytes)| bytes.len() == 68) else { return json!(line) };
    let (id, signature) = bytes.split_at(4);
    let of = |key: &&&str| id == key_id(name, cast::public(key).as_bytes());
    let Some(key) = cast::KEYS.iter().find(of) else {
        return json!({ "name": name, "key_id": hex::encode(id), "signature": hex::encode(signature) });
    };
    let verdict = super::verdict(cast::public(key).as_bytes(), message.as_bytes(), signature);
    json!({ "name": name, "key": key, "signature": verdict })
}

/// The first four bytes of C2SP's hash of name and key.
pub(crate) fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let hash = cast::sha256(&[name.as_bytes(), b"\n\x01", key].concat());
    *hash.first_chunk().unwrap()
}

//! Values out of JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("{name} is no text in {object}"))
}

pub(crate) fn base64(object: &Value, name: &str) -> Vec<u8> {
    base64_value(&object[name])
}

pub(crate) fn base64_value(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("base64 is text")).expect("base64")
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("hexadecimal is text")).expect("hexadecimal")
}

/// For builders.
pub(crate) fn to_base64(bytes: &[u8]) -> Value {
    Value::from(STANDARD.encode(bytes))
}

//! Checkpoints by hand: any text, signed under any name by any key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::key::SigningKey;
use sha2::{Digest as _, Sha256};

use crate::ed25519::sign;

/// A signature's line.
pub fn line(name: &str, key: &SigningKey, text: &str) -> String {
    let id = Sha256::digest([name.as_bytes(), b"\n\x01", key.public().as_bytes()].concat());
    format!("— {name} {}\n", STANDARD.encode([&id[..4], &sign(&key.to_seed(), text.as_bytes())].concat()))
}

/// A text and the lines beneath it.
pub fn note(text: &str, lines: &[String]) -> String {
    format!("{text}\n{}", lines.concat())
}

//! A trust domain's public keys in a file: what someone who verifies offline pins.

use std::path::Path;

use countersign_protocol::trust::KeySet;

use crate::{
    failure::Failure,
    input::{self, Source},
    limits::TEXT_FILE_MAX_BYTES,
    terminal::Terminal,
};

/// Reads them.
pub(crate) fn read(path: &Path, terminal: &mut Terminal) -> Result<KeySet, Failure> {
    let bytes = Source::File(path.to_owned()).read(TEXT_FILE_MAX_BYTES, terminal)?;
    let text = input::text(bytes, path)?;
    text.trim_end().parse().map_err(|error| {
        let what = format!("{} holds no keys of a trust domain", path.display());
        let next =
            "Get keys.txt anew from the trust domain, by a way that you trust: everything rests on it.";
        Failure::usage(what, format!("{error}."), next)
    })
}

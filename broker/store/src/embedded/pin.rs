//! The checkpoint file: the log must hold at least this, and hold exactly this up to there.

use std::path::Path;

use countersign_protocol::{digest::Digest, ledger::SignedCheckpoint};

use super::disk;
use crate::StoreError;

/// The last line holds the hash of what precedes it: the store cannot check the signature, and
/// gives out the text only as it was put in.
const HASH_LINE: &str = "sha256 ";

/// Replaces the checkpoint.
pub(super) fn write(path: &Path, checkpoint: &SignedCheckpoint) -> Result<(), StoreError> {
    let text = checkpoint.as_str();
    let hash = Digest::of(text.as_bytes());
    disk::replace(path, format!("{text}{HASH_LINE}{hash}\n").as_bytes())
}

/// The checkpoint, or `None` where none was ever put.
pub(super) fn read(path: &Path) -> Result<Option<SignedCheckpoint>, StoreError> {
    let Some(bytes) = disk::read_if_there(path)? else { return Ok(None) };
    let damaged = || StoreError::Damaged {
        file: path.to_owned(),
        offset: 0,
        what: "not a checkpoint as it was written",
    };
    let file = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    let end = file.rfind(HASH_LINE).ok_or_else(damaged)?;
    let (text, hash_line) = file.split_at_checked(end).ok_or_else(damaged)?;
    if hash_line != format!("{HASH_LINE}{}\n", Digest::of(text.as_bytes())) {
        return Err(damaged());
    }
    text.parse().map(Some).map_err(|_| damaged())
}

//! A commit record: one batch, and what the log is after it.
//!
//! All numbers are big-endian.
//!
//! ```text
//! prefix   magic 4 | length of the record 4 | durable 8 | first index 8 | count 4 | check 8
//! body     length of each entry, 2 each | the entries | root after the batch 32
//! hash 32  over the segment's salt and all of the above
//! ```
//!
//! *Durable* is the size of the log that was flushed before this record was written. Records of one
//! flush may reach the disk in any order when the power fails, so a whole record behind a broken
//! one proves nothing by itself; but a record whose *durable* lies beyond the broken one proves
//! that the broken one was whole once, and acknowledged. The prefix has a check of its own, so that
//! a damaged file is searched for such records in one pass.

use bytes::{Buf as _, BufMut as _, Bytes};
use countersign_protocol::{digest::TreeHash, ledger::TreeSize};

use super::segment::Salt;

const MAGIC: &[u8; 4] = b"cbat";
const CHECK_BYTES: usize = 8;
const PREFIX_BYTES: usize = 4 + 4 + 8 + 8 + 4 + CHECK_BYTES;
const HASH_BYTES: usize = 32;

/// Bytes of the record of a batch.
pub(super) fn length(entries: &[Bytes]) -> usize {
    let of_entries: usize = entries.iter().map(|entry| 2 + entry.len()).sum();
    PREFIX_BYTES + of_entries + 2 * HASH_BYTES
}

/// The fixed part at a record's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    length: usize,
    durable: TreeSize,
    first: TreeSize,
    count: usize,
}

impl Prefix {
    fn parse(bytes: &[u8], salt: &Salt) -> Option<Self> {
        let prefix = bytes.get(..PREFIX_BYTES)?;
        let mut rest = prefix.strip_prefix(MAGIC)?;
        let (checked, check) = prefix.split_last_chunk::<CHECK_BYTES>()?;
        if !salt.hash(checked).starts_with(check) {
            return None;
        }
        Some(Self {
            length: usize::try_from(rest.try_get_u32().ok()?).ok()?,
            durable: TreeSize::new(rest.try_get_u64().ok()?)?,
            first: TreeSize::new(rest.try_get_u64().ok()?)?,
            count: usize::try_from(rest.try_get_u32().ok()?).ok()?,
        })
    }
}

/// A record whose hash was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The size of the log that was flushed before this record was written.
    pub(super) durable: TreeSize,
    pub(super) first: TreeSize,
    pub(super) entries: Vec<Bytes>,
    /// The root of the log with these entries.
    pub(super) root: TreeHash,
}

impl Record {
    /// Writes the record to the end of `out`.
    pub(super) fn encode(&self, salt: &Salt, out: &mut Vec<u8>) {
        let mut record = Vec::with_capacity(length(&self.entries));
        record.put_slice(MAGIC);
        // The limits of a batch keep both numbers and each entry's length within their fields.
        record.put_u32(length(&self.entries) as u32);
        record.put_u64(self.durable.get());
        record.put_u64(self.first.get());
        record.put_u32(self.entries.len() as u32);
        let check: [u8; HASH_BYTES] = salt.hash(&record);
        record.extend(check.iter().take(CHECK_BYTES));
        for entry in &self.entries {
            record.put_u16(entry.len() as u16);
        }
        for entry in &self.entries {
            record.put_slice(entry);
        }
        record.put_slice(self.root.as_bytes());
        let hash = salt.hash(&record);
        out.extend_from_slice(&record);
        out.extend_from_slice(&hash);
    }

    /// The record at the beginning of `bytes` and its length; `None` if these are not the bytes
    /// that were written. The entries share memory with `bytes`.
    pub(super) fn parse(bytes: &Bytes, salt: &Salt) -> Option<(Self, usize)> {
        let prefix = Prefix::parse(bytes, salt)?;
        let (sealed, hash) = bytes.get(..prefix.length)?.split_last_chunk::<HASH_BYTES>()?;
        if salt.hash(sealed) != *hash {
            return None;
        }
        let (body, root) = sealed.split_last_chunk()?;
        let mut lengths = body.get(PREFIX_BYTES..)?;
        let mut start = PREFIX_BYTES + 2 * prefix.count;
        let mut entries = Vec::with_capacity(prefix.count);
        for _ in 0..prefix.count {
            let end = start + usize::from(lengths.try_get_u16().ok()?);
            entries.push(bytes.slice_ref(body.get(start..end)?));
            start = end;
        }
        let Prefix { durable, first, length, .. } = prefix;
        let record = Self { durable, first, entries, root: TreeHash::from_bytes(*root) };
        (start == body.len()).then_some((record, length))
    }
}

/// Whether these bytes, which begin with a broken record, hold one that was written after the log
/// had been durable beyond `size`.
pub(super) fn was_acknowledged(bytes: &[u8], salt: &Salt, size: TreeSize) -> bool {
    let starts = (0..bytes.len()).filter_map(|at| bytes.get(at..));
    let mut prefixes = starts.filter_map(|rest| Prefix::parse(rest, salt));
    prefixes.any(|prefix| prefix.durable > size)
}

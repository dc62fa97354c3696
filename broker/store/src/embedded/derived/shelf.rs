//! Snapshots in a sled database: for each domain a label, and the parts that it names.
//!
//! ```text
//! label/<domain>                       layout 4 | edition 8 | size 8 | root 32 | parts 4 | hash 32
//! part/<domain>/<edition 8><number 4>  up to 64 KiB of the snapshot
//! ```
//!
//! All numbers are big-endian. A new edition is complete before its label replaces the one before, so
//! a crash leaves one of them. The hash covers the domain, size, root and all parts.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use bytes::{Buf as _, BufMut as _};
use countersign_protocol::{digest::TreeHash, ledger::TreeSize, name::TrustDomain};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    Head, Snapshot, StoreError,
    embedded::disk,
    limits::{DERIVED_CACHE_BYTES, SNAPSHOT_MAX_BYTES},
};

const LAYOUT: u32 = 1;
/// Read and written at once.
const PART_BYTES: usize = 64 * 1024;
/// How long sled may take to let go of its file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Why nothing derived can be had.
#[derive(Debug, Error)]
pub(in crate::embedded) enum Failure {
    #[error("sled: {0}")]
    Sled(#[from] sled::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Disk(#[from] StoreError),
    #[error("it is not what was written: {0}")]
    Damaged(&'static str),
    #[error("sled panicked")]
    Panicked,
    #[error("the process that read it last came to no end")]
    LastReader,
}

pub(in crate::embedded) struct Shelf {
    database: sled::Db,
    path: PathBuf,
}

impl Shelf {
    /// Opens the database, or begins one. It may panic.
    pub(in crate::embedded) fn open(path: &Path) -> Result<Self, Failure> {
        let settings = sled::Config::new().path(path).cache_capacity(DERIVED_CACHE_BYTES);
        // It is flushed when something is to be durable, and never in between.
        let settings = settings.flush_every_ms(None);
        let begun = Instant::now();
        let database = loop {
            match settings.open() {
                // The store's own lock says that this can only be the one that was just closed, of which
                // sled's threads let go a little later.
                Err(sled::Error::Io(error)) if is_locked(&error) && begun.elapsed() < LOCK_WAIT => {
                    thread::sleep(Duration::from_millis(5));
                }
                opened => break opened?,
            }
        };
        Ok(Self { database, path: path.to_owned() })
    }

    /// What was put last.
    pub(in crate::embedded) fn get(&self, domain: &TrustDomain) -> Result<Option<Snapshot>, Failure> {
        let Some(label) = self.label(domain)? else { return Ok(None) };
        let mut bytes = Vec::new();
        for number in 0..label.parts {
            let part = self.database.get(part_key(domain, label.edition, number))?;
            bytes.extend_from_slice(&part.ok_or(Failure::Damaged("a part is missing"))?);
            if bytes.len() > SNAPSHOT_MAX_BYTES {
                return Err(Failure::Damaged("it is too large"));
            }
        }
        let snapshot = Snapshot { head: label.head, bytes: bytes.into() };
        if hash(domain, &snapshot) != label.hash {
            return Err(Failure::Damaged("it has another hash"));
        }
        Ok(Some(snapshot))
    }

    /// Keeps a snapshot; it is durable when this ends well.
    pub(in crate::embedded) fn put(&self, domain: &TrustDomain, snapshot: &Snapshot) -> Result<(), Failure> {
        let label = self.put_parts(domain, snapshot)?;
        self.database.insert(label_key(domain), label.encode())?;
        self.flush()?;
        self.remove_edition(domain, label.edition.wrapping_sub(1))
    }

    /// Keeps the next edition, which no label names yet.
    pub(in crate::embedded) fn put_parts(
        &self,
        domain: &TrustDomain,
        snapshot: &Snapshot,
    ) -> Result<Label, Failure> {
        let edition = self.label(domain)?.map_or(0, |label| label.edition.wrapping_add(1));
        // What a crash left of this edition, if one did.
        self.remove_edition(domain, edition)?;
        let mut parts = 0;
        for part in snapshot.bytes.chunks(PART_BYTES) {
            self.database.insert(part_key(domain, edition, parts), part)?;
            parts += 1;
        }
        self.flush()?;
        Ok(Label { edition, head: snapshot.head, parts, hash: hash(domain, snapshot) })
    }

    fn remove_edition(&self, domain: &TrustDomain, edition: u64) -> Result<(), Failure> {
        for key in self.database.scan_prefix(edition_prefix(domain, edition)).keys() {
            self.database.remove(key?)?;
        }
        Ok(())
    }

    fn label(&self, domain: &TrustDomain) -> Result<Option<Label>, Failure> {
        let label = self.database.get(label_key(domain))?;
        let parse =
            |bytes: sled::IVec| Label::parse(&bytes).ok_or(Failure::Damaged("no label of this layout"));
        label.map(parse).transpose()
    }

    /// Brings everything to the disk. sled's own flush starts the writing and does not wait for the
    /// disk to have done it.
    fn flush(&self) -> Result<(), Failure> {
        self.database.flush()?;
        sync(&self.path)
    }
}

/// sled says it in words alone.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().contains("could not acquire lock")
}

fn sync(dir: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_data()?;
        }
    }
    Ok(disk::sync_dir(dir)?)
}

/// Names what is kept of a domain.
pub(in crate::embedded) struct Label {
    edition: u64,
    head: Head,
    parts: u32,
    hash: [u8; 32],
}

impl Label {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_u32(LAYOUT);
        bytes.put_u64(self.edition);
        bytes.put_u64(self.head.size.get());
        bytes.put_slice(self.head.root.as_bytes());
        bytes.put_u32(self.parts);
        bytes.put_slice(&self.hash);
        bytes
    }

    fn parse(mut bytes: &[u8]) -> Option<Self> {
        if bytes.try_get_u32().ok()? != LAYOUT {
            return None;
        }
        let edition = bytes.try_get_u64().ok()?;
        let size = TreeSize::new(bytes.try_get_u64().ok()?)?;
        let (root, mut bytes) = bytes.split_first_chunk()?;
        let head = Head { size, root: TreeHash::from_bytes(*root) };
        let parts = bytes.try_get_u32().ok()?;
        Some(Self { edition, head, parts, hash: bytes.try_into().ok()? })
    }
}

fn hash(domain: &TrustDomain, snapshot: &Snapshot) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let domain = domain.as_str().as_bytes();
    for part in [domain, snapshot.head.root.as_bytes(), &snapshot.bytes] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.update(snapshot.head.size.get().to_be_bytes());
    hasher.finalize().into()
}

fn label_key(domain: &TrustDomain) -> Vec<u8> {
    format!("label/{domain}").into_bytes()
}

fn edition_prefix(domain: &TrustDomain, edition: u64) -> Vec<u8> {
    let mut prefix = format!("part/{domain}/").into_bytes();
    prefix.put_u64(edition);
    prefix
}

fn part_key(domain: &TrustDomain, edition: u64, number: u32) -> Vec<u8> {
    let mut key = edition_prefix(domain, edition);
    key.put_u32(number);
    key
}

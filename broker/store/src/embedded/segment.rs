//! A segment file: a header, then the records of one batch after another.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bytes::{Buf as _, BufMut as _};
use countersign_protocol::{digest::TreeHash, ledger::TreeSize, name::TrustDomain};
use rand::{RngCore as _, rngs::OsRng};
use sha2::{Digest as _, Sha256};

use super::disk;
use crate::{Head, StoreError};

/// Names the kind of file and, in its last byte, the version of its layout.
const MAGIC: &[u8; 8] = b"csignsg\x01";

/// Random bytes of one segment that go into the hash of each of its records. No reader of entries
/// sees them, so nobody can append an entry that passes for a record when a damaged file is
/// searched, and a record of another file never passes for one of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt([u8; 16]);

impl Salt {
    pub(super) fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update(bytes).finalize().into()
    }

    #[cfg(test)]
    pub(super) fn of_test(byte: u8) -> Self {
        Self([byte; 16])
    }
}

/// What a segment says of itself before its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) domain: TrustDomain,
    /// Where the log ended when the segment was begun.
    pub(super) begins_at: Head,
    pub(super) salt: Salt,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let domain = self.domain.as_str().as_bytes();
        let mut bytes = MAGIC.to_vec();
        // A trust domain has at most 128 bytes.
        bytes.put_u8(domain.len() as u8);
        bytes.put_slice(domain);
        bytes.put_u64(self.begins_at.size.get());
        bytes.put_slice(self.begins_at.root.as_bytes());
        bytes.put_slice(&self.salt.0);
        let hash = Sha256::digest(&bytes);
        bytes.put_slice(&hash);
        bytes
    }

    /// The header, and how many bytes it takes; `None` if these are not the bytes that were
    /// written.
    pub(super) fn parse(file: &[u8]) -> Option<(Self, usize)> {
        let mut rest = file.strip_prefix(MAGIC)?;
        let length = usize::from(rest.try_get_u8().ok()?);
        let (domain, mut rest) = rest.split_at_checked(length)?;
        let domain = TrustDomain::try_from(domain).ok()?;
        let size = TreeSize::new(rest.try_get_u64().ok()?)?;
        let (root, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let length = file.len() - rest.len();
        let hashed = file.get(..length - hash.len())?;
        let begins_at = Head { size, root: TreeHash::from_bytes(*root) };
        let written = *hash == <[u8; 32]>::from(Sha256::digest(hashed));
        written.then_some((Self { domain, begins_at, salt: Salt(*salt) }, length))
    }
}

/// The name of the segment that begins with this entry; names sort as the entries do.
pub(super) fn file_name(first: TreeSize) -> String {
    format!("{first:020}.seg")
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    length: u64,
    salt: Salt,
}

impl Segment {
    /// Begins a segment. Its header is durable, and so is its name, before it holds a record: a
    /// segment without a whole header is damage, never a crash.
    pub(super) fn create(dir: &Path, domain: &TrustDomain, begins_at: Head) -> Result<Self, StoreError> {
        let mut salt = [0; 16];
        OsRng.fill_bytes(&mut salt);
        let salt = Salt(salt);
        let header = Header { domain: domain.clone(), begins_at, salt }.encode();
        let path = dir.join(file_name(begins_at.size));
        disk::replace(&path, &header)?;
        Self::open(path, header.len() as u64, salt, &[])
    }

    /// Goes on with a segment at `length`. Whatever stands behind it is cut off, and the rest is
    /// made durable: a process that was killed may have written it without flushing.
    ///
    /// `last_flush` is what stands before `length` and may not be durable. It is written once more:
    /// after a flush that failed, the system may hold it for written though the disk never got it,
    /// and then a second flush does nothing and succeeds.
    pub(super) fn open(
        path: PathBuf,
        length: u64,
        salt: Salt,
        last_flush: &[u8],
    ) -> Result<Self, StoreError> {
        let open = || {
            let file = File::options().read(true).write(true).open(&path)?;
            if file.metadata()?.len() != length {
                file.set_len(length)?;
            }
            file.write_all_at(last_flush, length.saturating_sub(last_flush.len() as u64))?;
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(StoreError::io(&path))?;
        Ok(Self { file, path, length, salt })
    }

    /// Appends the records of one flush. After an error nothing is known of what the file holds.
    pub(super) fn append(&mut self, records: &[u8]) -> Result<(), StoreError> {
        self.write(records).map_err(StoreError::write(&self.path))?;
        self.file.sync_data().map_err(StoreError::io(&self.path))?;
        self.length += records.len() as u64;
        Ok(())
    }

    /// Writes behind what was appended, and flushes nothing.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length)
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn salt(&self) -> Salt {
        self.salt
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// How the records of one flush get into a segment: tests put one in its place that fails.
pub(super) trait Disk: fmt::Debug + Send + Sync {
    /// [`Segment::append`], or what becomes of it.
    fn append(&self, segment: &mut Segment, records: &[u8]) -> Result<(), StoreError>;
}

/// What the operating system offers.
#[derive(Debug)]
pub(super) struct PlainDisk;

impl Disk for PlainDisk {
    fn append(&self, segment: &mut Segment, records: &[u8]) -> Result<(), StoreError> {
        segment.append(records)
    }
}

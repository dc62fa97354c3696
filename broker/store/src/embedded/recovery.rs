//! Start-up: reads a domain's log from its first byte to its last, and believes none of them
//! unchecked.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use countersign_protocol::{
    ledger::{Checkpoint, Frontier, SignedCheckpoint, Tree, TreeSize, leaf_hash},
    name::TrustDomain,
};

use super::{
    disk,
    index::Index,
    pin,
    record::{self, Record},
    segment::{self, Header, Salt, Segment},
};
use crate::{Head, Recalled, Snapshot, StoreError};

/// What a domain's directory holds.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) frontier: Frontier,
    pub(super) index: Index,
    /// The segment to go on with.
    pub(super) segment: Option<Segment>,
    pub(super) checkpoint: Option<SignedCheckpoint>,
    /// What was derived of exactly these entries, or of the first of them.
    pub(super) snapshot: Option<Recalled>,
}

/// Where a domain's files are.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) segments: PathBuf,
    pub(super) checkpoint: PathBuf,
}

impl Paths {
    pub(super) fn new(domain_dir: &Path) -> Self {
        Self { segments: domain_dir.join("segments"), checkpoint: domain_dir.join("checkpoint") }
    }
}

/// Reads and checks everything, then cuts off a torn end if there is one.
pub(super) fn recover(
    domain: &TrustDomain,
    paths: &Paths,
    snapshot: Option<Snapshot>,
) -> Result<Recovered, StoreError> {
    let checkpoint = pin::read(&paths.checkpoint)?;
    let pin = checkpoint
        .as_ref()
        .map(|checkpoint| Pin { checkpoint: checkpoint.peek_unverified(), file: &paths.checkpoint });
    let snapshot = snapshot.map(|snapshot| (snapshot, Tree::default()));
    let mut replay = Replay { domain, pin, frontier: Frontier::default(), index: Index::default(), snapshot };
    replay.check_pin()?;
    let mut names = disk::names(&paths.segments)?.into_iter().peekable();
    let mut last = None;
    while let Some(name) = names.next() {
        last = Some(replay.segment(paths.segments.join(name), names.peek().is_none())?);
    }
    replay.check_not_short(last.as_ref(), &paths.segments)?;
    let Replay { frontier, index, snapshot, .. } = replay;
    let snapshot = snapshot.and_then(|(snapshot, tree)| Recalled::new(snapshot, tree));
    // The directories may name files that a crash has not made durable yet.
    let domain_dir = paths.checkpoint.parent();
    for directory in [Some(paths.segments.as_path()), domain_dir].into_iter().flatten() {
        if directory.is_dir() {
            disk::sync_dir(directory)?;
        }
    }
    let segment = match last {
        Some(End { path, offset, header, last_flush }) => {
            Some(Segment::open(path, offset, header.salt, &last_flush)?)
        }
        None => None,
    };
    Ok(Recovered { frontier, index, segment, checkpoint, snapshot })
}

/// The checkpoint that the log is held against.
struct Pin<'a> {
    checkpoint: &'a Checkpoint,
    file: &'a Path,
}

/// The last segment, and where its last whole record ends.
struct End {
    path: PathBuf,
    offset: u64,
    header: Header,
    /// The records of the log's last flush: no later one says that they were ever durable.
    last_flush: Bytes,
}

/// The log as far as it has been read.
struct Replay<'a> {
    domain: &'a TrustDomain,
    pin: Option<Pin<'a>>,
    frontier: Frontier,
    index: Index,
    /// A snapshot, and the tree as far as it is said to go.
    snapshot: Option<(Snapshot, Tree)>,
}

impl Replay<'_> {
    fn segment(&mut self, path: PathBuf, is_last: bool) -> Result<End, StoreError> {
        let bytes = Bytes::from(fs::read(&path).map_err(StoreError::io(&path))?);
        let (header, mut offset) = self.header(&path, &bytes)?;
        self.index.add_segment(path.clone(), header.salt);
        let (mut flushed, mut last_flush) = (None, offset);
        let damaged = |offset: usize, what| damaged(&path, offset, what);
        while offset < bytes.len() {
            let rest = bytes.slice(offset..);
            let Some((record, length)) = Record::parse(&rest, &header.salt) else {
                self.check_torn(&rest, header.salt, is_last).map_err(|what| damaged(offset, what))?;
                break;
            };
            if record.first != self.frontier.size() {
                return Err(damaged(offset, "a record that belongs elsewhere"));
            }
            if flushed.replace(record.durable) != Some(record.durable) {
                last_flush = offset;
            }
            self.index.add_record(record.first, offset as u64, length);
            self.entries(&record.entries)?;
            if record.root != self.frontier.root() {
                return Err(damaged(offset, "the entries do not lead to the root that was written"));
            }
            offset += length;
        }
        // Nothing of the others is kept: a start holds one segment at a time.
        let last_flush = if is_last { bytes.slice(last_flush..offset) } else { Bytes::new() };
        Ok(End { path, offset: offset as u64, header, last_flush })
    }

    /// Refuses to take a broken record, with which these bytes begin, for the torn end of a write
    /// that was never acknowledged.
    fn check_torn(&self, bytes: &[u8], salt: Salt, is_last: bool) -> Result<(), &'static str> {
        if !is_last {
            return Err("a broken record, and another segment after it");
        }
        if record::was_acknowledged(bytes, &salt, self.frontier.size()) {
            return Err("a broken record, and acknowledged ones after it");
        }
        Ok(())
    }

    /// The header, if it belongs to this file and goes on where the segment before it ended.
    fn header(&self, path: &Path, bytes: &[u8]) -> Result<(Header, usize), StoreError> {
        let damaged = |what| damaged(path, 0, what);
        let (header, length) = Header::parse(bytes).ok_or_else(|| damaged("not a segment's header"))?;
        let Head { size, root } = header.begins_at;
        if header.domain != *self.domain {
            return Err(damaged("a segment of another trust domain"));
        }
        if path.file_name().is_none_or(|name| name != segment::file_name(size).as_str()) {
            return Err(damaged("a segment under another one's name"));
        }
        if size != self.frontier.size() {
            return Err(damaged("the entries before this segment are missing"));
        }
        if root != self.frontier.root() {
            return Err(damaged("the segment follows another log"));
        }
        Ok((header, length))
    }

    fn entries(&mut self, entries: &[Bytes]) -> Result<(), StoreError> {
        for entry in entries {
            let leaf = leaf_hash(entry);
            self.frontier.push(leaf);
            if let Some((snapshot, tree)) = &mut self.snapshot
                && tree.size() < snapshot.head.size
            {
                tree.push(leaf);
            }
            self.check_pin()?;
        }
        Ok(())
    }

    /// Compares the root where the checkpoint states one.
    fn check_pin(&self) -> Result<(), StoreError> {
        match &self.pin {
            Some(Pin { checkpoint, file })
                if checkpoint.size == self.frontier.size() && checkpoint.root != self.frontier.root() =>
            {
                Err(damaged(file, 0, "the log has another root at the checkpoint's size"))
            }
            _ => Ok(()),
        }
    }

    fn is_pinned_further(&self) -> bool {
        let size: TreeSize = self.frontier.size();
        self.pin.as_ref().is_some_and(|pin| pin.checkpoint.size > size)
    }

    fn check_not_short(&self, last: Option<&End>, segments: &Path) -> Result<(), StoreError> {
        if !self.is_pinned_further() {
            return Ok(());
        }
        let (file, offset) = last.map_or((segments, 0), |end| (end.path.as_path(), end.offset));
        let what = "the log ends before its checkpoint";
        Err(StoreError::Damaged { file: file.to_owned(), offset, what })
    }
}

fn damaged(file: &Path, offset: usize, what: &'static str) -> StoreError {
    StoreError::Damaged { file: file.to_owned(), offset: offset as u64, what }
}

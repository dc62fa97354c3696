//! Where each entry is: 24 bytes per batch, in memory, rebuilt at each start.

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use countersign_protocol::ledger::TreeSize;

use super::{record::Record, segment::Salt};
use crate::StoreError;

/// The places of all durable records.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: Vec<SegmentFile>,
    records: Vec<Place>,
}

#[derive(Clone, Debug)]
struct SegmentFile {
    path: PathBuf,
    salt: Salt,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    first: TreeSize,
    segment: u32,
    length: u32,
    offset: u64,
}

impl Index {
    pub(super) fn add_segment(&mut self, path: PathBuf, salt: Salt) {
        self.segments.push(SegmentFile { path, salt });
    }

    /// Adds a record of the last segment.
    pub(super) fn add_record(&mut self, first: TreeSize, offset: u64, length: usize) {
        let segment = self.segments.len().saturating_sub(1);
        // A batch is limited to far less than 4 GiB, and so are the segments of any disk in number.
        let (segment, length) = (segment as u32, length as u32);
        self.records.push(Place { first, segment, length, offset });
    }

    /// The place of the record that holds the entry, if the log has it.
    pub(super) fn find(&self, entry: TreeSize) -> Option<Found> {
        let at = self.records.partition_point(|place| place.first <= entry).checked_sub(1)?;
        let place = *self.records.get(at)?;
        let file = self.segments.get(usize::try_from(place.segment).ok()?)?.clone();
        Some(Found { file, place })
    }
}

/// A record that is somewhere on the disk.
#[derive(Debug)]
pub(super) struct Found {
    file: SegmentFile,
    place: Place,
}

impl Found {
    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    pub(super) fn open(&self) -> Result<File, StoreError> {
        File::open(&self.file.path).map_err(StoreError::io(&self.file.path))
    }

    /// Reads the record from its file and checks that it is still what was written.
    pub(super) fn read(&self, file: &File) -> Result<Record, StoreError> {
        let Place { first, length, offset, .. } = self.place;
        let damaged = |what| StoreError::Damaged { file: self.file.path.clone(), offset, what };
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset).map_err(StoreError::io(&self.file.path))?;
        let record = Record::parse(&Bytes::from(bytes), &self.file.salt);
        match record {
            Some((record, _)) if record.first == first => Ok(record),
            _ => Err(damaged("the record changed since it was written")),
        }
    }
}

//! A disk that fails where a test says so.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::segment::{Disk, Segment};
use crate::StoreError;

/// "Input/output error": what a disk says that did not do it.
const EIO: i32 = 5;
/// "No space left on device".
const ENOSPC: i32 = 28;

/// What goes wrong at one flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    LostWrite,
    /// Everything is written and flushed, and yet the answer is an error.
    LostReply,
    /// Only so many bytes get into the file.
    Torn(usize),
    /// The disk takes half of it and is full.
    FullDisk,
    /// The disk takes all of it and is full when it is flushed.
    FullAtSync,
    /// Everything is written, and the flush fails.
    FailedSync,
    /// It takes so much longer.
    Slow(Duration),
}

/// Which flush of a store goes wrong, and how.
#[derive(Clone, Debug)]
pub struct Faults {
    fault: Fault,
    /// The number of the flush, from zero and over all domains; every one for `None`.
    at: Option<usize>,
    flushes: Arc<AtomicUsize>,
}

impl Faults {
    /// One flush goes wrong; they are numbered from zero, over all domains.
    pub fn at(flush: usize, fault: Fault) -> Self {
        Self { fault, at: Some(flush), flushes: Arc::default() }
    }

    /// Every flush goes wrong.
    pub fn always(fault: Fault) -> Self {
        Self { fault, at: None, flushes: Arc::default() }
    }

    /// How many flushes there were.
    pub fn flushes(&self) -> usize {
        self.flushes.load(Ordering::SeqCst)
    }
}

impl Disk for Faults {
    fn append(&self, segment: &mut Segment, records: &[u8]) -> Result<(), StoreError> {
        let flush = self.flushes.fetch_add(1, Ordering::SeqCst);
        if self.at.is_some_and(|at| at != flush) {
            return segment.append(records);
        }
        let (written, code) = match self.fault {
            Fault::Slow(by) => {
                thread::sleep(by);
                return segment.append(records);
            }
            Fault::LostReply => {
                segment.append(records)?;
                (0, EIO)
            }
            Fault::LostWrite => (0, EIO),
            Fault::Torn(bytes) => (bytes, EIO),
            Fault::FullDisk => (records.len() / 2, ENOSPC),
            Fault::FullAtSync => (records.len(), ENOSPC),
            Fault::FailedSync => (records.len(), EIO),
        };
        let written = records.get(..written).unwrap_or(records);
        segment.write(written).map_err(StoreError::write(segment.path()))?;
        let failure = io::Error::from_raw_os_error(code);
        Err(match self.fault {
            Fault::FullDisk => StoreError::write(segment.path())(failure),
            _ => StoreError::io(segment.path())(failure),
        })
    }
}

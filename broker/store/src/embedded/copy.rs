//! Copies of a store, also of one that is being written.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::Path};

use super::{
    EmbeddedStore,
    directory::{DOMAINS, FORMAT, FORMAT_LINE},
    disk,
    recovery::Paths,
};
use crate::StoreError;

impl EmbeddedStore {
    /// Copies the logs and their checkpoints to a directory that is not there yet. Somebody may have the
    /// store open and write to it meanwhile: the copy holds all that was durable when it was begun, and
    /// perhaps more. It is a store once it is complete, and only opening it checks it.
    pub fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let format = from.join(FORMAT);
        let line = disk::read_if_there(&format)?;
        if line.as_deref() != Some(format!("{FORMAT_LINE}\n").as_bytes()) {
            return Err(StoreError::Format { path: format, expected: FORMAT_LINE });
        }
        // Never into what is there: a mixture would be a log of its own.
        DirBuilder::new().mode(0o700).create(to).map_err(StoreError::write(to))?;
        let (domains, copies) = (from.join(DOMAINS), to.join(DOMAINS));
        disk::create_dir(&copies)?;
        for name in disk::finished_names(&domains)? {
            copy_domain(&domains.join(&name), &copies.join(&name))?;
        }
        disk::replace(&to.join(FORMAT), format!("{FORMAT_LINE}\n").as_bytes())
    }
}

/// The checkpoint first: the segments, which only grow, hold all that it covers.
fn copy_domain(from: &Path, to: &Path) -> Result<(), StoreError> {
    let (source, target) = (Paths::new(from), Paths::new(to));
    disk::create_dir(to)?;
    disk::create_dir(&target.segments)?;
    if let Some(checkpoint) = disk::read_if_there(&source.checkpoint)? {
        disk::replace(&target.checkpoint, &checkpoint)?;
    }
    // Listed once: whatever is begun later belongs after the end of the copy.
    for name in disk::finished_names(&source.segments)? {
        disk::copy(&source.segments.join(&name), &target.segments.join(&name))?;
    }
    disk::sync_dir(&target.segments)
}

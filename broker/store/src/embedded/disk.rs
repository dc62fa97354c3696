//! The few things that are done with files, each as durable as it must be.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::StoreError;

/// What a file is called until it is complete.
const UNFINISHED: &str = ".new";

/// Makes one directory for its owner alone, if it is not there; its name is durable either way.
pub(super) fn create_dir(path: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(StoreError::write(path)(error)),
        _ => {}
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes durable which files a directory holds.
pub(super) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(StoreError::io(path))
}

/// Puts a file in place, or replaces it, so that after a crash there is the old one or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = Path::new(&unfinished);
    let write = || {
        let mut file = File::create(unfinished)?;
        file.write_all(bytes)?;
        Ok(file)
    };
    let file = write().map_err(StoreError::write(unfinished))?;
    file.sync_all().map_err(StoreError::io(unfinished))?;
    fs::rename(unfinished, path).map_err(StoreError::io(path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// The names in a directory in order, without what a crash left unfinished, which is removed. A
/// directory that is not there is empty.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let (unfinished, names): (Vec<String>, Vec<String>) =
        all_names(dir)?.into_iter().partition(|name| name.ends_with(UNFINISHED));
    for name in unfinished {
        fs::remove_file(dir.join(&name)).map_err(StoreError::io(dir.join(&name)))?;
    }
    Ok(names)
}

/// The same of a directory that somebody else may be at work in: nothing is removed.
pub(super) fn finished_names(dir: &Path) -> Result<Vec<String>, StoreError> {
    Ok(all_names(dir)?.into_iter().filter(|name| !name.ends_with(UNFINISHED)).collect())
}

/// A whole file, at another place where there is none.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut source = File::open(from).map_err(StoreError::io(from))?;
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(StoreError::write(to))?;
    io::copy(&mut source, &mut target).map_err(StoreError::write(to))?;
    target.sync_all().map_err(StoreError::io(to))
}

fn all_names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io(dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io(dir))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// The whole file, or `None` where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(path)(error)),
    }
}

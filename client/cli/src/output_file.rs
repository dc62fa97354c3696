//! Files that a command writes. None is ever written over.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{exit::Exit, failure::Failure};

/// Writes what only this user may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with_mode(path, bytes, 0o600)
}

/// Writes what others may read as far as the user's mask lets them.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_with_mode(path, bytes, 0o666)
}

/// The same, for what comes piece by piece.
pub(crate) fn create(path: &Path) -> Result<File, Failure> {
    open(path, 0o666).map_err(|error| unwritten(path, &error))
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let written = open(path, mode).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| unwritten(path, &error))
}

fn open(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Why a file has not what it should.
pub(crate) fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::AlreadyExists => Exit::Conflict,
        _ => Exit::Unavailable,
    };
    let what = format!("{} was not written", path.display());
    Failure::new(exit, what, format!("{error}."), "Name another file.")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_secret_is_for_its_owner_and_nothing_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        write_secret(&path, b"one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_secret(&path, b"two").unwrap_err().exit, Exit::Conflict);
        assert_eq!(write(&path, b"two").unwrap_err().exit, Exit::Conflict);
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}

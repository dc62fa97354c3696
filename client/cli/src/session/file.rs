//! The file of one session, and the lock that keeps a second command away from it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread,
};

use countersign::limits::EXPORT_MAX_BYTES;
use countersign_protocol::name::TrustDomain;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::home::{check_private, prepare, unusable};
use crate::{
    exit::Exit,
    failure::Failure,
    limits::{LOCK_ATTEMPTS, LOCK_PAUSE},
};

/// Where one session lies.
#[derive(Clone, Debug)]
pub(crate) struct SessionFile {
    directory: PathBuf,
    path: PathBuf,
    domain: TrustDomain,
}

/// Holds a session for one command. The lock ends with the process, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for as long as the command runs")] File);

impl SessionFile {
    pub(super) fn new(directory: PathBuf, path: PathBuf, domain: TrustDomain) -> Self {
        Self { directory, path, domain }
    }

    /// The trust domain.
    pub(crate) fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the session for this command. Two that renewed it at once would look like two thieves
    /// of one identity, and the broker would lock it.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        prepare(&self.directory)?;
        let path = self.path.with_extension("lock");
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(|error| unusable(&path, &error))?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
            }
        }
        Err(Failure::new(
            Exit::Conflict,
            format!("The session in {} is in use", self.domain),
            "Another countersign command has it.",
            "Wait until that command has ended, then try again.",
        ))
    }

    /// What it holds; nothing where there is none.
    pub(crate) fn read(&self, _: &Lock) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| unusable(&self.path, &error))?,
        };
        check_private(&self.path)?;
        // One byte more shows that it is too long. Reserved at once: growing would leave copies of the keys behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(EXPORT_MAX_BYTES + 1));
        let read = file.take(EXPORT_MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| unusable(&self.path, &error))?;
        Ok(Some(bytes))
    }

    /// Puts other content in its place, all of it or nothing, durable once this returns. Only for
    /// who holds the [`Lock`].
    pub(crate) fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        // Made with mode 0600.
        let mut file = NamedTempFile::new_in(&self.directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(&self.directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, time::Instant};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn session(directory: &Path) -> SessionFile {
        let (home, domain) = (directory.join("home"), "a.example".parse().unwrap());
        SessionFile::new(home.clone(), home.join("a.example.session"), domain)
    }

    #[test]
    fn only_the_owner_may_read_what_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let session = session(directory.path());
        let lock = session.lock().unwrap();
        assert!(session.read(&lock).unwrap().is_none());
        session.replace(b"keys").unwrap();
        assert_eq!(**session.read(&lock).unwrap().unwrap(), *b"keys");
        assert_eq!((mode(&session.directory), mode(&session.path)), (0o700, 0o600));
    }

    #[test]
    fn what_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let session = session(directory.path());
        let lock = session.lock().unwrap();
        session.replace(b"keys").unwrap();
        for open in [0o640, 0o604, 0o622] {
            fs::set_permissions(&session.path, fs::Permissions::from_mode(open)).unwrap();
            assert_eq!(session.read(&lock).unwrap_err().exit, Exit::Denied, "{open:o}");
        }
        fs::set_permissions(&session.path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(session.read(&lock).is_ok());

        drop(lock);
        fs::set_permissions(&session.directory, fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(session.lock().unwrap_err().exit, Exit::Denied);
    }

    #[test]
    fn a_second_command_waits_and_then_gives_up() {
        let directory = tempfile::tempdir().unwrap();
        let session = session(directory.path());
        let first = session.lock().unwrap();
        let second = session.clone();
        let waiting = thread::spawn(move || second.lock().map(|_| ()));
        thread::sleep(LOCK_PAUSE * 2);
        drop(first);
        assert!(waiting.join().unwrap().is_ok(), "it gets its turn");

        let _first = session.lock().unwrap();
        let begun = Instant::now();
        assert_eq!(session.lock().unwrap_err().exit, Exit::Conflict);
        assert!(begun.elapsed() >= LOCK_PAUSE * LOCK_ATTEMPTS);
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let session = session(directory.path());
        let lock = session.lock().unwrap();
        session.replace(b"old").unwrap();
        let elsewhere = SessionFile { directory: directory.path().join("absent"), ..session.clone() };
        assert!(elsewhere.replace(b"new").is_err());
        assert_eq!(**session.read(&lock).unwrap().unwrap(), *b"old");
        // Nothing is left lying about but the session and its lock.
        session.replace(b"new").unwrap();
        assert_eq!(fs::read_dir(&session.directory).unwrap().count(), 2);
    }
}

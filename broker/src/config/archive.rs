//! Every policy that ever decided, by its digest.

use std::{fs, io, path::PathBuf};

use countersign_protocol::digest::Digest;

use crate::file;

/// A directory of policies. The ledger names the one that decided; here is what it said.
#[derive(Clone, Debug)]
pub struct PolicyArchive(PathBuf);

impl PolicyArchive {
    /// The archive in that directory, which is made when the first policy is kept.
    pub fn at(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Keeps a policy before it decides for the first time.
    pub fn put(&self, text: &str) -> io::Result<Digest> {
        let digest = Digest::of(text.as_bytes());
        if self.get(digest).is_none() {
            file::create_private_dir(&self.0)?;
            file::replace(&self.path(digest), text.as_bytes())?;
        }
        Ok(digest)
    }

    /// A policy, if it is kept and still is what its name says.
    pub fn get(&self, digest: Digest) -> Option<Vec<u8>> {
        let text = fs::read(self.path(digest)).ok()?;
        (Digest::of(&text) == digest).then_some(text)
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.0.join(format!("{digest}.toml"))
    }
}

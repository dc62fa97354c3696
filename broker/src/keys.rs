//! The domain's private keys, and where they are kept.

mod earlier;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use countersign_protocol::{
    key::SigningKey,
    name::TrustDomain,
    trust::{KeyPurpose, KeySet},
};
use rand_core::{CryptoRng, RngCore};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    channel::{Authority, AuthorityError},
    file,
    limits::{AUTHORITY_LIFE, KEY_FILE_MAX_BYTES},
};
use countersign_protocol::time::Timestamp;

/// The keys with which a broker acts for its domain. The Ed25519 ones sign one thing each.
pub struct DomainKeys {
    /// Signs authority blocks of tokens; its number is in the domain's key set.
    pub capability: (u32, SigningKey),
    /// Signs activations.
    pub activation: SigningKey,
    /// Those that did before, and still do, of what was activated under them.
    pub retired_activations: Vec<SigningKey>,
    /// Signs checkpoints.
    pub checkpoint: SigningKey,
    /// Signs rebinds.
    pub rebind: SigningKey,
    /// Certifies the keys of channels.
    pub authority: Authority,
}

impl fmt::Debug for DomainKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DomainKeys({}, ..)", self.authority.domain())
    }
}

impl DomainKeys {
    /// Draws new keys for a domain.
    pub fn generate<R: RngCore + CryptoRng>(
        domain: &TrustDomain,
        now: Timestamp,
        rng: &mut R,
    ) -> Result<Self, AuthorityError> {
        Ok(Self {
            capability: (1, SigningKey::generate(rng)),
            activation: SigningKey::generate(rng),
            retired_activations: Vec::new(),
            checkpoint: SigningKey::generate(rng),
            rebind: SigningKey::generate(rng),
            authority: Authority::create(domain, now, AUTHORITY_LIFE)?,
        })
    }

    /// The public halves, as a new ledger begins with them.
    pub fn key_set(&self) -> Option<KeySet> {
        let (_, capability) = &self.capability;
        let domain = self.authority.domain().clone();
        let [activation, checkpoint, rebind] =
            [&self.activation, &self.checkpoint, &self.rebind].map(SigningKey::public);
        KeySet::new(domain, capability.public(), activation, checkpoint, rebind)
    }

    /// The keys in use, in order of their purposes.
    pub fn in_use(&self) -> [&SigningKey; 4] {
        [&self.capability.1, &self.activation, &self.checkpoint, &self.rebind]
    }

    /// The first purpose for which these are not the keys that the domain has published: with them, the
    /// broker would sign what no verifier believes, or could not sign what it has to.
    pub fn unpublished(&self, published: &KeySet) -> Option<KeyPurpose> {
        let numbered = published.in_use(KeyPurpose::Capability).map(|known| known.id);
        let mut pairs = KeyPurpose::ALL.into_iter().zip(self.in_use());
        let other = pairs.find_map(|(purpose, key)| {
            let same = published.in_use(purpose).is_some_and(|known| known.key == key.public());
            (!same).then_some(purpose)
        });
        if numbered != Some(self.capability.0) {
            Some(KeyPurpose::Capability)
        } else if !self.activates_all(published) {
            other.or(Some(KeyPurpose::Activation))
        } else {
            other
        }
    }

    /// What was activated under a key that has ended is activated under it still.
    fn activates_all(&self, published: &KeySet) -> bool {
        let mut known = published.keys().iter().filter(|known| known.purpose == KeyPurpose::Activation);
        let held = || std::iter::once(&self.activation).chain(&self.retired_activations);
        known.all(|known| held().any(|key| key.public() == known.key))
    }
}

/// Why keys cannot be had or kept.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A file or directory cannot be read or written, or others could read it.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key is there already. Keys are never overwritten.
    #[error("{path} is there already; a key is never overwritten", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else than a key.
    #[error("{path} is not a key file: it is one line, `{SEED_PREFIX} <64 hexadecimal digits>`", path = path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The authority's files hold something else.
    #[error("{path}: {source}", path = path.display())]
    Authority {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: AuthorityError,
    },
}

/// Where the domain's keys come from. Files are the first source; hardware and cloud services can
/// be others.
pub trait KeySource: fmt::Debug {
    /// Whether any key is kept there.
    fn holds_any(&self) -> bool;

    /// Reads the keys.
    fn load(&self) -> Result<DomainKeys, KeyError>;

    /// Keeps new keys, and never in place of others.
    fn keep(&self, keys: &DomainKeys) -> Result<(), KeyError>;

    /// The key that is to come next for that purpose, and is kept, but not in use yet.
    fn next(&self, purpose: KeyPurpose) -> Result<Option<SigningKey>, KeyError>;

    /// Keeps that key as the one to come next.
    fn keep_next(&self, purpose: KeyPurpose, key: &SigningKey) -> Result<(), KeyError>;

    /// The next key has come: it has that number now.
    fn adopt_next(&self, purpose: KeyPurpose, id: u32) -> Result<(), KeyError>;
}

/// What the file of an Ed25519 seed begins with, so that scanners for leaked secrets find it.
const SEED_PREFIX: &str = "countersign-ed25519-seed-v1";

const AUTHORITY_KEY: &str = "authority.key";
const AUTHORITY_CERTIFICATE: &str = "authority.pem";

fn purpose_name(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Capability => "capability",
        KeyPurpose::Activation => "activation",
        KeyPurpose::Checkpoint => "checkpoint",
        KeyPurpose::Rebind => "rebind",
    }
}

/// The file of the key of that number.
fn seed_file(purpose: KeyPurpose, id: u32) -> String {
    format!("{}-{id}.key", purpose_name(purpose))
}

fn next_file(purpose: KeyPurpose) -> String {
    format!("{}-next.key", purpose_name(purpose))
}

/// Keys in files of mode 0600, in a directory of mode 0700.
#[derive(Clone, Debug)]
pub struct KeyFiles(PathBuf);

impl KeyFiles {
    /// The keys in that directory.
    pub fn in_dir(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// The files that there should be, and the directory itself.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let seeds = KeyPurpose::ALL.into_iter().flat_map(|purpose| self.numbered(purpose));
        let authority = [AUTHORITY_KEY, AUTHORITY_CERTIFICATE].map(str::to_owned);
        let names: Vec<String> = seeds.map(|(_, name)| name).chain(authority).collect();
        std::iter::once(self.0.clone()).chain(names.into_iter().map(|name| self.0.join(name)))
    }

    /// The keys of a purpose: the first, which has to be there, and those that came after it.
    fn numbered(&self, purpose: KeyPurpose) -> impl Iterator<Item = (u32, String)> {
        let named = (1..).map(move |id| (id, seed_file(purpose, id)));
        named.take_while(|(id, name)| *id == 1 || self.0.join(name).exists())
    }

    /// The newest key of a purpose, and its number.
    fn newest(&self, purpose: KeyPurpose) -> Result<(u32, SigningKey), KeyError> {
        let (id, name) = self.numbered(purpose).last().unwrap_or_else(|| (1, seed_file(purpose, 1)));
        Ok((id, self.seed(&name)?))
    }

    fn seed(&self, name: &str) -> Result<SigningKey, KeyError> {
        let path = self.0.join(name);
        let text = read(&path)?;
        let seed = parse_seed(&text).ok_or(KeyError::NotAKey { path })?;
        Ok(SigningKey::from_seed(&seed))
    }

    fn keep_seed(&self, name: &str, key: &SigningKey) -> Result<(), KeyError> {
        let digits = Zeroizing::new(hex::encode(*key.to_seed()));
        let line = Zeroizing::new(format!("{SEED_PREFIX} {}\n", *digits));
        self.keep_file(name, line.as_bytes())
    }

    fn keep_file(&self, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
        let path = self.0.join(name);
        file::create_private(&path, bytes).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path },
            _ => KeyError::Io { path, source },
        })
    }
}

impl KeySource for KeyFiles {
    fn holds_any(&self) -> bool {
        self.paths().skip(1).any(|path| path.exists())
    }

    fn load(&self) -> Result<DomainKeys, KeyError> {
        let io = |source| KeyError::Io { path: self.0.clone(), source };
        file::check_private(&fs::metadata(&self.0).map_err(io)?).map_err(io)?;
        let path = self.0.join(AUTHORITY_CERTIFICATE);
        let (certificate, key) = (read(&path)?, read(&self.0.join(AUTHORITY_KEY))?);
        let authority =
            Authority::from_pem(&certificate, &key).map_err(|source| KeyError::Authority { path, source })?;
        let (number, activation) = self.newest(KeyPurpose::Activation)?;
        let earlier = (1..number).map(|id| self.seed(&seed_file(KeyPurpose::Activation, id)));
        Ok(DomainKeys {
            capability: self.newest(KeyPurpose::Capability)?,
            activation,
            retired_activations: earlier.collect::<Result<_, _>>()?,
            checkpoint: self.newest(KeyPurpose::Checkpoint)?.1,
            rebind: self.newest(KeyPurpose::Rebind)?.1,
            authority,
        })
    }

    fn keep(&self, keys: &DomainKeys) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { path: self.0.clone(), source };
        if let Some(path) = self.paths().skip(1).find(|path| path.exists()) {
            return Err(KeyError::Exists { path });
        }
        file::create_private_dir(&self.0).map_err(io)?;
        file::check_private(&fs::metadata(&self.0).map_err(io)?).map_err(io)?;
        for (purpose, key) in KeyPurpose::ALL.into_iter().zip(keys.in_use()) {
            self.keep_seed(&seed_file(purpose, 1), key)?;
        }
        self.keep_file(AUTHORITY_KEY, keys.authority.danger_key_pem().as_bytes())?;
        self.keep_file(AUTHORITY_CERTIFICATE, keys.authority.certificate_pem().as_bytes())
    }

    fn next(&self, purpose: KeyPurpose) -> Result<Option<SigningKey>, KeyError> {
        let name = next_file(purpose);
        if self.0.join(&name).exists() { self.seed(&name).map(Some) } else { Ok(None) }
    }

    fn keep_next(&self, purpose: KeyPurpose, key: &SigningKey) -> Result<(), KeyError> {
        self.keep_seed(&next_file(purpose), key)
    }

    fn adopt_next(&self, purpose: KeyPurpose, id: u32) -> Result<(), KeyError> {
        let (from, to) = (self.0.join(next_file(purpose)), self.0.join(seed_file(purpose, id)));
        if to.exists() {
            return Err(KeyError::Exists { path: to });
        }
        file::rename(&from, &to).map_err(|source| KeyError::Io { path: to, source })
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    file::read_private(path, KEY_FILE_MAX_BYTES).map_err(io)
}

fn parse_seed(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits = text.strip_prefix(SEED_PREFIX)?.strip_prefix(' ')?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.strip_suffix('\n').unwrap_or(digits), &mut *seed).ok()?;
    Some(seed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn kept() -> (tempfile::TempDir, KeyFiles, DomainKeys) {
        let directory = tempfile::tempdir().unwrap();
        let files = KeyFiles::in_dir(directory.path().join("keys"));
        let now = Timestamp::new(1_800_000_000_000).unwrap();
        let domain = "prod.acme.example".parse().unwrap();
        let keys = DomainKeys::generate(&domain, now, &mut StdRng::seed_from_u64(1)).unwrap();
        files.keep(&keys).unwrap();
        (directory, files, keys)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_kept_is_read_and_private() {
        let (_directory, files, keys) = kept();
        let read = files.load().unwrap();
        assert_eq!(read.key_set(), keys.key_set());
        assert_eq!(read.authority.fingerprint(), keys.authority.fingerprint());
        assert_eq!(read.unpublished(&keys.key_set().unwrap()), None);
        for path in files.paths() {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        }
    }

    #[test]
    fn no_key_is_ever_overwritten() {
        let (_directory, files, keys) = kept();
        assert!(matches!(files.keep(&keys), Err(KeyError::Exists { .. })));
        for path in files.paths().skip(2) {
            fs::remove_file(path).unwrap();
        }
        assert!(matches!(files.keep(&keys), Err(KeyError::Exists { .. })), "one is enough");
        assert_eq!(files.seed("capability-1.key").unwrap().public(), keys.capability.1.public());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_directory, files, _) = kept();
        for path in files.paths() {
            let before = fs::metadata(&path).unwrap().permissions().mode();
            for mode in [before | 0o040, before | 0o004, before | 0o020] {
                set_mode(&path, mode);
                let error = files.load().unwrap_err();
                assert!(error.to_string().contains("others can use it"), "{}: {error}", path.display());
            }
            set_mode(&path, before);
        }
        assert!(files.load().is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let (_directory, files, _) = kept();
        let path = files.0.join("activation-1.key");
        let whole = fs::read_to_string(&path).unwrap();
        for text in ["", &whole[1..], &whole[..whole.len() - 2], &format!("{whole}00\n"), "cafe"] {
            fs::write(&path, text).unwrap();
            let error = files.load().unwrap_err();
            assert!(matches!(error, KeyError::NotAKey { .. }), "{text:?}");
            assert!(!error.to_string().contains(&whole[30..60]));
        }
    }

    /// A wrong path must not fill the memory; and what is cut off must not pass for the whole.
    #[test]
    fn a_key_file_has_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let read_of = |bytes: u64| {
            let path = directory.path().join(bytes.to_string());
            file::create_private(&path, "k".repeat(bytes as usize).as_bytes()).unwrap();
            read(&path).map(|text| text.len() as u64).map_err(|error| error.to_string())
        };
        assert_eq!(read_of(KEY_FILE_MAX_BYTES), Ok(KEY_FILE_MAX_BYTES));
        assert!(read_of(KEY_FILE_MAX_BYTES + 1).unwrap_err().contains("more than 16384 bytes"));
    }

    #[test]
    fn keys_do_not_print_themselves() {
        let (_directory, _, keys) = kept();
        assert_eq!(format!("{keys:?}"), "DomainKeys(prod.acme.example, ..)");
    }

    #[test]
    fn keys_of_another_domain_are_told_from_those_that_were_published() {
        let (_one, _, keys) = kept();
        let now = Timestamp::new(1_800_000_000_000).unwrap();
        let other =
            DomainKeys::generate(keys.authority.domain(), now, &mut StdRng::seed_from_u64(2)).unwrap();
        assert_eq!(other.unpublished(&keys.key_set().unwrap()), Some(KeyPurpose::Capability));
    }
}

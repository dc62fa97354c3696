//! C2SP `signed-note`: a text, a blank line, and lines that each hold one key's signature.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    id::LogId,
    key::{BadSignature, PublicKey, Signature, SigningKey},
    limits::{CHECKPOINT_MAX_BYTES, CHECKPOINT_SIGNATURES_MAX, ORIGIN_MAX_BYTES},
    name::{NotName, TrustDomain, text_name},
};

/// Why a text is not a note, a verifier key or a checkpoint, or is not signed as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotANote {
    /// The text or the number of its signatures is beyond its limit.
    #[error("{got} {what}; the limit is {limit}")]
    TooLong {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A part is not written in the one way in which it may be.
    #[error("not a note: its {part} is malformed")]
    Malformed {
        /// The part.
        part: &'static str,
    },
    /// The key that must have signed did not.
    #[error("the note is not signed by the expected key")]
    NotSigned,
    /// A signature that claims to be by the expected key is not.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The expected key signed a checkpoint of another log.
    #[error("the checkpoint is of another log than its signer's")]
    OtherOrigin,
}

/// The name of a log, which is also the name of the key that signs its checkpoints:
/// `prod.acme.example/ledger`.
///
/// Printable ASCII without spaces and plus signs, so that it fits a note's every line and no
/// look-alike can name the same log twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl FromStr for Origin {
    type Err = NotName;

    fn from_str(text: &str) -> Result<Self, NotName> {
        if text.is_empty() || text.len() > ORIGIN_MAX_BYTES {
            return Err(NotName::Length { limit: ORIGIN_MAX_BYTES });
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'+') {
            return Err(NotName::Character { allowed: "printable ASCII without space and plus" });
        }
        Ok(Self(text.to_owned()))
    }
}
text_name!(Origin);

impl Origin {
    /// The first ledger of a trust domain.
    pub fn of(domain: &TrustDomain) -> Self {
        Self(format!("{domain}/ledger"))
    }

    /// A ledger that goes on from a backup. Two that go on from the same one are two.
    pub fn restored(domain: &TrustDomain, log: LogId) -> Self {
        Self(format!("{domain}/ledger/{log}"))
    }
}

/// The signature type of Ed25519 over the text as it is.
const ED25519: u8 = 0x01;

/// A public key and its name, as verifiers are told them: a *vkey*,
/// `name+hex(key id)+base64(0x01 || key)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    name: Origin,
    key: PublicKey,
}

impl NoteVerifier {
    /// The key under the name of the log that it signs for.
    pub fn new(name: Origin, key: PublicKey) -> Self {
        Self { name, key }
    }

    /// The log that the key signs for.
    pub fn name(&self) -> &Origin {
        &self.name
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Tells the signatures of a note apart; four bytes prove nothing.
    fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', ED25519]);
        hasher.update(self.key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        [a, b, c, d]
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

impl FromStr for NoteVerifier {
    type Err = NotANote;

    fn from_str(text: &str) -> Result<Self, NotANote> {
        let malformed = NotANote::Malformed { part: "verifier key" };
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(malformed);
        let (name, _id, key) = (part()?, part()?, part()?);
        let key = STANDARD.decode(key).map_err(|_| malformed)?;
        let key = key.strip_prefix(&[ED25519]).ok_or(malformed)?;
        let key = PublicKey::try_from(key).map_err(|_| malformed)?;
        let verifier = Self::new(name.parse().map_err(|_| malformed)?, key);
        // The text states nothing that is not in the name and the key, so it has one form.
        if verifier.to_string() == text { Ok(verifier) } else { Err(malformed) }
    }
}

/// A note as it was received. Nothing in it is to be believed before a signature verified.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Note {
    whole: String,
    /// Bytes of the signed text: up to and with the newline before the blank line.
    signed: usize,
    signatures: Vec<NoteSignature>,
}

#[derive(Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    /// The key id and the signature, whatever its algorithm.
    bytes: Vec<u8>,
}

impl Note {
    /// Signs a text, which ends in a newline, under the name of a log.
    pub(super) fn sign(text: &str, name: &Origin, key: &SigningKey) -> Self {
        let id = NoteVerifier::new(name.clone(), key.public()).id();
        let bytes = [&id, key.sign(text.as_bytes()).as_bytes()].concat();
        let whole = format!("{text}\n— {name} {}\n", STANDARD.encode(&bytes));
        let signature = NoteSignature { name: name.as_str().to_owned(), bytes };
        Self { whole, signed: text.len(), signatures: vec![signature] }
    }

    /// Takes a note apart; only one text has these parts.
    pub(super) fn parse(whole: &str) -> Result<Self, NotANote> {
        let (got, limit) = (whole.len(), CHECKPOINT_MAX_BYTES);
        if got > limit {
            return Err(NotANote::TooLong { what: "bytes", got, limit });
        }
        if whole.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NotANote::Malformed { part: "alphabet" });
        }
        let blank = whole.rfind("\n\n").ok_or(NotANote::Malformed { part: "blank line" })?;
        let signed = blank + 1;
        let lines = whole.get(signed + 1..).and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NotANote::Malformed { part: "last line" })?;
        let (got, limit) = (lines.split('\n').count(), CHECKPOINT_SIGNATURES_MAX);
        if got > limit {
            return Err(NotANote::TooLong { what: "signatures", got, limit });
        }
        let signatures = lines.split('\n').map(signature).collect::<Result<_, _>>()?;
        Ok(Self { whole: whole.to_owned(), signed, signatures })
    }

    /// The note as it was received.
    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }

    /// The text that the signatures are over.
    pub(super) fn text(&self) -> &str {
        self.whole.get(..self.signed).unwrap_or_default()
    }

    /// Checks that this key signed. Lines of other keys are passed over, as witnesses add theirs;
    /// every line of this key must verify.
    pub(super) fn verify(&self, verifier: &NoteVerifier) -> Result<(), NotANote> {
        let mut signed = Err(NotANote::NotSigned);
        for signature in &self.signatures {
            let Some((id, bytes)) = signature.bytes.split_first_chunk() else { continue };
            if signature.name != verifier.name.as_str() || *id != verifier.id() {
                continue;
            }
            let bytes = Signature::try_from(bytes).map_err(|_| BadSignature)?;
            verifier.key.verify(self.text().as_bytes(), &bytes)?;
            signed = Ok(());
        }
        signed
    }
}

/// One line: `— <name> <base64(key id || signature)>`.
fn signature(line: &str) -> Result<NoteSignature, NotANote> {
    let malformed = NotANote::Malformed { part: "signature line" };
    let (name, bytes) = line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(malformed)?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') {
        return Err(malformed);
    }
    let bytes = STANDARD.decode(bytes).map_err(|_| malformed)?;
    if bytes.len() <= 4 {
        return Err(malformed);
    }
    Ok(NoteSignature { name: name.to_owned(), bytes })
}

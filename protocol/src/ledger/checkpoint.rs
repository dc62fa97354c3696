use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    digest::TreeHash,
    key::SigningKey,
    ledger::{
        TreeSize,
        note::{NotANote, Note, NoteVerifier, Origin},
    },
    payload,
};

payload! {
    /// What a log says of itself at one moment: from here on, it can only grow.
    pub struct Checkpoint {
        /// Which log.
        1 => pub origin: Origin,
        /// How many entries it holds.
        2 => pub size: TreeSize,
        /// The root of the tree of these entries.
        3 => pub root: TreeHash,
    }
}

/// The text of C2SP's `tlog-checkpoint`: origin, size and root, a line each.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }
}

/// Extension lines are refused: no monitor could audit what they say.
impl FromStr for Checkpoint {
    type Err = NotANote;

    fn from_str(text: &str) -> Result<Self, NotANote> {
        let mut lines = text.split('\n');
        let mut line = |part| lines.next().ok_or(NotANote::Malformed { part });
        let origin = line("origin")?.parse().map_err(|_| NotANote::Malformed { part: "origin" })?;
        let size = line("size")?.parse().ok().and_then(TreeSize::new);
        let size = size.ok_or(NotANote::Malformed { part: "size" })?;
        let root = STANDARD.decode(line("root")?).unwrap_or_default();
        let root = root.as_slice().try_into().map_err(|_| NotANote::Malformed { part: "root" })?;
        let checkpoint = Self { origin, size, root };
        // So "+7", "07", a line too many and a missing newline are all refused.
        if checkpoint.to_string() == text {
            Ok(checkpoint)
        } else {
            Err(NotANote::Malformed { part: "checkpoint" })
        }
    }
}

/// A checkpoint and its signatures, held as the text that was received.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: Note,
    claimed: Checkpoint,
}

impl SignedCheckpoint {
    /// Signs as the log itself: the key's name is the checkpoint's origin.
    ///
    /// The caller sees to it that the log never signs two checkpoints that contradict each other,
    /// and none of entries that are not durable.
    pub fn sign(checkpoint: &Checkpoint, key: &SigningKey) -> Self {
        let note = Note::sign(&checkpoint.to_string(), &checkpoint.origin, key);
        Self { note, claimed: checkpoint.clone() }
    }

    /// Gives the checkpoint if this log's key signed it, for this log and no other.
    pub fn open(&self, verifier: &NoteVerifier) -> Result<Checkpoint, NotANote> {
        self.note.verify(verifier)?;
        if self.claimed.origin != *verifier.name() {
            return Err(NotANote::OtherOrigin);
        }
        Ok(self.claimed.clone())
    }

    /// What the text says before its signer is known, only to learn who that must be or to compare
    /// it with one's own log.
    pub fn peek_unverified(&self) -> &Checkpoint {
        &self.claimed
    }

    /// The text as it was received.
    pub fn as_str(&self) -> &str {
        self.note.as_str()
    }

    /// The text as it was received, as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

impl FromStr for SignedCheckpoint {
    type Err = NotANote;

    fn from_str(text: &str) -> Result<Self, NotANote> {
        let note = Note::parse(text)?;
        let claimed = note.text().parse()?;
        Ok(Self { note, claimed })
    }
}

impl TryFrom<&[u8]> for SignedCheckpoint {
    type Error = NotANote;

    fn try_from(bytes: &[u8]) -> Result<Self, NotANote> {
        std::str::from_utf8(bytes).map_err(|_| NotANote::Malformed { part: "alphabet" })?.parse()
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedCheckpoint({:?})", self.as_str())
    }
}

crate::blob!(SignedCheckpoint);

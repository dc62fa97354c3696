//! SHA-256 digests, each kind a type of its own so that one cannot stand in for another.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Declares a 32-byte digest type.
macro_rules! digest {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 bytes that were received as this kind of digest.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// The 32 bytes by value.
            pub fn to_array(self) -> [u8; 32] {
                self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = hex::FromHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes)?;
                // One text for one digest: lower case.
                match text.char_indices().find(|(_, c)| c.is_ascii_uppercase()) {
                    Some((index, c)) => Err(hex::FromHexError::InvalidHexCharacter { c, index }),
                    None => Ok(Self(bytes)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        $crate::blob!($name);
    };
}

digest!(
    /// SHA-256 of content that has no kind of its own: evidence, configuration, purpose.
    Digest
);
digest!(
    /// Names a grant or a delegation by what was signed, not by the bytes it is wrapped in (TOK-020).
    ChainId
);
digest!(
    /// SHA-256 of a contract's body.
    ContractHash
);
digest!(
    /// Running hash of a negotiation's moves (NEG-006).
    TranscriptHash
);
digest!(
    /// Running hash of what one side of a session has said (SES-003).
    SessionLink
);
digest!(
    /// Running hash of what one side of a stream has sent (STR-001).
    StreamLink
);
digest!(
    /// An RFC 6962 hash: a leaf, a node or a root of the ledger's tree.
    TreeHash
);
digest!(
    /// SHA-256 of a SubjectPublicKeyInfo in DER: names the TLS key behind a channel.
    SpkiHash
);

impl Digest {
    /// SHA-256 of the bytes as they are.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// Hashes `parts` under a tag, each length-prefixed, so that no two lists of parts collide
/// (CONV-021).
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in std::iter::once(&tag.as_bytes()).chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

//! The ledger as its readers see it: an append-only Merkle tree, proofs of what it holds, and the
//! signed checkpoints that pin it.
//!
//! Hashing and proofs are those of RFC 9162 (and RFC 6962), checkpoints those of C2SP's
//! `tlog-checkpoint` and `signed-note`, so existing witnesses, monitors and verifiers work.
//!
//! A log proves to [`Tree`]'s owner nothing; it proves to a reader who holds a [`Checkpoint`] that
//! an entry is in it ([`InclusionProof`]) and that nothing was removed since an older checkpoint
//! ([`ConsistencyProof`]).

mod checkpoint;
mod note;
mod proof;
mod shard;
mod tree;

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::digest::TreeHash;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use note::{NotANote, NoteVerifier, Origin};
pub use proof::{ConsistencyProof, InclusionProof, LogError};
pub use shard::{NotAShard, Shard};
pub use tree::{Frontier, Tree};

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: TreeHash = TreeHash::from_bytes([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Hashes one entry. The prefix keeps a leaf from passing for a node (RFC 9162, 2.1.1).
pub fn leaf_hash(entry: &[u8]) -> TreeHash {
    hash(0x00, &[entry])
}

/// Hashes two neighbouring subtrees into their parent.
pub fn node_hash(left: TreeHash, right: TreeHash) -> TreeHash {
    hash(0x01, &[left.as_bytes(), right.as_bytes()])
}

fn hash(prefix: u8, parts: &[&[u8]]) -> TreeHash {
    let mut hasher = Sha256::new();
    hasher.update([prefix]);
    for part in parts {
        hasher.update(part);
    }
    TreeHash::from_bytes(hasher.finalize().into())
}

/// The largest size: what fits a signed 64-bit column, as in the other tools for such logs.
const SIZE_MAX: u64 = i64::MAX as u64;

macro_rules! position {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Nought.
            pub const ZERO: Self = Self(0);

            /// `None` above 2⁶³ - 1, which no ledger reaches.
            pub const fn new(value: u64) -> Option<Self> {
                if value <= SIZE_MAX { Some(Self(value)) } else { None }
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// That many more; `None` above the maximum.
            pub const fn plus(self, more: u64) -> Option<Self> {
                match self.0.checked_add(more) {
                    Some(sum) => Self::new(sum),
                    None => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        $crate::scalar!($name, zero = absent_means_zero);
    };
}

position!(
    /// The place of an entry in its ledger, from zero.
    LeafIndex
);
position!(
    /// How many entries a ledger holds.
    TreeSize
);

impl TreeSize {
    /// The index of the entry that comes next.
    pub const fn next_leaf(self) -> LeafIndex {
        LeafIndex(self.0)
    }

    /// The index of the entry that came last; of the first to come where there is none.
    pub const fn last_leaf(self) -> LeafIndex {
        LeafIndex(self.0.saturating_sub(1))
    }

    /// Whether the ledger already had that entry when it was this large.
    pub const fn includes(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }
}

#[cfg(test)]
mod tests;

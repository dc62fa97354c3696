use thiserror::Error;

use crate::{
    digest::TreeHash,
    ledger::{EMPTY_ROOT, LeafIndex, TreeSize, node_hash},
    payload,
};

/// Why a proof about a ledger is worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// The proof speaks of an entry that a ledger of this size does not have.
    #[error("entry {index} of a ledger of {size} entries")]
    OutOfRange {
        /// The entry's index.
        index: LeafIndex,
        /// The ledger's size.
        size: TreeSize,
    },
    /// The proof speaks of a ledger that got smaller.
    #[error("the ledger shrank from {old} to {new} entries")]
    Shrunk {
        /// The size before.
        old: TreeSize,
        /// The size after.
        new: TreeSize,
    },
    /// The path has more or fewer hashes than a proof about these positions.
    #[error("a path of {got} hashes does not belong to these positions")]
    PathLength {
        /// Hashes in the path.
        got: usize,
    },
    /// The hashes lead to another root: the proof is about another ledger, or another entry.
    #[error("the proof leads to root {got}, not to {expected}")]
    Root {
        /// The root that was to be proven.
        expected: TreeHash,
        /// The root to which the path leads.
        got: TreeHash,
    },
}

payload! {
    /// Proves that an entry stands at an index of the ledger of a size.
    pub struct InclusionProof {
        /// The entry's place.
        1 => pub index: LeafIndex,
        /// The size of the ledger whose root it leads to.
        2 => pub size: TreeSize,
        /// The sibling of each node on the way from the leaf to the root.
        3 => pub path: Vec<TreeHash>,
    }
}

impl InclusionProof {
    /// Checks that the path leads from the entry's [`leaf_hash`](crate::ledger::leaf_hash) to a
    /// root that the caller trusts (RFC 9162, 2.1.3.2).
    pub fn verify(&self, leaf: TreeHash, root: TreeHash) -> Result<(), LogError> {
        if !self.size.includes(self.index) {
            return Err(LogError::OutOfRange { index: self.index, size: self.size });
        }
        let length = LogError::PathLength { got: self.path.len() };
        let mut climb = Climb { node: self.index.get(), last: self.size.get() - 1 };
        let mut hash = leaf;
        for sibling in &self.path {
            hash = match climb.step().ok_or(length)? {
                Side::Left => node_hash(*sibling, hash),
                Side::Right => node_hash(hash, *sibling),
            };
        }
        if climb.last != 0 {
            return Err(length);
        }
        same_root(root, hash)
    }

    /// The root of the ledger as it was just before the entry was appended: what stands to the left
    /// on the entry's way to the root is all that there was before it. To be asked of a proof that
    /// [verified](Self::verify).
    pub fn root_before(&self) -> TreeHash {
        let mut climb = Climb { node: self.index.get(), last: self.size.get().saturating_sub(1) };
        let left = self.path.iter().filter(|_| matches!(climb.step(), Some(Side::Left)));
        left.copied().reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_ROOT)
    }
}

payload! {
    /// Proves that the ledger of one size begins with all that it held at a smaller one.
    pub struct ConsistencyProof {
        /// The size before.
        1 => pub old: TreeSize,
        /// The size after.
        2 => pub new: TreeSize,
        /// The subtrees that both roots are made of. Empty where one ledger is empty or both are
        /// the same.
        3 => pub path: Vec<TreeHash>,
    }
}

impl ConsistencyProof {
    /// Checks that the path leads to both roots (RFC 9162, 2.1.4.2).
    ///
    /// An empty ledger is the beginning of every other one: that proves nothing about the new
    /// root, which the caller trusts for its own reasons.
    pub fn verify(&self, old_root: TreeHash, new_root: TreeHash) -> Result<(), LogError> {
        let (old, new) = (self.old, self.new);
        let length = LogError::PathLength { got: self.path.len() };
        if old > new {
            return Err(LogError::Shrunk { old, new });
        }
        if old == TreeSize::ZERO || old == new {
            if !self.path.is_empty() {
                return Err(length);
            }
            let expected = if old == TreeSize::ZERO { EMPTY_ROOT } else { new_root };
            same_root(old_root, expected)?;
            return if new == TreeSize::ZERO { same_root(new_root, EMPTY_ROOT) } else { Ok(()) };
        }
        self.climb(old_root, new_root)
    }

    /// The case of two different ledgers that have entries.
    fn climb(&self, old_root: TreeHash, new_root: TreeHash) -> Result<(), LogError> {
        let length = LogError::PathLength { got: self.path.len() };
        let old = self.old.get();
        let mut path = self.path.iter().copied();
        // An old tree that is one complete subtree is the first node: the reader knows its hash.
        let first = if old.is_power_of_two() { old_root } else { path.next().ok_or(length)? };

        let below = (old - 1).trailing_ones();
        let mut climb = Climb { node: (old - 1) >> below, last: (self.new.get() - 1) >> below };
        let (mut old_hash, mut new_hash) = (first, first);
        for sibling in path {
            match climb.step().ok_or(length)? {
                Side::Left => {
                    old_hash = node_hash(sibling, old_hash);
                    new_hash = node_hash(sibling, new_hash);
                }
                Side::Right => new_hash = node_hash(new_hash, sibling),
            }
        }
        if climb.last != 0 {
            return Err(length);
        }
        same_root(old_root, old_hash)?;
        same_root(new_root, new_hash)
    }
}

/// On which side of a node its sibling stands.
enum Side {
    Left,
    Right,
}

/// The way from a node up to the root: `fn` and `sn` of RFC 9162.
struct Climb {
    node: u64,
    /// The last node of the same level; zero at the root.
    last: u64,
}

impl Climb {
    /// One sibling further up; `None` at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let is_right_child = self.node & 1 == 1;
        let side = if is_right_child || self.node == self.last { Side::Left } else { Side::Right };
        if !is_right_child && self.node == self.last {
            // A last node without a sibling moves up as it is.
            let alone = self.node.trailing_zeros();
            self.node >>= alone;
            self.last >>= alone;
        }
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }
}

fn same_root(expected: TreeHash, got: TreeHash) -> Result<(), LogError> {
    if expected == got { Ok(()) } else { Err(LogError::Root { expected, got }) }
}

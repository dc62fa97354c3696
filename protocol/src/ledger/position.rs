//! Positions in the ledger: where an entry stands, and how many there are.

use std::fmt;

/// The number of a leaf; the first one is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

/// The number of leaves of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(u64);

macro_rules! position {
    ($name:ident) => {
        impl $name {
            /// Zero: the first leaf, the empty tree.
            pub const FIRST: Self = Self(0);

            /// Any number that fits a signed 64-bit integer, as in every engine's index.
            pub const fn new(number: u64) -> Option<Self> {
                if number <= i64::MAX as u64 { Some(Self(number)) } else { None }
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        crate::scalar!($name, zero = absent_means_zero);
    };
}

position!(LeafIndex);
position!(TreeSize);

impl TreeSize {
    /// Where the next leaf will stand.
    pub const fn next_leaf(self) -> LeafIndex {
        LeafIndex(self.0)
    }
}

impl LeafIndex {
    /// The leaf `count` places after this one.
    pub const fn after(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The size of the tree in which this leaf is the last.
    pub const fn tree_with(self) -> TreeSize {
        TreeSize(self.0.saturating_add(1))
    }
}

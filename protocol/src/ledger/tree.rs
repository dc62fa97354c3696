use crate::{
    digest::TreeHash,
    ledger::{EMPTY_ROOT, LeafIndex, TreeSize, node_hash},
};

/// An append-only Merkle tree in memory, which can prove anything about each of its sizes.
///
/// It keeps the hash of every complete subtree, 64 bytes per leaf in all, so a proof hashes only
/// the ragged right edge: O(log n).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// `levels[k][i]` covers the leaves from `i << k` up to `(i + 1) << k`.
    levels: Vec<Vec<TreeHash>>,
}

impl Tree {
    /// Appends one leaf, by its [`leaf_hash`](crate::ledger::leaf_hash).
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        for level in &mut self.levels {
            level.push(hash);
            match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => hash = node_hash(*left, *right),
                _ => return,
            }
        }
        self.levels.push(vec![hash]);
    }

    /// How many leaves there are.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.levels.first().map_or(0, |leaves| leaves.len() as u64))
    }

    /// The root of the whole tree.
    pub fn root(&self) -> TreeHash {
        self.root_at(self.size()).unwrap_or(EMPTY_ROOT)
    }

    /// The root that the tree had at an earlier size; `None` for a size that it has not reached.
    pub fn root_at(&self, size: TreeSize) -> Option<TreeHash> {
        if size == TreeSize::ZERO { Some(EMPTY_ROOT) } else { self.covering(0, size.0) }
    }

    /// The path that proves the leaf at `index` to be in the tree of that size (RFC 9162,
    /// 2.1.3.1), from the leaf upwards; `None` where it is not.
    pub fn inclusion(&self, index: LeafIndex, size: TreeSize) -> Option<Vec<TreeHash>> {
        if index.0 >= size.0 || size > self.size() {
            return None;
        }
        let (mut from, mut to) = (0, size.0);
        let mut path = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index.0 < middle {
                path.push(self.covering(middle, to)?);
                to = middle;
            } else {
                path.push(self.covering(from, middle)?);
                from = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The path that proves the tree of size `new` to begin with the tree of size `old` (RFC 9162,
    /// 2.1.4.1): empty where one of them is empty or both are the same; `None` where `new` is
    /// smaller than `old` or beyond this tree.
    pub fn consistency(&self, old: TreeSize, new: TreeSize) -> Option<Vec<TreeHash>> {
        if old > new || new > self.size() {
            return None;
        }
        let mut path = Vec::new();
        if old == TreeSize::ZERO || old == new {
            return Some(path);
        }
        let (mut from, mut to) = (0, new.0);
        while old.0 < to {
            let middle = from + split(to - from);
            if old.0 <= middle {
                path.push(self.covering(middle, to)?);
                to = middle;
            } else {
                path.push(self.covering(from, middle)?);
                from = middle;
            }
        }
        // The reader knows this subtree already if it is the whole old tree.
        if from > 0 {
            path.push(self.covering(from, to)?);
        }
        path.reverse();
        Some(path)
    }

    /// The hash of the leaves from `from` up to `to`, one of the ranges that the recursive
    /// definition of the tree splits off; `None` beyond this tree.
    fn covering(&self, from: u64, to: u64) -> Option<TreeHash> {
        let mut end = to;
        let mut hash = None;
        while end > from {
            // The smallest complete subtree stands at the right edge.
            let level = (end - from).trailing_zeros();
            end -= 1 << level;
            let left = self.complete(level, end >> level)?;
            hash = Some(hash.map_or(left, |right| node_hash(left, right)));
        }
        hash
    }

    fn complete(&self, level: u32, index: u64) -> Option<TreeHash> {
        let level = self.levels.get(usize::try_from(level).ok()?)?;
        level.get(usize::try_from(index).ok()?).copied()
    }
}

/// The largest power of two that is smaller than `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The right edge of a tree: enough to append to it and to know its root, 32 bytes per level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The complete subtrees that the tree falls into, the largest first.
    subtrees: Vec<TreeHash>,
}

impl Frontier {
    /// The frontier of a tree of that size; `None` where a tree of that size does not fall into so many subtrees.
    pub fn of(size: TreeSize, subtrees: Vec<TreeHash>) -> Option<Self> {
        let fits = subtrees.len() == size.0.count_ones() as usize;
        fits.then_some(Self { size: size.0, subtrees })
    }

    /// The complete subtrees that the tree falls into, the largest first.
    pub fn subtrees(&self) -> &[TreeHash] {
        &self.subtrees
    }

    /// Appends one leaf, by its [`leaf_hash`](crate::ledger::leaf_hash).
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        // Each one-bit at the end of the size is a subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// The root of the tree.
    pub fn root(&self) -> TreeHash {
        let from_the_right = self.subtrees.iter().rev().copied();
        from_the_right.reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_ROOT)
    }
}

//! The state as bytes, so that a start need not fold the whole ledger again.
//!
//! A snapshot proves nothing and is never believed for what it says: whoever keeps one vouches for
//! it in some other way, and whoever doubts it folds the ledger. The tree is not in it. It is made of
//! the entries, and reading them is what the snapshot is held against.

mod kept;
mod parts;

pub(super) use kept::{Kept, kept};

use super::State;
use crate::{
    ledger::Tree,
    payload::{Malformed, Reader, Writer},
};

/// Names the fold and how its state is written. Whatever changes what [`State::evolve`] makes of a
/// ledger, or what a state is written as, raises it: a snapshot of another version is no snapshot.
pub const FOLD_VERSION: u32 = 9;

/// All fields but the tree, each once.
macro_rules! without_the_tree {
    ($($field:ident),* $(,)?) => {
        impl State {
            /// The state without its tree.
            pub fn to_snapshot(&self) -> Vec<u8> {
                let Self { tree: _, $($field),* } = self;
                let mut out = Writer::default();
                $( $field.keep(&mut out); )*
                out.into_bytes()
            }

            /// The state that was written, on the tree that it had.
            pub fn from_snapshot(bytes: &[u8], tree: Tree) -> Result<Self, Malformed> {
                let mut input = Reader::new(bytes);
                $( let $field = Kept::recall(&mut input)?; )*
                input.finish()?;
                Ok(Self { tree, $($field),* })
            }
        }
    };
}

without_the_tree!(
    now,
    keys,
    join_tokens,
    instances,
    chains,
    turns,
    grants,
    originated,
    contracts,
    negotiations,
    awards,
    changes,
    invocations,
    traces,
    sessions,
    session_leaves,
    nonces,
    revocations,
    revoked,
    epoch,
    due,
    forget,
);

//! The ledger: an append-only Merkle log of everything that happened.

mod origin;
mod position;

pub use origin::Origin;
pub use position::{LeafIndex, TreeSize};

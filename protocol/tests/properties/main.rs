//! What must hold for every capability and every chain, over inputs that nobody chose.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]

mod capability;
mod chain;
mod datalog;
mod universe;

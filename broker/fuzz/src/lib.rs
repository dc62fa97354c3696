//! Fuzz targets for every decoder that a peer can reach. Only tests and fuzzers use them.
//!
//! A target takes bytes and holds what comes of them against properties: one encoding for each value,
//! nothing verified that nobody signed, nothing accepted beyond its limit, memory in proportion to
//! the input. That it must not panic goes without saying.
//!
//! Whatever is signed is tried twice: as it is, and signed anew by the real key of whoever it claims to
//! be by. Otherwise a mutated input would get no further than the first signature.
//!
//! `cargo test -p countersign-fuzz` replays the corpus and a few mutations of it. `libfuzzer/` runs the
//! same targets for as long as one likes; CONTRIBUTING.md says how.
#![expect(clippy::unwrap_used, reason = "a harness that cannot build its input must stop")]
#![expect(clippy::expect_used, reason = "a harness that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a property that does not hold is told by a panic")]
#![expect(clippy::indexing_slicing, reason = "a harness that cannot build its input must stop")]

mod biscuit;
pub mod corpus;
mod escape;
mod grammar;
mod keys;
mod memory;
pub mod mutate;
mod scene;
pub mod target;
mod vectors;
mod wire;

pub use target::{Form, Seed, TARGETS, Target, Verdict};

//! Three evaluators, one answer: the native decision table, Biscuit's Datalog, and a brute-force
//! evaluator that knows the specification alone.
//!
//! `COUNTERSIGN_EVALUATOR_CASES=1000000 cargo test --release -p countersign-protocol --test evaluators`
//! decides that many random requests instead of a few thousand, other ones each time.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]

mod agree;
mod brute;
mod chains;
mod containment;
mod corners;
mod datalog;
mod plain;
mod price;
mod requests;
mod tally;
mod vocabulary;
mod widening;

// Keys and terms are the vectors' own.
#[expect(dead_code, reason = "the vectors use more of it")]
#[path = "../vectors/cast.rs"]
mod cast;

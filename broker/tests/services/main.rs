//! The services as their callers see them, over a ledger in memory and a clock that stands still:
//! what each caller can do and see, and what it cannot.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]

mod checkpoints;
mod explaining;
mod gate;
mod ledger;
mod negotiating;
mod reading;
mod watching;
mod world;

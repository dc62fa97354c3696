//! The SDK against a broker that lies: each lie is found, and its honest twin passes.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod changing;
mod fake;
mod invoking;
mod joining;
mod ledger;
mod negotiating;
mod rebinding;
mod renewing;
mod revoking;
mod serving;
mod sessions;
mod streams;
mod world;

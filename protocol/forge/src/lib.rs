//! For tests alone: a trust domain in memory, and what attackers with real keys make by hand.
//!
//! [`World`] is the core with a list for a ledger; [`Talk`] is a negotiation with both sides in one
//! hand. What they do is what honest parties do unless a test changes it before it is signed.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]

mod cast;
mod talk;
mod world;

pub use cast::{
    Agent, POLICY, START_MS, capability, configuration, domain, domain_key, keys, policy, principal, rights,
};
pub use talk::Talk;
pub use world::{Change, World};

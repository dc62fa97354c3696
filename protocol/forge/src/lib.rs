//! For tests alone: a trust domain in memory, and what attackers with real keys make by hand.
//!
//! [`World`] is the core with a list for a ledger; [`Talk`] is a negotiation with both sides in one
//! hand. What they do is what honest parties do unless a test changes it before it is signed.
//!
//! Beneath them nothing is honest: [`biscuit`] links any blocks, [`envelope`] and [`note`] sign any
//! bytes, [`wire`] writes what no encoder would, [`ed25519`] signs as no library does. None of it goes
//! through what it is to deceive, but for the one thing that a block's terms compile to.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]

pub mod biscuit;
mod cast;
pub mod ed25519;
pub mod envelope;
pub mod note;
pub mod session;
mod stage;
mod talk;
mod terms;
pub mod wire;
mod world;

pub use cast::{
    Agent, POLICY, START_MS, capability, configuration, domain, domain_key, instance_key, keys, policy,
    principal, rights,
};
pub use stage::{Speaks, Stage, attested, receipt};
pub use talk::Talk;
pub use terms::{grant_terms, holder, hop_terms, instance};
pub use world::{Change, World};

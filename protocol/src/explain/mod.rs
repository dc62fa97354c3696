//! Explaining an invocation: the evidence that lets anyone who knows the domain's public keys check,
//! offline, why it was allowed, who answers for it, and what came of it.
//!
//! A broker gathers a [`Bundle`] from its ledger: [`leaves`] says which entries it needs and
//! [`assemble`] puts them together. [`Bundle::verify`] believes nothing of it. What it finds is split
//! in two: what is [`Proven`], and what remains the broker's word ([`Attested`]): an inclusion proof
//! cannot show that something did *not* happen. A full [audit](crate::audit) can.

mod assemble;
mod bundle;
mod collect;
mod evidence;
mod explanation;
mod session;
mod sitting;
mod verify;

pub use assemble::{activation, assemble, leaves, may_see};
pub use bundle::{Bundle, ProvenEntry};
pub use explanation::{Attested, Ended, ExplainedLink, Explanation, Proven};

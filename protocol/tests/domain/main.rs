//! The domain's decisions, from the outside: what parties can make happen, and what they cannot.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod answering;
mod audit;
mod awards;
mod budget;
mod changes;
mod collusion;
mod consent;
mod copies;
mod explain;
mod forged;
mod graph;
mod identity;
mod impostors;
mod invocation;
mod limits;
mod memory;
mod missaid;
mod negotiation;
mod races;
mod rebind;
mod rebind_evidence;
mod replacing;
mod restoring;
mod rotation;
mod session;
mod sitting;
mod snapshot;
mod strangers;
mod streams;
mod tampered;

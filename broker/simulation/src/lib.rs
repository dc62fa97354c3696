//! A trust domain in virtual time: the core over the memory engine behind a model of the broker's
//! shell, honest principals that retry and verify, hostile ones with real keys, a network that loses,
//! doubles, delays and reorders, clocks that jump, and power that goes at any commit point.
//!
//! What happens is a [`plan`] drawn from a seed. After each event, the [`witness`] holds it against the
//! [`invariant`]s and a reference [`model`]. A failing seed prints the command that replays it, the
//! sentence that was untrue, and the plan made as small as it could be.
#![expect(clippy::unwrap_used, reason = "a simulation that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a simulation that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a simulation that cannot begin must stop")]

pub mod broker;
pub mod coverage;
pub mod fleet;
pub mod hostile;
pub mod invariant;
pub mod keys;
pub mod ledger;
pub mod model;
pub mod network;
pub mod party;
pub mod plan;
pub mod run;
pub mod scope;
pub mod shrink;
pub mod stop;
pub mod stream;
pub mod tally;
pub mod tokens;
pub mod witness;
pub mod world;

//! The profile from both sides: what honest parties make is accepted; what a hostile holder builds
//! by hand and signs with its own real key is refused, for the reason that the spec states.

mod bombs;
mod fixture;
mod hostile;
mod known;
mod oracle;
mod rebind;
mod uses;

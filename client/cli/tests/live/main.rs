//! The command line against a whole broker on real sockets, with programs that use what people grant.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a test that names what is not there must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod archive;
mod broker;
mod delegation;
mod graph;
mod manual;
mod programs;
mod rebinding;
mod sessions;
#[path = "../support/mod.rs"]
mod support;

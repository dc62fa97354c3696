//! The Countersign broker.
//!
//! [`server::run`] is all of it: what the binary `countersignd`, the tests and the demo call.

pub mod activation;
pub mod attestor;
mod backup;
mod broker;
pub mod channel;
pub mod checkpoint;
pub mod clock;
pub mod command;
pub mod config;
pub mod doctor;
pub mod domain;
pub mod drain;
mod file;
pub mod gate;
pub mod health;
mod held_store;
mod init;
pub mod join_tokens;
pub mod keys;
pub mod limits;
pub mod mediation;
mod methods;
mod metrics;
mod restore;
mod rotate;
pub mod server;
pub mod service;
mod snapshots;
mod stated_limits;
pub mod status;
mod ticker;
mod traces;
pub mod trust;

pub use backup::{BackupError, Copied, backup};
pub use broker::AssemblyError;
pub use init::{InitError, admin_token, init};
pub use restore::{RestoreError, Restored, restore};
pub use rotate::{RotateError, rotate};
pub use server::{Bound, Listeners, Options, RunError, run};

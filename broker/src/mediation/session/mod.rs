//! Sessions: one proof, many invocations, on one stream of the caller and the callee's own.
//!
//! Each session has one task, its [`Course`](course::Course), which alone decides what happens in it and
//! in which order. It decides without waiting for the disk, and lets out what it decided once that is
//! durable: so all sessions share the ledger's group commits, and nothing is forwarded before its INTENT
//! or answered before its RESULT. The callee's stream and a revocation reach a session through its
//! [`Session`], whose lock is what a revocation waits for.

mod course;
mod door;
mod flight;
mod list;
mod opening;
mod said;

pub(super) use door::{Parcel, Session};
pub(super) use list::Sessions;
pub use opening::Saying;

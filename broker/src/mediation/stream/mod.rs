//! Streams: one invocation whose body and result go through the broker in chunks.
//!
//! A stream is decided, forwarded and ended as any invocation is: it has a [`Pending`](super::pending), an
//! INTENT before its callee hears of it, and a RESULT before its caller hears of its end. Between the two
//! its [`Relay`](relay) verifies each chunk of either side and passes it on. What the callee has not taken
//! lies in the stream's own [`Flow`], of which the callee's one stream takes a chunk at a time, in turn
//! with everything else that waits there; so a slow reader holds up its own stream and nothing else.

mod begin;
mod flow;
mod list;
mod relay;
mod said;

pub use begin::Relaying;
pub(super) use flow::{Flow, Word};
pub(super) use list::Streams;

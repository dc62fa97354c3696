//! Sessions: one holder's proof for many invocations (`spec/session.md`).
//!
//! The caller signs a [`SessionOpening`], the callee a [`SessionAnswer`], and the two agree on keys that
//! the broker between them does not have. From then on each request is a link of one [`Strand`] and each
//! result a link of another; a MAC stands for a signature on each, and a signed [`SessionHead`] covers
//! all links up to it. The broker can order, refuse and record what goes through it, and forge none of it.

mod link;
mod secret;
mod statement;

pub use link::{SessionRequest, SessionResult, Strand};
pub use secret::{Ephemeral, EphemeralKey, MacKey, NotAgreed, SessionKeys, WrongMac};
pub use statement::{SessionAnswer, SessionHead, SessionOpening, Side};

#[cfg(test)]
mod tests;

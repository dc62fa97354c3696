//! Tokens: a Biscuit whose authority block is a grant and whose third-party blocks are hops.
//!
//! The profile (`spec/token.md`, `spec/chain.md`) is closed: each block holds one fact, the terms in
//! the strict payload grammar, and the checks that those terms compile to. So a request can be held
//! against the decision table that the terms make and against the Datalog, which biscuit-auth
//! evaluates, independently; both must allow.

mod chain;
mod compile;
mod container;
mod datalog;
mod evaluate;
mod mint;
mod permit;
mod proof;
mod session;
mod table;
mod terms;
mod verify;

pub use chain::{Link, grant_chain_id, hop_chain_id};
pub use mint::{append_hop, mint_grant, sign_hop};
pub use permit::{ActivatedBy, Activation, ActiveToken, Permit, Recorded};
pub use proof::{Nonce, Presentation, Proof, Via};
pub(crate) use session::check_channel as check_session_channel;
pub use session::{SessionPermit, SessionUse};
pub use table::Table;
pub(crate) use table::allows;
pub use terms::{Evidence, EvidenceKind, GrantTerms, Holder, HopTerms};
pub use verify::{Token, UnverifiedToken};

#[cfg(test)]
mod tests;

//! Tokens: a Biscuit whose authority block is a grant and whose third-party blocks are hops.
//!
//! The profile (`spec/token.md`, `spec/chain.md`) is closed: each block holds one fact, the terms in
//! the strict payload grammar, and the checks that those terms compile to. So any reader of Biscuit can
//! hold a request against the Datalog, and comes to the answer of the decision table that the terms make
//! here. biscuit-auth is no part of this: it is the oracle of the tests, for what a token is
//! (`protocol/tests/container`) and for what it allows (`protocol/tests/evaluators`).

mod chain;
mod compile;
mod container;
mod datalog;
mod known;
mod link_key;
mod mint;
mod permit;
mod proof;
mod rebind;
mod recent;
mod seal;
mod session;
mod table;
mod terms;
mod verify;

pub use chain::{Link, Rebound, grant_chain_id, hop_chain_id};
pub use known::KnownChains;
pub use mint::{append_hop, append_rebind, mint_grant, sign_hop};
pub use permit::{ActivatedBy, Activation, ActiveToken, Permit, Recorded};
pub use proof::{Nonce, Presentation, Proof, Via};
pub use recent::Recent;
pub(crate) use session::check_channel as check_session_channel;
pub use session::{SessionPermit, SessionUse};
pub use table::Table;
pub(crate) use table::allows;
pub use terms::{Evidence, EvidenceKind, GrantTerms, Holder, HopTerms, RebindTerms};
pub use verify::{Stated, Token, UnverifiedToken};

#[cfg(test)]
mod tests;

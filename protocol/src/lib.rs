//! The pure core of Countersign: identities, capabilities, tokens, contracts, negotiation and the
//! ledger, with no I/O, no clock and no entropy of its own.
//!
//! Start with [`mod@payload`] (how bytes are made), [`signed`] (how they are signed) and [`refusal`]
//! (how the core says no).

pub mod audit;
pub mod capability;
pub mod contract;
pub mod digest;
pub mod domain;
pub mod explain;
pub mod extension;
pub mod grant;
pub mod graph;
pub mod id;
pub mod identity;
pub mod join_token;
pub mod key;
pub mod ledger;
pub mod limits;
pub mod name;
pub mod negotiation;
pub mod payload;
pub mod receipt;
pub mod refusal;
pub mod revocation;
pub mod session;
#[cfg(feature = "toml")]
pub mod settings;
pub mod signed;
pub mod stream;
pub mod time;
pub mod token;
pub mod trace_context;
pub mod trust;

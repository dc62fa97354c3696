//! The pure core of Countersign: identities, capabilities, tokens, contracts, negotiation and the
//! ledger, with no I/O, no clock and no entropy of its own.
//!
//! Start with [`payload`] (how bytes are made), [`signed`] (how they are signed) and [`refusal`]
//! (how the core says no).

pub mod digest;
pub mod id;
pub mod key;
pub mod ledger;
pub mod limits;
pub mod name;
pub mod payload;
pub mod refusal;
pub mod signed;
pub mod time;

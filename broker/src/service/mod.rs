//! The services that instances call: each parses, looks or decides, and answers.
//!
//! A service decides nothing by itself: the rules are the core's, the order is the
//! [`Domain`](crate::domain::Domain)'s. What it adds is who may see what, and in which words a
//! refusal is told.

mod activations;
mod caller;
mod contracts;
mod convert;
mod enrolment;
mod entries;
mod explanation;
mod feed;
mod grants;
mod graph;
mod identity;
mod info;
mod issuer;
mod ledger;
mod negotiation_feed;
mod negotiations;
mod operation;
mod page;
mod revocation_feed;
mod revocations;

pub use activations::Activations;
pub use contracts::Contracts;
pub use enrolment::Enrolment;
pub use feed::Feed;
pub use grants::Grants;
pub use graph::Graph;
pub use identity::Identity;
pub use info::Info;
pub use issuer::Issuer;
pub use ledger::{Ledger, Policies};
pub use negotiations::Negotiations;
pub use operation::Operation;
pub use revocations::Revocations;

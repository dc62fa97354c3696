//! Things of the domain as they are printed: as JSON whose field names stay, and on a page.

mod audit;
mod contract;
pub(crate) mod edge;
mod explanation;
pub(crate) mod link;
mod rights;
mod token;
mod verified;

pub(crate) use audit::AuditView;
pub(crate) use contract::ContractView;
pub(crate) use edge::EdgeView;
pub(crate) use explanation::{CheckpointView, ExplanationView};
pub(crate) use link::{AccountView, LinkView};
pub(crate) use rights::RightsView;
pub(crate) use token::TokenView;
pub(crate) use verified::VerifiedView;

//! What the program does, one command a file.

mod agent;
mod can;
mod contract;
mod explain;
mod grant;
mod graph;
mod join;
mod ledger;
pub(crate) mod revoke;
mod status;
mod token;
mod verify;

pub(crate) use agent::Agent;
pub(crate) use can::Can;
pub(crate) use contract::Contract;
pub(crate) use explain::Explain;
pub(crate) use grant::Grant;
pub(crate) use graph::Graph;
pub(crate) use join::Join;
pub(crate) use ledger::Ledger;
pub(crate) use revoke::Revoke;
pub(crate) use status::Status;
pub(crate) use token::Token;
pub(crate) use verify::Verify;

//! What the program does, one command a file.

mod agent;
mod can;
mod completion;
mod context;
mod contract;
mod doctor;
mod explain;
mod grant;
mod graph;
mod invoke;
mod join;
mod ledger;
mod man;
mod negotiate;
mod revoke;
mod status;
mod token;
mod verify;

pub(crate) use agent::Agent;
pub(crate) use can::Can;
pub(crate) use completion::Completion;
pub(crate) use context::Context;
pub(crate) use contract::Contract;
pub(crate) use doctor::Doctor;
pub(crate) use explain::Explain;
pub(crate) use grant::Grant;
pub(crate) use graph::Graph;
pub(crate) use invoke::Invoke;
pub(crate) use join::Join;
pub(crate) use ledger::Ledger;
pub(crate) use man::Man;
pub(crate) use negotiate::Negotiate;
pub(crate) use revoke::Revoke;
pub(crate) use status::Status;
pub(crate) use token::Token;
pub(crate) use verify::Verify;

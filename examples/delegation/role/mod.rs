//! What the processes of the story are.

pub(crate) mod agent;
pub(crate) mod auditor;
pub(crate) mod broker;

mod attack;
mod files;
mod haggle;

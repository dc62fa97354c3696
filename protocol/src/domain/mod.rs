//! A trust domain as its ledger tells it.
mod event;
pub use event::*;

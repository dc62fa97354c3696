//! The Countersign SDK.

pub mod channel;
pub mod limits;

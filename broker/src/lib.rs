//! The Countersign broker.

pub mod channel;
pub mod clock;
pub mod domain;
pub mod gate;
pub mod limits;
pub mod status;

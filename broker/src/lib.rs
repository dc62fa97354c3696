//! The Countersign broker.

pub mod activation;
pub mod channel;
pub mod checkpoint;
pub mod clock;
pub mod domain;
pub mod gate;
pub mod limits;
pub mod service;
pub mod status;
pub mod trust;

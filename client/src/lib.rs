//! The Countersign SDK.

//! The Countersign command line.

//! A whole broker on real sockets, with real TLS and its real files, as those outside see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod agents;
mod authorization;
mod bounds;
mod channel;
mod command;
mod contracting;
mod draining;
mod files;
mod granting;
mod joining;
mod mediating;
mod rebinding;
mod restoring;
mod rotating;
mod scrape;
mod sessions;
mod story;
mod streams;
mod support;
mod tracing;

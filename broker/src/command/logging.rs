//! Logs: one JSON object a line, on stderr.
//!
//! No secret is ever given to a log: keys and join secrets print as `..`, and requests are not
//! logged as a whole.

use tracing_subscriber::EnvFilter;

/// The variable that filters, as `tracing-subscriber` reads it: `info,countersign_broker=debug`.
const FILTER: &str = "COUNTERSIGN_LOG";

pub(super) fn init() {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stderr);
    // Only a second initialisation fails, and the first one logs.
    let _ = logs.with_env_filter(filter).try_init();
}

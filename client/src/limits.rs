//! Every bound of the SDK, with its reason. The core's are in [`countersign_protocol::limits`].

use std::time::Duration;

/// From the first packet to the end of the TLS handshake. The broker allows five seconds for the
/// handshake alone; the rest is for finding its address.
pub const CONNECT_MAX: Duration = Duration::from_secs(10);

//! What a broker is run with, beside its configuration.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use crate::{
    clock::{Clock, SystemClock},
    health::Health,
    limits::DRAIN_MAX,
};

/// Completes when the broker is to stop.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is neither in the file nor the same in each run.
pub struct Options {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// When to stop.
    pub shutdown: Shutdown,
    /// How long calls under way may go on then.
    pub drain: Duration,
    /// Sockets that are bound already, in place of the configured addresses.
    pub listeners: Option<Listeners>,
    /// Where the broker stands, for whoever else wants to know.
    pub health: Health,
    /// Told where the broker listens, once it does.
    pub ready: Option<oneshot::Sender<Bound>>,
}

impl Options {
    /// The system's clock, the configured addresses, and that shutdown.
    pub fn until(shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        let (clock, shutdown) = (Arc::new(SystemClock), Box::pin(shutdown));
        Self { clock, shutdown, drain: DRAIN_MAX, listeners: None, health: Health::default(), ready: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("clock", &self.clock)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}

/// The two sockets of a broker.
#[derive(Debug)]
pub struct Listeners {
    /// For instances.
    pub api: std::net::TcpListener,
    /// For newcomers.
    pub enrolment: std::net::TcpListener,
}

impl Listeners {
    /// The same sockets once more.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { api: self.api.try_clone()?, enrolment: self.enrolment.try_clone()? })
    }
}

/// Where a broker listens.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// For instances.
    pub api: SocketAddr,
    /// For newcomers.
    pub enrolment: SocketAddr,
    /// For whoever watches it, where there is such a listener.
    pub metrics: Option<SocketAddr>,
}

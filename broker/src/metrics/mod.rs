//! What an operator measures, in the form that Prometheus reads.
//!
//! Names and units are those of Prometheus and of its gRPC conventions. A label's values come from a
//! closed set, so no peer can add a series, and no id is ever one.

mod appends;
mod calls;
mod domain;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use prometheus_client::{
    encoding::text,
    metrics::{
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::Registry,
};

use crate::domain::Domain;

pub(crate) use appends::Appends;
pub(crate) use calls::{Calls, CallsLayer};

/// Everything that is measured in one process. The domain under it may be opened anew.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Arc<Calls>,
    appends: Appends,
    watched: domain::Watched,
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::default();
        let watched: domain::Watched = Arc::new(Mutex::new(Weak::new()));
        registry.register_collector(Box::new(domain::Collected(Arc::clone(&watched))));
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("countersign_build", "The version that runs", version);
        let appends = Appends::shown(registry.sub_registry_with_prefix("countersign_ledger"));
        let calls = Calls::new(&mut registry);
        Arc::new(Self { registry, calls, appends, watched })
    }

    /// Counts the calls of a listener.
    pub(crate) fn layer(&self) -> CallsLayer {
        CallsLayer::new(Arc::clone(&self.calls))
    }

    pub(crate) fn appends(&self) -> Appends {
        self.appends.clone()
    }

    /// From now on the numbers of the domain are that one's, for as long as it is there.
    pub(crate) fn watch(&self, domain: &Arc<Domain>) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(domain);
    }

    /// All of it, in the OpenMetrics text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The bounds of a histogram, each twice the one before.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    first: f64,
    count: u16,
}

impl Buckets {
    fn histogram(self) -> Histogram {
        Histogram::new(exponential_buckets(self.first, 2.0, self.count))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

//! What a domain holds, looked up when it is asked for.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use countersign_protocol::domain::Census;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Unit,
};

use crate::domain::{Domain, Durable};

/// The domain that is served; none while the ledger is read.
pub(super) type Watched = Arc<Mutex<Weak<Domain>>>;

/// Gauges of a domain, and nothing while there is none.
#[derive(Debug)]
pub(super) struct Collected(pub(super) Watched);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        for Reading { name, help, unit, value } in watched.iter().flat_map(|domain| read(domain)) {
            let gauge = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        Ok(())
    }
}

struct Reading {
    name: &'static str,
    help: &'static str,
    unit: Option<&'static Unit>,
    value: f64,
}

fn read(domain: &Domain) -> Vec<Reading> {
    let (census, last) = domain.peek(|state, _| (state.census(), state.last_time()));
    let Census { entries, epoch, instances, grants, contracts, negotiations, invocations, sessions, nonces } =
        census;
    let writable = matches!(*domain.durable().borrow(), Durable::To(_));
    let behind = last.map_or(0, |last| last.since(domain.clock().now()).as_millis());
    let reading = |name, help, value| Reading { name, help, unit: None, value };
    vec![
        reading("countersign_instances", "Instances that were ever admitted", instances as f64),
        reading("countersign_grants", "Grants that were ever issued", grants as f64),
        reading("countersign_contracts", "Contracts that were ever concluded", contracts as f64),
        reading("countersign_negotiations", "Negotiations that are remembered", negotiations as f64),
        reading("countersign_invocations", "Invocations that are remembered", invocations as f64),
        reading("countersign_sessions", "Sessions that are remembered", sessions as f64),
        reading("countersign_nonces", "Proofs whose repetition would be noticed", nonces as f64),
        reading("countersign_revocation_epoch", "Revocations so far", epoch as f64),
        reading("countersign_ledger_entries", "Entries of the ledger", entries as f64),
        reading(
            "countersign_ledger_snapshot_entries",
            "Entries that the newest snapshot stands for",
            domain.snapshot_size() as f64,
        ),
        reading(
            "countersign_ledger_writable",
            "Whether the ledger can be written; while it is 0, everything is refused",
            f64::from(u8::from(writable)),
        ),
        Reading {
            name: "countersign_clock_behind",
            help: "How far the clock is behind the last entry; until it is not, nothing is decided",
            unit: Some(&Unit::Seconds),
            value: behind as f64 / 1_000.0,
        },
    ]
}

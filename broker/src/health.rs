//! Whether the broker serves: what load balancers, orchestrators and the machine's init ask.

use std::sync::Arc;

use tokio::sync::watch;
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health as HealthService, HealthServer},
    server::HealthReporter,
};

use crate::{
    domain::{Domain, Durable},
    limits::HEARTBEAT,
    methods::services,
};

/// Where the broker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It reads its ledger.
    Starting,
    /// It answers.
    Serving,
    /// It answers nothing, because the ledger cannot be written.
    LedgerFailed,
    /// It takes nothing new, and waits for what is under way to end.
    Draining,
    /// It finishes what is under way, and takes nothing new.
    Stopping,
}

impl Standing {
    /// In a word or two, for people and probes.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Starting => "starting: the ledger is being read",
            Self::Serving => "serving",
            Self::LedgerFailed => "not serving: the ledger cannot be written",
            Self::Draining => "draining: nothing new is taken",
            Self::Stopping => "stopping",
        }
    }
}

/// The one place that says where the broker stands, and that it has not hung. It outlives a domain that
/// is opened anew.
#[derive(Clone, Debug)]
pub struct Health(Arc<Told>);

#[derive(Debug)]
struct Told {
    standing: watch::Sender<Standing>,
    beat: watch::Sender<()>,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Told {
            standing: watch::Sender::new(Standing::Starting),
            beat: watch::Sender::new(()),
        }))
    }
}

impl Health {
    pub(crate) fn set(&self, standing: Standing) {
        self.0.standing.send_replace(standing);
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        *self.0.standing.borrow()
    }

    /// Tells whenever it stands elsewhere.
    pub fn subscribe(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    /// Tells, each second or so, that the state can be read and the ledger's writer is not stuck.
    pub fn beats(&self) -> watch::Receiver<()> {
        self.0.beat.subscribe()
    }
}

/// The gRPC health service: it answers for the whole and for each service, and they stand or fall together.
pub(crate) fn service() -> (HealthReporter, HealthServer<impl HealthService>) {
    tonic_health::server::health_reporter()
}

/// Says through the health service where the broker stands, and notices when the ledger fails.
pub(crate) async fn run(health: Health, reporter: HealthReporter, domain: Arc<Domain>) {
    let (mut standing, mut durable) = (health.subscribe(), domain.durable());
    // The whole has no name.
    let names: Vec<String> = services().into_iter().chain([String::new()]).collect();
    loop {
        let now = *standing.borrow_and_update();
        let serves = now == Standing::Serving;
        let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in &names {
            reporter.set_service_status(name, status).await;
        }
        tokio::select! {
            changed = standing.changed() => if changed.is_err() { return },
            () = until_failed(&mut durable), if serves => health.set(Standing::LedgerFailed),
        }
    }
}

async fn until_failed(durable: &mut watch::Receiver<Durable>) {
    // An error means that the writer is gone, and nothing can be written either.
    let _ = durable.wait_for(|durable| matches!(durable, Durable::Failed(_))).await;
}

/// Beats for as long as the domain answers at all. A refusal is an answer.
pub(crate) async fn beat(health: Health, domain: Arc<Domain>) {
    loop {
        let _ = domain.read(|_, _| Ok(())).await;
        health.0.beat.send_replace(());
        tokio::time::sleep(HEARTBEAT).await;
    }
}

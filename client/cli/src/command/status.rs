//! `countersign status`

use clap::Args;
use serde::Serialize;

use crate::{context::Context, failure::Failure, table::Page, terminal::View};

/// Show who you are there, and what the broker says about itself.
#[derive(Debug, Args)]
pub(crate) struct Status {}

#[derive(Serialize)]
struct Standing {
    trust_domain: String,
    instance: String,
    key: String,
    certificate_expires: String,
    generation: u32,
    broker: Broker,
    ledger: Head,
}

#[derive(Serialize)]
struct Broker {
    name: String,
    version: String,
    spec_versions: Vec<String>,
    features: Vec<String>,
    time: String,
    time_uncertainty_ms: u64,
    clock_difference_ms: i64,
}

#[derive(Serialize)]
struct Head {
    origin: String,
    size: u64,
    root: String,
}

impl Status {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let standing = context.as_person(async |agent, _| {
            let failed = |error| Failure::sdk("The broker was not reached", &error);
            let info = agent.info().await.map_err(failed)?;
            let now = agent.now();
            let (checkpoint, _) = agent.ledger().checkpoint().await.map_err(failed)?;
            let own = agent.lookup(agent.instance()).await.map_err(failed)?;
            Ok(Standing {
                trust_domain: agent.domain().to_string(),
                instance: agent.instance().to_string(),
                key: agent.public_key().to_string(),
                certificate_expires: own.expires.to_string(),
                generation: own.generation,
                broker: Broker {
                    name: info.implementation_name,
                    version: info.implementation_version,
                    spec_versions: info.spec_versions,
                    features: info.features,
                    time: info.server_time.to_string(),
                    time_uncertainty_ms: info.server_time_uncertainty.as_millis(),
                    clock_difference_ms: difference(now.as_millis(), info.server_time.as_millis()),
                },
                ledger: Head {
                    origin: checkpoint.origin.to_string(),
                    size: checkpoint.size.get(),
                    root: checkpoint.root.to_string(),
                },
            })
        });
        let standing = standing.await?;
        context.terminal.show(&standing)
    }
}

/// How far `ours` is ahead of `theirs`. Times end before the year 10000, so the numbers fit.
fn difference(ours: u64, theirs: u64) -> i64 {
    ours.cast_signed().saturating_sub(theirs.cast_signed())
}

impl View for Standing {
    fn write(&self, page: &mut Page) {
        let Broker { name, version, spec_versions, time, time_uncertainty_ms, clock_difference_ms, .. } =
            &self.broker;
        page.fields(&[
            ("trust domain", self.trust_domain.clone()),
            ("you are", self.instance.clone()),
            ("key", self.key.clone()),
            ("certificate", format!("number {}, until {}", self.generation, self.certificate_expires)),
            ("broker", format!("{name} {version}, specification {}", spec_versions.join(", "))),
            ("features", self.broker.features.join(", ")),
            ("its time", format!("{time} ± {time_uncertainty_ms} ms")),
            ("your clock", ahead(*clock_difference_ms)),
            ("ledger", format!("{} entries in {}", self.ledger.size, self.ledger.origin)),
            ("root", self.ledger.root.clone()),
        ]);
    }
}

fn ahead(difference_ms: i64) -> String {
    match difference_ms {
        0 => "the same".to_owned(),
        1.. => format!("{difference_ms} ms ahead"),
        _ => format!("{} ms behind", difference_ms.unsigned_abs()),
    }
}

//! `countersign drain`

use std::time::Duration;

use clap::Args;
use countersign::{Draining, Error};
use countersign_protocol::{refusal::Reason, settings::LifetimeText};
use serde::Serialize;

use crate::{context::Context, failure::Failure, table::Page, terminal::View};

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);

/// Have the broker take nothing new, let what is under way end, and stop. Admins only.
///
/// The command ends when the broker has stopped. What would begin something is refused with BROKER_DRAINING
/// meanwhile; revoking goes on. Nothing takes it back; asked again, the earlier end holds.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// How long what is under way may go on, such as 30s or 10m; an hour at most.
    #[arg(long, value_name = "TIME", default_value = "1m")]
    within: LifetimeText,
}

#[derive(Serialize)]
struct Drained {
    /// What had not ended when the broker was last asked.
    invocations: u64,
    sessions: u64,
}

impl Drain {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let within = self.within.0;
        let drained = context.as_person(async |agent, _| {
            let first = agent.drain(within, None).await;
            let mut last = first.map_err(|error| Failure::sdk("The broker does not drain", &error))?;
            loop {
                tokio::time::sleep(LOOK).await;
                match agent.drain(within, Some(&last.run)).await {
                    Ok(told) => last = told,
                    // It is gone: that is what was asked for.
                    Err(Error::Unavailable { .. }) => break,
                    // Another one has taken its place already.
                    Err(error) if error.reason() == Some(Reason::NotFound) => break,
                    Err(error) => return Err(Failure::sdk("The broker was not seen to stop", &error)),
                }
            }
            let Draining { invocations, sessions, .. } = last;
            Ok(Drained { invocations, sessions })
        });
        let drained = drained.await?;
        context.terminal.show(&drained)
    }
}

impl View for Drained {
    fn write(&self, page: &mut Page) {
        page.fields(&[
            ("broker", "it has stopped".to_owned()),
            ("invocations left", self.invocations.to_string()),
            ("sessions left", self.sessions.to_string()),
        ]);
    }
}

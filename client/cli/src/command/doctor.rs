//! `countersign doctor`

use clap::Args;
use countersign::Agent;
use countersign_protocol::limits::CLOCK_SKEW_MS;
use serde::Serialize;

use crate::{
    context::Context,
    failure::Failure,
    table::{BAD, GOOD, Page},
    terminal::View,
};

/// Check what every command leans on: your session, the broker, your clock and the ledger.
///
/// Each check says what it found. The exit code is that of the first one that failed.
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

#[derive(Serialize)]
struct Findings {
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    check: &'static str,
    good: bool,
    found: String,
}

/// What was found so far, and what went wrong first.
#[derive(Default)]
struct Rounds {
    checks: Vec<Check>,
    failure: Option<Failure>,
}

impl Doctor {
    pub(crate) async fn run(self, context: &mut Context) -> Result<(), Failure> {
        let mut rounds = Rounds::default();
        let session = context.as_person(async |agent, _| {
            rounds.good("session", format!("You are {}.", agent.instance()));
            examine(agent, &mut rounds).await;
            Ok(())
        });
        if let Err(failure) = session.await {
            rounds.bad("session", failure);
        }
        let Rounds { checks, failure } = rounds;
        context.terminal.show(&Findings { checks })?;
        failure.map_or(Ok(()), Err)
    }
}

async fn examine(agent: &Agent, rounds: &mut Rounds) {
    let unreached = |error| Failure::sdk("The broker was not reached", &error);
    match agent.info().await {
        Ok(info) => {
            let (name, version) = (info.implementation_name, info.implementation_version);
            rounds.good("broker", format!("{name} {version} answers."));
            rounds.clock(agent.now().as_millis(), info.server_time.as_millis());
        }
        Err(error) => return rounds.bad("broker", unreached(error)),
    }
    match agent.lookup(agent.instance()).await {
        Ok(own) => rounds.good("certificate", format!("Number {}, until {}.", own.generation, own.expires)),
        Err(error) => rounds.bad("certificate", unreached(error)),
    }
    match agent.ledger().checkpoint().await {
        Ok((checkpoint, _)) => {
            let found =
                format!("It has {} entries and has only grown since it was last seen.", checkpoint.size);
            rounds.good("ledger", found);
        }
        Err(error) => rounds.bad("ledger", Failure::sdk("The ledger is not what it was", &error)),
    }
}

impl Rounds {
    fn good(&mut self, check: &'static str, found: String) {
        self.checks.push(Check { check, good: true, found });
    }

    fn bad(&mut self, check: &'static str, failure: Failure) {
        self.checks.push(Check { check, good: false, found: format!("{}: {}", failure.what, failure.why) });
        self.failure.get_or_insert(failure);
    }

    fn clock(&mut self, ours: u64, theirs: u64) {
        let apart = ours.abs_diff(theirs);
        if apart <= CLOCK_SKEW_MS {
            return self.good("clock", format!("It is {apart} ms from the broker's."));
        }
        let why = format!("It is {apart} ms from the broker's, and {CLOCK_SKEW_MS} are borne.");
        let next = "Set the clock of this machine, or tell an operator of the trust domain.";
        self.bad("clock", Failure::new(crate::exit::Exit::Unavailable, "The clocks disagree", why, next));
    }
}

impl View for Findings {
    const ROWS: Option<&'static str> = Some("checks");

    fn write(&self, page: &mut Page) {
        for Check { check, good, found } in &self.checks {
            let (style, mark) = if *good { (GOOD, "✓") } else { (BAD, "✗") };
            page.marked(style, mark, &format!("{check}: {found}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_so_far_from_the_brokers() {
        let found = |apart| {
            let mut rounds = Rounds::default();
            rounds.clock(1_000_000, 1_000_000 - apart);
            rounds.clock(1_000_000 - apart, 1_000_000);
            rounds.checks.iter().filter(|check| check.good).count()
        };
        assert_eq!((found(CLOCK_SKEW_MS), found(CLOCK_SKEW_MS + 1)), (2, 0));
    }
}

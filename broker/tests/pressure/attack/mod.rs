//! The kinds of pressure. Each attacker has what any peer may have: an address, or an admitted instance
//! with its keys.

mod callee;
mod caller;
mod connection;
mod negotiator;
mod reader;
mod token;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinSet;
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{arena::Arena, report::Counts};

/// What an attacker does until it is stopped.
type Deed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Most never end by themselves.
fn deed<T>(work: impl Future<Output = T> + Send + 'static) -> Deed {
    Box::pin(async move { drop(work.await) })
}

/// Counts what happens to the attackers.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    pub(crate) fn add(&self, what: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what.to_owned()).or_default() += 1;
    }

    /// How a call ended: done, or with which reason.
    pub(crate) fn outcome<T>(&self, outcome: Result<T, Status>) {
        match outcome {
            Ok(_) => self.add("done"),
            Err(status) => {
                let info = status.get_details_error_info();
                self.add(&info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason));
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Attack {
    SilentConnections,
    HalfHandshakes,
    FalseNewcomers,
    SilentCallee,
    IdleCallee,
    LargeRequests,
    UnreadAnswers,
    SilentWatchers,
    EndlessNegotiations,
    DeepChains,
    CostlyChecks,
    Replays,
    Resets,
}

/// An attack whose parties are there.
pub(crate) struct Prepared {
    tally: Tally,
    deeds: Vec<Deed>,
}

/// An attack under way.
pub(crate) struct Attacking {
    tally: Tally,
    deeds: JoinSet<()>,
}

impl Attack {
    pub(crate) fn all() -> Vec<Self> {
        use Attack::*;
        let all = vec![
            SilentConnections,
            HalfHandshakes,
            FalseNewcomers,
            SilentCallee,
            IdleCallee,
            LargeRequests,
            UnreadAnswers,
            SilentWatchers,
            EndlessNegotiations,
            DeepChains,
            CostlyChecks,
            Replays,
            Resets,
        ];
        let wanted = std::env::var("COUNTERSIGN_PRESSURE").ok();
        all.into_iter().filter(|it| wanted.as_ref().is_none_or(|name| *name == format!("{it:?}"))).collect()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SilentConnections => "ten thousand connections that say nothing",
            Self::HalfHandshakes => "handshakes that stop half way",
            Self::FalseNewcomers => "newcomers with false tokens",
            Self::SilentCallee => "a callee that does not read",
            Self::IdleCallee => "a callee that does not answer",
            Self::LargeRequests => "floods of the largest requests",
            Self::UnreadAnswers => "large answers that are not read",
            Self::SilentWatchers => "watchers that do not read",
            Self::EndlessNegotiations => "negotiations without end",
            Self::DeepChains => "chains of sixteen hops that were never activated",
            Self::CostlyChecks => "rights with as many rules as fit a block",
            Self::Replays => "the same proof over and over",
            Self::Resets => "calls that are given up at once",
        }
    }

    pub(crate) async fn prepare(self, arena: &mut Arena) -> Prepared {
        let tally = Tally::default();
        let deeds = match self {
            Self::SilentConnections => connection::silent(arena, &tally).await,
            Self::HalfHandshakes => connection::half_handshakes(arena, &tally).await,
            Self::FalseNewcomers => connection::false_newcomers(arena, &tally).await,
            Self::SilentCallee => callee::silent(arena, &tally).await,
            Self::IdleCallee => callee::idle(arena, &tally).await,
            Self::LargeRequests => caller::large(arena, &tally).await,
            Self::UnreadAnswers => Box::pin(reader::unread(arena, &tally)).await,
            Self::SilentWatchers => reader::watchers(arena, &tally).await,
            Self::EndlessNegotiations => negotiator::endless(arena, &tally).await,
            Self::DeepChains => token::deep(arena, &tally).await,
            Self::CostlyChecks => token::costly(arena, &tally).await,
            Self::Replays => caller::replays(arena, &tally).await,
            Self::Resets => caller::resets(arena, &tally).await,
        };
        Prepared { tally, deeds }
    }

    /// Begins, on the runtime that this is called on.
    pub(crate) fn begin(self, prepared: Prepared) -> Attacking {
        let Prepared { tally, deeds } = prepared;
        let mut running = JoinSet::new();
        for deed in deeds {
            running.spawn(deed);
        }
        Attacking { tally, deeds: running }
    }
}

impl Attacking {
    pub(crate) fn end(mut self) -> Counts {
        self.deeds.abort_all();
        let counts = self.tally.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}

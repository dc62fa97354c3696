//! When to kill.

use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use tokio::{sync::broadcast, time::timeout};

use crate::pace::Pace;

/// Something that just happened at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The callee was asked to do something.
    Working,
    /// A party of a negotiation has its turn.
    Negotiating,
    /// Something is about to be written: a grant, a revocation, an invocation.
    Writing,
}

/// What the next kill is to interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    At(Moment),
    /// Any time.
    Whenever,
    /// Nothing: no call is under way.
    Idle,
    /// The start after a kill.
    StartUp,
}

const AIMS: [Aim; 6] = [
    Aim::At(Moment::Working),
    Aim::At(Moment::Negotiating),
    Aim::At(Moment::Writing),
    Aim::StartUp,
    Aim::Whenever,
    Aim::Idle,
];

impl Aim {
    /// Each in its turn, so that few kills meet different things.
    pub(crate) fn of(kill: u64) -> Self {
        AIMS.into_iter().cycle().nth(kill as usize % AIMS.len()).unwrap_or(Self::Whenever)
    }

    /// Waits for its moment, and a little longer.
    pub(crate) async fn wait(self, moments: &broadcast::Sender<Moment>, pace: &Pace, rng: &mut StdRng) {
        let mut heard = moments.subscribe();
        tokio::time::sleep(Duration::from_millis(rng.gen_range(50..400))).await;
        heard = heard.resubscribe();
        match self {
            Self::At(wanted) => {
                let moment = async { while heard.recv().await != Ok(wanted) {} };
                timeout(Duration::from_secs(60), moment)
                    .await
                    .unwrap_or_else(|_| panic!("nothing is {wanted:?}"));
                tokio::time::sleep(Duration::from_micros(rng.gen_range(0..12_000))).await;
            }
            Self::Whenever | Self::StartUp => {}
            Self::Idle => pace.pause().await,
        }
    }
}

//! When to kill.

use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};

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
    /// A snapshot of the state is being kept.
    Keeping,
}

/// How long something that happens all the time may fail to happen.
const MOMENT_MAX: Duration = Duration::from_secs(60);

const AIMS: [Aim; 7] = [
    Aim::At(Moment::Working),
    Aim::At(Moment::Negotiating),
    Aim::At(Moment::Writing),
    Aim::StartUp,
    Aim::Keeping,
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
        // Everyone is back at work, the callee too.
        hear(moments, Moment::Working).await;
        sleep(Duration::from_millis(rng.gen_range(50..400))).await;
        match self {
            Self::At(moment) => {
                hear(moments, moment).await;
                sleep(Duration::from_micros(rng.gen_range(0..12_000))).await;
            }
            Self::Whenever | Self::StartUp | Self::Keeping => {}
            Self::Idle => pace.pause().await,
        }
    }
}

/// Waits until that happens once more.
async fn hear(moments: &broadcast::Sender<Moment>, wanted: Moment) {
    let mut heard = moments.subscribe();
    let heard = async { while heard.recv().await != Ok(wanted) {} };
    timeout(MOMENT_MAX, heard).await.unwrap_or_else(|_| panic!("nobody is {wanted:?}"));
}

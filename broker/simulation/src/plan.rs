//! What is to happen in one run, as data: a failing plan is made smaller by leaving steps out and by
//! lowering numbers, and it replays exactly.

use std::fmt;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

/// Declares a closed set of things that can be counted, in order.
macro_rules! counted {
    ($(#[$meta:meta])* $name:ident { $($(#[$each:meta])* $member:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$each])* $member,)* }

        impl $name {
            /// Every one of them, in order.
            pub const ALL: &[$name] = &[$($name::$member,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $($name::$member => stringify!($member),)* }
            }
        }
    };
}
pub(crate) use counted;

counted! {
    /// What somebody does in a step.
    Act {
        /// A delegatee opens a negotiation.
        Ask,
        /// A delegator answers a request: offers or rejects.
        Answer,
        /// A delegatee answers an offer: accepts, counters, declines or rejects.
        Decide,
        /// Two come to terms: all of it in one step.
        Agree,
        /// Somebody takes its word back.
        Withdraw,
        /// Somebody takes its word back while the other side answers, and the answer is faster.
        Race,
        /// Alice grants.
        Grant,
        /// A holder has something done.
        Use,
        /// A holder has several things done under one proof.
        Sit,
        /// Somebody revokes a chain or an instance.
        Revoke,
        /// Somebody holds a contract up or takes it up again, gives one back, or declares a breach.
        Change,
        /// A newer process takes over what an older one of its principal held.
        Rebind,
        /// Somebody sends a request again that was not answered.
        Retry,
        /// Somebody reads the newest checkpoint and what it missed.
        Look,
        /// Somebody has an invocation explained and verifies the bundle.
        Explain,
        /// Somebody renews its certificate.
        Stay,
        /// A process dies and its principal comes back with new keys.
        Rejoin,
        /// A process is copied, and both copies go on.
        Fork,
        /// A message that was delayed arrives.
        Arrive,
        /// Time passes.
        Wait,
        /// The broker's clock is set.
        Jump,
        /// What is due ends.
        Tick,
        /// The power goes.
        Cut,
        /// The hostile holder.
        Cheat,
        /// The hostile grantor.
        Oversell,
        /// The broker lies to a client.
        Lie,
        /// A callee answers falsely next time.
        Swindle,
        /// Callees take nothing for a few steps.
        Stall,
        /// A stranger asks for what exists and for what does not.
        Probe,
        /// A broker that lacks something is asked.
        Doubt,
    }
}

/// How often each act is drawn, before a seed's own taste.
const WEIGHTS: [(Act, u32); 30] = [
    (Act::Ask, 8),
    (Act::Answer, 10),
    (Act::Decide, 10),
    (Act::Agree, 10),
    (Act::Withdraw, 2),
    (Act::Race, 2),
    (Act::Grant, 2),
    (Act::Use, 20),
    (Act::Sit, 6),
    (Act::Revoke, 3),
    (Act::Change, 8),
    (Act::Rebind, 6),
    (Act::Retry, 8),
    (Act::Look, 4),
    (Act::Explain, 1),
    (Act::Stay, 3),
    (Act::Rejoin, 2),
    (Act::Fork, 1),
    (Act::Arrive, 8),
    (Act::Wait, 6),
    (Act::Jump, 1),
    (Act::Tick, 4),
    (Act::Cut, 1),
    (Act::Cheat, 12),
    (Act::Oversell, 10),
    (Act::Lie, 3),
    (Act::Swindle, 2),
    (Act::Stall, 2),
    (Act::Probe, 2),
    (Act::Doubt, 1),
];

counted! {
    /// What becomes of a message.
    Fate {
        /// It arrives.
        Arrives,
        /// It is lost.
        Lost,
        /// It arrives, and a copy of it arrives later.
        Doubled,
        /// It arrives later, after messages that were sent after it.
        Delayed,
    }
}

counted! {
    /// A way between two processes.
    Leg {
        /// From a principal to the broker.
        Request,
        /// From the broker to a principal.
        Reply,
        /// From the broker to a callee.
        Forward,
        /// From a callee to the broker.
        Receipt,
    }
}

/// One step. Its numbers choose among what there is; zero is the plainest choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done,
    pub act: Act,
    /// by whom,
    pub who: u8,
    /// which way,
    pub what: u8,
    /// to which of several,
    pub which: u8,
    /// and how.
    pub how: u8,
    /// What becomes of the first message on each leg.
    pub fates: [u8; 4],
    /// The broker loses its power at the commit point of that number, counted from one.
    pub crash: u8,
    /// Whether the disk leaves what is decided unwritten until a later step.
    pub slow: bool,
}

/// A run: the seed of every id and key in it, and its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where ids and keys come from.
    pub seed: u64,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The plan of a seed. Each seed has a taste of its own: it does some things often and others not
    /// at all, so that rare things meet.
    pub fn draw(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let taste: Vec<(Act, u32)> = WEIGHTS
            .iter()
            .map(|(act, weight)| (*act, weight * [0, 1, 2, 2, 4].choose(&mut rng).copied().unwrap_or(1)))
            .collect();
        let loss = [0, 0, 8, 20, 45].choose(&mut rng).copied().unwrap_or(0);
        let crashes = [0, 0, 3, 8].choose(&mut rng).copied().unwrap_or(0);
        let slowness = [0, 0, 10, 30].choose(&mut rng).copied().unwrap_or(0);
        let length = rng.gen_range(20..48);
        let steps = (0..length).map(|_| {
            let act =
                taste.choose_weighted(&mut rng, |(_, weight)| *weight).map_or(Act::Ask, |(act, _)| *act);
            let [who, what, which, how] = rng.r#gen();
            let fates = [(); 4].map(|()| if rng.gen_range(0..100) < loss { rng.gen_range(1..4) } else { 0 });
            let crash = if rng.gen_range(0..100) < crashes { rng.gen_range(1..12) } else { 0 };
            let slow = rng.gen_range(0..100) < slowness;
            Step { act, who, what, which, how, fates, crash, slow }
        });
        Self { seed, steps: steps.collect() }
    }
}

impl Step {
    /// A step without faults.
    pub fn plain(act: Act, who: u8, what: u8, which: u8, how: u8) -> Self {
        Self { act, who, what, which, how, fates: [0; 4], crash: 0, slow: false }
    }

    /// What becomes of the first message on a leg.
    pub fn fate(&self, leg: Leg) -> Fate {
        let number = self.fates.get(leg as usize).copied().unwrap_or(0);
        Fate::ALL.get(usize::from(number)).copied().unwrap_or(Fate::Arrives)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { act, who, what, which, how, .. } = self;
        write!(f, "{:<8} who={who} what={what} which={which} how={how}", act.name())?;
        for leg in Leg::ALL.iter().filter(|leg| self.fate(**leg) != Fate::Arrives) {
            write!(f, " {}={}", leg.name().to_lowercase(), self.fate(*leg).name().to_lowercase())?;
        }
        if self.crash > 0 {
            write!(f, " crash@{}", self.crash)?;
        }
        if self.slow { f.write_str(" slow-disk") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_plan() {
        assert_eq!(Plan::draw(7), Plan::draw(7));
        assert_ne!(Plan::draw(7).steps, Plan::draw(8).steps);
    }

    #[test]
    fn every_act_is_drawn() {
        assert!(WEIGHTS.iter().map(|(act, _)| act).eq(Act::ALL));
    }
}

//! Who wants it to fail, with real keys: a holder who re-signs what it likes, a grantor who oversells,
//! a broker that lies to its clients, and a stranger who asks what there is.
//!
//! Whatever they try, nothing is expected of it here: if something gets through that must not, the
//! [`witness`](crate::witness) sees what follows from it.

mod bodies;
mod changes;
mod doubt;
mod grantor;
mod holder;
mod lies;
mod moves;
mod names;
mod proofs;
mod rebinds;
mod stranger;

pub use bodies::Distortion;
pub use doubt::Lack;
pub use grantor::Oversell;
pub use holder::Cheat;
pub use lies::Lie;
pub use stranger::Question;

use countersign_forge::Agent;

use crate::{
    network::{Address, Packet, Request},
    party::{Purpose, Swindle, seat},
    plan::Step,
    stop::Flow,
    world::World,
};

impl World {
    /// The hostile callee answers falsely next time.
    pub(crate) fn begin_swindle(&mut self, step: &Step) -> Flow {
        self.swindle = Some(Swindle::ALL[usize::from(step.what) % Swindle::ALL.len()]);
        Ok(())
    }

    /// A hostile principal sends something, as itself.
    fn attack(&mut self, who: usize, request: Request) {
        self.ask(who, request, Purpose::Mischief, false);
    }

    /// Sends something over a channel of one's own making.
    fn attack_from(&mut self, from: Address, request: Request) {
        self.calls += 1;
        self.send(Packet::Request { from, call: self.calls, request, honest: false });
    }

    /// The address of a process that is no party of the cast any more, or never was.
    fn address_of(&self, agent: &Agent) -> Address {
        let certified_until = self.now.plus(countersign_protocol::time::Lifetime::from_millis(60_000));
        Address { party: seat("mallory"), actor: agent.actor(), certified_until }
    }
}

/// One of several, by a number.
pub fn pick<T: Clone>(which: u8, among: &[T]) -> Option<T> {
    among.get(usize::from(which).checked_rem(among.len())?).cloned()
}

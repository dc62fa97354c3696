//! Lies about what was said.

use countersign_forge::domain_key;
use countersign_protocol::negotiation::State;

use super::{Checked, Lie};
use crate::{hostile::pick, network::Told, party::Conversation, plan::Step, world::World};

impl World {
    pub(super) fn lie_of_talk(&mut self, lie: Lie, step: &Step) -> Checked {
        let talks: Vec<_> = self.witness.model.talks.keys().copied().collect();
        let mut told: Told = self.read_account(pick(step.which, &talks)?)?;
        let last = told.moves.len().checked_sub(1)?;
        let seen = step.how & 1 == 1;
        let before = seen
            .then(|| Conversation::follow(None, &told, |instance| self.read_party(instance)).ok())
            .flatten();
        match lie {
            Lie::AlteredMove => {
                let (_, signed) = &mut told.moves[last];
                let at = usize::from(step.who) * signed.payload.len() / 256;
                signed.payload[at] ^= 1;
            }
            // What was never seen may be missing at the end; from the middle, nothing can.
            Lie::DroppedMove if seen => drop(told.moves.pop()),
            Lie::DroppedMove => {
                (last > 0).then_some(())?;
                told.moves.remove(usize::from(step.who) % last);
            }
            Lie::ReorderedMoves => {
                (last > 0).then_some(())?;
                let (a, b) = (told.moves[last].1.clone(), told.moves[last - 1].1.clone());
                (told.moves[last].1, told.moves[last - 1].1) = (b, a);
            }
            Lie::InventedMove => {
                let (leaf, signed) = told.moves[last].clone();
                let mut invented = signed;
                invented.signatures.clear();
                invented.add_signature(&domain_key(202));
                told.moves.push((leaf.plus(1)?, invented));
            }
            _ => {
                // That the broker ended one is its own to say, and to hide.
                (told.state != State::Terminated).then_some(())?;
                let states = [State::Requested, State::Offered, State::Finalized];
                told.state = states.into_iter().find(|state| *state != told.state)?;
            }
        }
        Some(Conversation::follow(before.as_ref(), &told, |instance| self.read_party(instance)).map(drop))
    }
}

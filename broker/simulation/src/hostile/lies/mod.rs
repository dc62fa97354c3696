//! The broker that lies to its clients, with the domain's real keys. Each lie must be found: by the
//! client's own check, or by an auditor who reads the ledger and has a checkpoint that a client holds.

mod chain;
mod log;
mod talk;
mod usage;

use countersign_protocol::{
    capability::Amount,
    domain::{Entry, Event},
    ledger::{Tree, leaf_hash},
    payload::Payload,
};

use crate::{
    invariant::Invariant,
    plan::{Step, counted},
    stop::{Flow, hold},
    world::World,
};

counted! {
    /// What it lies about.
    Lie {
        /// An older checkpoint than was seen.
        RolledBack,
        /// Another checkpoint of the same size.
        Forked,
        /// A checkpoint of a log that went another way.
        ForkedAhead,
        /// An activation of an offer that nobody accepted.
        ForgedActivation,
        /// An activation that names another leaf.
        MisplacedActivation,
        /// An activation by a key that is for something else.
        ActivationByOther,
        /// A chain with another contract than was signed.
        OtherContract,
        /// A contract that one party did not sign.
        InventedContract,
        /// The outcome of another negotiation.
        OtherOutcome,
        /// A move that says something else.
        AlteredMove,
        /// A move that is missing.
        DroppedMove,
        /// Moves in another order.
        ReorderedMoves,
        /// A move that nobody made.
        InventedMove,
        /// A state that the moves do not lead to.
        OtherState,
        /// A receipt that the callee did not sign.
        InventedReceipt,
        /// The receipt of another invocation.
        OtherReceipt,
        /// Another result.
        OtherResult,
        /// Evidence from which an entry is missing.
        BundleDropped,
        /// Evidence of a rewritten entry.
        BundleRewritten,
        /// Evidence with an entry that is not the ledger's.
        BundleUnproven,
        /// Evidence of another activation.
        BundleActivation,
        /// A ledger from which an entry is missing.
        LedgerDropped,
        /// A ledger with an entry that is another.
        LedgerAltered,
        /// A ledger in another order.
        LedgerReordered,
        /// A ledger with an event that was never decided.
        LedgerInvented,
    }
}

/// What a check made of a lie; none where there was nothing to lie about.
type Checked = Option<Result<(), String>>;

impl World {
    /// Lies to somebody, who must find it.
    pub(crate) fn lie(&mut self, step: &Step) -> Flow {
        let lie = Lie::ALL[usize::from(step.what) % Lie::ALL.len()];
        if self.readable().is_none() {
            return Ok(());
        }
        let (invariant, checked) = match lie {
            Lie::RolledBack | Lie::Forked | Lie::ForkedAhead => {
                (Invariant::Record, self.lie_of_log(lie, step))
            }
            Lie::ForgedActivation => (Invariant::Consent, self.lie_of_offer(step)?),
            Lie::MisplacedActivation
            | Lie::ActivationByOther
            | Lie::OtherContract
            | Lie::InventedContract
            | Lie::OtherOutcome => (Invariant::Consent, self.lie_of_chain(lie, step)?),
            Lie::AlteredMove
            | Lie::DroppedMove
            | Lie::ReorderedMoves
            | Lie::InventedMove
            | Lie::OtherState => (Invariant::Consent, self.lie_of_talk(lie, step)),
            Lie::InventedReceipt | Lie::OtherReceipt | Lie::OtherResult => {
                (Invariant::Record, self.lie_of_use(lie, step))
            }
            Lie::BundleDropped | Lie::BundleRewritten | Lie::BundleUnproven | Lie::BundleActivation => {
                (Invariant::Record, self.lie_of_bundle(lie, step)?)
            }
            Lie::LedgerDropped | Lie::LedgerAltered | Lie::LedgerReordered | Lie::LedgerInvented => {
                (Invariant::Record, self.lie_of_ledger(lie, step))
            }
        };
        let Some(checked) = checked else { return Ok(()) };
        self.tally.count("lie", lie.name());
        self.say(|| format!("    {}: {checked:?}", lie.name()));
        hold(invariant, checked.is_err(), || format!("the lie {} is believed", lie.name()))
    }

    /// The ledger as it would be with one entry that is another: one by which the broker is bound. What
    /// is its own word alone, a join token, a denial or why a session ended, it can say in many ways.
    pub(super) fn rewritten(&self, which: u8) -> Option<(usize, Vec<Vec<u8>>)> {
        let mut entries: Vec<Vec<u8>> = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
        let at = usize::from(which) % entries.len();
        let entry = Entry::from_bytes(&entries[at]).ok()?;
        match entry.event {
            Event::JoinTokenIssued(_)
            | Event::Denied(_)
            | Event::SessionPassed(_)
            | Event::SessionEnded(_) => return None,
            Event::InvocationEnded(mut event) => {
                event.settled = if event.settled == Amount::ZERO { Amount::new(1)? } else { Amount::ZERO };
                let event = Event::InvocationEnded(event);
                entries[at] = Entry { event, ..entry }.to_bytes();
            }
            Event::Intent(mut event) => {
                event.epoch += 1;
                entries[at] = Entry { event: Event::Intent(event), ..entry }.to_bytes();
            }
            // Without an epoch it ends in the policy, which is the broker's word.
            Event::SessionOpened(mut event) => {
                event.epoch += 1;
                entries[at] = Entry { event: Event::SessionOpened(event), ..entry }.to_bytes();
            }
            _ => {
                let end = entries[at].len() - 1;
                entries[at][end] ^= 1;
            }
        }
        Some((at, entries))
    }
}

fn tree_of(entries: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::default();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    tree
}

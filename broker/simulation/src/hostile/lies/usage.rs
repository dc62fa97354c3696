//! Lies about what was done.

use countersign_forge::domain_key;
use countersign_protocol::{
    capability::Amount,
    domain::{Entry, Event},
    explain::Bundle,
    ledger::LeafIndex,
    payload::{Bounded, Payload},
    receipt::Receipt,
    signed::{Signed, Statement},
    token::Activation,
    trust::KeyPurpose,
};
use countersign_store::Head;

use super::{Checked, Lie, tree_of};
use crate::{
    broker::sign_checkpoint, hostile::pick, network::Done, party::Purpose, plan::Step, stop::Flow,
    world::World,
};

impl World {
    pub(super) fn lie_of_use(&mut self, lie: Lie, step: &Step) -> Checked {
        let receipts = self.witness.entries.iter().filter_map(|entry| match &entry.event {
            Event::InvocationEnded(end) => end.receipt.clone(),
            _ => None,
        });
        let receipts: Vec<Signed> = receipts.collect();
        let calls = self.parties.iter().flat_map(|party| party.calls.values());
        let usages = calls.filter_map(|call| match &call.purpose {
            Purpose::Use(usage) => Some(usage.clone()),
            _ => None,
        });
        let usage = pick(step.who, &usages.collect::<Vec<_>>())?;
        let signed = pick(step.which, &receipts)?;
        let mut receipt: Receipt = signed.peek_unverified().ok()?;
        let (intent, result) = (LeafIndex::new(1)?, LeafIndex::new(2)?);
        let mut done = Done { receipt: signed, body: Some(b"result".to_vec()), intent, result };
        if lie == Lie::OtherReceipt {
            (receipt.invocation_id != usage.id).then_some(())?;
            return Some(self.check_result(&usage, &done));
        }
        // It fits this use in every word, and the broker signed it.
        (receipt.invocation_id, receipt.chain_id) = (usage.id, usage.chain);
        receipt.proof = *usage.proofs.first()?;
        let callee = self.parties.iter().find(|party| *party.agent.id.principal() == usage.wanted.callee)?;
        receipt.callee = callee.agent.id.clone();
        done.receipt = receipt.sign(&domain_key(202));
        if lie == Lie::OtherResult {
            done.receipt = receipt.sign(&callee.agent.key);
            done.body = Some(b"another result".to_vec());
        }
        Some(self.check_result(&usage, &done))
    }

    pub(super) fn lie_of_bundle(&mut self, lie: Lie, step: &Step) -> Flow<Checked> {
        let known: Vec<_> = self.witness.model.uses.keys().copied().collect();
        let Some(id) = pick(step.which, &known) else { return Ok(None) };
        let Some(mut bundle) = self.read_bundle(id)? else { return Ok(None) };
        let entries = bundle.entries.to_vec();
        let at = usize::from(step.who) % entries.len();
        match lie {
            Lie::BundleDropped => {
                // A result or a signature that is not shown is not there yet, for all a bundle can tell.
                let optional = Entry::from_bytes(&entries[at].entry).is_ok_and(|it| {
                    matches!(
                        it.event,
                        Event::InvocationEnded(_) | Event::SessionResulted(_) | Event::SessionSigned(_)
                    )
                });
                if optional {
                    return Ok(None);
                }
                let rest =
                    entries.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, it)| it.clone());
                bundle.entries = Bounded::new(rest.collect()).unwrap();
            }
            Lie::BundleRewritten if ends_in_the_brokers_word(&entries[at].entry) => return Ok(None),
            Lie::BundleRewritten => bundle = self.relogged(bundle, at),
            // Of all that an INTENT says, what only the log can contradict.
            Lie::BundleUnproven => {
                let mut entries = entries;
                for entry in entries.iter_mut().filter(|it| is_intent(&it.entry)) {
                    entry.entry = one_epoch_later(&entry.entry);
                }
                bundle.entries = Bounded::new(entries).unwrap();
            }
            _ => {
                let Ok(mut activation) = bundle.activation.peek_unverified::<Activation>() else {
                    return Ok(None);
                };
                activation.leaf = LeafIndex::new(activation.leaf.get() + 1 + u64::from(step.how)).unwrap();
                bundle.activation =
                    activation.sign(self.keys.signer(KeyPurpose::Activation, activation.leaf).1);
            }
        }
        let verified = bundle.verify(&self.keys.set);
        Ok(Some(verified.map(drop).map_err(|refusal| {
            self.tally.refused(refusal.reason());
            refusal.to_string()
        })))
    }

    /// The same evidence out of a ledger in which one of its entries is another.
    fn relogged(&self, bundle: Bundle, at: usize) -> Bundle {
        let mut ledger: Vec<Vec<u8>> = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
        let leaf = bundle.entries[at].leaf.get() as usize;
        self.say(|| format!("    rewrites leaf {leaf}"));
        let end = ledger[leaf].len() - 1;
        ledger[leaf][end] ^= 1;
        let tree = tree_of(&ledger);
        let mut entries = bundle.entries.to_vec();
        for entry in &mut entries {
            entry.entry = ledger[entry.leaf.get() as usize].clone();
            entry.path = tree.inclusion(entry.leaf, tree.size()).unwrap();
        }
        let head = Head { size: tree.size(), root: tree.root() };
        let checkpoint = sign_checkpoint(&self.keys, head);
        Bundle { checkpoint, entries: Bounded::new(entries).unwrap(), ..bundle }
    }
}

fn one_epoch_later(intent: &[u8]) -> Vec<u8> {
    match Entry::from_bytes(intent) {
        Ok(Entry { time, event: Event::Intent(mut event) }) => {
            event.epoch += 1;
            Entry { time, event: Event::Intent(event) }.to_bytes()
        }
        Ok(Entry { time, event: Event::SessionIntent(mut event) }) => {
            event.epoch += 1;
            Entry { time, event: Event::SessionIntent(event) }.to_bytes()
        }
        _ => intent.to_vec(),
    }
}

/// What is said last of the account, of revocations, or of why something was passed over is the broker's
/// own word, in a session, too.
fn ends_in_the_brokers_word(entry: &[u8]) -> bool {
    Entry::from_bytes(entry).is_ok_and(|it| match it.event {
        Event::Intent(_) | Event::SessionIntent(_) | Event::SessionOpened(_) | Event::SessionPassed(_) => {
            true
        }
        // Where nothing is settled it ends in the link before, which only a head that covers it can show.
        Event::SessionResulted(event) => event.settled == Amount::ZERO,
        _ => false,
    })
}

fn is_intent(entry: &[u8]) -> bool {
    Entry::from_bytes(entry).is_ok_and(|it| matches!(it.event, Event::Intent(_) | Event::SessionIntent(_)))
}

//! The broker that lies to its clients, with the domain's real keys. Each lie must be found: by the
//! client's own check, or by an auditor who reads the ledger and has a checkpoint that a client holds.

use countersign_forge::domain_key;
use countersign_protocol::{
    audit::Audit,
    capability::Amount,
    contract::ContractBody,
    digest::Digest,
    domain::{Entry, Event},
    explain::Bundle,
    ledger::{ConsistencyProof, InclusionProof, LeafIndex, Tree, TreeSize, leaf_hash},
    payload::{Bounded, Payload},
    receipt::Receipt,
    signed::{Signed, Statement},
    token::{Activation, append_hop},
    trust::KeyPurpose,
};
use countersign_store::Head;

use super::pick;
use crate::{
    broker::{Concluded, sign_checkpoint},
    invariant::Invariant,
    network::{Done, Told},
    party::{Conversation, Holding, Purpose, View},
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
            Lie::MisplacedActivation | Lie::OtherContract | Lie::InventedContract | Lie::OtherOutcome => {
                (Invariant::Consent, self.lie_of_chain(lie, step)?)
            }
            Lie::AlteredMove
            | Lie::DroppedMove
            | Lie::ReorderedMoves
            | Lie::InventedMove
            | Lie::OtherState => (Invariant::Consent, self.lie_of_talk(lie, step)),
            Lie::InventedReceipt | Lie::OtherReceipt | Lie::OtherResult => {
                (Invariant::Record, self.lie_of_use(lie, step))
            }
            Lie::BundleDropped | Lie::BundleRewritten | Lie::BundleActivation => {
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
    /// is its own word alone, a join token or a denial, it can say in many ways.
    fn rewritten(&self, which: u8) -> Option<(usize, Vec<Vec<u8>>)> {
        let mut entries: Vec<Vec<u8>> = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
        let at = usize::from(which) % entries.len();
        let entry = Entry::from_bytes(&entries[at]).ok()?;
        match entry.event {
            Event::JoinTokenIssued(_) | Event::Denied(_) => return None,
            Event::InvocationEnded(mut event) => {
                event.settled = if event.settled == Amount::ZERO { Amount::new(1)? } else { Amount::ZERO };
                let event = Event::InvocationEnded(event);
                entries[at] = Entry { event, ..entry }.to_bytes();
            }
            Event::Intent(mut event) => {
                event.epoch += 1;
                entries[at] = Entry { event: Event::Intent(event), ..entry }.to_bytes();
            }
            _ => {
                let end = entries[at].len() - 1;
                entries[at][end] ^= 1;
            }
        }
        Some((at, entries))
    }

    fn lie_of_log(&mut self, lie: Lie, step: &Step) -> Checked {
        let viewers = self.parties.iter().filter_map(|party| party.view.latest.clone());
        let (held, signed) = pick(step.who, &viewers.collect::<Vec<_>>())?;
        let mut view = View { latest: Some((held.clone(), signed)) };
        let (at, other) = self.rewritten(step.which)?;
        let tree = tree_of(&other);
        let head = |size: TreeSize| Some(Head { size, root: tree.root_at(size)? });
        let told = match lie {
            Lie::RolledBack => {
                let size = TreeSize::new(held.size.get().checked_sub(1 + u64::from(step.how % 5))?)?;
                let root = self.process.as_ref()?.state.tree().root_at(size)?;
                Head { size, root }
            }
            Lie::Forked => head(held.size)?,
            _ => head(tree.size())?,
        };
        // A log that differs only after what was seen is no lie to this one.
        let hidden = lie != Lie::RolledBack && (at as u64 >= held.size.get() || told.size < held.size);
        let unchanged = lie == Lie::ForkedAhead && told.size == held.size && told.root == held.root;
        if hidden || unchanged {
            return None;
        }
        let signed = sign_checkpoint(&self.keys, told);
        let proof = |old, new| Some(ConsistencyProof { old, new, path: tree.consistency(old, new)? });
        Some(view.take(&signed, proof, &self.keys.set))
    }

    /// An offer that stands is said to be a contract.
    fn lie_of_offer(&mut self, step: &Step) -> Flow<Checked> {
        let offered = self.witness.model.talks.iter().filter(|(_, talk)| talk.state == "OFFERED");
        let ids: Vec<_> = offered.map(|(id, talk)| (*id, talk.delegatee.clone())).collect();
        let Some((id, delegatee)) = pick(step.which, &ids) else { return Ok(None) };
        let Some(who) = self.parties.iter().position(|party| party.agent.id == delegatee) else {
            return Ok(None);
        };
        let Some(talk) = self.conversation(who, id, false)? else { return Ok(None) };
        let (Some(offered), Some(state)) = (talk.offer, self.readable()) else { return Ok(None) };
        let Some(parent) = state.chain(&offered.body.parent).map(|chain| chain.token.clone()) else {
            return Ok(None);
        };
        let Ok(parent) = self.tokens.verify(&parent, &self.keys.set) else { return Ok(None) };
        let terms = offered.body.hop_terms();
        let token = append_hop(&parent, &terms, offered.body.grantor.key, offered.hop);
        let chain = terms.chain_id(parent.chain_id(), &offered.body.grantor.key);
        let leaf = self.ledger.head().size.last_leaf();
        let activation = Activation {
            chain_id: chain,
            activated_by: countersign_protocol::token::ActivatedBy::Contract,
            subject: Digest::from_bytes(offered.hash.to_array()),
            leaf,
            domain: countersign_forge::domain(),
            origin: countersign_protocol::ledger::Origin::of(&countersign_forge::domain()),
        };
        // The grantor signed; of the grantee it has nothing but what it makes itself.
        let mut contract = offered.body.sign(&domain_key(1));
        contract.signatures.clear();
        contract.add_signature(self.keys.signer(KeyPurpose::Activation, leaf).1);
        contract.add_signature(self.keys.signer(KeyPurpose::Activation, leaf).1);
        let activation = activation.sign(self.keys.signer(KeyPurpose::Activation, leaf).1);
        let token = token.as_bytes().to_vec();
        let told = Concluded { chain, token, activation, contract: Some((contract, self.now)) };
        self.look(who)?;
        Ok(self.check_chain(who, &told, Some(&offered.body)))
    }

    /// What a party makes of a chain that it is shown.
    fn check_chain(&mut self, who: usize, told: &Concluded, expected: Option<&ContractBody>) -> Checked {
        let checkpoint = self.parties[who].view.latest.as_ref().map(|(latest, _)| latest.clone());
        let tree = self.process.as_ref()?.state.tree().clone();
        let inclusion = |activation: &Activation, checkpoint: &countersign_protocol::ledger::Checkpoint| {
            let (index, size) = (activation.leaf, checkpoint.size);
            Some(InclusionProof { index, size, path: tree.inclusion(index, size)? })
        };
        let (keys, tokens) = (&self.keys.set, &mut self.tokens);
        Some(
            Holding::verify(told, told.chain, expected, checkpoint.as_ref(), inclusion, keys, tokens)
                .map(drop),
        )
    }

    fn lie_of_chain(&mut self, lie: Lie, step: &Step) -> Flow<Checked> {
        let contracted: Vec<_> = self
            .witness
            .model
            .links
            .iter()
            .filter(|(_, it)| it.contract.is_some())
            .map(|(id, _)| *id)
            .collect();
        let Some(chain) = pick(step.which, &contracted) else { return Ok(None) };
        let Some(mut told) = self.read_chain(chain)? else { return Ok(None) };
        let who = usize::from(step.who) % self.parties.len();
        self.look(who)?;
        let Some((signed, at)) = told.contract.clone() else { return Ok(None) };
        let Ok(expected) = signed.peek_unverified::<ContractBody>() else { return Ok(None) };
        let Ok(mut activation) = told.activation.peek_unverified::<Activation>() else { return Ok(None) };
        let others: Vec<_> = contracted.iter().filter(|other| **other != chain).copied().collect();
        match lie {
            Lie::MisplacedActivation => {
                activation.leaf =
                    LeafIndex::new(activation.leaf.get().saturating_sub(1 + u64::from(step.how % 9)))
                        .unwrap();
                told.activation =
                    activation.sign(self.keys.signer(KeyPurpose::Activation, activation.leaf).1);
            }
            Lie::OtherContract | Lie::OtherOutcome => {
                let Some(other) = pick(step.how, &others) else { return Ok(None) };
                let Some(other) = self.read_chain(other)? else { return Ok(None) };
                if lie == Lie::OtherOutcome {
                    return Ok(self.check_chain(who, &other, Some(&expected)));
                }
                told.contract = other.contract;
            }
            _ => {
                let mut invented = expected.clone();
                invented.purpose = Digest::of(b"another purpose");
                let mut signed: Signed = invented.sign(&domain_key(1));
                signed
                    .signatures
                    .clone_from(&told.contract.as_ref().map_or(Vec::new(), |(it, _)| it.signatures.clone()));
                told.contract = Some((signed, at));
            }
        }
        Ok(self.check_chain(who, &told, Some(&expected)))
    }

    fn lie_of_talk(&mut self, lie: Lie, step: &Step) -> Checked {
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
                use countersign_protocol::negotiation::State;
                // That the broker ended one is its own to say, and to hide.
                (told.state != State::Terminated).then_some(())?;
                let states = [State::Requested, State::Offered, State::Finalized];
                told.state = states.into_iter().find(|state| *state != told.state)?;
            }
        }
        Some(Conversation::follow(before.as_ref(), &told, |instance| self.read_party(instance)).map(drop))
    }

    fn lie_of_use(&mut self, lie: Lie, step: &Step) -> Checked {
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

    fn lie_of_bundle(&mut self, lie: Lie, step: &Step) -> Flow<Checked> {
        let known: Vec<_> = self.witness.model.uses.keys().copied().collect();
        let Some(id) = pick(step.which, &known) else { return Ok(None) };
        let Some(mut bundle) = self.read_bundle(id)? else { return Ok(None) };
        let entries = bundle.entries.to_vec();
        let at = usize::from(step.who) % entries.len();
        match lie {
            Lie::BundleDropped => {
                // A result that is not shown is one that is not there yet, for all a bundle can tell.
                let optional = Entry::from_bytes(&entries[at].entry)
                    .is_ok_and(|it| matches!(it.event, Event::InvocationEnded(_)));
                if optional {
                    return Ok(None);
                }
                let rest =
                    entries.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, it)| it.clone());
                bundle.entries = Bounded::new(rest.collect()).unwrap();
            }
            // What an INTENT says of the account and of revocations is the broker's own word.
            Lie::BundleRewritten if is_intent(&entries[at].entry) => return Ok(None),
            Lie::BundleRewritten => bundle = self.relogged(bundle, at),
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

    /// A ledger that is rewritten, under a checkpoint that fits it. Who audits it finds it, or holds a
    /// checkpoint with which it does not agree.
    fn lie_of_ledger(&mut self, lie: Lie, step: &Step) -> Checked {
        // An audit costs as much as a run.
        (step.how % 4 == 0).then_some(())?;
        let (at, mut ledger) = self.rewritten(step.which)?;
        // What nobody has a checkpoint of can be left out, or come later: nobody was promised it.
        let seen = self.parties.iter().filter_map(|party| party.view.latest.as_ref());
        let promised = seen.map(|(held, _)| held.size.get()).max().unwrap_or(0);
        let covered = (at as u64) < promised;
        match lie {
            Lie::LedgerDropped | Lie::LedgerReordered if !covered => return None,
            Lie::LedgerDropped => {
                ledger = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
                ledger.remove(at);
            }
            Lie::LedgerReordered => {
                ledger = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
                (at > 0).then(|| ledger.swap(at, at - 1))?;
            }
            Lie::LedgerInvented => {
                let again = ledger[at].clone();
                ledger = self.ledger.entries().iter().map(|it| it.to_vec()).collect();
                ledger.push(again);
            }
            _ => {}
        }
        let tree = tree_of(&ledger);
        let checkpoint = sign_checkpoint(&self.keys, Head { size: tree.size(), root: tree.root() });
        let contradicted = self.parties.iter().filter_map(|party| party.view.latest.as_ref());
        let mut seen = contradicted.map(|(held, _)| tree.root_at(held.size) == Some(held.root));
        if !seen.all(|same| same) {
            return Some(Err("a client holds another checkpoint".into()));
        }
        let audit =
            ledger.iter().fold(Audit::begin(self.keys.set.clone()), |audit, entry| audit.entry(entry));
        let report = audit.finish(&checkpoint);
        Some(if report.is_clean() { Ok(()) } else { Err(format!("{} findings", report.findings.len())) })
    }
}

fn is_intent(entry: &[u8]) -> bool {
    Entry::from_bytes(entry).is_ok_and(|it| matches!(it.event, Event::Intent(_)))
}

fn tree_of(entries: &[Vec<u8>]) -> Tree {
    let mut tree = Tree::default();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    tree
}

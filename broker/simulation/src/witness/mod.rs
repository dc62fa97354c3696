//! Who sees everything: the reference model, what callees did, what was promised to whom; and holds
//! each event against the invariants.

mod authority;
mod cells;
mod consent;
mod deeds;
mod promises;
mod spending;
mod using;

use std::collections::{BTreeMap, BTreeSet};

use countersign_protocol::{
    capability::Request,
    contract::ContractBody,
    digest::{ChainId, Digest},
    domain::{Entry, Event, State},
    id::InvocationId,
    ledger::LeafIndex,
    name::InstanceId,
    trust::KeySet,
};
use countersign_store::Head;

pub use deeds::Deed;

use crate::{
    invariant::Invariant,
    model::Model,
    stop::{Flow, Stop, Violation, hold},
    tally::Tally,
};

/// The witness of one run.
#[derive(Clone, Debug)]
pub struct Witness {
    /// What is so, as the model has it.
    pub model: Model,
    /// Everything that was decided, durable or not.
    pub entries: Vec<Entry>,
    /// The domain's keys.
    keys: KeySet,
    /// Whether every signature is verified once more, by itself: not in every run.
    thorough: bool,
    /// What holders signed for, by the digest of the proof.
    pub intended: BTreeMap<Digest, Intended>,
    /// What callees did.
    pub deeds: BTreeMap<InvocationId, Deed>,
    /// The links that were void when a revocation or change was acknowledged, and as what.
    void: BTreeMap<ChainId, &'static str>,
    /// The leaves of those, and what they record.
    told: Vec<(LeafIndex, Digest)>,
    /// The instances.
    void_members: BTreeSet<InstanceId>,
    /// Every checkpoint that anyone may have seen.
    pub promised: Vec<Head>,
}

/// A request that a holder signed for.
#[derive(Clone, Debug)]
pub struct Intended {
    /// Whose key signed,
    pub holder: InstanceId,
    /// and what it meant.
    pub request: Request,
    /// The opaque body.
    pub body: Vec<u8>,
}

impl Witness {
    /// A witness of a ledger that is empty.
    pub fn new(keys: KeySet) -> Self {
        Self {
            model: Model::default(),
            entries: Vec::new(),
            keys,
            thorough: true,
            intended: BTreeMap::new(),
            deeds: BTreeMap::new(),
            void: BTreeMap::new(),
            told: Vec::new(),
            void_members: BTreeSet::new(),
            promised: Vec::new(),
        }
    }

    /// From now on these are the domain's keys.
    pub fn know_keys(&mut self, keys: &KeySet) {
        self.keys = keys.clone();
    }

    /// Whether this witness verifies every signature once more.
    pub fn thorough(self, thorough: bool) -> Self {
        Self { thorough, ..self }
    }

    /// Holds an event against every invariant and the model, and lets it happen there.
    pub fn accept(&mut self, entry: &Entry, leaf: LeafIndex, tally: &mut Tally) -> Flow {
        let now = entry.time;
        hold(Invariant::Doubt, self.model.now.is_none_or(|last| last <= now), || {
            format!("decided at {now}, before the last entry")
        })?;
        if self.thorough {
            self.check_words(entry)?;
        }
        match &entry.event {
            Event::KeysRotated(event) => self.check_rotation(event, leaf)?,
            Event::GrantIssued(event) => self.check_grant(event)?,
            Event::Moved(event) => self.check_bounds(event, now)?,
            Event::ContractFinalized(event) => {
                let body = event.contract.peek_unverified::<ContractBody>();
                let Ok(body) = body else {
                    return Violation::stop(Invariant::Consent, "an unreadable contract");
                };
                self.check_contract(event, &body)?;
                self.check_growth(&body)?;
                self.check_parent(&body, now)?;
                self.check_promise(&body)?;
            }
            Event::ChainRebound(event) => self.check_rebound(event)?,
            Event::Intent(event) => {
                self.check_use(event, now)?;
                self.check_reserve(event, now)?;
            }
            Event::InvocationEnded(event) => self.check_settlement(event)?,
            _ => {}
        }
        if let Err(Violation { invariant, seen }) = self.model.judge(&entry.event, now) {
            return Violation::stop(invariant, format!("leaf {leaf}, {}: {seen}", entry.event.kind().name()));
        }
        self.count_cells(&entry.event, tally);
        self.model.apply(entry, leaf);
        self.check_accounts(&entry.event)
    }

    /// Keeps what was accepted.
    pub fn keep(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The model and the core see one state.
    pub fn compare(&self, state: &State) -> Flow {
        match self.model.difference(state) {
            None => Ok(()),
            Some(difference) => Err(Stop::Broken(difference)),
        }
    }

    /// The power went: only so many entries are left.
    pub fn lose(&mut self, durable: usize) {
        if durable >= self.entries.len() {
            return;
        }
        self.entries.truncate(durable);
        let mut model = Model::default();
        for (index, entry) in self.entries.iter().enumerate() {
            model.apply(entry, LeafIndex::new(index as u64).unwrap());
        }
        self.model = model;
    }
}

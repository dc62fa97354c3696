//! The entries of a bundle, each in its role.

use std::collections::BTreeMap;

use super::{ProvenEntry, evidence::check_admission, session::SessionEntries};
use crate::{
    digest::ChainId,
    domain::{
        ChainRebound, ContractFinalized, Entry, Event, GrantIssued, Intent, InvocationEnded, KeysPublished,
    },
    identity::InstanceStatement,
    ledger::LeafIndex,
    name::{InstanceId, TrustDomain},
    payload::Payload,
    refusal::{Reason, Refusal},
    require, require_some,
    time::Timestamp,
};

/// An event, and where and when the ledger recorded it.
#[derive(Clone, Debug)]
pub(super) struct Recorded<T> {
    pub(super) leaf: LeafIndex,
    pub(super) at: Timestamp,
    pub(super) event: T,
}

/// Entries by what they are needed for, nothing twice.
#[derive(Debug, Default)]
pub(super) struct Collection {
    keys: Option<Recorded<KeysPublished>>,
    grant: Option<Recorded<GrantIssued>>,
    intent: Option<Recorded<Intent>>,
    end: Option<Recorded<InvocationEnded>>,
    contracts: BTreeMap<ChainId, Recorded<ContractFinalized>>,
    rebounds: BTreeMap<ChainId, Recorded<ChainRebound>>,
    admitted: BTreeMap<InstanceId, Recorded<InstanceStatement>>,
    session: SessionEntries,
}

impl Collection {
    /// Decodes the entries, which are in order of their leaves: time never goes back between them.
    pub(super) fn of(domain: &TrustDomain, entries: &[ProvenEntry]) -> Result<Self, Refusal> {
        let (mut collection, mut last) = (Self::default(), None);
        for ProvenEntry { leaf, entry, .. } in entries {
            let entry = Entry::from_bytes(entry)
                .map_err(|error| unneeded(*leaf, &format!("is not an entry: {error}")))?;
            let forwards = last.replace(entry.time).is_none_or(|last| last <= entry.time);
            require!("LOG-034", forwards, Reason::BundleInvalid, "At leaf {leaf} time goes back.");
            collection.add(domain, *leaf, entry)?;
        }
        Ok(collection)
    }

    fn add(&mut self, domain: &TrustDomain, leaf: LeafIndex, entry: Entry) -> Result<(), Refusal> {
        let at = entry.time;
        let kind = entry.event.kind();
        let twice = match entry.event {
            Event::KeysPublished(event) => self.keys.replace(Recorded { leaf, at, event }).is_some(),
            Event::GrantIssued(event) => self.grant.replace(Recorded { leaf, at, event }).is_some(),
            Event::Intent(event) => self.intent.replace(Recorded { leaf, at, event }).is_some(),
            Event::InvocationEnded(event) => self.end.replace(Recorded { leaf, at, event }).is_some(),
            Event::ContractFinalized(event) => {
                self.contracts.insert(event.chain_id, Recorded { leaf, at, event }).is_some()
            }
            Event::ChainRebound(event) => {
                self.rebounds.insert(event.chain_id, Recorded { leaf, at, event }).is_some()
            }
            Event::InstanceAdmitted(event) => {
                check_admission(domain, at, &event)?;
                let (instance, event) = (event.statement.instance.clone(), event.statement);
                self.admitted.insert(instance, Recorded { leaf, at, event }).is_some()
            }
            event => {
                self.session.add(leaf, at, event).ok_or_else(|| unneeded(leaf, "is about something else"))?
            }
        };
        require!("LOG-034", !twice, Reason::BundleInvalid, "There is a second {}.", kind.name());
        Ok(())
    }

    pub(super) fn keys(&mut self) -> Result<Recorded<KeysPublished>, Refusal> {
        taken(&mut self.keys, "domain's keys")
    }

    pub(super) fn grant(&mut self) -> Result<Recorded<GrantIssued>, Refusal> {
        taken(&mut self.grant, "grant")
    }

    pub(super) fn intent(&mut self) -> Result<Recorded<Intent>, Refusal> {
        taken(&mut self.intent, "INTENT")
    }

    /// What was said in a session, if anything was; then there must be no INTENT but the session's.
    pub(super) fn session(&mut self) -> Result<Option<SessionEntries>, Refusal> {
        let session = std::mem::take(&mut self.session);
        if session.is_empty() {
            return Ok(None);
        }
        let alone = self.intent.is_none();
        require!("LOG-034", alone, Reason::BundleInvalid, "It is a request of a session and something else.");
        Ok(Some(session))
    }

    /// The end, if there was one.
    pub(super) fn end(&mut self) -> Option<Recorded<InvocationEnded>> {
        self.end.take()
    }

    pub(super) fn contract(&mut self, chain: &ChainId) -> Result<Recorded<ContractFinalized>, Refusal> {
        taken(&mut self.contracts.remove(chain), "contract of a link")
    }

    /// How another instance came to hold that chain, if one did.
    pub(super) fn rebound(&mut self, chain: &ChainId) -> Option<Recorded<ChainRebound>> {
        self.rebounds.remove(chain)
    }

    /// The record of an instance that was admitted before it acted at `leaf`.
    pub(super) fn admitted_before(
        &self,
        leaf: LeafIndex,
        instance: &InstanceId,
    ) -> Result<&InstanceStatement, Refusal> {
        let (invalid, known) = (Reason::BundleInvalid, self.admitted.get(instance));
        let known = require_some!("LOG-034", known, invalid, "The admission of {instance} is missing.");
        require!("LOG-034", known.leaf < leaf, invalid, "{instance} was not admitted before leaf {leaf}.");
        Ok(&known.event)
    }

    /// Every admission, in order of the instances' names.
    pub(super) fn admissions(&self) -> impl Iterator<Item = &Recorded<InstanceStatement>> {
        self.admitted.values()
    }

    /// Refuses entries that nothing asked for.
    pub(super) fn finish(self, needed: &[&InstanceId]) -> Result<(), Refusal> {
        let contract = self.contracts.values().next().map(|contract| contract.leaf);
        let contract = contract.or(self.rebounds.values().next().map(|rebound| rebound.leaf));
        let instance = self.admitted.values().find(|admission| !needed.contains(&&admission.event.instance));
        match contract.or(instance.map(|admission| admission.leaf)) {
            Some(leaf) => Err(unneeded(leaf, "belongs to another chain")),
            None => Ok(()),
        }
    }
}

fn taken<T>(entry: &mut Option<T>, what: &str) -> Result<T, Refusal> {
    Ok(require_some!("LOG-034", entry.take(), Reason::BundleInvalid, "The {what} is missing."))
}

fn unneeded(leaf: LeafIndex, why: &str) -> Refusal {
    Refusal::new("LOG-034", Reason::BundleInvalid, format!("Leaf {leaf} {why}."))
}

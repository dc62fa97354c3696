//! What callees did, against what the ledger says.

use countersign_protocol::{
    digest::ChainId,
    domain::{Entry, Event},
    id::InvocationId,
    name::InstanceId,
    payload::Payload,
    token::Proof,
};

use super::Witness;
use crate::{
    invariant::Invariant::{Consent, Holder, Record, Revocation},
    ledger::Ledger,
    model::Status,
    network::Job,
    stop::{Flow, hold},
};

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What it cost.
    pub cost: u64,
    /// Who did it.
    pub callee: InstanceId,
    /// Whether its callee says false things about it.
    pub swindle: bool,
}

impl Witness {
    /// An invocation leaves the broker: its INTENT is on the disk, and nothing of its chain was void
    /// when a revocation was acknowledged.
    pub fn forwarded(&self, id: InvocationId, chain: &[ChainId], ledger: &Ledger) -> Flow {
        hold(Record, self.has_intent(id, ledger), || {
            format!("{id} is forwarded before its INTENT is durable")
        })?;
        let void = chain.iter().find(|link| self.void.contains_key(link));
        hold(Revocation, void.is_none(), || format!("{id} is forwarded under a chain that was ended"))?;
        let held_up = chain.iter().filter_map(|link| self.model.links.get(link));
        let held_up = held_up.filter(|link| link.status == Status::Suspended).count();
        hold(Revocation, held_up == 0, || format!("{id} is forwarded under a chain that is suspended"))
    }

    fn has_intent(&self, id: InvocationId, ledger: &Ledger) -> bool {
        let found = self
            .entries
            .iter()
            .rposition(|entry| matches!(&entry.event, Event::Intent(it) if it.invocation_id == id));
        let bytes =
            found.and_then(|at| ledger.entry(countersign_protocol::ledger::LeafIndex::new(at as u64)?));
        bytes.is_some_and(|bytes| Entry::from_bytes(&bytes).as_ref() == Ok(&self.entries[found.unwrap_or(0)]))
    }

    /// A callee does something: once, for the one whom it is for, and after the ledger says so.
    pub fn done(&mut self, job: &Job, deed: Deed, ledger: &Ledger) -> Flow {
        let id = job.id;
        hold(Record, self.has_intent(id, ledger), || format!("{id} was done, and the ledger has no INTENT"))?;
        let (intended, proof) =
            (self.intended.get(&job.proof.digest()), job.proof.peek_unverified::<Proof>().ok());
        let meant = intended.zip(proof).is_some_and(|(meant, proof)| {
            meant.request == job.wanted
                && meant.body == job.body
                && proof.callee == *deed.callee.principal()
                && proof.invocation_id == id
        });
        hold(Holder, meant, || format!("{} did what nobody asked for", deed.callee))?;
        hold(Record, !self.deeds.contains_key(&id), || format!("{id} was done twice"))?;
        let cancelled = self.model.uses.get(&id).and_then(|it| it.end);
        let cancelled = cancelled
            .is_some_and(|(end, _)| end == countersign_protocol::domain::InvocationOutcome::Cancelled);
        hold(Record, !cancelled, || format!("{id} was cancelled, and is done all the same"))?;
        self.deeds.insert(id, deed);
        Ok(())
    }

    /// An activation is signed: its leaf is on the disk and made the chain, which is not void.
    pub fn activated(
        &self,
        chain: ChainId,
        leaf: countersign_protocol::ledger::LeafIndex,
        ledger: &Ledger,
    ) -> Flow {
        let entry = ledger.entry(leaf).and_then(|bytes| Entry::from_bytes(&bytes).ok());
        let made = entry.is_some_and(|entry| match entry.event {
            Event::GrantIssued(event) => event.chain_id == chain,
            Event::ContractFinalized(event) => event.chain_id == chain,
            Event::ChainRebound(event) => event.chain_id == chain,
            _ => false,
        });
        hold(Consent, made, || format!("leaf {leaf} did not make chain {chain}"))?;
        let void = self.model.path(chain).any(|(link, _)| self.void.contains_key(&link));
        hold(Revocation, !void, || format!("chain {chain} is activated, and was ended"))
    }
}

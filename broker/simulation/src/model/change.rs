//! Holding links up, ending them by one side's word, and putting one in another's place.

use countersign_forge::{domain, principal};
use countersign_protocol::{
    contract::{ChangeKind, ChangeRequest, Side},
    digest::ChainId,
    domain::{Actor, EventKind},
    id::ContractId,
    name::InstanceId,
    signed::Signed,
    time::Timestamp,
};

use super::{
    Link, Model, Offer, Status,
    table::{CONTRACT, Cell},
    verdict::{
        Check,
        Verdict::{self, Happens, Known, Refused},
        after, is_fresh, known_terms, must, outcome, peek,
    },
};
use crate::invariant::Invariant::{Consent, Doubt, Model as Rules, Revocation};

/// From when on a request is stale, in milliseconds.
const STALE_MS: u64 = 30_001;

impl Link {
    /// The table's input for a change of this link.
    pub fn input(&self, request: &ChangeRequest) -> &'static str {
        match request.kind {
            ChangeKind::Suspend => "party.suspend",
            ChangeKind::Resume if self.held_up_by.iter().any(|side| *side != request.side) => "party.lift",
            ChangeKind::Resume => "party.resume",
            ChangeKind::Retire => "party.retire",
            ChangeKind::Breach => "party.breach",
        }
    }

    /// Whether an instance is on that side of it.
    pub fn has_on_side(&self, who: &InstanceId, side: Side) -> bool {
        match (side, self.parent) {
            (Side::Grantor, None) => self.originator == *who.principal(),
            (Side::Grantor, Some(_)) => self.grantor == *who,
            (Side::Holder, _) => self.holder == *who,
            (Side::Admin, _) => *who.principal() == principal("root"),
        }
    }
}

impl Model {
    /// Judges a change.
    pub fn judge_change(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let request: ChangeRequest = peek(signed)?;
            must(Consent, request.sender == actor.instance && request.domain == domain(), "of another one")?;
            known_terms(&request.extensions)?;
            if let Some((known, _)) = self.revocations.get(&request.request_id) {
                return if *known == signed.digest() {
                    Ok(Known)
                } else {
                    Err(Refused(Consent, "the id is used"))
                };
            }
            must(Doubt, is_fresh(request.issued, now), "it is not fresh")?;
            let link = self.links.get(&request.chain).ok_or(Refused(Consent, "no such chain"))?;
            must(Consent, link.has_on_side(&actor.instance, request.side), "it is not on that side")?;
            let moves = matches!(CONTRACT.cell(link.status.name(), link.input(&request)), Some(Cell::To(..)));
            let sentence = if link.status.has_ended() { Revocation } else { Rules };
            must(sentence, moves, "the table has no such change here")?;
            let own = link.held_up_by.contains(&request.side);
            must(Rules, request.kind != ChangeKind::Suspend || !own, "it has suspended that")?;
            must(Revocation, request.kind != ChangeKind::Resume || own, "it is another's suspension")?;
            if let Some(shown) = request.invocation {
                let made = self.uses.get(&shown).map(|it| it.chain);
                let beneath = made.is_some_and(|chain| self.path(chain).any(|(id, _)| id == request.chain));
                must(Consent, beneath, "of another contract")?;
            }
            let chains = self.living_beneath(request.chain).len() as u64;
            must(Doubt, chains == request.chains, "another number")?;
            Ok(Happens(EventKind::Changed))
        })())
    }

    pub(super) fn change(&mut self, signed: &Signed) {
        let request: ChangeRequest = signed.peek_unverified().unwrap();
        self.revocations.insert(request.request_id, (signed.digest(), after(request.issued, STALE_MS)));
        let Some(link) = self.links.get_mut(&request.chain) else { return };
        match request.kind {
            ChangeKind::Suspend => {
                self.epoch += 1;
                link.held_up_by.insert(request.side);
                link.status = Status::Suspended;
            }
            ChangeKind::Resume => {
                link.held_up_by.remove(&request.side);
                if link.held_up_by.is_empty() {
                    link.status = Status::Active;
                }
            }
            ChangeKind::Retire => self.end_as(request.chain, Status::Retired),
            ChangeKind::Breach => self.end_as(request.chain, Status::Breached),
        }
    }

    /// Ends a link for that reason, and revokes what is beneath it.
    pub(super) fn end_as(&mut self, chain: ChainId, status: Status) {
        self.epoch += 1;
        let mut ending = self.living_beneath(chain);
        ending.remove(&chain);
        self.revoke_all(ending);
        self.links.entry(chain).and_modify(|link| link.end(status));
    }

    pub(super) fn chain_of(&self, contract: ContractId) -> Option<ChainId> {
        let named = |link: &Link| link.contract.is_some_and(|(id, _)| id == contract);
        // What was taken over is the same contract, and goes by another name.
        let named = |link: &Link| named(link) && link.status != Status::Rebound;
        self.links.iter().find(|(_, link)| named(link)).map(|(id, _)| *id)
    }

    /// Whether a contract between those two may take the place of the one that it names.
    pub(super) fn judge_replaced(
        &self,
        replaces: Option<ContractId>,
        [grantor, grantee]: [&InstanceId; 2],
        parent: ChainId,
    ) -> Check {
        let Some(contract) = replaces else { return Ok(()) };
        let old = self.chain_of(contract).and_then(|id| self.links.get(&id));
        let old = old.ok_or(Refused(Consent, "nothing is replaced"))?;
        let same = (&old.grantor, &old.holder, old.parent) == (grantor, grantee, Some(parent));
        must(Consent, same, "it replaces what is others'")?;
        let moves = matches!(CONTRACT.cell(old.status.name(), "broker.supersede"), Some(Cell::To(..)));
        let sentence = if old.status == Status::Suspended { Revocation } else { Rules };
        must(sentence, moves, "what it replaces is not in force")
    }

    /// What is left at the parent of a contract once the one that it replaces has ended.
    pub fn available_in_place_of(&self, replaces: Option<ContractId>, parent: ChainId) -> u64 {
        match replaces.and_then(|contract| self.chain_of(contract)) {
            None => self.available(parent),
            Some(old) => {
                let mut later = self.clone();
                later.end_as(old, Status::Superseded);
                later.available(parent)
            }
        }
    }
}

impl Offer {
    pub(super) fn replaces(&self) -> Option<ContractId> {
        self.replaces
    }
}

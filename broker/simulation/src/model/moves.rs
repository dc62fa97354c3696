//! Which moves may be made.

use countersign_forge::domain;
use countersign_protocol::{
    capability::Rights,
    contract::{ContractBody, SeenCheckpoint},
    digest::ChainId,
    domain::{Actor, EventKind},
    negotiation::{Accept, Move, MoveKind, empty_transcript},
    payload::Payload,
    signed::Signed,
    time::Timestamp,
};

use super::{
    Model, Status, Talk,
    table::{Cell, NEGOTIATION},
    verdict::{
        Verdict::{self, Happens, Known, Refused},
        after, known_terms, must, outcome,
    },
};
use crate::{
    invariant::Invariant::{Authority, Bounds, Budget, Consent, Doubt, Model as Rules, Record, Revocation},
    scope,
};

/// How long a negotiation lasts at most, in milliseconds.
const NEGOTIATION_MS: u64 = 3_600_000;
/// How far the time in an id may be off, in milliseconds.
const SKEW_MS: u64 = 30_000;
/// How many rounds there are at most.
const ROUNDS: u32 = 10;
/// How many negotiations one instance may have open.
const OPEN: usize = 64;

impl Talk {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        NEGOTIATION.is_terminal(&self.state)
    }

    /// The input that a move is.
    pub fn input(&self, made: &Move) -> String {
        input(made.kind, made.sender == self.delegatee)
    }

    fn is_party(&self, made: &Move) -> bool {
        let asked = match &self.answering {
            Some(instance) => *instance == made.sender,
            None => self.delegator == *made.sender.principal(),
        };
        made.sender == self.delegatee || asked
    }
}

/// The input that a move of one side is.
pub fn input(kind: MoveKind, by_delegatee: bool) -> String {
    let role = if by_delegatee { "delegatee" } else { "delegator" };
    let word = match kind {
        MoveKind::Request => "request",
        MoveKind::Offer => "offer",
        MoveKind::Counter => "counter",
        MoveKind::Decline => "decline",
        MoveKind::Accept => "accept",
        MoveKind::Reject => "reject",
        MoveKind::Withdraw => "withdraw",
    };
    format!("{role}.{word}")
}

impl Model {
    /// Judges a move.
    pub fn judge_move(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let made: Move = signed.peek_unverified().map_err(|_| Refused(Doubt, "it cannot be read"))?;
            must(Consent, made.sender == actor.instance && made.domain == domain(), "of another one")?;
            known_terms(&made.extensions)?;
            match self.talks.get(&made.negotiation_id) {
                None => self.judge_opening(&made, now),
                Some(talk) => self.judge_next(talk, &made, signed, now),
            }
        })())
    }

    fn judge_opening(&self, made: &Move, now: Timestamp) -> Result<Verdict, Verdict> {
        let request = made.request.as_ref().ok_or(Refused(Rules, "there is no such negotiation"))?;
        let first = made.transcript == empty_transcript(&made.domain, made.negotiation_id);
        must(Rules, (made.seq, made.round, first) == (1, 1, true), "it is not the first")?;
        must(Doubt, now < made.deadline, "it is void")?;
        must(Authority, made.audience != *made.sender.principal(), "with itself")?;
        must(Rules, made.audience.domain() == domain(), "with another domain")?;
        must(
            Bounds,
            now < request.deadline && request.deadline <= after(now, NEGOTIATION_MS),
            "its deadline",
        )?;
        must(Bounds, (1..=ROUNDS).contains(&request.max_rounds), "its rounds")?;
        let at = made.negotiation_id.time().ok_or(Refused(Bounds, "an id of no time"))?;
        must(Bounds, at <= after(now, SKEW_MS) && now <= after(at, SKEW_MS), "an id of another time")?;
        let open = self.talks.values().filter(|talk| talk.delegatee == made.sender && !talk.is_over());
        must(Bounds, open.count() < OPEN, "too many")?;
        Ok(Happens(EventKind::Moved))
    }

    fn judge_next(
        &self,
        talk: &Talk,
        made: &Move,
        signed: &Signed,
        now: Timestamp,
    ) -> Result<Verdict, Verdict> {
        must(Consent, made.kind != MoveKind::Request || made.sender == talk.delegatee, "the id is used")?;
        must(Consent, talk.is_party(made), "it is no party")?;
        let by_delegatee = made.sender == talk.delegatee;
        let other = if by_delegatee { &talk.delegator } else { talk.delegatee.principal() };
        must(Consent, made.audience == *other, "it is for someone else")?;
        if let Some(before) = talk.said.iter().find(|it| it.by == made.sender && it.seq == made.seq) {
            if before.digest == signed.digest() {
                return Ok(Known);
            }
            if before.after == made.transcript && !talk.is_over() {
                return Ok(Happens(EventKind::NegotiationEnded));
            }
        }
        let Some(Cell::To(_, uses_round)) = NEGOTIATION.cell(&talk.state, &talk.input(made)) else {
            return Err(Refused(Rules, "the table has no such move here"));
        };
        let mine = talk.said.iter().filter(|it| it.by == made.sender).count() as u32;
        let placed = (made.seq, made.round, made.transcript) == (mine + 1, talk.round, talk.transcript);
        must(Rules, placed, "it is for another place")?;
        must(Doubt, now < made.deadline && now < talk.deadline, "it is too late")?;
        must(Bounds, !uses_round || talk.round < talk.max_rounds, "there are no more rounds")?;
        if let Some(offer) = &made.offer {
            must(Doubt, now < offer.expires, "the offer is over")?;
            let body =
                ContractBody::from_bytes(&offer.contract).map_err(|_| Refused(Doubt, "it cannot be read"))?;
            self.judge_body(talk, made, &body, now)?;
        }
        if let Some(accept) = &made.accept {
            self.judge_accept(talk, accept, now)?;
        }
        Ok(Happens(EventKind::Moved))
    }

    fn judge_body(
        &self,
        talk: &Talk,
        made: &Move,
        body: &ContractBody,
        now: Timestamp,
    ) -> Result<(), Verdict> {
        known_terms(&body.extensions)?;
        let of_this = body.domain == domain() && body.negotiation_id == made.negotiation_id;
        must(Consent, of_this && body.transcript == talk.transcript, "of another negotiation")?;
        must(Consent, Some(&body.grantor) == self.party(&made.sender).as_ref(), "of another grantor")?;
        must(Consent, Some(&body.grantee) == self.party(&talk.delegatee).as_ref(), "of another grantee")?;
        must(Consent, body.purpose == talk.purpose, "of another purpose")?;
        let parent = self.links.get(&body.parent).ok_or(Refused(Consent, "no such parent"))?;
        must(Consent, parent.holder == made.sender, "it does not hold the parent")?;
        self.judge_parent(body.parent, now)?;
        let follows = body.originator == parent.originator && body.grant_id == parent.grant_id;
        must(Authority, follows && body.depth == parent.depth + 1, "it does not follow from its parent")?;
        must(Doubt, now < body.rights.not_after, "it is over")?;
        must(Consent, !self.contract_exists(body.contract_id), "the id is used")?;
        self.judge_replaced(body.replaces, [&made.sender, &talk.delegatee], body.parent)?;
        self.judge_seen(&body.seen)?;
        must(
            Authority,
            scope::growth(&parent.rights, &body.rights).is_none() && same_kind(&parent.rights, &body.rights),
            "it grows",
        )?;
        let loops =
            self.path(body.parent).any(|(_, link)| link.holder.principal() == talk.delegatee.principal());
        must(Authority, !loops, "it loops")
    }

    fn judge_accept(&self, talk: &Talk, accept: &Accept, now: Timestamp) -> Result<(), Verdict> {
        let offer = talk.offer.as_ref().ok_or(Refused(Consent, "nothing is on offer"))?;
        must(Consent, offer.hash == accept.contract, "it is not on offer")?;
        must(Doubt, now < offer.expires, "the offer is over")?;
        self.judge_seen(&accept.seen)?;
        must(Doubt, self.is_live(&offer.grantor, now), "the grantor is gone")?;
        must(Doubt, self.is_live(&talk.delegatee, now), "the grantee has to renew")?;
        let held = self.links.get(&offer.parent).is_some_and(|link| link.holder == offer.grantor);
        must(Consent, held, "it does not hold the parent")?;
        self.judge_parent(offer.parent, now)?;
        must(Doubt, now < offer.rights.not_after, "it is over")?;
        must(Consent, !self.contract_exists(offer.contract), "the id is used")?;
        self.judge_replaced(offer.replaces(), [&offer.grantor, &talk.delegatee], offer.parent)?;
        must(
            Budget,
            offer.rights.budget.ceiling.get() <= self.available_in_place_of(offer.replaces(), offer.parent),
            "the budget is promised",
        )
    }

    /// Whether a chain is in force, and how bad it is if it is not.
    fn judge_parent(&self, chain: ChainId, now: Timestamp) -> Result<(), Verdict> {
        let revoked =
            self.path(chain).any(|(_, link)| link.status.was_ended() || link.status == Status::Suspended);
        let sentence = if revoked { Revocation } else { Doubt };
        must(sentence, self.in_force(chain, now), "the parent is not in force")
    }

    fn judge_seen(&self, seen: &SeenCheckpoint) -> Result<(), Verdict> {
        let root = self.roots.get(seen.size.get() as usize);
        must(Record, root == Some(&seen.root), "it saw another log")
    }
}

/// What no request shows: the unit, and the length of the window.
fn same_kind(parent: &Rights, child: &Rights) -> bool {
    let windows = match (&parent.budget.window, &child.budget.window) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.length == narrow.length,
        (Some(_), None) => false,
    };
    parent.budget.unit == child.budget.unit && windows
}

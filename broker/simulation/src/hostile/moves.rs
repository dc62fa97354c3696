//! Moves that are out of turn, out of place, said twice, or someone else's.

use countersign_forge::principal;
use countersign_protocol::{
    digest::Digest,
    domain::Event,
    id::{NegotiationId, RequestId},
    ledger::EMPTY_ROOT,
    negotiation::{Accept, Counter, Move, MoveKind, Request as Wish, empty_transcript},
    payload::Payload,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
};

use super::{Cheat, pick};
use crate::{
    network::Request,
    party::{Conversation, critical, seat},
    plan::Step,
    scope,
    stop::Flow,
    world::World,
};

/// Every kind of move.
const KINDS: [MoveKind; 7] = [
    MoveKind::Request,
    MoveKind::Offer,
    MoveKind::Counter,
    MoveKind::Decline,
    MoveKind::Accept,
    MoveKind::Reject,
    MoveKind::Withdraw,
];

impl World {
    /// The negotiations of an instance, ended ones included.
    pub(super) fn talks_of(&self, who: usize) -> Vec<NegotiationId> {
        let me = &self.parties[who].agent.id;
        let own = self.witness.model.talks.iter().filter(|(_, talk)| {
            talk.delegatee == *me
                || talk.answering.as_ref() == Some(me)
                || (talk.answering.is_none() && talk.delegator == *me.principal())
        });
        own.map(|(id, _)| *id).collect()
    }

    fn own_talk(&mut self, who: usize, which: u8) -> Flow<Option<Conversation>> {
        let Some(id) = pick(which, &self.talks_of(who)) else { return Ok(None) };
        self.conversation(who, id, false)
    }

    /// A move of any kind in the place of the next, with some content.
    pub(super) fn any_move(
        &mut self,
        who: usize,
        talk: &Conversation,
        kind: MoveKind,
        how: u8,
    ) -> Option<Move> {
        let request_id = RequestId::new(self.now, &mut self.rng);
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let agent = self.parties[who].agent.clone();
        let mut made = talk.next_move(&agent.id, kind, request_id, until);
        let rights = scope::granted(self.now, how);
        match kind {
            MoveKind::Request => {
                let deadline = self.now.plus(Lifetime::from_millis(300_000));
                made.request =
                    Some(Wish { rights, purpose: Digest::of(b"why"), deadline, max_rounds: 3, award: None });
            }
            MoveKind::Counter => made.counter = Some(Counter { rights }),
            MoveKind::Accept => {
                let offered = talk.offer.as_ref();
                let contract =
                    offered.map_or_else(|| countersign_protocol::contract::hash_of(&[1]), |it| it.hash);
                let bytes = offered.map_or(vec![1], |it| it.contract.clone());
                let contract_signature = countersign_protocol::signed::sign_detached(
                    countersign_protocol::contract::ContractBody::TYPE,
                    &bytes,
                    &agent.key,
                );
                made.accept =
                    Some(Accept { contract, contract_signature, seen: self.parties[who].view.seen() });
            }
            MoveKind::Offer => {
                let holding = pick(how, &self.parties[who].holdings)?;
                let body = self.terms(who, talk, &holding, how)?;
                return Some(self.offer(who, talk, &body, holding.active.token(), 30_000));
            }
            MoveKind::Decline | MoveKind::Reject | MoveKind::Withdraw => {}
        }
        Some(made)
    }

    /// Any move of a hostile party's own, whatever the state; in NONE, of a negotiation that is not.
    pub(super) fn out_of_turn(&mut self, who: usize, step: &Step) -> Flow<bool> {
        let kind = KINDS[usize::from(step.how) % KINDS.len()];
        let Some(talk) = self.own_talk(who, step.which)? else { return Ok(false) };
        let Some(mut made) = self.any_move(who, &talk, kind, step.who) else { return Ok(false) };
        if step.who & 7 == 7 {
            made.negotiation_id = NegotiationId::new(self.now, &mut self.rng);
            made.transcript = empty_transcript(&made.domain, made.negotiation_id);
            (made.seq, made.round) = (1, 1);
        }
        self.make_move(who, made, false);
        Ok(true)
    }

    pub(super) fn bad_move(&mut self, cheat: Cheat, step: &Step) -> Flow<bool> {
        let mallory = seat("mallory");
        if cheat == Cheat::OutOfTurn {
            return self.out_of_turn(mallory, step);
        }
        let Some(talk) = self.own_talk(mallory, step.which)? else { return Ok(false) };
        let kind = if talk.offer.is_some() { MoveKind::Decline } else { MoveKind::Withdraw };
        let Some(mut made) = self.any_move(mallory, &talk, kind, step.how) else { return Ok(false) };
        match (cheat, step.how % 4) {
            (Cheat::Misplaces, 0) => made.seq += 1,
            (Cheat::Misplaces, 1) => made.round += 1,
            (Cheat::Misplaces, _) => made.transcript = empty_transcript(&made.domain, made.negotiation_id),
            (Cheat::Misaddresses, 0) => made.deadline = self.now,
            (Cheat::Misaddresses, 1) => made.audience = principal("root"),
            (Cheat::Misaddresses, 2) => made.domain = "other.example".parse().unwrap(),
            (Cheat::Misaddresses, _) => made.extensions = critical(),
            _ => {}
        }
        let key = self.parties[mallory].agent.key.clone();
        let mut signed = made.sign(&key);
        if cheat == Cheat::Garbles {
            match step.how % 4 {
                0 => signed = made.sign(&self.parties[seat("dealer")].agent.key),
                1 => drop(signed.payload.pop()),
                2 => signed.payload_type = "application/vnd.countersign.receipt.v1".into(),
                _ => signed.add_signature(&key),
            }
        }
        self.attack(mallory, Request::Move(signed));
        Ok(true)
    }

    /// The moves of an instance that are in the ledger.
    fn said_by(&self, who: usize) -> Vec<Signed> {
        let me = &self.parties[who].agent.id;
        let said = self.witness.entries.iter().filter_map(|entry| match &entry.event {
            Event::Moved(moved) => Some(&moved.signed_move),
            _ => None,
        });
        said.filter(|it| it.peek_unverified::<Move>().is_ok_and(|made| made.sender == *me)).cloned().collect()
    }

    /// Something that was said, said again; or something else in its place.
    pub(super) fn second_word(&mut self, cheat: Cheat, step: &Step) -> Flow<bool> {
        let mallory = seat("mallory");
        let Some(signed) = pick(step.which, &self.said_by(mallory)) else { return Ok(false) };
        let Ok(mut made) = signed.peek_unverified::<Move>() else { return Ok(false) };
        if cheat == Cheat::RepeatsMove {
            self.attack(mallory, Request::Move(signed));
            return Ok(true);
        }
        made.request_id = RequestId::new(self.now, &mut self.rng);
        made.deadline = self.now.plus(Lifetime::from_millis(60_000));
        self.make_move(mallory, made, false);
        Ok(true)
    }

    /// It moves where it is no party, or submits what another one signed.
    pub(super) fn intrusion(&mut self, cheat: Cheat, step: &Step) -> Flow<bool> {
        let mallory = seat("mallory");
        let mine = self.talks_of(mallory);
        let others = self.witness.model.talks.keys().filter(|id| !mine.contains(id)).copied();
        let Some(id) = pick(step.which, &others.collect::<Vec<_>>()) else { return Ok(false) };
        let Some(told) = self.read_account(id) else { return Ok(false) };
        if cheat == Cheat::OthersMove {
            let Some((_, signed)) = told.moves.last() else { return Ok(false) };
            self.attack(mallory, Request::Move(signed.clone()));
            return Ok(true);
        }
        let Ok(talk) = Conversation::follow(None, &told, |instance| self.read_party(instance)) else {
            return Ok(false);
        };
        let kind = KINDS[usize::from(step.how) % KINDS.len()];
        let Some(mut made) = self.any_move(mallory, &talk, kind, step.who) else { return Ok(false) };
        made.seq = 1;
        if step.who & 1 == 1 {
            made.audience = talk.delegatee.instance.principal().clone();
        }
        self.make_move(mallory, made, false);
        Ok(true)
    }

    /// A negotiation under a taken id or one of another time, or one without end.
    pub(super) fn bad_opening(&mut self, cheat: Cheat, step: &Step) -> bool {
        let mallory = seat("mallory");
        let mut made = self.opening(mallory, "planner", step.how);
        let mut request = made.request.clone();
        let (now, millis) = (self.now, Lifetime::from_millis);
        match (cheat, step.how % 4) {
            (Cheat::TakesId, 0 | 1) => {
                let taken: Vec<_> = self.witness.model.talks.keys().copied().collect();
                let Some(id) = pick(step.which, &taken) else { return false };
                made.negotiation_id = id;
            }
            (Cheat::TakesId, 2) => {
                made.negotiation_id = NegotiationId::new(now.plus(millis(31_001)), &mut self.rng)
            }
            (Cheat::TakesId, _) => {
                let then = Timestamp::new(now.as_millis() - 31_001).unwrap();
                made.negotiation_id = NegotiationId::new(then, &mut self.rng);
            }
            (_, 0) => request.iter_mut().for_each(|it| it.deadline = now.plus(millis(7_200_000))),
            (_, 1) => request.iter_mut().for_each(|it| it.max_rounds = 11),
            (_, 2) => request.iter_mut().for_each(|it| it.max_rounds = 0),
            _ => request.iter_mut().for_each(|it| it.deadline = now),
        }
        made.request = request;
        made.transcript = empty_transcript(&made.domain, made.negotiation_id);
        self.make_move(mallory, made, false);
        true
    }

    /// More negotiations than anyone may have open.
    pub(super) fn flood(&mut self, step: &Step) -> bool {
        // It costs as much as a hundred other steps, so few seeds have it.
        if step.how >= 8 {
            return false;
        }
        for _ in 0..66 {
            let made = self.opening(seat("mallory"), "planner", 0);
            self.make_move(seat("mallory"), made, false);
        }
        true
    }

    /// It accepts something else than is on offer, or twice.
    pub(super) fn bad_acceptance(&mut self, cheat: Cheat, step: &Step) -> Flow<bool> {
        let mallory = seat("mallory");
        let me = self.parties[mallory].agent.id.clone();
        let offered =
            self.witness.model.talks.iter().filter(|(_, it)| it.delegatee == me && it.state == "OFFERED");
        let Some(id) = pick(step.which, &offered.map(|(id, _)| *id).collect::<Vec<_>>()) else {
            return Ok(false);
        };
        let Some(talk) = self.conversation(mallory, id, false)? else { return Ok(false) };
        let Some(made) = self.reply_to_offer(mallory, &talk, MoveKind::Accept, 0) else { return Ok(false) };
        let mut other = made.clone();
        let accept = other.accept.as_mut();
        if cheat == Cheat::AcceptsTwice {
            let kind = if step.how & 1 == 0 { MoveKind::Accept } else { MoveKind::Decline };
            let Some(second) = self.reply_to_offer(mallory, &talk, kind, 0) else { return Ok(false) };
            self.make_move(mallory, made, false);
            self.make_move(mallory, second, false);
            return Ok(true);
        }
        if let Some(accept) = accept {
            match step.how % 4 {
                0 => accept.contract = countersign_protocol::contract::hash_of(&made.to_bytes()),
                1 => accept.seen.root = EMPTY_ROOT,
                2 => accept.seen.size = accept.seen.size.plus(1_000).unwrap_or(accept.seen.size),
                _ => {
                    accept.contract_signature =
                        talk.offer.as_ref().map_or(accept.contract_signature, |it| it.hop)
                }
            }
        }
        self.make_move(mallory, other, false);
        Ok(true)
    }
}

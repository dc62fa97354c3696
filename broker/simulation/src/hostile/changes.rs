//! Changes of what is others', or as somebody else.

use countersign_protocol::{
    contract::{ChangeKind, ChangeRequest, Side},
    digest::ChainId,
    signed::Statement,
    time::Timestamp,
};

use super::{Cheat, pick};
use crate::{
    model::Status,
    network::Request,
    party::{critical, seat},
    plan::Step,
    world::World,
};

impl World {
    /// A change by nobody who may make it, or one that is wrong in itself.
    pub(super) fn bad_change(&mut self, cheat: Cheat, step: &Step) -> bool {
        let who = if step.who & 1 == 0 { seat("mallory") } else { seat("dealer") };
        let model = &self.witness.model;
        let links: Vec<ChainId> = model.links.keys().copied().collect();
        let held: Vec<ChainId> =
            links.iter().filter(|id| !model.links[id].held_up_by.is_empty()).copied().collect();
        let (side, kind) = match step.how % 6 {
            0 => (Side::Grantor, ChangeKind::Resume),
            1 => (Side::Admin, ChangeKind::Resume),
            2 => (Side::Holder, ChangeKind::Retire),
            3 => (Side::Holder, ChangeKind::Breach),
            4 => (Side::Admin, ChangeKind::Suspend),
            _ => (Side::Grantor, ChangeKind::Suspend),
        };
        let ended = self.ended_alike(step.what >> 3);
        let model = &self.witness.model;
        let lost: Vec<ChainId> =
            links.iter().filter(|id| model.links[id].status == Status::Rebound).copied().collect();
        let retires_lost = !lost.is_empty() && (step.who & 6 == 4 || kind == ChangeKind::Retire);
        let (side, kind) = if retires_lost { (Side::Holder, ChangeKind::Retire) } else { (side, kind) };
        let among = match step.who & 6 {
            // What a process holds no more, as if it did.
            _ if retires_lost => &lost,
            6 if !ended.is_empty() => &ended,
            _ if kind == ChangeKind::Resume && !held.is_empty() => &held,
            _ => &links,
        };
        let nowhere = ChainId::from_bytes([step.which; 32]);
        let chain = if step.who & 14 == 14 { Some(nowhere) } else { pick(step.which, among) };
        let Some(chain) = chain else { return false };
        let mut request = self.change(who, chain, side, kind);
        if cheat == Cheat::MisusesChange && !self.misuse_change(&mut request, step) {
            return false;
        }
        let signed = request.sign(&self.parties[who].agent.key);
        self.attack(who, Request::Change(signed));
        true
    }

    fn misuse_change(&mut self, request: &mut ChangeRequest, step: &Step) -> bool {
        match step.how % 7 {
            0 => request.sender = self.parties[seat("alice")].agent.id.clone(),
            1 => request.issued = Timestamp::new(self.now.as_millis() - 60_000).unwrap(),
            2 => request.domain = "other.example".parse().unwrap(),
            3 => request.extensions = critical(),
            4 => {
                // A breach that a use of others shows, or nobody's.
                let uses: Vec<_> = self.witness.model.uses.keys().copied().collect();
                let Some(id) = pick(step.which, &uses) else { return false };
                (request.kind, request.side) = (ChangeKind::Breach, Side::Holder);
                (request.invocation, request.evidence) = (Some(id), None);
            }
            _ => {
                let used: Vec<_> = self.witness.model.revocations.keys().copied().collect();
                let Some(id) = pick(step.which, &used) else { return false };
                request.request_id = id;
            }
        }
        true
    }
}

//! Which cells of the tables were met.

use countersign_protocol::{
    contract::{ChangeKind, ChangeRequest, ContractBody, RebindRequest},
    domain::{EndCause, Event},
    id::NegotiationId,
    negotiation::Move,
    payload::Payload,
    revocation::RevokeRequest,
    signed::Signed,
    time::Timestamp,
};

use super::Witness;
use crate::{
    model::{Link, Talk, input},
    tally::Tally,
};

const NEGOTIATION: &str = "negotiation cell";
const CONTRACT: &str = "contract cell";

fn cell(tally: &mut Tally, group: &'static str, state: &str, input: &str) {
    tally.count(group, &format!("{state} {input}"));
}

impl Witness {
    /// A move is put to the broker, whatever becomes of it.
    pub fn presented(&self, signed: &Signed, tally: &mut Tally) {
        let Ok(made) = signed.peek_unverified::<Move>() else { return };
        match self.model.talks.get(&made.negotiation_id) {
            None => {
                // Nobody has a role yet: each kind of move is whose it would be.
                let asks = input(made.kind, true);
                cell(tally, NEGOTIATION, "NONE", &asks);
                cell(tally, NEGOTIATION, "NONE", &input(made.kind, false));
            }
            Some(talk) => {
                cell(tally, NEGOTIATION, &talk.state, &talk.input(&made));
                if talk.is_over() && talk.said_otherwise(&made, signed) {
                    cell(tally, NEGOTIATION, &talk.state, "broker.equivocation");
                }
            }
        }
        let offered = made.offer.and_then(|offer| ContractBody::from_bytes(&offer.contract).ok());
        if let Some(replaced) = offered.as_ref().and_then(|body| body.replaces) {
            let named = |link: &&Link| link.contract.is_some_and(|(id, _)| id == replaced);
            let state = self.model.links.values().find(named).map_or("NONE", |link| link.status.name());
            cell(tally, CONTRACT, state, "broker.supersede");
        }
        let known = offered.and_then(|body| {
            self.model.links.values().find(|link| link.contract.is_some_and(|(id, _)| id == body.contract_id))
        });
        known.into_iter().for_each(|link| cell(tally, CONTRACT, link.status.name(), "broker.finalize"));
    }

    /// A revocation is put to the broker.
    pub fn asked_to_revoke(&self, signed: &Signed, tally: &mut Tally) {
        let Ok(request) = signed.peek_unverified::<RevokeRequest>() else { return };
        if let Some(chain) = request.chain {
            let state = self.model.links.get(&chain).map_or("NONE", |link| link.status.name());
            cell(tally, CONTRACT, state, "party.revoke");
        }
    }

    /// A change is put to the broker.
    pub fn asked_to_change(&self, signed: &Signed, tally: &mut Tally) {
        let Ok(request) = signed.peek_unverified::<ChangeRequest>() else { return };
        let link = self.model.links.get(&request.chain);
        let (state, held_up) =
            link.map_or(("NONE", false), |it| (it.status.name(), !it.held_up_by.is_empty()));
        match (link, request.kind) {
            // Where nobody's suspension stands, it is the last one or not.
            (_, ChangeKind::Resume) if !held_up => {
                ["party.lift", "party.resume"].iter().for_each(|input| cell(tally, CONTRACT, state, input));
            }
            (Some(link), _) => cell(tally, CONTRACT, state, link.input(&request)),
            (None, kind) => cell(tally, CONTRACT, state, plain_input(kind)),
        }
    }

    /// A rebind is put to the broker.
    pub fn asked_to_rebind(&self, signed: &Signed, tally: &mut Tally) {
        let Ok(request) = signed.peek_unverified::<RebindRequest>() else { return };
        let state = self.model.links.get(&request.chain).map_or("NONE", |link| link.status.name());
        cell(tally, CONTRACT, state, "party.rebind");
    }

    /// An event is about to happen.
    pub(super) fn count_cells(&self, event: &Event, tally: &mut Tally) {
        match event {
            Event::NegotiationEnded(event) => {
                let input = match event.cause {
                    EndCause::Deadline => "broker.deadline",
                    EndCause::Equivocation => "broker.equivocation",
                    EndCause::Awarded => "broker.award",
                };
                let state = self.state_of(event.negotiation_id);
                cell(tally, NEGOTIATION, &state, input);
            }
            Event::ContractFinalized(event) => {
                cell(tally, CONTRACT, "NONE", "broker.finalize");
                let talks = &self.model.talks;
                let award =
                    talks.get(&event.negotiation_id).and_then(|it| it.award.map(|id| (id, &it.delegatee)));
                let under = |talk: &&Talk| award == talk.award.map(|id| (id, &talk.delegatee));
                let over = talks.values().filter(|talk| award.is_some() && talk.state == "TERMINATED");
                // What had ended already keeps its end.
                over.filter(under).for_each(|talk| cell(tally, NEGOTIATION, &talk.state, "broker.award"));
            }
            Event::ChainClosed(event) => {
                let fulfilled = event.state == countersign_protocol::contract::State::Fulfilled;
                let state = self.model.links.get(&event.chain_id).map_or("NONE", |link| link.status.name());
                cell(tally, CONTRACT, state, if fulfilled { "broker.exhaust" } else { "broker.expire" });
            }
            Event::InvocationEnded(event) => {
                let Some(known) = self.model.uses.get(&event.invocation_id) else { return };
                let Some(link) = self.model.links.get(&known.chain) else { return };
                let spent = self.model.account(known.chain).settled + event.settled.get();
                if link.status.has_ended() && spent == link.ceiling {
                    cell(tally, CONTRACT, link.status.name(), "broker.exhaust");
                }
            }
            _ => {}
        }
    }

    fn state_of(&self, id: NegotiationId) -> String {
        self.model.talks.get(&id).map_or_else(|| "NONE".into(), |talk| talk.state.clone())
    }

    /// The broker has looked at what is due: what had ended already stayed as it was.
    pub fn ticked(&self, now: Timestamp, tally: &mut Tally) {
        for talk in self.model.talks.values().filter(|talk| talk.is_over() && talk.deadline <= now) {
            cell(tally, NEGOTIATION, &talk.state, "broker.deadline");
        }
        for link in self.model.links.values().filter(|it| it.status.has_ended() && it.rights.not_after <= now)
        {
            cell(tally, CONTRACT, link.status.name(), "broker.expire");
        }
    }
}

/// The input of a change other than a resumption.
fn plain_input(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Suspend => "party.suspend",
        ChangeKind::Resume => "party.resume",
        ChangeKind::Retire => "party.retire",
        ChangeKind::Breach => "party.breach",
    }
}

impl Talk {
    /// Whether that sender said something else in that place.
    fn said_otherwise(&self, made: &Move, signed: &Signed) -> bool {
        self.said.iter().any(|it| it.stands_where(made) && !it.is(signed))
    }
}

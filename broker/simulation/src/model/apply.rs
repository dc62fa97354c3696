//! What happens when it happens.

use std::collections::BTreeSet;

use countersign_protocol::{
    contract::{self, Acceptance, ContractBody, Rebind},
    digest::ChainId,
    domain::{EndCause, Entry, Event, Intent, InvocationOutcome},
    grant::GrantRequest,
    id::{InvocationId, NegotiationId},
    identity::InstanceStatement,
    ledger::{LeafIndex, leaf_hash},
    name::InstanceId,
    negotiation::{Move, MoveKind, extend_transcript},
    payload::Payload,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    time::Timestamp,
    token::Proof,
};

use super::{
    Asked, Invitation, Link, Member, Model, Offer, Said, Standing, Status, Talk, Use,
    table::{Cell, NEGOTIATION},
    verdict::after,
};

/// How long results are remembered, in milliseconds.
const RETENTION_MS: u64 = 600_000;
/// From when on a revocation request is stale, in milliseconds.
const STALE_MS: u64 = 30_001;

fn peek<T: Statement>(signed: &Signed) -> T {
    signed.peek_unverified().unwrap()
}

impl Model {
    /// Lets an event happen that may.
    pub fn apply(&mut self, entry: &Entry, leaf: LeafIndex) {
        self.frontier.push(leaf_hash(&entry.to_bytes()));
        self.roots.push(self.frontier.root());
        let now = entry.time;
        self.now = Some(now);
        self.forget(now);
        (self.accepted, self.exhausted) = (None, None);
        match &entry.event {
            Event::KeysPublished(_) | Event::KeysRotated(_) | Event::Denied(_) => {}
            Event::JoinTokenIssued(event) => {
                let (principal, expires) = (event.principal.clone(), event.expires);
                self.tokens.insert(event.secret, Invitation { principal, expires, used_by: None });
            }
            Event::InstanceAdmitted(event) => {
                let token = self.tokens.get_mut(&event.statement.evidence);
                token.into_iter().for_each(|token| token.used_by = Some(event.join.digest()));
                self.admit_as(&event.statement, &event.join, leaf);
            }
            Event::InstanceRenewed(event) => {
                let known = self.members.get(&event.statement.instance);
                let admitted = known.map_or(leaf, |member| member.admitted.0);
                self.admit_as(&event.statement, &event.renewal, admitted);
            }
            Event::InstanceForked(event) => self.stop(&event.instance, Standing::Forked),
            Event::GrantIssued(event) => {
                let link = grant(&peek(&event.request), &event.request, leaf);
                self.links.insert(event.chain_id, link);
            }
            Event::Moved(event) => self.said(&event.signed_move, now),
            Event::ContractFinalized(event) => {
                let body: ContractBody = peek(&event.contract);
                if let Some(old) = body.replaces.and_then(|contract| self.chain_of(contract)) {
                    self.end_as(old, Status::Superseded);
                }
                self.talks.entry(event.negotiation_id).and_modify(|talk| talk.offer = None);
                self.awarded = self.others_under_award(event.negotiation_id);
                self.links.insert(event.chain_id, agreed(body, &event.contract, leaf));
            }
            Event::NegotiationEnded(event) => {
                self.awarded.remove(&event.negotiation_id);
                let equivocated = event.cause == EndCause::Equivocation;
                let input = match event.cause {
                    EndCause::Equivocation => "broker.equivocation",
                    EndCause::Deadline => "broker.deadline",
                    EndCause::Awarded => "broker.award",
                };
                if let Some(talk) = self.talks.get_mut(&event.negotiation_id) {
                    talk.equivocated = equivocated;
                    talk.step(input);
                    talk.forget_later(event.negotiation_id.time(), now);
                }
            }
            Event::ChainClosed(event) => {
                let status = match event.state {
                    contract::State::Fulfilled => Status::Fulfilled,
                    _ => Status::Expired,
                };
                self.links.entry(event.chain_id).and_modify(|link| link.end(status));
            }
            Event::Revoked(event) => self.revoke(&event.request),
            Event::Changed(event) => self.change(&event.request),
            Event::RebindAsked(event) => self.want(&event.request),
            Event::ChainRebound(event) => self.take_over(event, leaf),
            Event::Intent(event) => self.begin(event, now),
            Event::InvocationEnded(event) => {
                self.end(event.invocation_id, event.outcome, event.settled.get(), now);
            }
            Event::SessionOpened(_)
            | Event::SessionAnswered(_)
            | Event::SessionIntent(_)
            | Event::SessionPassed(_)
            | Event::SessionResulted(_)
            | Event::SessionSigned(_)
            | Event::SessionEnded(_) => self.sit(&entry.event, now),
        }
    }

    fn admit_as(&mut self, statement: &InstanceStatement, request: &Signed, admitted: LeafIndex) {
        let member = Member {
            key: statement.key,
            spki: statement.spki,
            configuration: statement.configuration,
            generation: statement.generation,
            expires: statement.expires,
            standing: Standing::Live,
            admitted: (admitted, statement.evidence),
            request: request.digest(),
        };
        self.members.insert(statement.instance.clone(), member);
    }

    fn stop(&mut self, instance: &InstanceId, standing: Standing) {
        let ending = self.ending_with(instance);
        self.epoch += 1;
        self.members.entry(instance.clone()).and_modify(|member| member.standing = standing);
        self.revoke_all(ending);
    }

    fn revoke(&mut self, signed: &Signed) {
        let request: RevokeRequest = peek(signed);
        let stale = after(request.issued, STALE_MS);
        self.revocations.insert(request.request_id, (signed.digest(), stale));
        match (&request.chain, &request.instance) {
            (Some(chain), _) => {
                self.epoch += 1;
                self.revoke_all(self.living_beneath(*chain));
            }
            (None, Some(instance)) => self.stop(instance, Standing::Revoked),
            (None, None) => {}
        }
    }

    pub(super) fn revoke_all(&mut self, chains: BTreeSet<ChainId>) {
        for chain in chains {
            self.links.entry(chain).and_modify(|link| link.end(Status::Revoked));
        }
    }

    fn said(&mut self, signed: &Signed, now: Timestamp) {
        let made: Move = peek(signed);
        if let Some(request) = &made.request {
            let talk = Talk {
                state: "NONE".into(),
                delegatee: made.sender.clone(),
                delegator: made.audience.clone(),
                answering: None,
                round: 1,
                max_rounds: request.max_rounds,
                deadline: request.deadline,
                purpose: request.purpose,
                award: request.award,
                transcript: made.transcript,
                said: Vec::new(),
                offer: None,
                equivocated: false,
                forget: None,
            };
            self.talks.insert(made.negotiation_id, talk);
        }
        let Some(talk) = self.talks.get_mut(&made.negotiation_id) else { return };
        talk.hear(&made, signed);
        talk.forget_later(made.negotiation_id.time(), now);
        if made.kind == MoveKind::Accept {
            self.accepted = Some(made.negotiation_id);
        }
    }

    fn others_under_award(&self, accepted: NegotiationId) -> BTreeSet<NegotiationId> {
        let Some(talk) = self.talks.get(&accepted) else { return BTreeSet::new() };
        let asked = talk.award.into_iter().flat_map(|award| self.asked_for(&talk.delegatee, award));
        asked.filter(|(id, other)| **id != accepted && !other.is_over()).map(|(id, _)| *id).collect()
    }

    fn begin(&mut self, intent: &Intent, now: Timestamp) {
        let proof: Proof = peek(&intent.proof);
        self.nonces.insert((proof.caller.clone(), proof.nonce), proof.expires);
        let begun = Use {
            asked: Asked::of(&proof),
            caller: proof.caller,
            callee: intent.callee.clone(),
            chain: proof.chain_id,
            reserved: intent.reserved.get(),
            at: now,
            end: None,
            forget: None,
        };
        self.uses.insert(intent.invocation_id, begun);
    }

    pub(super) fn end(&mut self, id: InvocationId, outcome: InvocationOutcome, settled: u64, now: Timestamp) {
        let Some(ended) = self.uses.get_mut(&id) else { return };
        ended.end = Some((outcome, settled));
        ended.forget = id.time().map(|made| after(made.max(now), RETENTION_MS));
        let chain = ended.chain;
        let Some(link) = self.links.get(&chain) else { return };
        let used_up = self.account(chain).settled == link.ceiling;
        self.exhausted = (used_up && !link.status.has_ended()).then_some(chain);
    }

    fn forget(&mut self, now: Timestamp) {
        self.tokens.retain(|_, token| now < token.expires);
        self.nonces.retain(|_, until| now < *until);
        self.revocations.retain(|_, (_, until)| now < *until);
        self.talks.retain(|_, talk| talk.forget.is_none_or(|until| now < until));
    }
}

impl Talk {
    fn hear(&mut self, made: &Move, signed: &Signed) {
        if made.kind == MoveKind::Offer {
            self.answering = Some(made.sender.clone());
        }
        self.offer = match &made.offer {
            Some(offer) => ContractBody::from_bytes(&offer.contract).ok().map(|body| Offer {
                hash: body.hash(),
                contract: body.contract_id,
                parent: body.parent,
                rights: body.rights,
                grantor: body.grantor.instance,
                replaces: body.replaces,
                expires: offer.expires,
            }),
            None if made.kind == MoveKind::Accept => self.offer.take(),
            None => None,
        };
        let (by, seq, after, digest) = (made.sender.clone(), made.seq, self.transcript, signed.digest());
        self.said.push(Said { by, seq, after, digest });
        self.transcript = extend_transcript(self.transcript, signed);
        let input = self.input(made);
        self.step(&input);
    }

    fn step(&mut self, input: &str) {
        if let Some(Cell::To(state, round)) = NEGOTIATION.cell(&self.state, input) {
            self.state.clone_from(state);
            self.round += u32::from(*round);
        }
    }

    fn forget_later(&mut self, made: Option<Timestamp>, now: Timestamp) {
        if self.is_over() {
            self.forget = made.map(|made| after(made.max(now), RETENTION_MS));
        }
    }
}

fn grant(request: &GrantRequest, signed: &Signed, leaf: LeafIndex) -> Link {
    Link {
        parent: None,
        grantor: request.originator.clone(),
        holder: request.holder.clone(),
        rights: request.rights.clone(),
        originator: request.originator.principal().clone(),
        grant_id: request.grant_id,
        contract: None,
        status: Status::Active,
        sessions: true,
        held_up_by: BTreeSet::new(),
        depth: 0,
        leaf,
        ceiling: request.rights.budget.ceiling.get(),
        rebind: Rebind::Never,
        hop: None,
        before: None,
        wanted: None,
        asked: signed.digest(),
    }
}

fn agreed(body: ContractBody, signed: &Signed, leaf: LeafIndex) -> Link {
    let ceiling = body.rights.budget.ceiling.get();
    Link {
        parent: Some(body.parent),
        contract: Some((body.contract_id, body.hash())),
        sessions: body.acceptance == Acceptance::SessionResult,
        grantor: body.grantor.instance,
        holder: body.grantee.instance,
        rights: body.rights,
        originator: body.originator,
        grant_id: body.grant_id,
        status: Status::Active,
        held_up_by: BTreeSet::new(),
        depth: body.depth,
        leaf,
        ceiling,
        rebind: body.rebind,
        hop: None,
        before: None,
        wanted: None,
        asked: signed.digest(),
    }
}

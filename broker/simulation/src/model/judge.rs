//! What may happen.

use countersign_forge::{domain, principal};
use countersign_protocol::{
    contract,
    digest::ChainId,
    domain::{
        Actor, Attested, ContractFinalized, EndCause, Event, EventKind, Intent, InvocationEnded,
        InvocationOutcome, JoinTokenIssued,
    },
    grant::GrantRequest,
    id::InvocationId,
    identity::{JoinStatement, RenewStatement},
    name::InstanceId,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::{Proof, Via},
};

use super::{Asked, Model, Standing, Status};
use crate::scope;

/// How far clocks may be apart, in milliseconds.
const SKEW_MS: u64 = 30_000;
/// How long results are remembered, in milliseconds.
const RETENTION_MS: u64 = 600_000;
/// How long a join token lives at most, in milliseconds.
const INVITATION_MS: u64 = 86_400_000;
/// How long a proof lives at most, in milliseconds.
const PROOF_MS: u64 = 60_000;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An event of that kind is recorded.
    Happens(EventKind),
    /// It happened before, and is answered as it was then.
    Known,
    /// It is refused.
    Refused(&'static str),
}

use Verdict::{Happens, Known, Refused};

/// A refusal, or nothing to say against it.
type Check = Result<(), Verdict>;

pub(super) fn must(holds: bool, why: &'static str) -> Check {
    if holds { Ok(()) } else { Err(Refused(why)) }
}

pub(super) fn outcome(judged: Result<Verdict, Verdict>) -> Verdict {
    judged.unwrap_or_else(|verdict| verdict)
}

fn peek<T: Statement>(signed: &Signed) -> Result<T, Verdict> {
    signed.peek_unverified().map_err(|_| Refused("it cannot be read"))
}

pub(super) fn after(at: Timestamp, millis: u64) -> Timestamp {
    at.plus(Lifetime::from_millis(millis))
}

fn is_fresh(issued: Timestamp, now: Timestamp) -> bool {
    issued <= after(now, SKEW_MS) && now <= after(issued, SKEW_MS)
}

impl Model {
    /// Whether an event may happen now.
    pub fn judge(&self, event: &Event, now: Timestamp) -> Result<(), String> {
        if self.now.is_some_and(|last| now < last) {
            return Err("time went back".into());
        }
        if let Some(id) = self.accepted {
            let follows = matches!(event, Event::ContractFinalized(it) if it.negotiation_id == id);
            return if follows {
                self.judge_contract(event)
            } else {
                Err("an accept without its contract".into())
            };
        }
        if let Some(chain) = self.exhausted {
            let follows = matches!(event, Event::ChainClosed(it) if it.chain_id == chain && it.state == contract::State::Fulfilled);
            return if follows {
                Ok(())
            } else {
                Err("a used up budget without the end of its chain".into())
            };
        }
        let verdict = match event {
            Event::KeysPublished(_) => {
                outcome(must(self.now.is_none(), "a second set of keys").map(|()| Happens(event.kind())))
            }
            Event::JoinTokenIssued(event) => outcome(self.judge_invitation(event, now)),
            Event::InstanceAdmitted(event) => {
                let record = &event.statement;
                let attested = Attested {
                    attestor: record.attestor.clone(),
                    evidence: record.evidence,
                    spki: record.spki,
                };
                self.judge_join(&event.join, &attested, now)
            }
            Event::InstanceRenewed(event) => self
                .judge_own(&event.statement.instance, |actor| self.judge_renewal(&event.renewal, actor, now)),
            Event::InstanceForked(event) => {
                self.judge_own(&event.instance, |actor| self.judge_renewal(&event.renewal, actor, now))
            }
            Event::GrantIssued(event) => match peek::<GrantRequest>(&event.request) {
                Ok(request) => {
                    self.judge_own(&request.originator, |actor| self.judge_grant(&event.request, actor, now))
                }
                Err(refused) => refused,
            },
            Event::Moved(event) => self.judge_sent(&event.signed_move, now),
            Event::NegotiationEnded(ended) => match (&ended.cause, &ended.evidence) {
                (EndCause::Equivocation, Some(evidence)) => self.judge_sent(evidence, now),
                (EndCause::Equivocation, None) => Refused("equivocation without evidence"),
                (EndCause::Deadline, _) => {
                    let due = self
                        .talks
                        .get(&ended.negotiation_id)
                        .is_some_and(|talk| !talk.is_over() && talk.deadline <= now);
                    outcome(must(due, "its deadline has not passed").map(|()| Happens(event.kind())))
                }
            },
            Event::ContractFinalized(_) => Refused("a contract without its accept"),
            Event::ChainClosed(closed) => {
                let link = self.links.get(&closed.chain_id);
                let due = closed.state == contract::State::Expired
                    && link.is_some_and(|it| it.status == Status::Active && it.rights.not_after <= now);
                outcome(must(due, "its time is not over").map(|()| Happens(event.kind())))
            }
            Event::Revoked(event) => match peek::<RevokeRequest>(&event.request) {
                Ok(request) => {
                    self.judge_own(&request.sender, |actor| self.judge_revocation(&event.request, actor, now))
                }
                Err(refused) => refused,
            },
            Event::Intent(event) => outcome(self.judge_intent(event, now)),
            Event::InvocationEnded(event) => outcome(self.judge_end(event)),
            Event::Denied(denied) => outcome(
                must(self.members.contains_key(&denied.caller), "a stranger's denial")
                    .map(|()| Happens(event.kind())),
            ),
        };
        match verdict {
            Happens(kind) if kind == event.kind() => Ok(()),
            Happens(kind) => Err(format!("{} was to happen", kind.name())),
            Known => Err("it happened before".into()),
            Refused(why) => Err(why.into()),
        }
    }

    /// Judges what an instance sends over its own channel.
    fn judge_own(&self, instance: &InstanceId, judge: impl FnOnce(&Actor) -> Verdict) -> Verdict {
        match self.members.get(instance) {
            Some(member) => judge(&Actor { instance: instance.clone(), spki: member.spki }),
            None => Refused("nobody of that name"),
        }
    }

    fn judge_sent(&self, signed: &Signed, now: Timestamp) -> Verdict {
        match peek::<countersign_protocol::negotiation::Move>(signed) {
            Ok(made) => self.judge_own(&made.sender, |actor| self.judge_move(signed, actor, now)),
            Err(refused) => refused,
        }
    }

    /// Whether that channel is a live instance's.
    pub(super) fn admit(&self, actor: &Actor, now: Timestamp) -> Check {
        must(self.now.is_none_or(|last| last <= now), "the clock is behind the ledger")?;
        let member = self.members.get(&actor.instance).ok_or(Refused("nobody of that name"))?;
        must(member.standing == Standing::Live, "it was revoked or locked")?;
        must(member.spki == actor.spki, "another channel")
    }

    fn judge_invitation(&self, event: &JoinTokenIssued, now: Timestamp) -> Result<Verdict, Verdict> {
        let by_admin = event.issued_by.as_ref().is_none_or(|by| {
            *by.principal() == principal("root")
                && self.members.get(by).is_some_and(|it| it.standing == Standing::Live)
        });
        must(by_admin, "not by an admin")?;
        must(now < event.expires && event.expires <= after(now, INVITATION_MS), "it lives too long")?;
        must(!self.tokens.contains_key(&event.secret), "the secret is known")?;
        Ok(Happens(EventKind::JoinTokenIssued))
    }

    /// Judges a join.
    pub fn judge_join(&self, join: &Signed, attested: &Attested, now: Timestamp) -> Verdict {
        outcome((|| {
            must(self.now.is_none_or(|last| last <= now), "the clock is behind the ledger")?;
            let statement: JoinStatement = peek(join)?;
            let token = self.tokens.get(&attested.evidence).ok_or(Refused("no such token"))?;
            must(statement.domain == domain() && statement.evidence == attested.evidence, "other evidence")?;
            must(now < token.expires, "the token has expired")?;
            must(token.principal == *statement.instance.principal(), "for someone else")?;
            if let Some(used) = token.used_by {
                return if used == join.digest() { Ok(Known) } else { Err(Refused("the token is used")) };
            }
            must(is_fresh(statement.issued, now), "it is not fresh")?;
            must(!self.members.contains_key(&statement.instance), "the instance exists")?;
            must(statement.spki == attested.spki, "another channel")?;
            Ok(Happens(EventKind::InstanceAdmitted))
        })())
    }

    /// Judges a renewal.
    pub fn judge_renewal(&self, renewal: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let statement: RenewStatement = peek(renewal)?;
            let member = self.members.get(&actor.instance).ok_or(Refused("nobody of that name"))?;
            must(statement.instance == actor.instance && statement.domain == domain(), "of another one")?;
            if member.request == renewal.digest() {
                return Ok(Known);
            }
            must(is_fresh(statement.issued, now), "it is not fresh")?;
            must(statement.spki == member.spki, "another channel")?;
            must(statement.configuration == member.configuration, "another configuration")?;
            must(statement.generation <= member.generation, "a generation to come")?;
            let forks = statement.generation < member.generation;
            Ok(Happens(if forks { EventKind::InstanceForked } else { EventKind::InstanceRenewed }))
        })())
    }

    /// Judges a grant.
    pub fn judge_grant(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let request: GrantRequest = peek(signed)?;
            must(request.originator == actor.instance && request.domain == domain(), "of another one")?;
            if self.grant_exists(request.grant_id) {
                let same = self.links.values().any(|link| link.asked == signed.digest());
                return if same { Ok(Known) } else { Err(Refused("the id is used")) };
            }
            must(is_fresh(request.issued, now), "it is not fresh")?;
            must(self.is_live(&request.holder, now), "its holder is gone")?;
            let rights = &request.rights;
            let rule = scope::widest();
            let bound = countersign_protocol::capability::Rights {
                not_before: rights.not_before,
                not_after: rights.not_after,
                delegations_left: rule.delegations_left + 1,
                ..rule
            };
            let ruled = *request.originator.principal() == principal("alice")
                && ["planner", "dealer"].contains(&request.holder.principal().short());
            let life = rights.not_after.since(now).as_millis();
            must(ruled && now < rights.not_after && life <= scope::GRANT_MS, "no rule allows it")?;
            must(scope::growth(&bound, rights).is_none(), "more than the rule")?;
            Ok(Happens(EventKind::GrantIssued))
        })())
    }

    /// Judges a revocation.
    pub fn judge_revocation(&self, signed: &Signed, actor: &Actor, now: Timestamp) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let request: RevokeRequest = peek(signed)?;
            must(request.sender == actor.instance && request.domain == domain(), "of another one")?;
            if let Some((known, _)) = self.revocations.get(&request.request_id) {
                return if *known == signed.digest() { Ok(Known) } else { Err(Refused("the id is used")) };
            }
            must(is_fresh(request.issued, now), "it is not fresh")?;
            let admin = *actor.instance.principal() == principal("root");
            let ends = match (&request.chain, &request.instance) {
                (Some(chain), _) => {
                    let link = self.links.get(chain).ok_or(Refused("no such chain"))?;
                    let above = self.path(*chain).any(|(_, it)| it.holder == actor.instance);
                    let answers = link.originator == *actor.instance.principal();
                    must(above || answers || admin, "it is not its own")?;
                    self.active_beneath(*chain).len()
                }
                (None, Some(instance)) => {
                    must(self.members.contains_key(instance), "nobody of that name")?;
                    must(admin || *instance == actor.instance, "it is not its own")?;
                    self.ending_with(instance).len()
                }
                (None, None) => return Err(Refused("of nothing")),
            };
            must(ends as u64 == request.chains, "another number ends")?;
            Ok(Happens(EventKind::Revoked))
        })())
    }

    /// What ends with an instance.
    pub fn ending_with(&self, instance: &InstanceId) -> std::collections::BTreeSet<ChainId> {
        let held = self.links.iter().filter(|(_, link)| link.holder == *instance);
        held.flat_map(|(id, _)| self.active_beneath(*id)).collect()
    }

    fn judge_contract(&self, event: &Event) -> Result<(), String> {
        let Event::ContractFinalized(ContractFinalized { negotiation_id, contract, .. }) = event else {
            return Err("no contract".into());
        };
        let offer = self.talks.get(negotiation_id).and_then(|talk| talk.offer.as_ref());
        let offered = offer.is_some_and(|offer| offer.hash == contract::hash_of(&contract.payload));
        if offered { Ok(()) } else { Err("another contract than was on offer".into()) }
    }

    fn judge_intent(&self, intent: &Intent, now: Timestamp) -> Result<Verdict, Verdict> {
        let proof: Proof = peek(&intent.proof)?;
        must(intent.invocation_id == proof.invocation_id, "of another invocation")?;
        let path: Vec<ChainId> = self.path(proof.chain_id).map(|(id, _)| id).collect();
        must(intent.chain.iter().rev().eq(&path), "another chain")?;
        let member = self.members.get(&proof.caller).ok_or(Refused("nobody of that name"))?;
        let actor = Actor { instance: proof.caller.clone(), spki: member.spki };
        let verdict = self.judge_use(&proof, &actor, Some(&intent.callee), now);
        let per_call = self.links.get(&proof.chain_id).map(|link| link.rights.budget.per_call);
        must(per_call == Some(intent.reserved), "another reserve")?;
        Ok(verdict)
    }

    /// Judges a use whose request the proof is for; whether the chain allows it, the caller knows.
    pub fn judge_use(
        &self,
        proof: &Proof,
        actor: &Actor,
        callee: Option<&InstanceId>,
        now: Timestamp,
    ) -> Verdict {
        outcome((|| {
            self.admit(actor, now)?;
            let link = self.links.get(&proof.chain_id).ok_or(Refused("no such chain"))?;
            must(proof.caller == actor.instance && link.holder == actor.instance, "it does not hold it")?;
            must(proof.via == Via::Broker && proof.channel == actor.spki, "another channel")?;
            must(proof.domain == domain() && proof.activation_leaf == link.leaf, "another activation")?;
            must(proof.issued < proof.expires && proof.issued <= after(now, SKEW_MS), "its times")?;
            must(
                proof.expires.since(proof.issued).as_millis() <= PROOF_MS && now < proof.expires,
                "its times",
            )?;
            let valid = |rights: &countersign_protocol::capability::Rights| {
                rights.not_before <= now && now < rights.not_after && rights.audiences.has(&proof.callee)
            };
            must(self.path(proof.chain_id).all(|(_, link)| valid(&link.rights)), "a link is not valid")?;
            must(!self.nonces.contains_key(&(proof.caller.clone(), proof.nonce)), "it was used")?;
            must(self.path(proof.chain_id).all(|(_, it)| it.status != Status::Revoked), "it is revoked")?;
            if let Some(known) = self.remembered(&proof.invocation_id) {
                let same = known.asked == Asked::of(proof)
                    && known.caller == proof.caller
                    && known.chain == proof.chain_id;
                return if same { Ok(Known) } else { Err(Refused("the id stands for something else")) };
            }
            must(self.in_force(proof.chain_id, now), "a link is not in force")?;
            let made = proof.invocation_id.time().ok_or(Refused("an id of no time"))?;
            must(made <= after(now, SKEW_MS) && now < after(made, RETENTION_MS), "an id of another time")?;
            let ready = |it: &InstanceId| *it.principal() == proof.callee && self.is_live(it, now);
            must(callee.is_some_and(ready), "nobody to do it")?;
            let per_call = link.rights.budget.per_call.get();
            must(self.windows_allow(proof.chain_id, per_call, now), "the window is full")?;
            must(per_call <= self.available(proof.chain_id), "the budget is used up")?;
            Ok(Happens(EventKind::Intent))
        })())
    }

    /// An invocation that is not forgotten.
    pub fn remembered(&self, id: &InvocationId) -> Option<&super::Use> {
        self.uses.get(id).filter(|it| self.now.is_none_or(|now| it.forget.is_none_or(|at| now < at)))
    }

    fn judge_end(&self, event: &InvocationEnded) -> Result<Verdict, Verdict> {
        let known = self.uses.get(&event.invocation_id).ok_or(Refused("no such invocation"))?;
        must(known.end.is_none(), "it has ended")?;
        let (settled, receipt) = (event.settled.get(), event.receipt.is_some());
        let fits = match event.outcome {
            InvocationOutcome::Receipted => settled <= known.reserved && receipt,
            InvocationOutcome::Cancelled => settled == 0 && !receipt,
            InvocationOutcome::Unknown => settled == known.reserved && !receipt,
        };
        must(fits, "another cost")?;
        Ok(Happens(EventKind::InvocationEnded))
    }
}

impl Asked {
    pub(super) fn of(proof: &Proof) -> Self {
        Self {
            callee: proof.callee.clone(),
            action: proof.action.to_string(),
            resource: proof.resource.to_string(),
            arguments: proof.arguments,
        }
    }
}

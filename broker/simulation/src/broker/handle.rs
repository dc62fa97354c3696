//! What the broker does with a request.

use countersign_protocol::{
    contract::{ChangeRequest, RebindConsent, RebindRequest},
    domain::{Actor, Attested},
    grant::GrantRequest,
    id::RequestId,
    identity::{JoinStatement, RenewStatement},
    name::InstanceId,
    refusal::{Reason, Refusal},
    revocation::RevokeRequest,
    signed::Signed,
};

use super::{Decided, Held, Then, negotiation_of};
use crate::{
    invariant::Invariant,
    model::Verdict,
    network::{Address, Reply, Request},
    stop::{Flow, Violation},
    world::World,
};

impl World {
    /// Takes a request from the network.
    pub fn handle(&mut self, from: Address, call: u64, request: Request, honest: bool) -> Flow {
        let Some(process) = &self.process else { return Ok(()) };
        let (gate, size) = (self.gate(&from, &request), process.state.tree().size());
        let expected = match &gate {
            Ok(()) => self.expected(&from.actor, &request),
            Err(_) => Verdict::Refused(Invariant::Revocation, "it has no certificate"),
        };
        let decided = match gate {
            Err(refusal) => {
                self.tally.refused(refusal.reason());
                Decided::Refused(refusal, size)
            }
            Ok(()) => self.dispatch(&from, call, request)?,
        };
        self.agree(expected, &decided, honest)?;
        self.flush_unless_slow()
    }

    fn flush_unless_slow(&mut self) -> Flow {
        if self.slow { self.serve() } else { self.flush() }
    }

    /// Whoever is at the other end must be a live instance, at each call.
    fn gate(&self, from: &Address, request: &Request) -> Result<(), Refusal> {
        let Some(process) = &self.process else { return Ok(()) };
        if matches!(request, Request::Join(_)) {
            return Ok(());
        }
        if self.time_of(&process.state) >= from.certified_until {
            return Err(Refusal::new("API-004", Reason::CertificateExpired, ""));
        }
        process.state.admitted(&from.actor).map(drop)
    }

    /// What the model makes of a request.
    fn expected(&self, actor: &Actor, request: &Request) -> Verdict {
        let (model, now) = (&self.witness.model, self.broker_now());
        match request {
            Request::Join(join) => model.judge_join(&join.0, &join.1, now),
            Request::Renew(signed) => model.judge_renewal(signed, actor, now),
            Request::Grant(signed) => model.judge_grant(signed, actor, now),
            Request::Move(signed) => model.judge_move(signed, actor, now),
            Request::Revoke(signed) => model.judge_revocation(signed, actor, now),
            Request::Change(signed) => model.judge_change(signed, actor, now),
            Request::Rebind(signed) => model.judge_rebind(signed, actor, now),
            Request::Consent(signed) => model.judge_consent(signed, actor, now),
            Request::Invoke(invoke) => self.expected_use(actor, invoke),
        }
    }

    /// The core and the model say the same to an honest party; and to no other one says the core yes
    /// where the model says no.
    fn agree(&self, expected: Verdict, decided: &Decided, honest: bool) -> Flow {
        match (expected, decided) {
            (Verdict::Happens(_), Decided::Recorded(_))
            | (Verdict::Known, Decided::Known(_))
            | (Verdict::Refused(..), Decided::Refused(..)) => Ok(()),
            (Verdict::Refused(sentence, why), _) => {
                Violation::stop(sentence, format!("the core does what it must not: {why}"))
            }
            // What is wrong with it may be what the model does not look at, such as a signature.
            (_, Decided::Refused(..)) if !honest => Ok(()),
            (expected, Decided::Refused(refusal, _)) => {
                Violation::stop(Invariant::Liveness, format!("{expected:?}, and the core says {refusal}"))
            }
            (expected, decided) => {
                Violation::stop(Invariant::Model, format!("{expected:?}, and the core says {decided:?}"))
            }
        }
    }

    fn dispatch(&mut self, from: &Address, call: u64, request: Request) -> Flow<Decided> {
        match request {
            Request::Join(join) => {
                let (join, attested): (Signed, Attested) = *join;
                let decided = self.decide(|state, context| state.decide_join(context, &join, &attested))?;
                let claimed = join.peek_unverified().ok().map(|it: JoinStatement| it.instance);
                Ok(self.certify(decided, from, call, claimed))
            }
            Request::Renew(signed) => {
                let actor = from.actor.clone();
                let decided = self.decide(|state, context| state.decide_renew(context, &actor, &signed))?;
                let claimed = signed.peek_unverified().ok().map(|it: RenewStatement| it.instance);
                Ok(self.certify(decided, from, call, claimed))
            }
            Request::Grant(signed) => self.grant(from, call, &signed),
            Request::Move(signed) => self.order(from, call, &signed),
            Request::Revoke(signed) => self.revoke(from, call, &signed),
            Request::Change(signed) => self.change_link(from, call, &signed),
            Request::Rebind(signed) => self.rebind(from, call, &signed),
            Request::Consent(signed) => self.consent(from, call, &signed),
            Request::Invoke(invoke) => self.invoke(from, call, *invoke),
        }
    }

    fn certify(&mut self, decided: Decided, from: &Address, call: u64, who: Option<InstanceId>) -> Decided {
        let record =
            who.and_then(|id| self.process.as_ref()?.state.instance(&id)).map(|it| it.statement.clone());
        let reply = match (&decided, record) {
            (Decided::Refused(refusal, _), _) => Some(Reply::Refused(refusal.clone())),
            (_, Some(record)) => Some(Reply::Certified(Box::new(record))),
            (_, None) => None,
        };
        if let Some(reply) = reply {
            self.tell(&decided, from, call, reply);
        }
        decided
    }

    fn grant(&mut self, from: &Address, call: u64, signed: &Signed) -> Flow<Decided> {
        let actor = from.actor.clone();
        let decided = self.decide(|state, context| state.decide_grant(context, &actor, signed))?;
        let id = signed.peek_unverified().ok().map(|it: GrantRequest| it.grant_id);
        let chain = id.and_then(|id| self.process.as_ref()?.state.grant(&id));
        match (&decided, chain) {
            (Decided::Refused(refusal, _), _) => {
                let reply = Reply::Refused(refusal.clone());
                self.tell(&decided, from, call, reply);
            }
            (_, Some(chain)) => self.tell(&decided, from, call, Reply::Granted(chain)),
            (_, None) => {}
        }
        Ok(decided)
    }

    fn order(&mut self, from: &Address, call: u64, signed: &Signed) -> Flow<Decided> {
        let actor = from.actor.clone();
        self.witness.presented(signed, &mut self.tally);
        let decided = self.decide(|state, context| state.decide_move(context, &actor, signed))?;
        let told = negotiation_of(signed).and_then(|id| self.account(id));
        match (&decided, told) {
            (Decided::Refused(refusal, _), _) => {
                let reply = Reply::Refused(refusal.clone());
                self.tell(&decided, from, call, reply);
            }
            (_, Some(told)) => self.tell(&decided, from, call, Reply::Moved(Box::new(told))),
            (_, None) => {}
        }
        Ok(decided)
    }

    fn revoke(&mut self, from: &Address, call: u64, signed: &Signed) -> Flow<Decided> {
        let actor = from.actor.clone();
        self.witness.asked_to_revoke(signed, &mut self.tally);
        let decided = self.decide(|state, context| state.decide_revoke(context, &actor, signed))?;
        let id = signed.peek_unverified().ok().map(|it: RevokeRequest| it.request_id);
        Ok(self.acknowledge_later(decided, from, call, id))
    }

    fn change_link(&mut self, from: &Address, call: u64, signed: &Signed) -> Flow<Decided> {
        let actor = from.actor.clone();
        self.witness.asked_to_change(signed, &mut self.tally);
        let decided = self.decide(|state, context| state.decide_change(context, &actor, signed))?;
        let id = signed.peek_unverified().ok().map(|it: ChangeRequest| it.request_id);
        Ok(self.acknowledge_later(decided, from, call, id))
    }

    fn rebind(&mut self, from: &Address, call: u64, signed: &Signed) -> Flow<Decided> {
        let actor = from.actor.clone();
        self.witness.asked_to_rebind(signed, &mut self.tally);
        let decided = self.decide(|state, context| state.decide_rebind(context, &actor, signed))?;
        let id = signed.peek_unverified().ok().map(|it: RebindRequest| it.request_id);
        Ok(self.acknowledge_later(decided, from, call, id))
    }

    fn consent(&mut self, from: &Address, call: u64, signed: &Signed) -> Flow<Decided> {
        let actor = from.actor.clone();
        let decided = self.decide(|state, context| state.decide_rebind_consent(context, &actor, signed))?;
        let id = signed.peek_unverified().ok().map(|it: RebindConsent| it.request_id);
        Ok(self.acknowledge_later(decided, from, call, id))
    }

    /// Once it is durable, and nothing that it forbids can be forwarded any more.
    fn acknowledge_later(
        &mut self,
        decided: Decided,
        from: &Address,
        call: u64,
        id: Option<RequestId>,
    ) -> Decided {
        let leaf = id.and_then(|id| self.process.as_ref()?.revocation_leaf(&id));
        match (&decided, leaf) {
            (Decided::Refused(refusal, _), _) => {
                let reply = Reply::Refused(refusal.clone());
                self.tell(&decided, from, call, reply);
            }
            (_, Some(leaf)) => {
                let (size, to) = (decided.size(), from.clone());
                self.hold_back(Held { size, then: Then::Acknowledge { to, call, leaf } });
            }
            (_, None) => {}
        }
        decided
    }
}

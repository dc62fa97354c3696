//! Invocations: decided, forwarded once their INTENT is durable, told once their RESULT is.

use countersign_forge::domain;
use countersign_protocol::{
    digest::Digest,
    domain::{Actor, Begin, Context, End, InvocationOutcome, State},
    id::InvocationId,
    limits::DENIES_PER_MINUTE,
    receipt::{OpenedReceipt, Receipt},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Statement,
    stream::StreamHeads,
    time::Timestamp,
    token::{ActiveToken, Permit, Presentation, Proof, Via},
    trust::KeyPurpose,
};

use super::{Decided, Held, Pending, Point, Report, Stage, Then};
use crate::{
    invariant::Invariant,
    model::Verdict,
    network::{Address, Answer, Done, Invoke, Job, Packet, Reply},
    scope,
    stop::{Flow, Stop},
    stream,
    world::World,
};

/// How long a caller waits, in milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// What the core allows as far as it can without the ledger, and who is to do it.
struct Allowed {
    permit: Permit,
    job: Box<Job>,
    callee: Option<Address>,
}

impl World {
    /// Has a callee do what a caller asks for.
    pub(super) fn invoke(&mut self, from: &Address, call: u64, invoke: Invoke) -> Flow<Decided> {
        let Some(process) = &self.process else { return Err(Stop::Crash) };
        let size = process.state.tree().size();
        let allowed = match self.allow(&from.actor, &invoke) {
            Ok(allowed) => allowed,
            Err(refusal) => {
                self.tally.refused(refusal.reason());
                self.say(|| format!("    refused: {refusal}"));
                return self.deny(from, call, &invoke, Decided::Refused(refusal, size));
            }
        };
        let callee = allowed.callee.as_ref().map(|it| it.actor.instance.clone());
        let actor = from.actor.clone();
        let decided = self.decide(|state, context| {
            let begin = Begin { permit: &allowed.permit, proof: &invoke.proof, callee: callee.as_ref() };
            match invoke.asked.is_some() {
                true => state.decide_begin_stream(context, &actor, &begin),
                false => state.decide_begin(context, &actor, &begin),
            }
        })?;
        let id = allowed.permit.proof().invocation_id;
        match (&decided, allowed.callee) {
            (Decided::Recorded(size), Some(callee)) => {
                if invoke.asked.is_some() {
                    self.tally.count("stream", "begun");
                }
                let (deadline, proof_expires) = (self.broker_in(PATIENCE_MS), allowed.permit.proof().expires);
                let (chain, job) = (allowed.permit.chain().to_vec(), allowed.job);
                let callers = vec![(from.clone(), call)];
                let stage = Stage::Decided;
                let pending = Pending { chain, callee, job, deadline, proof_expires, stage, callers };
                if let Some(process) = &mut self.process {
                    process.open.insert(id, pending);
                }
                self.hold_back(Held { size: *size, then: Then::Forward(id) });
            }
            (Decided::Refused(..), _) => return self.deny(from, call, &invoke, decided),
            _ => self.retell(&decided, from, call, id),
        }
        Ok(decided)
    }

    /// Reads the request, verifies the token and asks the core.
    fn allow(&mut self, actor: &Actor, invoke: &Invoke) -> Result<Allowed, Refusal> {
        let malformed = |error| Refusal::new("CONV-010", Reason::PayloadMalformed, format!("{error}."));
        let claimed: Proof = invoke.proof.peek_unverified().map_err(malformed)?;
        let token = self.tokens.verify(&invoke.token, &self.keys.set)?;
        let holds = token.leaf().holder.instance == actor.instance;
        require!("API-035", holds, Reason::ProofInvalid, "The caller does not hold the chain.");
        let state = self.process.as_ref().map(|process| &process.state);
        let activation = state.and_then(|state| state.activation(token.chain_id()));
        let activation = require_some!("CHN-032", activation, Reason::NotActivated);
        let active = ActiveToken::new(token, activation.clone())?;
        let presented = Presentation { proof: &invoke.proof, request: &invoke.wanted, body: &invoke.body };
        let permit = active.permit(&presented, self.broker_now())?;
        let job = Box::new(Job {
            id: claimed.invocation_id,
            token: invoke.token.clone(),
            activation: activation.sign(self.keys.signer(KeyPurpose::Activation, activation.leaf).1),
            proof: invoke.proof.clone(),
            wanted: invoke.wanted.clone(),
            body: invoke.body.clone(),
            asked: invoke.asked.clone(),
        });
        let callee = self.callee(&invoke.wanted.callee);
        Ok(Allowed { permit, job, callee })
    }

    /// What the model makes of a use.
    pub(super) fn expected_use(&self, actor: &Actor, invoke: &Invoke) -> Verdict {
        let Ok(proof) = invoke.proof.peek_unverified::<Proof>() else {
            return Verdict::Refused(Invariant::Doubt, "unreadable");
        };
        let way = if invoke.asked.is_some() { Via::Stream } else { Via::Broker };
        if proof.via != way {
            return Verdict::Refused(Invariant::Holder, "another way");
        }
        let model = &self.witness.model;
        if !model.path(proof.chain_id).all(|(_, link)| scope::allows(&link.rights, &invoke.wanted)) {
            return Verdict::Refused(Invariant::Holder, "a link does not allow it");
        }
        let callee = self.callee(&invoke.wanted.callee).map(|callee| callee.actor.instance);
        model.judge_use(&proof, actor, callee.as_ref(), self.broker_now())
    }

    /// Records a denial, within bounds, and tells of it.
    fn deny(&mut self, from: &Address, call: u64, invoke: &Invoke, decided: Decided) -> Flow<Decided> {
        let Decided::Refused(refusal, _) = &decided else { return Ok(decided) };
        if is_denial(refusal) && self.counts(from) {
            let proof = invoke.proof.peek_unverified::<Proof>().ok();
            let (id, chain) = (proof.as_ref().map(|it| it.invocation_id), proof.map(|it| it.chain_id));
            let (actor, refusal) = (from.actor.clone(), refusal.clone());
            self.decide(|state, context| state.decide_denied(context, &actor, &refusal, id, chain, 0))?;
        }
        let reply = Reply::Refused(refusal.clone());
        self.tell(&decided, from, call, reply);
        Ok(decided)
    }

    fn counts(&mut self, from: &Address) -> bool {
        let minute = self.broker_now().as_millis() / 60_000;
        let Some(process) = &mut self.process else { return false };
        if process.denials.0 != minute {
            process.denials = (minute, Default::default());
        }
        let count = process.denials.1.entry(from.actor.instance.clone()).or_default();
        *count += 1;
        *count <= DENIES_PER_MINUTE
    }

    /// Answers a retry: with what came of the first, or when something has.
    fn retell(&mut self, decided: &Decided, from: &Address, call: u64, id: InvocationId) {
        let Some(process) = &mut self.process else { return };
        if let Some(pending) = process.open.get_mut(&id) {
            pending.callers.push((from.clone(), call));
            return;
        }
        if let Some(reply) = self.outcome(id) {
            match &reply {
                Reply::Refused(refusal) => self.tally.refused(refusal.reason()),
                Reply::Done(done) if done.body.is_none() => self.tally.refused(Reason::ResultNotRetained),
                _ => {}
            }
            self.tell(decided, from, call, reply);
        }
    }

    /// What an invocation has come to, if it has ended.
    fn outcome(&self, id: InvocationId) -> Option<Reply> {
        let process = self.process.as_ref()?;
        let known = process.state.invocation(&id)?;
        let (outcome, receipt) = known.outcome.clone()?;
        let refused = |rule, reason| Reply::Refused(Refusal::new(rule, reason, ""));
        Some(match (outcome, receipt) {
            (InvocationOutcome::Receipted, Some(receipt)) => {
                let body = process.bodies.get(&id).cloned();
                Reply::Done(Box::new(Done { receipt, body, intent: known.intent, result: known.ended? }))
            }
            (InvocationOutcome::Cancelled, _) => refused("API-037", Reason::InvocationCancelled),
            _ => refused("API-039", Reason::OutcomeUnknown),
        })
    }

    /// Its INTENT is durable: it is forwarded with that, if it still may be.
    pub(super) fn forward(&mut self, id: InvocationId) -> Flow {
        self.pass(Point::IntentUnforwarded)?;
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(pending) = process.open.get(&id) else { return Ok(()) };
        if !matches!(pending.stage, Stage::Decided | Stage::Waiting) {
            return Ok(());
        }
        if self.stalled > 0 {
            self.process
                .iter_mut()
                .filter_map(|it| it.open.get_mut(&id))
                .for_each(|it| it.stage = Stage::Waiting);
            return Ok(());
        }
        if let Err(refusal) = self.check(id) {
            self.report(id, Report::NotForwarded(refusal));
            return self.conclude(id);
        }
        let Some(pending) = self.process.as_mut().and_then(|process| process.open.get_mut(&id)) else {
            return Ok(());
        };
        pending.stage = Stage::Forwarded;
        let (to, job, chain) = (pending.callee.clone(), pending.job.clone(), pending.chain.clone());
        self.witness.forwarded(id, &chain, &self.ledger)?;
        self.send(Packet::Forward { to, job });
        self.pass(Point::ForwardedUnanswered)
    }

    /// Callees take what has waited for them.
    pub fn forward_waiting(&mut self) -> Flow {
        let open = self.process.iter().flat_map(|process| &process.open);
        let waiting = open.filter(|(_, pending)| matches!(pending.stage, Stage::Waiting)).map(|(id, _)| *id);
        let waiting: Vec<InvocationId> = waiting.collect();
        if self.stalled == 0 { waiting.into_iter().try_for_each(|id| self.forward(id)) } else { Ok(()) }
    }

    /// Whether an invocation may be forwarded now.
    fn check(&self, id: InvocationId) -> Result<(), Refusal> {
        let process = self.process.as_ref();
        let found = process.and_then(|process| Some((&process.state, process.open.get(&id)?)));
        let (state, pending) = require_some!("API-034", found, Reason::NotFound);
        let (domain, now) = (domain(), self.time_of(state));
        let next = state.tree().size().next_leaf();
        let capability_key = self.keys.signer(KeyPurpose::Capability, next);
        let rebind_key = self.keys.signer(KeyPurpose::Rebind, next).1;
        let context = Context { now, policy: &self.policy, capability_key, rebind_key, domain: &domain };
        state.check_in_force(&context, &pending.chain)?;
        require!("API-036", now < pending.proof_expires, Reason::ProofExpired);
        let ready = now < pending.deadline && state.is_live(&pending.callee.actor.instance, now);
        require!("API-037", ready, Reason::InvocationCancelled);
        Ok(())
    }

    /// Cancels what is not forwarded and may not be any longer.
    pub(super) fn enforce(&mut self) -> Flow {
        let Some(process) = &self.process else { return Ok(()) };
        let waiting = process
            .open
            .iter()
            .filter(|(_, pending)| matches!(pending.stage, Stage::Decided | Stage::Waiting));
        let waiting: Vec<InvocationId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            if let Err(refusal) = self.check(id) {
                self.report(id, Report::NotForwarded(refusal));
                self.conclude(id)?;
            }
        }
        Ok(())
    }

    /// A callee's answer. One that comes too late changes nothing.
    pub fn receipted(&mut self, from: &Address, id: InvocationId, answer: Answer) -> Flow {
        let Some(process) = &self.process else { return Ok(()) };
        if self.time_of(&process.state) >= from.certified_until
            || process.state.admitted(&from.actor).is_err()
        {
            return Ok(());
        }
        let taken = process.open.get(&id).is_some_and(|pending| {
            matches!(pending.stage, Stage::Forwarded) && pending.callee.actor.instance == from.actor.instance
        });
        if taken {
            self.report(id, Report::Answered(Box::new(answer)));
            self.conclude(id)?;
        }
        if self.slow { self.serve() } else { self.flush() }
    }

    fn report(&mut self, id: InvocationId, report: Report) {
        let pending = self.process.as_mut().and_then(|process| process.open.get_mut(&id));
        pending.into_iter().for_each(|pending| pending.stage = Stage::Reported(report.clone()));
    }

    /// Records the end of an invocation, then has its callers told.
    fn conclude(&mut self, id: InvocationId) -> Flow {
        let Some(process) = &self.process else { return Ok(()) };
        let Some(Pending { stage: Stage::Reported(report), .. }) = process.open.get(&id) else {
            return Ok(());
        };
        let (decided, told) = match report.clone() {
            Report::NotForwarded(refusal) => (self.end(id, &End::Cancelled)?, Some(refusal)),
            Report::Lost(refusal) => (self.end(id, &End::Unknown)?, Some(refusal)),
            Report::Answered(answer) => self.settle(id, *answer)?,
        };
        if matches!(decided, Decided::Refused(..)) {
            // The clock is behind: the same end may be recorded a moment later.
            return Ok(());
        }
        let Some(pending) = self.process.as_mut().and_then(|process| process.open.remove(&id)) else {
            return Ok(());
        };
        let reply = match told {
            Some(refusal) => {
                self.tally.refused(refusal.reason());
                Some(Reply::Refused(refusal))
            }
            None => self.outcome(id),
        };
        for (to, call) in pending.callers {
            reply.iter().for_each(|reply| self.tell(&decided, &to, call, reply.clone()));
        }
        Ok(())
    }

    /// Records an end with the callee's receipt, if it is a valid one.
    fn settle(&mut self, id: InvocationId, answer: Answer) -> Flow<(Decided, Option<Refusal>)> {
        let streamed = self.streamed(id, &answer);
        let (receipt, body, _) = answer;
        let vouches = receipt.peek_unverified::<Receipt>().is_ok_and(|it| it.result == Digest::of(&body));
        let fault = Refusal::new("API-040", Reason::CalleeFault, "");
        if vouches {
            self.process.iter_mut().for_each(|process| drop(process.bodies.insert(id, body.clone())));
            let end = match &streamed {
                Some((opened, heads)) => End::Streamed(opened, heads),
                None => End::Receipt(&receipt),
            };
            match self.end(id, &end)? {
                Decided::Refused(refusal, size) if refusal.reason() == Reason::ClockWentBack => {
                    return Ok((Decided::Refused(refusal, size), None));
                }
                Decided::Refused(..) => self.process.iter_mut().for_each(|it| drop(it.bodies.remove(&id))),
                recorded => {
                    if streamed.is_some() {
                        self.tally.count("stream", "receipted");
                    }
                    return Ok((recorded, None));
                }
            }
        }
        Ok((self.end(id, &End::Unknown)?, Some(fault)))
    }

    /// The receipt and the heads of a stream, if its two sides signed them.
    fn streamed(
        &self,
        id: InvocationId,
        (receipt, _, told): &Answer,
    ) -> Option<(OpenedReceipt, StreamHeads)> {
        let process = self.process.as_ref()?;
        let asked = process.open.get(&id)?.job.asked.as_ref()?;
        let known = process.state.invocation(&id)?;
        let key = |instance| Some(process.state.instance(instance)?.statement.key);
        let [caller, callee] = [key(&known.caller)?, key(&known.callee)?];
        let heads = stream::heads(asked, told.as_ref()?, [caller, callee])?;
        Some((OpenedReceipt::open(receipt.clone(), callee).ok()?, heads))
    }

    pub(super) fn end(&mut self, id: InvocationId, end: &End<'_>) -> Flow<Decided> {
        self.decide(|state: &State, context| state.decide_end(context, id, end))
    }

    /// What is due ends: deadlines, and invocations that nobody waits for any longer.
    pub fn tick(&mut self) -> Flow {
        if self.process.is_none() {
            return Ok(());
        }
        let now = self.broker_now();
        self.decide(|state, context| state.decide_tick(context))?;
        self.witness.ticked(now, &mut self.tally);
        let Some(process) = &mut self.process else { return Ok(()) };
        let late = |at: Timestamp| at <= now;
        for pending in process.open.values_mut().filter(|pending| late(pending.deadline)) {
            let refusal = |rule, reason| Refusal::new(rule, reason, "");
            match pending.stage {
                Stage::Decided | Stage::Waiting => {
                    let why = refusal("API-037", Reason::InvocationCancelled);
                    pending.stage = Stage::Reported(Report::NotForwarded(why));
                }
                Stage::Forwarded => {
                    let why = refusal("API-038", Reason::DeadlineExceeded);
                    pending.stage = Stage::Reported(Report::Lost(why));
                }
                Stage::Reported(_) => {}
            }
        }
        let over = process.open.iter().filter(|(_, pending)| matches!(pending.stage, Stage::Reported(_)));
        let over: Vec<InvocationId> = over.map(|(id, _)| *id).collect();
        over.into_iter().try_for_each(|id| self.conclude(id))?;
        if self.slow { self.serve() } else { self.flush() }
    }
}

fn is_denial(refusal: &Refusal) -> bool {
    !matches!(refusal.reason(), Reason::CalleeUnavailable | Reason::ClockWentBack | Reason::Overloaded)
}

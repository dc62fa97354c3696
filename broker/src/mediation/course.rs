//! The course of one invocation: decided, forwarded, ended. It runs in a task of its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use countersign_protocol::{
    digest::Digest,
    domain::{Actor, Begin, Context, Decision, End, State},
    id::InvocationId,
    limits::BODY_MAX_BYTES,
    name::InstanceId,
    payload::Payload,
    receipt::{OpenedReceipt, Receipt},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Signed,
    time::Timestamp,
    trace_context::TraceContext,
};
use countersign_wire::v1::{Answer, ServeResponse};
use tokio::sync::{oneshot, watch};

use super::{
    Mediator,
    asked::Asked,
    callee::{Callee, Place, Room},
    invoke::Allowed,
    outcome::{Done, Ended},
    pending::{Parcel, Particulars, Pending, Report, cancelled, too_late, unknown},
};
use crate::{domain::recorded, limits::END_PAUSE};

/// A request that the core allows as far as it can without the ledger.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) actor: Actor,
    pub(super) asked: Asked,
    pub(super) allowed: Allowed,
    pub(super) deadline: Timestamp,
    /// Whether body and result come in chunks.
    pub(super) streams: bool,
}

/// Where the answer goes.
type Reply = oneshot::Sender<Result<Done, Refusal>>;

/// What the decision found of an earlier call.
#[derive(Debug)]
pub(super) enum Earlier {
    /// It has ended.
    Ended(Ended),
    /// It is still under way, and tells when it has ended.
    Open(Option<watch::Receiver<bool>>),
}

impl Mediator {
    /// Sees the invocation to its end, and gives its answer. What is done does not depend on anyone
    /// waiting for it.
    pub(super) async fn start(self: &Arc<Self>, course: Course) -> Result<Done, Refusal> {
        let (mut reply, answer) = oneshot::channel();
        let mediator = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = mediator.run(course, &mut reply).await;
            // The caller may have hung up.
            let _ = reply.send(outcome);
        });
        answer.await.unwrap_or_else(|_| Err(unknown("The broker failed.")))
    }

    async fn run(&self, course: Course, reply: &mut Reply) -> Result<Done, Refusal> {
        let (id, deadline) = (course.asked.id, course.deadline);
        let begun = match self.reserve(&course.asked) {
            // What was decided before can be answered without a callee.
            None => self.known(&course).await?,
            Some((callee, place, room)) => {
                let (pending, report) = Pending::new(course.particulars(&callee), place, None);
                let _listed = self.open.until_ended(&pending);
                match self.begin(&course, &pending).await? {
                    None => {
                        pass_on(self.message(course), room, &callee, &pending);
                        let report = self.reported(&pending, report, deadline, reply).await;
                        callee.forget(id);
                        return self.conclude(id, report).await;
                    }
                    Some(earlier) => earlier,
                }
            }
        };
        match begun {
            Earlier::Ended(ended) => self.retold(id, ended),
            Earlier::Open(ended) => {
                // Nothing counts those who wait: they hold nothing of what was asked, and leave with
                // their callers.
                drop(course);
                tokio::select! {
                    told = self.until_retold(id, ended, deadline) => told,
                    () = reply.closed() => Err(cancelled("The caller has hung up.")),
                }
            }
        }
    }

    fn reserve(&self, asked: &Asked) -> Option<(Arc<Callee>, Place, Room)> {
        self.callees.reserve(&asked.request.callee, asked.kib(), self.domain.clock().now())
    }

    /// What is known of it where no callee is ready: without one, nothing new begins.
    pub(super) async fn known(&self, course: &Course) -> Result<Earlier, Refusal> {
        let begin = course.begin(None);
        let known = self.domain.decide(
            |state, context| course.decide(state, context, &begin),
            |state| self.earlier(state, course.asked.id),
        );
        known.await
    }

    /// Decides, and waits until the INTENT is durable. Gives what it found, if it was decided before.
    pub(super) async fn begin(
        &self,
        course: &Course,
        pending: &Arc<Pending>,
    ) -> Result<Option<Earlier>, Refusal> {
        let begin = course.begin(Some(pending.callee()));
        let new = AtomicBool::new(false);
        let begun = self.domain.decide(
            |state, context| {
                let events = course.decide(state, context, &begin)?;
                new.store(!events.is_empty(), Ordering::Relaxed);
                Ok(events)
            },
            |state| {
                if new.load(Ordering::Relaxed) {
                    // Listed in the same step in which it is decided: whoever revokes next finds it.
                    self.open.insert(pending);
                    return Ok(None);
                }
                self.earlier(state, course.asked.id).map(Some)
            },
        );
        begun.await
    }

    fn earlier(&self, state: &State, id: InvocationId) -> Result<Earlier, Refusal> {
        let known = recorded(state.invocation(&id))?;
        Ok(Ended::of(known).map_or_else(|| Earlier::Open(self.open.ended(&id)), Earlier::Ended))
    }

    /// What the callee gets: everything with which it can check the invocation by itself.
    pub(super) fn message(&self, course: Course) -> ServeResponse {
        let Course { asked, allowed, deadline, streams, .. } = course;
        let trace = asked.trace.as_ref();
        let [traceparent, tracestate] = [TraceContext::traceparent, TraceContext::tracestate]
            .map(|part| trace.map(part).unwrap_or_default().to_owned());
        ServeResponse {
            traceparent,
            tracestate,
            invocation_id: asked.id.to_string(),
            token: asked.token.into_bytes(),
            activation: self.chains.activate(&allowed.activation, &self.activator).into(),
            proof: asked.proof.to_bytes(),
            arguments: asked.arguments,
            body: asked.body,
            deadline_ms: deadline.as_millis(),
            streams,
            ..Default::default()
        }
    }

    /// Waits for the callee, the deadline, or the caller's leaving before it was forwarded.
    async fn reported(
        &self,
        pending: &Pending,
        mut report: oneshot::Receiver<Report>,
        deadline: Timestamp,
        reply: &mut Reply,
    ) -> Report {
        let mut late = self.domain.clock().wait_until(deadline);
        let mut waits = true;
        loop {
            tokio::select! {
                biased;
                report = &mut report => {
                    return report.unwrap_or_else(|_| Report::Lost(unknown("The broker failed.")));
                }
                // Now there is a report.
                () = &mut late => pending.give_up(too_late()),
                () = reply.closed(), if waits => {
                    waits = false;
                    pending.cancel(cancelled("The caller has hung up."));
                }
            }
        }
    }

    /// Records the end, then gives the answer.
    async fn conclude(&self, id: InvocationId, report: Report) -> Result<Done, Refusal> {
        match report {
            Report::NotForwarded(refusal) => {
                self.end(id, &End::Cancelled).await?;
                Err(refusal)
            }
            Report::Lost(refusal) => {
                self.end(id, &End::Unknown).await?;
                Err(refusal)
            }
            Report::Answered(answer) => match self.receipted(id, answer).await {
                Err(refusal) if refusal.reason() != Reason::LedgerUnavailable => {
                    self.end(id, &End::Unknown).await?;
                    Err(faulty(refusal))
                }
                outcome => outcome,
            },
        }
    }

    /// Records an end with the callee's receipt, if it is a valid one.
    async fn receipted(&self, id: InvocationId, answer: Answer) -> Result<Done, Refusal> {
        let receipt = self.open_receipt(id, read_receipt(&answer)?)?;
        let body = Bytes::from(answer.body);
        // Kept first: whoever finds the end finds the body.
        self.results.put(id, body.clone(), self.domain.clock().now());
        let ended = self.end(id, &End::Opened(&receipt)).await;
        ended.inspect_err(|_| self.results.remove(&id))?.into_done(Some(body))
    }

    /// Verifies a receipt while nobody waits for the state.
    pub(super) fn open_receipt(&self, id: InvocationId, signed: Signed) -> Result<OpenedReceipt, Refusal> {
        let key = self.domain.peek(|state, _| {
            let invocation = recorded(state.invocation(&id))?;
            state.callee_key(invocation).map_err(fault)
        });
        OpenedReceipt::open(signed, key?).map_err(fault)
    }

    /// Records an end. A ledger that is busy for a moment does not keep an invocation open for ever.
    pub(super) async fn end(&self, id: InvocationId, end: &End<'_>) -> Result<Ended, Refusal> {
        loop {
            let recorded = self.domain.decide(
                |state, context| state.decide_end(context, id, end),
                |state| recorded(state.invocation(&id).and_then(Ended::of)),
            );
            match recorded.await {
                Err(refusal) if passes(&refusal) => tokio::time::sleep(END_PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    /// The answer to a retry of something that has ended.
    fn retold(&self, id: InvocationId, ended: Ended) -> Result<Done, Refusal> {
        let body = self.results.get(&id, self.domain.clock().now());
        ended.into_done(body)
    }

    /// The answer to a retry of something that is under way.
    pub(super) async fn until_retold(
        &self,
        id: InvocationId,
        ended: Option<watch::Receiver<bool>>,
        deadline: Timestamp,
    ) -> Result<Done, Refusal> {
        if let Some(mut ended) = ended {
            tokio::select! {
                _ = ended.wait_for(|ended| *ended) => {}
                () = self.domain.clock().wait_until(deadline) => return Err(too_late()),
            }
        }
        let ended = self.domain.read(|state, _| Ok(state.invocation(&id).and_then(Ended::of))).await?;
        let ended = require_some!("API-038", ended, Reason::DeadlineExceeded, "Its end is not recorded.");
        self.retold(id, ended)
    }
}

impl Course {
    fn begin<'a>(&'a self, callee: Option<&'a InstanceId>) -> Begin<'a> {
        Begin { permit: &self.allowed.permit, proof: &self.asked.proof, callee }
    }

    fn decide(&self, state: &State, context: &Context<'_>, begin: &Begin<'_>) -> Decision {
        match self.streams {
            true => state.decide_begin_stream(context, &self.actor, begin),
            false => state.decide_begin(context, &self.actor, begin),
        }
    }

    pub(super) fn particulars(&self, callee: &Callee) -> Particulars {
        Particulars {
            id: self.asked.id,
            chain: self.allowed.permit.chain().to_vec(),
            callee: callee.instance().clone(),
            deadline: self.deadline,
            proof_expires: self.allowed.permit.proof().expires,
        }
    }
}

pub(super) fn pass_on(message: ServeResponse, room: Room, callee: &Callee, pending: &Arc<Pending>) {
    if pending.set_waiting(Parcel { message, _room: room }) {
        callee.push(Arc::clone(pending));
    }
}

/// A receipt that vouches for the body that came with it. Who signed it, the core checks.
pub(super) fn read_receipt(answer: &Answer) -> Result<Signed, Refusal> {
    let size = answer.body.len();
    require!("API-044", size <= BODY_MAX_BYTES, Reason::CalleeFault, "The body has {size} bytes.");
    let signed = Signed::from_bytes(&answer.receipt).map_err(fault)?;
    let receipt: Receipt = signed.peek_unverified().map_err(fault)?;
    require!(
        "API-043",
        receipt.result == Digest::of(&answer.body),
        Reason::CalleeFault,
        "It is for another body."
    );
    Ok(signed)
}

fn fault(why: impl std::fmt::Display) -> Refusal {
    Refusal::new("API-040", Reason::CalleeFault, format!("{why}."))
}

/// Whatever is wrong with a receipt, its caller did not do.
pub(super) fn faulty(refusal: Refusal) -> Refusal {
    match refusal.reason() {
        Reason::CalleeFault => refusal,
        _ => Refusal::new("API-040", Reason::CalleeFault, format!("{refusal}.")),
    }
}

/// Whether the same decision may be recorded a moment later.
fn passes(refusal: &Refusal) -> bool {
    matches!(refusal.reason(), Reason::Overloaded | Reason::ClockWentBack)
}

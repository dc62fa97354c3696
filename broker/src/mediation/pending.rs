//! One invocation between its INTENT and its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_protocol::{
    digest::ChainId,
    domain::{Context, State},
    id::InvocationId,
    name::InstanceId,
    refusal::{Reason, Refusal},
    require,
    time::Timestamp,
};
use countersign_wire::v1::{Answer, ServeResponse, ServedStream};
use tokio::sync::{oneshot, watch};

use super::{
    callee::{Place, Room},
    stream::{Flow, Word},
};
use crate::domain::Domain;

/// What became of an invocation, as far as the broker can see.
#[derive(Debug)]
pub(super) enum Report {
    /// The callee answered. Nothing of the answer is verified yet.
    Answered(Answer),
    /// It never left the broker.
    NotForwarded(Refusal),
    /// It was forwarded, and its answer is not awaited any longer.
    Lost(Refusal),
}

/// What a callee needs for one invocation, and the room that it takes until it is forwarded.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) message: ServeResponse,
    pub(super) _room: Room,
}

/// An invocation that was decided and has not ended. Whatever happens to it happens under the lock
/// of its stage, so it is either forwarded or cancelled, and reported once.
#[derive(Debug)]
pub(super) struct Pending {
    id: InvocationId,
    chain: Vec<ChainId>,
    callee: InstanceId,
    /// When it is given up.
    deadline: Timestamp,
    /// When its proof is void.
    proof_expires: Timestamp,
    stage: Mutex<Stage>,
    /// What goes to and fro while the callee has it, where it is a stream.
    flow: Option<Flow>,
    ended: watch::Sender<bool>,
    /// The callee's place is taken until nobody knows the invocation any more: where it went
    /// unanswered, until the callee answers it after all, leaves, or has had it for too long.
    _place: Place,
}

#[derive(Debug)]
enum Stage {
    /// Its INTENT is perhaps not durable yet.
    Decided(oneshot::Sender<Report>),
    /// It waits for the callee to take it.
    Waiting(oneshot::Sender<Report>, Box<Parcel>),
    /// The callee has it.
    Forwarded(oneshot::Sender<Report>),
    /// It was reported.
    Over,
}

/// What an invocation is made of.
#[derive(Debug)]
pub(super) struct Particulars {
    pub(super) id: InvocationId,
    pub(super) chain: Vec<ChainId>,
    pub(super) callee: InstanceId,
    pub(super) deadline: Timestamp,
    pub(super) proof_expires: Timestamp,
}

impl Pending {
    /// An invocation that is about to be decided, and where its report will arrive.
    pub(super) fn new(
        particulars: Particulars,
        place: Place,
        flow: Option<Flow>,
    ) -> (Arc<Self>, oneshot::Receiver<Report>) {
        let Particulars { id, chain, callee, deadline, proof_expires } = particulars;
        let (report, reported) = oneshot::channel();
        let pending = Self {
            id,
            chain,
            callee,
            deadline,
            proof_expires,
            stage: Mutex::new(Stage::Decided(report)),
            flow,
            ended: watch::Sender::new(false),
            _place: place,
        };
        (Arc::new(pending), reported)
    }

    pub(super) fn id(&self) -> InvocationId {
        self.id
    }

    pub(super) fn callee(&self) -> &InstanceId {
        &self.callee
    }

    pub(super) fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Whether its body and result come in chunks.
    pub(super) fn is_stream(&self) -> bool {
        self.flow.is_some()
    }

    /// Tells when it has ended.
    pub(super) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Its RESULT is durable, or will never be.
    pub(super) fn set_ended(&self) {
        self.ended.send_replace(true);
    }

    /// Its INTENT is durable: it may be forwarded with that. False where it was cancelled.
    pub(super) fn set_waiting(&self, parcel: Parcel) -> bool {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Decided(report) => *stage = Stage::Waiting(report, Box::new(parcel)),
            other => *stage = other,
        }
        matches!(*stage, Stage::Waiting(..))
    }

    /// Gives what the callee gets, if it may still get it. The newest state is looked at under the
    /// lock of the stage: a revocation that was decided before is seen, and one that is decided
    /// later finds the invocation forwarded.
    pub(super) fn forward(&self, domain: &Domain) -> Option<ServeResponse> {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Waiting(report, parcel) => match domain.peek(|state, now| self.check(state, now)) {
                Ok(()) => {
                    *stage = Stage::Forwarded(report);
                    Some(parcel.message)
                }
                Err(refusal) => {
                    let _ = report.send(Report::NotForwarded(refusal));
                    None
                }
            },
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Adds something for the callee of a stream. Whether the callee's queue has to be told.
    pub(super) fn push(&self, word: Word) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.push(word))
    }

    /// Gives the next thing that the callee of a stream gets, if it may still get it, and whether there is
    /// more. As with the invocation itself, a revocation is seen here or finds it forwarded.
    pub(super) fn forward_more(&self, domain: &Domain) -> (Option<ServeResponse>, bool) {
        let stage = self.stage();
        let (Stage::Forwarded(_), Some(flow)) = (&*stage, &self.flow) else { return (None, false) };
        if let Err(refusal) = domain.peek(|state, context| self.check_going_on(state, context)) {
            drop(stage);
            self.cut(refusal);
            return (None, false);
        }
        let (word, more) = flow.pop(self.id);
        (word.map(|word| ServeResponse { stream: Some(word), ..Default::default() }), more)
    }

    /// Something that the callee of a stream says. More than it may ends the stream.
    pub(super) fn hear(&self, said: ServedStream) {
        if self.flow.as_ref().is_some_and(|flow| !flow.hear(said)) {
            let fault = Reason::CalleeFault;
            self.cut(Refusal::new("STR-022", fault, "It says more in the stream than it may."));
        }
    }

    /// Whether a stream that was forwarded may go on.
    pub(super) fn check_going_on(&self, state: &State, context: &Context<'_>) -> Result<(), Refusal> {
        state.check_in_force(context, &self.chain)?;
        require!("STR-034", state.is_live(&self.callee, context.now), Reason::CalleeUnavailable);
        Ok(())
    }

    /// Ends a stream for that reason, wherever it is. It tells nothing of an invocation that is none: once
    /// such a one was forwarded, all is said.
    pub(super) fn cut(&self, refusal: Refusal) {
        if self.flow.is_none() {
            return self.cancel(refusal);
        }
        let mut stage = self.stage();
        let (report, what) = match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Decided(report) | Stage::Waiting(report, _) => (report, Report::NotForwarded(refusal)),
            Stage::Forwarded(report) => (report, Report::Lost(refusal)),
            Stage::Over => return,
        };
        let _ = report.send(what);
    }

    /// Whether it may be forwarded now.
    pub(super) fn check(&self, state: &State, context: &Context<'_>) -> Result<(), Refusal> {
        state.check_in_force(context, &self.chain)?;
        require!("API-036", context.now < self.proof_expires, Reason::ProofExpired, "It waited too long.");
        require!(
            "API-037",
            context.now < self.deadline && state.is_live(&self.callee, context.now),
            Reason::InvocationCancelled
        );
        Ok(())
    }

    /// Ends it where it has not been forwarded.
    pub(super) fn cancel(&self, refusal: Refusal) {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Decided(report) | Stage::Waiting(report, _) => {
                let _ = report.send(Report::NotForwarded(refusal));
            }
            other => *stage = other,
        }
    }

    /// Ends it, wherever it is: without an answer.
    pub(super) fn give_up(&self, lost: Refusal) {
        let mut stage = self.stage();
        let (report, what) = match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Decided(report) | Stage::Waiting(report, _) => {
                (report, Report::NotForwarded(cancelled(lost.detail())))
            }
            Stage::Forwarded(report) => (report, Report::Lost(lost)),
            Stage::Over => return,
        };
        let _ = report.send(what);
    }

    /// The callee's answer. One that comes too late changes nothing.
    pub(super) fn answer(&self, answer: Answer) {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Forwarded(report) => drop(report.send(Report::Answered(answer))),
            other => *stage = other,
        }
    }

    #[cfg(test)]
    pub(super) fn is_waiting(&self) -> bool {
        matches!(*self.stage(), Stage::Decided(_) | Stage::Waiting(..))
    }

    #[cfg(test)]
    pub(super) fn is_queued(&self) -> bool {
        matches!(*self.stage(), Stage::Waiting(..))
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // A panic under the lock leaves `Over`: the report's sender is dropped, and its receiver
        // takes that for an unknown outcome.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It never reached the callee.
pub(super) fn cancelled(why: &str) -> Refusal {
    Refusal::new("API-037", Reason::InvocationCancelled, why)
}

/// The caller's time is over.
pub(super) fn too_late() -> Refusal {
    Refusal::new("API-038", Reason::DeadlineExceeded, "The deadline has passed.")
}

/// It reached the callee, and nobody can say more.
pub(super) fn unknown(why: &str) -> Refusal {
    Refusal::new("API-039", Reason::OutcomeUnknown, why)
}

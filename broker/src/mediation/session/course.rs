//! The course of one session, in a task of its own: what is asked is decided in order, forwarded and
//! answered once it is durable, and ended whatever becomes of caller and callee.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use countersign_protocol::{
    digest::Digest,
    domain::{Actor, Context, Decision, End, SessionCause, State, Strands},
    id::InvocationId,
    ledger::{LeafIndex, TreeSize},
    payload::Payload,
    refusal::{Reason, Refusal, Viewer},
    require,
    session::{SessionRequest, SessionResult, Side},
    signed::Signed,
    time::Timestamp,
    token::SessionPermit,
};
use countersign_wire::v1::{
    OfferedSession, OpenSessionRequest, OpenSessionResponse, SessionRefusal, SessionReply,
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::{
    super::{
        Mediator,
        callee::{Callee, Place, Room},
        pending::{cancelled, too_late, unknown},
    },
    door::{Heard, Parcel, Session},
    flight::Flight,
    list::Listed,
    said::{Asked, Said, Told},
};
use crate::{
    channel::Seat,
    clock::Wait,
    domain::{Durable, recorded},
    limits::{
        END_PAUSE, SESSION_CLOSE_MAX, SESSION_IN_FLIGHT_MAX, SESSION_LAST_WORDS, SESSION_UNTAKEN_BYTES,
    },
    status::status,
};

/// What an opened session is made of.
pub(super) struct Parts {
    pub(super) mediator: Arc<Mediator>,
    pub(super) actor: Actor,
    pub(super) viewer: Viewer,
    pub(super) permit: SessionPermit,
    pub(super) session: Arc<Session>,
    pub(super) callee: Arc<Callee>,
    pub(super) hears: mpsc::Receiver<Heard>,
    pub(super) opened: LeafIndex,
    /// As the callee signed it.
    pub(super) answer: Vec<u8>,
    /// Held until the session has ended.
    pub(super) _held: (Seat, Place, Listed),
}

/// A request that waits for a place and for room at its callee.
type Waiting = (Box<Asked>, Pin<Box<dyn Future<Output = Option<(Place, Room)>> + Send>>);

/// A session under way.
pub(super) struct Course<S> {
    parts: Parts,
    inbound: S,
    outbound: mpsc::Sender<Result<OpenSessionResponse, Status>>,
    durable: watch::Receiver<Durable>,
    flight: Flight,
    waiting: Option<Waiting>,
    /// What was decided and is perhaps not durable yet, each with the size that must be.
    forwards: VecDeque<(TreeSize, Parcel)>,
    replies: VecDeque<(TreeSize, OpenSessionResponse)>,
    /// Bytes of the results among them.
    untaken: usize,
    /// What each side has said, as the last decision left it.
    strands: Option<Strands>,
    closing: Closing,
    alarm: Option<(Timestamp, Wait)>,
}

/// How far the close has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// The caller may ask more.
    Open,
    /// Results are still owed.
    Draining,
    /// The callee was told to sign, by that time.
    Signing(Timestamp),
}

/// Why a session ends, and what its caller hears of that.
pub(super) struct Ending {
    cause: SessionCause,
    refusal: Option<Refusal>,
}

type Step = Result<(), Ending>;

impl<S> Course<S>
where
    S: Stream<Item = Result<OpenSessionRequest, Status>> + Send + Unpin + 'static,
{
    /// The first thing that the caller hears is the callee's answer.
    pub(super) fn new(
        mut parts: Parts,
        inbound: S,
        outbound: mpsc::Sender<Result<OpenSessionResponse, Status>>,
    ) -> Self {
        let durable = parts.mediator.domain.durable();
        let (answer, opened_leaf) = (std::mem::take(&mut parts.answer), parts.opened.get());
        let first = OpenSessionResponse { answer, opened_leaf, ..Default::default() };
        // The queue is empty: there is room for it.
        let _ = outbound.try_send(Ok(first));
        Self {
            parts,
            inbound,
            outbound,
            durable,
            flight: Flight::default(),
            waiting: None,
            forwards: VecDeque::new(),
            replies: VecDeque::new(),
            untaken: 0,
            strands: None,
            closing: Closing::Open,
            alarm: None,
        }
    }

    /// Sees it to its end.
    pub(super) async fn run(mut self) {
        let ending = loop {
            if let Err(ending) = self.step().await {
                break ending;
            }
        };
        self.finish(ending).await;
    }

    /// Does the next thing that there is to do.
    async fn step(&mut self) -> Step {
        let durable = self.durable_size()?;
        self.let_out(durable);
        self.go_on_closing()?;
        self.set_alarm();
        let is_durable = |front: Option<TreeSize>| front.is_some_and(|size| size <= durable);
        let may_reply = is_durable(self.replies.front().map(|(size, _)| *size));
        let waits_for_disk = !self.forwards.is_empty() || !(self.replies.is_empty() || may_reply);
        let reads = self.closing == Closing::Open
            && self.waiting.is_none()
            && self.flight.len().max(self.replies.len()) < SESSION_IN_FLIGHT_MAX;
        tokio::select! {
            biased;
            heard = self.parts.hears.recv() => self.heard(heard).await,
            permit = self.outbound.clone().reserve_owned(), if may_reply => {
                self.reply_with(permit.map_err(|_| caller_left())?);
                Ok(())
            }
            () = self.outbound.closed() => Err(caller_left()),
            _ = self.durable.changed(), if waits_for_disk => Ok(()),
            () = rung(&mut self.alarm) => self.alarm().await,
            place = placed(&mut self.waiting) => match self.waiting.take() {
                Some((asked, _)) => self.ask(*asked, place).await,
                None => Ok(()),
            },
            message = self.inbound.next(), if reads => match message {
                Some(Ok(message)) => self.said(message).await,
                Some(Err(_)) | None => Err(caller_left()),
            },
        }
    }

    /// How much of the ledger is durable.
    fn durable_size(&mut self) -> Result<TreeSize, Ending> {
        match &*self.durable.borrow_and_update() {
            Durable::To(head) => Ok(head.size),
            Durable::Failed(_) => {
                let refusal = Refusal::new("LOG-002", Reason::LedgerUnavailable, "");
                Err(Ending { cause: SessionCause::Stopped, refusal: Some(refusal) })
            }
        }
    }

    /// Forwards what has become durable, and replies as far as the caller reads.
    fn let_out(&mut self, durable: TreeSize) {
        while self.replies.front().is_some_and(|(size, _)| *size <= durable)
            && let Ok(permit) = self.outbound.clone().try_reserve_owned()
        {
            self.reply_with(permit);
        }
        while self.forwards.front().is_some_and(|(size, _)| *size <= durable) {
            if let Some((_, parcel)) = self.forwards.pop_front() {
                self.parts.callee.tell(&self.parts.session, parcel);
            }
        }
    }

    fn reply_with(&mut self, permit: mpsc::OwnedPermit<Result<OpenSessionResponse, Status>>) {
        if let Some((_, reply)) = self.replies.pop_front() {
            self.untaken -= size_of_body(&reply);
            permit.send(Ok(reply));
        }
    }

    /// Ends the session where its caller has closed it and everything is done and signed for.
    fn go_on_closing(&mut self) -> Step {
        let unsigned = self.strands.as_ref().map_or(0, |strands| strands.results.uncovered());
        match self.closing {
            Closing::Open => Ok(()),
            Closing::Draining if !self.flight.is_over() || !self.forwards.is_empty() => Ok(()),
            Closing::Draining | Closing::Signing(_) if unsigned == 0 => Err(Ending::closed()),
            Closing::Draining => {
                let until = self.parts.mediator.domain.clock().now().plus(SESSION_CLOSE_MAX);
                let message = OfferedSession { closing: true, ..self.offered() };
                self.parts.callee.tell(&self.parts.session, Parcel::word(message));
                self.closing = Closing::Signing(until);
                Ok(())
            }
            Closing::Signing(_) => Ok(()),
        }
    }

    /// Has the alarm ring when the next thing is due; too early does no harm.
    fn set_alarm(&mut self) {
        let heads = self.heads_due().map(|(due, _)| due);
        let waits = self.waiting.as_ref().map(|(asked, _)| asked.request.deadline);
        let signs = match self.closing {
            Closing::Signing(until) => Some(until),
            Closing::Open | Closing::Draining => None,
        };
        let due = [self.flight.next_deadline(), heads, waits, signs].into_iter().flatten().min();
        match (due, &self.alarm) {
            (None, _) => {}
            (Some(due), Some((set, _))) if *set <= due => {}
            (Some(due), _) => self.alarm = Some((due, self.parts.mediator.domain.clock().wait_until(due))),
        }
    }

    /// When the next head is due, and whose.
    fn heads_due(&self) -> Option<(Timestamp, Side)> {
        let strands = self.strands.as_ref()?;
        let due = |side| {
            let since = strands.of(side).since?;
            Some((self.parts.permit.opening().head_due(since), side))
        };
        due(Side::Caller).into_iter().chain(due(Side::Callee)).min()
    }

    /// Something is due, or was when the alarm was set.
    async fn alarm(&mut self) -> Step {
        self.alarm = None;
        let now = self.parts.mediator.domain.clock().now();
        if let Some((due, side)) = self.heads_due()
            && due < now
        {
            return Err(match side {
                Side::Caller => {
                    Refusal::new("SES-033", Reason::DeadlinePassed, "The caller's head is overdue.")
                }
                Side::Callee => Refusal::new("SES-041", Reason::CalleeFault, "Its head is overdue."),
            }
            .into());
        }
        if matches!(self.closing, Closing::Signing(until) if until <= now) {
            let refusal = Refusal::new("SES-041", Reason::CalleeFault, "It did not sign at the close.");
            return Err(refusal.into());
        }
        if let Some((asked, _)) = self.waiting.take_if(|(asked, _)| asked.request.deadline <= now) {
            self.ask(*asked, None).await?;
        }
        while let Some(seq) = self.flight.overdue(now) {
            self.give_up(seq).await?;
        }
        Ok(())
    }

    /// A request's time is over. One that the callee has not even taken ends the session: those after it
    /// could not be verified without it.
    async fn give_up(&mut self, seq: u64) -> Step {
        let forwarded = seq <= self.parts.session.forwarded();
        let id = InvocationId::in_session(self.parts.session.id(), seq);
        let end = if forwarded { End::Unknown } else { End::Cancelled };
        let size = self.decide(|state, context| state.decide_end(context, id, &end), |_| Ok(())).await?.1;
        self.refuse(seq, size, &too_late());
        let gone = Reason::CalleeUnavailable;
        require!("SES-063", forwarded, gone, "The callee does not take what it is sent.");
        Ok(())
    }

    /// The caller said something.
    async fn said(&mut self, message: OpenSessionRequest) -> Step {
        match Said::read(message)? {
            Said::Call(asked) => {
                let (callee, kib) = (&self.parts.callee, asked.kib());
                let whole = self.parts.mediator.callees.room();
                let free = Arc::clone(&whole).try_acquire_many_owned(kib).ok();
                match free.and_then(|free| callee.reserve(kib, free)) {
                    Some(place) => self.ask(*asked, Some(place)).await,
                    None => {
                        let callee = Arc::clone(callee);
                        self.waiting =
                            Some((asked, Box::pin(async move { callee.wait_for(kib, whole).await })));
                        Ok(())
                    }
                }
            }
            Said::Head(head) => {
                let size = self.sign(Side::Caller, &head).await?;
                let message = OfferedSession { head: head.to_bytes(), ..self.offered() };
                self.forwards.push_back((size, Parcel::word(message)));
                Ok(())
            }
            Said::Close => {
                self.closing = Closing::Draining;
                Ok(())
            }
        }
    }

    /// Decides a request; without a place, its time is over.
    async fn ask(&mut self, asked: Asked, place: Option<(Place, Room)>) -> Step {
        let Asked { request, arguments, call } = asked;
        let now = self.parts.mediator.domain.clock().now();
        let permitted = self.parts.permit.permit(request.clone(), arguments, &call.body, now);
        let (id, actor) = (self.parts.session.id(), self.parts.actor.clone());
        let decided = match (permitted, place) {
            (Err(refusal), _) => Err(refusal),
            (Ok(_), None) => Err(too_late()),
            (Ok(used), Some(place)) => {
                let decide = |state: &State, context: &Context<'_>| {
                    state.decide_session_request(context, &actor, id, &used)
                };
                self.decide(decide, |_| Ok(())).await.map(|((), size)| (size, place))
            }
        };
        match decided {
            Ok((size, (place, room))) => {
                let (seq, deadline) = (request.seq, request.deadline);
                self.flight.add(seq, deadline, place);
                let message = OfferedSession { call: Some(call), ..self.offered() };
                self.forwards.push_back((size, Parcel::call(message, seq, room)));
                Ok(())
            }
            Err(refusal) if passes_over(&refusal) => self.pass(&request, &refusal).await,
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Records a refusal, tells the caller, and lets the callee know what link was refused. Whoever has
    /// more refused than may be recorded has no session any more.
    async fn pass(&mut self, request: &SessionRequest, refusal: &Refusal) -> Step {
        let now = self.parts.mediator.domain.clock().now();
        let counted = self.parts.mediator.denials.count(&self.parts.actor.instance, now);
        require!("SES-064", counted.is_some(), Reason::Overloaded, "Too many of its requests are refused.");
        let id = self.parts.session.id();
        let decide =
            |state: &State, context: &Context<'_>| state.decide_session_passed(context, id, request, refusal);
        let size = self.decide(decide, |_| Ok(())).await?.1;
        let digest = Digest::of(&request.to_bytes());
        let message = OfferedSession { passed: digest.as_bytes().to_vec(), ..self.offered() };
        self.forwards.push_back((size, Parcel::word(message)));
        self.refuse(request.seq, size, refusal);
        Ok(())
    }

    /// The callee said something, or nothing more can be forwarded.
    async fn heard(&mut self, heard: Option<Heard>) -> Step {
        let said = match heard {
            Some(Heard::Said(said)) => said,
            Some(Heard::Shut(refusal)) => return Err(refusal.into()),
            // The session itself holds the other end.
            None => return Err(unknown("The broker failed.").into()),
        };
        match Told::read(said)? {
            Told::Reply(result, reply) => self.answer(&result, reply).await,
            Told::Head(head) => {
                let size = self.sign(Side::Callee, &head).await.map_err(Ending::by_callee)?;
                let message = OpenSessionResponse { head: head.to_bytes(), ..Default::default() };
                self.replies.push_back((size, message));
                Ok(())
            }
            Told::Leave => {
                let gone = Reason::CalleeUnavailable;
                Err(Refusal::new("SES-023", gone, "The callee has left the session.").into())
            }
        }
    }

    /// Records a result, and answers with it.
    async fn answer(&mut self, result: &SessionResult, reply: SessionReply) -> Step {
        let (id, seq) = (self.parts.session.id(), result.seq);
        let decide = |state: &State, context: &Context<'_>| state.decide_session_result(context, id, result);
        let leaves = |state: &State| {
            let invocation = recorded(state.invocation(&InvocationId::in_session(id, seq)))?;
            Ok((invocation.intent, recorded(invocation.ended)?))
        };
        let ((intent, ended), size) = self.decide(decide, leaves).await.map_err(Ending::from)?;
        self.flight.answered(seq);
        self.untaken += reply.body.len();
        let taken = self.untaken <= SESSION_UNTAKEN_BYTES;
        require!("SES-065", taken, Reason::Overloaded, "It does not take its results.");
        let reply = SessionReply { intent_leaf: intent.get(), result_leaf: ended.get(), ..reply };
        self.replies.push_back((size, OpenSessionResponse { reply: Some(reply), ..Default::default() }));
        Ok(())
    }

    async fn sign(&mut self, side: Side, head: &Signed) -> Result<TreeSize, Refusal> {
        let id = self.parts.session.id();
        let decide =
            |state: &State, context: &Context<'_>| state.decide_session_head(context, id, side, head);
        Ok(self.decide(decide, |_| Ok(())).await?.1)
    }

    /// Decides without waiting for the disk. A ledger that is busy for a moment ends no session.
    async fn decide<T>(
        &mut self,
        decide: impl Fn(&State, &Context<'_>) -> Decision,
        answer: impl Fn(&State) -> Result<T, Refusal>,
    ) -> Result<(T, TreeSize), Refusal> {
        let id = self.parts.session.id();
        loop {
            let (outcome, size) = self.parts.mediator.domain.decide_now(&decide, |state| {
                let strands = state.session(&id).and_then(|session| session.strands.clone());
                Ok((answer(state)?, strands))
            });
            match outcome {
                Ok((answer, strands)) => {
                    self.strands = strands;
                    return Ok((answer, size));
                }
                Err(refusal) if refusal.rule() == "API-005" || refusal.reason() == Reason::ClockWentBack => {
                    tokio::time::sleep(END_PAUSE).await;
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Tells the caller that no result comes to a request.
    fn refuse(&mut self, seq: u64, size: TreeSize, refusal: &Refusal) {
        let status = status(refusal, self.parts.viewer).details().to_vec();
        let refusal = Some(SessionRefusal { seq, status });
        self.replies.push_back((size, OpenSessionResponse { refusal, ..Default::default() }));
    }

    fn offered(&self) -> OfferedSession {
        OfferedSession { session_id: self.parts.session.id().to_string(), ..Default::default() }
    }

    /// Ends what is open, then the session, and tells both sides.
    async fn finish(mut self, ending: Ending) {
        let Ending { cause, mut refusal } = ending;
        let session = Arc::clone(&self.parts.session);
        session.shut(refusal.clone().unwrap_or_else(over));
        self.waiting = None;
        self.forwards.clear();
        let last = self.record_end(cause, &mut refusal).await;
        self.parts.callee.part(&session);
        let durable = match last {
            Ok(size) => self.parts.mediator.domain.until_durable(size).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(failed) = durable {
            tracing::warn!(session = %session.id(), error = %failed, "the end of a session was not recorded");
            self.replies.clear();
            refusal = Some(failed);
        }
        let _ = timeout(SESSION_LAST_WORDS, self.last_words(refusal)).await;
    }

    async fn record_end(
        &mut self,
        cause: SessionCause,
        refusal: &mut Option<Refusal>,
    ) -> Result<TreeSize, Refusal> {
        let (id, forwarded) = (self.parts.session.id(), self.parts.session.forwarded());
        let why = refusal.as_ref().map(|refusal| refusal.detail().to_owned()).unwrap_or_default();
        for seq in self.flight.take_open() {
            let invocation = InvocationId::in_session(id, seq);
            let (end, told) = match seq <= forwarded {
                true => (End::Unknown, unknown(&why)),
                false => (End::Cancelled, cancelled(&why)),
            };
            let size = self.decide(|state, context| state.decide_end(context, invocation, &end), |_| Ok(()));
            let size = size.await?.1;
            self.refuse(seq, size, &told);
        }
        let end =
            |cause| move |state: &State, context: &Context<'_>| state.decide_end_session(context, id, cause);
        match self.decide(end(cause), |_| Ok(())).await {
            // It was closed without a signature for all of it.
            Err(unsigned) if unsigned.rule() == "SES-053" => {
                *refusal = Some(unsigned);
                Ok(self.decide(end(SessionCause::CallerFault), |_| Ok(())).await?.1)
            }
            outcome => Ok(outcome?.1),
        }
    }

    async fn last_words(self, refusal: Option<Refusal>) {
        for (_, reply) in self.replies {
            if self.outbound.send(Ok(reply)).await.is_err() {
                return;
            }
        }
        if let Some(refusal) = refusal {
            let _ = self.outbound.send(Err(status(&refusal, self.parts.viewer))).await;
        }
    }
}

impl Ending {
    fn closed() -> Self {
        Self { cause: SessionCause::Closed, refusal: None }
    }

    /// Whatever is wrong with what a callee signs, its caller did not do.
    fn by_callee(refusal: Refusal) -> Self {
        Self { cause: SessionCause::CalleeFault, refusal: Some(refusal) }
    }
}

impl From<Refusal> for Ending {
    fn from(refusal: Refusal) -> Self {
        let cause = match refusal.reason() {
            Reason::CalleeUnavailable | Reason::OutcomeUnknown => SessionCause::CalleeLeft,
            Reason::CalleeFault => SessionCause::CalleeFault,
            Reason::Revoked
            | Reason::ContractNotActive
            | Reason::ContractSuspended
            | Reason::NotActivated
            | Reason::InstanceUnknown
            | Reason::InstanceRevoked
            | Reason::InstanceForked
            | Reason::ChannelMismatch => SessionCause::Void,
            Reason::LedgerUnavailable | Reason::ClockWentBack => SessionCause::Stopped,
            Reason::SessionOver if refusal.rule() == "SES-109" => SessionCause::Stopped,
            _ => SessionCause::CallerFault,
        };
        Self { cause, refusal: Some(refusal) }
    }
}

/// Whether a refusal is of one request, so that the session goes on.
fn passes_over(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason(),
        Reason::CheckFailed
            | Reason::BudgetExceeded
            | Reason::BudgetWindowExceeded
            | Reason::DeadlineExceeded
            | Reason::Overloaded
    )
}

fn caller_left() -> Ending {
    Ending { cause: SessionCause::CallerLeft, refusal: Some(cancelled("The caller has hung up.")) }
}

fn over() -> Refusal {
    Refusal::new("SES-030", Reason::SessionOver, "")
}

fn size_of_body(reply: &OpenSessionResponse) -> usize {
    reply.reply.as_ref().map_or(0, |reply| reply.body.len())
}

async fn rung(alarm: &mut Option<(Timestamp, Wait)>) {
    match alarm {
        Some((_, wait)) => wait.await,
        None => std::future::pending().await,
    }
}

async fn placed(waiting: &mut Option<Waiting>) -> Option<(Place, Room)> {
    match waiting {
        Some((_, place)) => place.await,
        None => std::future::pending().await,
    }
}

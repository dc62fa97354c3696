//! A stream under way, in a task of its own: chunks are verified and passed on, and its end is recorded
//! before its caller hears of it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use countersign_protocol::{
    domain::End,
    key::PublicKey,
    ledger::LeafIndex,
    payload::Payload,
    refusal::{Reason, Refusal, Viewer},
    require_some,
    session::Side,
    stream::{OpenedHead, StreamAccount, StreamHeads, StreamReader, StreamWindow},
    time::Timestamp,
};
use countersign_wire::v1::{Answer, InvokeStreamRequest, InvokeStreamResponse, ServedStream, StreamChunk};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::{
    super::{
        Mediator,
        callee::Callee,
        course::{faulty, read_receipt},
        invoke::Allowed,
        outcome::Done,
        pending::{Pending, Report, too_late, unknown},
    },
    flow::Word,
    said::Said,
};
use crate::{limits::STREAM_LAST_WORDS, status::status};

/// What both sides have sent, verified.
pub(super) struct Sides {
    asked: StreamReader,
    asked_window: StreamWindow,
    /// The caller's heads that the callee may still speak of: of what it has taken last, and after it.
    heads: BTreeMap<u64, OpenedHead>,
    told: StreamReader,
    told_window: StreamWindow,
    /// The callee's last head, once it has come.
    last: Option<OpenedHead>,
}

/// The ends of a stream's task.
pub(super) struct Ends<S> {
    /// What the caller says; none once it has nothing more to say.
    pub(super) inbound: Option<S>,
    pub(super) outbound: mpsc::Sender<Result<InvokeStreamResponse, Status>>,
    /// What the callee says.
    pub(super) hears: mpsc::Receiver<ServedStream>,
    pub(super) report: oneshot::Receiver<Report>,
}

/// A stream between its caller and its callee.
pub(super) struct Relay {
    mediator: Arc<Mediator>,
    sides: Sides,
    pending: Arc<Pending>,
    callee: Arc<Callee>,
    viewer: Viewer,
    /// What the caller has not been sent. There are no more than the window lets through.
    chunks: VecDeque<StreamChunk>,
    taken: Option<u64>,
    /// That it has begun, until that is told.
    begun: Option<LeafIndex>,
}

impl Sides {
    /// Before anything was sent, by the keys of the chain's holder and of the callee.
    pub(super) fn new(allowed: &Allowed, callee: PublicKey) -> Self {
        let (proof, digest) = (allowed.permit.proof(), allowed.permit.proof_digest());
        Self {
            asked: StreamReader::new(proof, &digest, Side::Caller, allowed.key),
            asked_window: StreamWindow::default(),
            heads: BTreeMap::new(),
            told: StreamReader::new(proof, &digest, Side::Callee, callee),
            told_window: StreamWindow::default(),
            last: None,
        }
    }
}

impl Relay {
    pub(super) fn new(
        mediator: Arc<Mediator>,
        sides: Sides,
        pending: Arc<Pending>,
        callee: Arc<Callee>,
        viewer: Viewer,
        begun: Option<LeafIndex>,
    ) -> Self {
        let chunks = VecDeque::new();
        Self { mediator, sides, pending, callee, viewer, chunks, taken: None, begun }
    }

    /// Passes on what either side says until the stream ends, and sees that end recorded and told.
    pub(super) async fn run<S>(mut self, mut ends: Ends<S>, deadline: Timestamp)
    where
        S: Stream<Item = Result<InvokeStreamRequest, Status>> + Send + Unpin + 'static,
    {
        let report = self.until_reported(&mut ends, deadline).await;
        // What the callee said before its answer came before it.
        while let Ok(said) = ends.hears.try_recv() {
            self.heard(said);
        }
        let told = self.conclude(report).await;
        let _ = timeout(STREAM_LAST_WORDS, self.last_words(&ends.outbound, told)).await;
    }

    async fn until_reported<S>(&mut self, ends: &mut Ends<S>, deadline: Timestamp) -> Report
    where
        S: Stream<Item = Result<InvokeStreamRequest, Status>> + Send + Unpin + 'static,
    {
        let mut late = self.mediator.domain.clock().wait_until(deadline);
        loop {
            let waits = !self.chunks.is_empty() || self.taken.is_some() || self.begun.is_some();
            tokio::select! {
                biased;
                report = &mut ends.report => {
                    return report.unwrap_or_else(|_| Report::Lost(unknown("The broker failed.")));
                }
                // After each of these that ends the stream, there is a report.
                () = &mut late => self.too_late(),
                () = ends.outbound.closed() => self.caller_left(),
                Some(said) = ends.hears.recv() => self.heard(said),
                Ok(permit) = ends.outbound.reserve(), if waits => {
                    if let Some(message) = self.next() {
                        permit.send(Ok(message));
                    }
                }
                message = next(&mut ends.inbound) => match message {
                    Some(Ok(message)) => self.said(message),
                    // It can take the rest of the result as far as the window goes.
                    None if self.sides.asked.is_over() => ends.inbound = None,
                    Some(Err(_)) | None => {
                        ends.inbound = None;
                        self.caller_left();
                    }
                },
            }
        }
    }

    /// The next thing for the caller: what was taken, before any chunk.
    fn next(&mut self) -> Option<InvokeStreamResponse> {
        if let Some(intent) = self.begun.take() {
            let (callee, intent_leaf) = (self.callee.instance().to_string(), intent.get());
            return Some(InvokeStreamResponse { callee, intent_leaf, ..Default::default() });
        }
        if let Some(taken) = self.taken.take() {
            return Some(InvokeStreamResponse { taken, ..Default::default() });
        }
        let chunk = Some(self.chunks.pop_front()?);
        Some(InvokeStreamResponse { chunk, ..Default::default() })
    }

    fn too_late(&self) {
        // The chain may have ended just then.
        let ended = self.mediator.domain.peek(|state, context| self.pending.check_going_on(state, context));
        match ended {
            Err(refusal) => self.pending.cut(refusal),
            Ok(()) => self.pending.give_up(too_late()),
        }
    }

    fn caller_left(&self) {
        self.pending.give_up(unknown("The caller has hung up."));
    }

    /// The caller said something.
    fn said(&mut self, message: InvokeStreamRequest) {
        if let Err(refusal) = Said::by_caller(message).and_then(|said| self.ask(said)) {
            self.pending.cut(refusal);
        }
    }

    fn ask(&mut self, said: Said) -> Result<(), Refusal> {
        let sides = &mut self.sides;
        let word = match said {
            Said::Chunk(chunk, signed) => {
                sides.asked_window.send()?;
                let head = sides.asked.take(&chunk.data, signed)?;
                sides.heads.insert(head.sum().count, head);
                Word::Chunk(chunk)
            }
            Said::Taken(taken) => {
                sides.told_window.take(taken)?;
                Word::Taken(taken)
            }
        };
        self.callee.relay(&self.pending, word);
        Ok(())
    }

    /// The callee said something.
    fn heard(&mut self, said: ServedStream) {
        if let Err(refusal) = Said::by_callee(said).and_then(|said| self.tell(said)) {
            // Whatever is wrong with it, its caller did not do.
            self.pending.cut(faulty(refusal));
        }
    }

    fn tell(&mut self, said: Said) -> Result<(), Refusal> {
        let sides = &mut self.sides;
        match said {
            Said::Chunk(chunk, signed) => {
                sides.told_window.send()?;
                let head = sides.told.take(&chunk.data, signed)?;
                sides.last = head.is_last().then_some(head);
                self.chunks.push_back(chunk);
            }
            Said::Taken(taken) => {
                sides.asked_window.take(taken)?;
                sides.heads = sides.heads.split_off(&taken);
                self.taken = Some(taken);
            }
        }
        Ok(())
    }

    /// Records the end, and gives what the caller is told of it.
    async fn conclude(&mut self, report: Report) -> Result<Done, Refusal> {
        let (id, mediator) = (self.pending.id(), Arc::clone(&self.mediator));
        match report {
            Report::NotForwarded(refusal) => {
                self.callee.forget(id);
                mediator.end(id, &End::Cancelled).await?;
                Err(refusal)
            }
            Report::Lost(refusal) => {
                self.callee.forget(id);
                self.callee.break_off(id);
                mediator.end(id, &End::Unknown).await?;
                Err(refusal)
            }
            Report::Answered(answer) => match self.answered(answer).await {
                Err(refusal) if refusal.reason() != Reason::LedgerUnavailable => {
                    mediator.end(id, &End::Unknown).await?;
                    Err(faulty(refusal))
                }
                outcome => outcome,
            },
        }
    }

    /// Records an end with the callee's receipt, if it is for what went through here.
    async fn answered(&mut self, answer: Answer) -> Result<Done, Refusal> {
        let (id, fault) = (self.pending.id(), Reason::CalleeFault);
        let receipt = self.mediator.open_receipt(id, read_receipt(&answer)?)?;
        let account = StreamAccount::from_bytes(&answer.body)
            .map_err(|error| Refusal::new("STR-045", fault, format!("Its account: {error}.")))?;
        let told = require_some!("STR-046", self.sides.last.take(), fault, "It did not end what it sends.");
        let asked = match account.received.count {
            0 => None,
            count => {
                let known = self.sides.heads.remove(&count);
                Some(require_some!("STR-047", known, fault, "It received what was not sent."))
            }
        };
        let heads = StreamHeads { asked, told };
        let ended = self.mediator.end(id, &End::Streamed(&receipt, &heads)).await?;
        ended.into_done(Some(Bytes::from(answer.body)))
    }

    /// What was not sent yet, and how it ended.
    async fn last_words(
        mut self,
        outbound: &mpsc::Sender<Result<InvokeStreamResponse, Status>>,
        told: Result<Done, Refusal>,
    ) {
        let last = match told {
            Ok(done) => {
                while let Some(message) = self.next() {
                    if outbound.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                Ok(InvokeStreamResponse { end: Some(done.end()), ..Default::default() })
            }
            Err(refusal) => Err(status(&refusal, self.viewer)),
        };
        let _ = outbound.send(last).await;
    }
}

async fn next<S, T>(inbound: &mut Option<S>) -> Option<T>
where
    S: Stream<Item = T> + Unpin,
{
    match inbound {
        Some(inbound) => inbound.next().await,
        None => std::future::pending().await,
    }
}

//! Serving actions: what the broker forwards is verified end to end before anything is done.

mod answered;
mod desk;
mod session;
mod stream;
mod verify;

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    future::Future,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
};

use countersign_protocol::{
    capability::{Amount, Request},
    id::InvocationId,
    receipt::ActionOutcome,
    time::Timestamp,
    token::ActiveToken,
    trace_context::TraceContext,
};
use countersign_wire::v1::{self, mediation_client::MediationClient};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_stream::{StreamExt as _, StreamMap, wrappers::ReceiverStream};
use tonic::{Streaming, transport::Channel};

pub(crate) use self::answered::Served;
pub use self::stream::{Done, Output};
use self::{desk::Desk, session::ServedSessions, stream::ServedStreams};
use crate::{
    agent::Agent,
    connection::{Pauses, error_of, unavailable},
    error::Error,
    feed::opening,
    limits::{CALL_MAX, CAPACITY_MAX, MESSAGE_MAX_BYTES, SERVED_SESSIONS_MAX, SERVED_STREAMS_MAX},
    stream::Chunks,
};

/// An invocation whose token, activation and proof have been verified end to end.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Which.
    pub id: InvocationId,
    /// The chain under which it is made, from the originator to the caller.
    pub chain: Arc<ActiveToken>,
    /// Action, resource and typed arguments.
    pub request: Request,
    /// The opaque body.
    pub body: Vec<u8>,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
    /// The trace that it belongs to, as the caller or the broker says: nobody signed it. Requests in a session
    /// have none.
    pub trace: Option<TraceContext>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The result.
    pub body: Vec<u8>,
    /// Whether it was done.
    pub outcome: ActionOutcome,
    /// What it cost, in the unit of the chain's budget. More than the chain's amount per call is
    /// signed as that amount: a receipt cannot settle more.
    pub cost: Amount,
}

/// What serves invocations. A closure from [`Invocation`] to a future of [`Outcome`] is one.
pub trait Handler: Send + Sync + 'static {
    /// Does it. Never called twice for one invocation by one agent, however often that begins to serve
    /// anew. Shortly before the deadline the future is
    /// dropped and the action signed as failed, at the cost of one call.
    fn handle(&self, invocation: Invocation) -> impl Future<Output = Outcome> + Send;

    /// How many invocations with bodies and results in chunks it takes at once, beside all others. None,
    /// unless it says so.
    fn streams(&self) -> u32 {
        0
    }

    /// Does one of those: takes its body from `input` and sends its result to `output`, in any order. As
    /// with any other, it is never called twice for one invocation, and what is not done shortly before the
    /// deadline is signed as failed. Where the stream breaks, is broken off or revoked, the future is
    /// dropped and nothing is signed.
    ///
    /// ```
    /// use countersign::{Chunks, Done, Handler, Invocation, Outcome, Output};
    /// use countersign_protocol::{capability::Amount, receipt::ActionOutcome};
    ///
    /// struct Shouts;
    ///
    /// impl Handler for Shouts {
    ///     async fn handle(&self, invocation: Invocation) -> Outcome {
    ///         let body = invocation.body.to_ascii_uppercase();
    ///         Outcome { body, outcome: ActionOutcome::Done, cost: Amount::ZERO }
    ///     }
    ///
    ///     fn streams(&self) -> u32 {
    ///         16
    ///     }
    ///
    ///     async fn stream(&self, _: Invocation, mut input: Chunks, mut output: Output) -> Done {
    ///         let failed = Done { outcome: ActionOutcome::Failed, cost: Amount::ZERO };
    ///         while let Some(piece) = input.next().await {
    ///             // An error here says that what came so far is not all of it.
    ///             let Ok(piece) = piece else { return failed };
    ///             if output.send(&piece.to_ascii_uppercase()).await.is_err() {
    ///                 return failed;
    ///             }
    ///         }
    ///         Done { outcome: ActionOutcome::Done, cost: Amount::ZERO }
    ///     }
    /// }
    /// ```
    fn stream(
        &self,
        invocation: Invocation,
        input: Chunks,
        output: Output,
    ) -> impl Future<Output = Done> + Send {
        drop((invocation, input, output));
        async { Done { outcome: ActionOutcome::Failed, cost: Amount::ZERO } }
    }

    /// Told of an invocation that the broker forwarded and that does not verify. It is not done and
    /// not answered.
    fn rejected(&self, invocation: &str, why: &Error) {
        let _ = (invocation, why);
    }
}

impl<F, O> Handler for F
where
    F: Fn(Invocation) -> O + Send + Sync + 'static,
    O: Future<Output = Outcome> + Send,
{
    fn handle(&self, invocation: Invocation) -> impl Future<Output = Outcome> + Send {
        self(invocation)
    }
}

impl Agent {
    /// Serves invocations of this principal's actions, at most `capacity` at once, until the broker
    /// refuses to go on. Connects again by itself, and to a renewed certificate's connection before
    /// the old one ends.
    ///
    /// Dropping the future drops whatever is being done.
    pub async fn serve<H: Handler>(&self, handler: H, capacity: NonZeroU32) -> Result<Infallible, Error> {
        let capacity = capacity.get().min(CAPACITY_MAX);
        let desk = Arc::new(Desk::new(self.clone(), handler));
        let takes = (capacity, desk.handler().streams().min(SERVED_STREAMS_MAX));
        let mut serving = Serving { streams: StreamMap::new(), answers: BTreeMap::new(), opened: 0 };
        let (mut sessions, mut streams) = (ServedSessions::default(), ServedStreams::default());
        let mut channels = self.inner.connection.channels();
        let mut work = Work { places: capacity as usize, ..Work::default() };
        let mut pauses = Pauses::default();
        loop {
            self.check_standing()?;
            let lost = serving.streams.is_empty();
            if lost || channels.has_changed().unwrap_or(false) {
                if lost && serving.opened > 0 {
                    pauses.wait().await;
                }
                let channel = channels.borrow_and_update().clone();
                match serving.open(self, channel, takes).await {
                    Err(error) if !error.is_passing() => return Err(error),
                    Err(_) => pauses.wait().await,
                    Ok(()) => {}
                }
                continue;
            }
            tokio::select! {
                Some((stream, message)) = serving.streams.next(), if work.has_room() => match message {
                    Ok(message) => {
                        pauses.reset();
                        let answers = serving.answers.get(&stream).cloned();
                        match message {
                            // In its order: what is verified of one request rests on those before it.
                            v1::ServeResponse { session: Some(said), .. } => {
                                let due = sessions.hear(&desk, stream, said, answers).await;
                                due.into_iter().for_each(|due| work.add(due.work(Arc::clone(&desk))));
                            }
                            v1::ServeResponse { stream: Some(said), .. } => streams.hear(stream, said),
                            message if message.streams => {
                                let heard = streams.begin(stream, &message.invocation_id);
                                if let (Some(heard), Some(answers)) = (heard, answers) {
                                    work.add_stream(Arc::clone(&desk).work_stream(message, heard, answers));
                                }
                            }
                            message => work.add(Arc::clone(&desk).work(message, answers)),
                        }
                    }
                    // The stream has ended; its answers have nowhere to go.
                    Err(_) => {
                        serving.close(stream);
                        sessions.close(stream);
                        streams.close(stream);
                    }
                },
                () = work.done() => {}
                _ = channels.changed() => channels.mark_changed(),
                else => {}
            }
        }
    }
}

/// What is being done, and what waits for a place.
#[derive(Default)]
struct Work {
    places: usize,
    under_way: JoinSet<()>,
    /// Two `Serve` streams may together bring more than there are places.
    waiting: VecDeque<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// These have places of their own: their words go on while all others are taken.
    streams: JoinSet<()>,
}

impl Work {
    /// Whether there is room for whatever comes next.
    fn has_room(&self) -> bool {
        self.waiting.len() < self.places
    }

    fn add(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        if self.under_way.len() < self.places {
            self.under_way.spawn(work);
        } else {
            self.waiting.push_back(Box::pin(work));
        }
    }

    fn add_stream(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.streams.spawn(work);
    }

    /// Completes when something is done, and begins what has waited for that.
    async fn done(&mut self) {
        tokio::select! {
            Some(_) = self.under_way.join_next() => {
                if let Some(next) = self.waiting.pop_front() {
                    self.under_way.spawn(next);
                }
            }
            Some(_) = self.streams.join_next() => {}
            else => std::future::pending().await,
        }
    }
}

/// The streams that invocations come in by: one, and for a while two when a certificate was renewed.
struct Serving {
    streams: StreamMap<u64, Streaming<v1::ServeResponse>>,
    answers: BTreeMap<u64, mpsc::Sender<v1::ServeRequest>>,
    opened: u64,
}

impl Serving {
    async fn open(
        &mut self,
        agent: &Agent,
        channel: Channel,
        (capacity, streams): (u32, u32),
    ) -> Result<(), Error> {
        // Each place can hold one answer, and the first message is the hello.
        let (answers, outgoing) = mpsc::channel(capacity as usize + 1);
        let (trust_domain, sessions) = (agent.domain().to_string(), SERVED_SESSIONS_MAX);
        let hello = v1::ServeRequest { trust_domain, capacity, sessions, streams, ..Default::default() };
        if answers.try_send(hello).is_err() {
            return Err(unavailable("serve", "the stream ended at once"));
        }
        let client = MediationClient::new(channel).max_decoding_message_size(MESSAGE_MAX_BYTES);
        let mut client = client.max_encoding_message_size(MESSAGE_MAX_BYTES);
        let open = timeout(CALL_MAX, client.serve(opening(ReceiverStream::new(outgoing))));
        let stream = match open.await {
            Ok(opened) => opened.map_err(|status| error_of("serve", &status))?.into_inner(),
            Err(_) => return Err(unavailable("serve", "no answer came in time")),
        };
        // What comes over it is verified by the domain's keys of now.
        Box::pin(agent.know_keys()).await?;
        // What has ended without a word is gone from the map of streams.
        let streams = &self.streams;
        self.answers.retain(|number, _| streams.contains_key(number));
        self.opened += 1;
        self.streams.insert(self.opened, stream);
        self.answers.insert(self.opened, answers);
        Ok(())
    }

    fn close(&mut self, stream: u64) {
        self.streams.remove(&stream);
        self.answers.remove(&stream);
    }
}

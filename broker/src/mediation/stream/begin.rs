//! The call `InvokeStream`: from the caller's first message to the stream's own task.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use countersign_protocol::{
    domain::Actor,
    limits::STREAM_MAX_MS,
    refusal::{Reason, Refusal, Viewer},
    require_some,
    time::Lifetime,
    trace_context::TraceContext,
};
use countersign_wire::v1::{InvokeStreamRequest, InvokeStreamResponse};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::{
    super::{
        Mediator,
        course::{Course, Earlier, pass_on},
        invoke::{Case, deadline},
        outcome::Done,
        pending::{Pending, cancelled, unknown},
    },
    flow::Flow,
    relay::{Ends, Relay, Sides},
    said,
};
use crate::{channel::Seat, limits::SERVE_HELLO_MAX};

/// Answers that the caller's connection has ahead; further ones wait in the stream's task.
const AHEAD: usize = 4;

/// What a stream takes whose caller says nothing, and at most.
const LONGEST: Lifetime = Lifetime::from_millis(STREAM_MAX_MS);

/// What a stream's caller hears.
#[derive(Debug)]
pub struct Relaying(ReceiverStream<Result<InvokeStreamResponse, Status>>);

impl Stream for Relaying {
    type Item = Result<InvokeStreamResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

/// What the call is told before its stream begins: nothing, or what came of it before.
type Begun = oneshot::Sender<Result<Option<Done>, Refusal>>;

/// A stream that may begin, and where its caller is.
struct Opening<S> {
    course: Course,
    viewer: Viewer,
    inbound: S,
    outbound: mpsc::Sender<Result<InvokeStreamResponse, Status>>,
    /// Held until the last word.
    _seat: Seat,
}

impl Mediator {
    /// Begins a stream, and lets its task see it to its end. `patience` is how long the caller waits.
    pub(in crate::mediation) async fn invoke_stream<S>(
        self: &Arc<Self>,
        actor: Actor,
        mut inbound: S,
        patience: Option<Duration>,
        trace: Option<TraceContext>,
    ) -> Result<Relaying, Status>
    where
        S: Stream<Item = Result<InvokeStreamRequest, Status>> + Send + Unpin + 'static,
    {
        let mut case = Case::new(self, actor);
        let (outbound, said) = mpsc::channel(AHEAD);
        let begun = match self.may_stream(&mut case, &mut inbound, patience).await {
            Ok((mut course, seat)) => {
                course.asked.trace = trace;
                let (begun, tells) = oneshot::channel();
                let opening = Opening { course, viewer: case.viewer, inbound, outbound, _seat: seat };
                // A task of its own from before the decision on: what is decided is ended, whoever hangs up.
                tokio::spawn(Arc::clone(self).run_stream(opening, begun));
                tells.await.unwrap_or_else(|_| Err(unknown("The broker failed.")))
            }
            Err(refusal) => Err(refusal),
        };
        match begun {
            Ok(None) => Ok(Relaying(ReceiverStream::new(said))),
            Ok(Some(done)) => Err(done.without_body(case.viewer)),
            Err(refusal) => Err(self.refused(&case, &refusal).await),
        }
    }

    /// Reads the invocation and asks the core, as for any other.
    async fn may_stream<S>(
        &self,
        case: &mut Case,
        inbound: &mut S,
        patience: Option<Duration>,
    ) -> Result<(Course, Seat), Refusal>
    where
        S: Stream<Item = Result<InvokeStreamRequest, Status>> + Unpin,
    {
        let first = timeout(SERVE_HELLO_MAX, inbound.next()).await.ok().flatten();
        let first = require_some!("STR-030", first.and_then(Result::ok), Reason::DeadlinePassed, "No proof.");
        let (asked, allowed) = self.allow(case, said::first(first)?)?;
        let seat = self.streams.seat(&case.actor.instance)?;
        let deadline = deadline(self.domain.clock().now(), patience, LONGEST, LONGEST).min(allowed.until);
        Ok((Course { actor: case.actor.clone(), asked, allowed, deadline, streams: true }, seat))
    }

    async fn run_stream<S>(self: Arc<Self>, opening: Opening<S>, mut begun: Begun)
    where
        S: Stream<Item = Result<InvokeStreamRequest, Status>> + Send + Unpin + 'static,
    {
        let Opening { course, viewer, inbound, outbound, _seat } = opening;
        let (id, deadline) = (course.asked.id, course.deadline);
        let asked = &course.asked;
        let ready = self.callees.reserve_stream(&asked.request.callee, asked.kib());
        let ready = ready.and_then(|(callee, place, room)| {
            let key = self.domain.peek(|state, _| Some(state.instance(callee.instance())?.statement.key));
            Some((callee, key?, place, room))
        });
        let earlier = match ready {
            // What was decided before can be answered without a callee.
            None => self.known(&course).await,
            Some((callee, key, place, room)) => {
                let (flow, hears) = Flow::new();
                let (pending, report) = Pending::new(course.particulars(&callee), place, Some(flow));
                let _listed = self.open.until_ended(&pending);
                match self.begin(&course, &pending).await {
                    Ok(None) => {
                        let intent = self.domain.peek(|state, _| Some(state.invocation(&id)?.intent));
                        let sides = Sides::new(&course.allowed, key);
                        pass_on(self.message(course), room, &callee, &pending);
                        if begun.send(Ok(None)).is_err() {
                            pending.give_up(cancelled("The caller has hung up."));
                        }
                        let ends = Ends { inbound: Some(inbound), outbound, hears, report };
                        let relay =
                            Relay::new(Arc::clone(&self), sides, pending.clone(), callee, viewer, intent);
                        return relay.run(ends, deadline).await;
                    }
                    Ok(Some(earlier)) => Ok(earlier),
                    Err(refusal) => Err(refusal),
                }
            }
        };
        let told = match earlier {
            Ok(Earlier::Ended(ended)) => ended.into_done(None),
            Ok(Earlier::Open(ended)) => {
                drop((course, inbound));
                tokio::select! {
                    told = self.until_retold(id, ended, deadline) => told,
                    () = begun.closed() => return,
                }
            }
            Err(refusal) => Err(refusal),
        };
        let _ = begun.send(told.map(Some));
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::time::Timestamp;

    use super::*;

    #[test]
    fn a_stream_takes_as_long_as_its_caller_waits_and_no_longer_than_it_may() {
        let now = Timestamp::new(countersign_forge::START_MS).unwrap();
        let left =
            |patience: Option<Duration>| deadline(now, patience, LONGEST, LONGEST).since(now).as_millis();
        let millis = |millis: u64| left(Some(Duration::from_millis(millis)));
        assert_eq!([left(None), millis(STREAM_MAX_MS), millis(STREAM_MAX_MS + 1)], [STREAM_MAX_MS; 3]);
        assert_eq!(millis(STREAM_MAX_MS - 1), STREAM_MAX_MS - 1);
        assert_eq!(left(Some(Duration::MAX)), STREAM_MAX_MS);
    }
}

//! The call `Serve`: a callee's one stream.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_protocol::{
    domain::Actor,
    refusal::{Reason, Refusal, Viewer},
    require, require_some,
};
use countersign_wire::v1::{ServeRequest, ServeResponse};
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::{
    Mediator,
    callee::{Callee, Takes},
};
use crate::{
    limits::{CALLEE_CAPACITY_MAX, CALLEE_SESSIONS_MAX, CALLEE_STREAMED_MAX, SERVE_HELLO_MAX},
    status::status,
};

/// What a callee receives. Each invocation is looked at once more at the moment it is taken.
#[derive(Debug)]
pub struct Forwarding {
    mediator: Arc<Mediator>,
    callee: Arc<Callee>,
}

impl Mediator {
    /// Opens a callee's stream: after its hello, what it sends are answers.
    pub(super) async fn serve<S>(self: &Arc<Self>, actor: Actor, mut inbound: S) -> Result<Forwarding, Status>
    where
        S: Stream<Item = Result<ServeRequest, Status>> + Send + Unpin + 'static,
    {
        let callee = self.greet(&actor, &mut inbound).await;
        let callee = callee.map_err(|refusal| status(&refusal, Viewer::Party))?;
        let forwarding = Forwarding { mediator: Arc::clone(self), callee: Arc::clone(&callee) };
        // It is listed now: a revocation from here on ends it. One that came before is seen here.
        let admitted = self.domain.peek(|state, _| state.admitted(&actor).map(drop));
        admitted.map_err(|refusal| status(&refusal, Viewer::Stranger))?;
        let mediator = Arc::clone(self);
        tokio::spawn(async move {
            let why = hear(&callee, inbound).await;
            mediator.leave(&callee, why);
        });
        Ok(forwarding)
    }

    /// Reads the hello.
    async fn greet<S>(&self, actor: &Actor, inbound: &mut S) -> Result<Arc<Callee>, Refusal>
    where
        S: Stream<Item = Result<ServeRequest, Status>> + Unpin,
    {
        let first = timeout(SERVE_HELLO_MAX, inbound.next()).await.ok().flatten();
        let hello = require_some!("API-050", first.and_then(Result::ok), Reason::DeadlinePassed, "No hello.");
        self.domain.check_named(&hello.trust_domain)?;
        let bare = hello.answer.is_none() && hello.session.is_none() && hello.stream.is_none();
        require!("API-054", bare, Reason::PayloadMalformed, "An answer came before any invocation.");
        let capacity = hello.capacity;
        require!(
            "API-051",
            (1..=CALLEE_CAPACITY_MAX).contains(&capacity),
            Reason::LimitExceeded,
            "Its capacity is {capacity}, not 1 to {CALLEE_CAPACITY_MAX}."
        );
        require!(
            "SES-060",
            hello.sessions <= CALLEE_SESSIONS_MAX,
            Reason::LimitExceeded,
            "It takes {} sessions, not 0 to {CALLEE_SESSIONS_MAX}.",
            hello.sessions
        );
        require!(
            "STR-033",
            hello.streams <= CALLEE_STREAMED_MAX,
            Reason::LimitExceeded,
            "It takes {} streams, not 0 to {CALLEE_STREAMED_MAX}.",
            hello.streams
        );
        let takes = Takes { capacity, sessions: hello.sessions, streams: hello.streams };
        self.callees.add(&actor.instance, takes)
    }

    /// Takes a callee off the list and ends what it had.
    fn leave(&self, callee: &Arc<Callee>, why: Refusal) {
        self.callees.remove(callee);
        callee.end(why);
    }
}

impl Stream for Forwarding {
    type Item = Result<ServeResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.callee.poll_forward(cx, &self.mediator.domain)
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.mediator.leave(&self.callee, left());
    }
}

/// Takes answers until the stream ends, and gives why.
async fn hear<S>(callee: &Callee, mut inbound: S) -> Refusal
where
    S: Stream<Item = Result<ServeRequest, Status>> + Unpin,
{
    loop {
        let message = tokio::select! {
            message = inbound.next() => message,
            () = callee.until_over() => return left(),
        };
        match message {
            Some(Ok(ServeRequest { answer: Some(answer), session: None, stream: None, .. })) => {
                callee.answer(answer);
            }
            Some(Ok(ServeRequest { answer: None, session: Some(said), stream: None, .. })) => {
                callee.say(said)
            }
            Some(Ok(ServeRequest { answer: None, session: None, stream: Some(said), .. })) => {
                callee.say_in_stream(said);
            }
            Some(Ok(_)) => {
                return Refusal::new("API-054", Reason::PayloadMalformed, "After the hello come answers.");
            }
            Some(Err(_)) | None => return left(),
        }
    }
}

fn left() -> Refusal {
    Refusal::new("API-053", Reason::CalleeUnavailable, "The callee has closed its stream.")
}

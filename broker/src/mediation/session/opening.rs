//! The call `OpenSession`: from the caller's opening to the callee's answer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_protocol::{
    domain::{Actor, OpenSession, SessionCause},
    payload::Payload,
    refusal::{Reason, Refusal, Viewer},
    require, require_some,
    session::SessionOpening,
    signed::Signed,
    token::{ActiveToken, SessionPermit, UnverifiedToken},
};
use countersign_wire::v1::{OfferedSession, OpenSessionRequest, OpenSessionResponse};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::{
    super::{Mediator, callee::Callee, invoke::Case, pending::unknown},
    course::{Course, Parts},
    door::{Heard, Parcel, Session},
    said,
};
use crate::{
    domain::recorded,
    limits::{SERVE_HELLO_MAX, SESSION_ANSWER_MAX, SESSION_HEARD_MAX},
    status::status,
};

/// Replies that the caller's connection has ahead; further ones wait in the session.
const AHEAD: usize = 8;

/// What a session's caller hears.
#[derive(Debug)]
pub struct Saying(ReceiverStream<Result<OpenSessionResponse, Status>>);

impl Stream for Saying {
    type Item = Result<OpenSessionResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

/// An opening that the core allows as far as it can without the ledger.
struct Allowed {
    permit: SessionPermit,
    signed: Signed,
    offer: OfferedSession,
}

impl Mediator {
    /// Opens a session, and lets its task see it to its end.
    pub(in crate::mediation) async fn open_session<S>(
        self: &Arc<Self>,
        actor: Actor,
        mut inbound: S,
    ) -> Result<Saying, Status>
    where
        S: Stream<Item = Result<OpenSessionRequest, Status>> + Send + Unpin + 'static,
    {
        let mut case = Case::new(self, actor);
        let allowed = match self.may_open(&mut case, &mut inbound).await {
            Ok(allowed) => allowed,
            Err(refusal) => return Err(self.refused(&case, &refusal).await),
        };
        let (begun, tells) = oneshot::channel();
        // A task of its own from before the decision on: what is decided is ended, whoever hangs up.
        tokio::spawn(Arc::clone(self).run_session(case, allowed, inbound, begun));
        let failed = |_| status(&unknown("The broker failed."), Viewer::Stranger);
        tells.await.map_err(failed)?
    }

    async fn run_session<S>(
        self: Arc<Self>,
        case: Case,
        allowed: Allowed,
        inbound: S,
        begun: oneshot::Sender<Result<Saying, Status>>,
    ) where
        S: Stream<Item = Result<OpenSessionRequest, Status>> + Send + Unpin + 'static,
    {
        match self.opened(&case, allowed).await {
            Ok(parts) => {
                let (outbound, said) = mpsc::channel(AHEAD);
                // A caller that has hung up is one that leaves.
                let _ = begun.send(Ok(Saying(ReceiverStream::new(said))));
                Course::new(parts, inbound, outbound).run().await;
            }
            Err(refusal) => {
                let refused = self.refused(&case, &refusal).await;
                let _ = begun.send(Err(refused));
            }
        }
    }

    /// Reads the opening, and asks the core whether it allows what it says.
    async fn may_open<S>(&self, case: &mut Case, inbound: &mut S) -> Result<Allowed, Refusal>
    where
        S: Stream<Item = Result<OpenSessionRequest, Status>> + Unpin,
    {
        let first = timeout(SERVE_HELLO_MAX, inbound.next()).await.ok().flatten();
        let first =
            require_some!("SES-062", first.and_then(Result::ok), Reason::DeadlinePassed, "No opening.");
        self.allow_session(case, first)
    }

    async fn opened(self: &Arc<Self>, case: &Case, allowed: Allowed) -> Result<Parts, Refusal> {
        let Allowed { permit, signed, offer } = allowed;
        let seat = self.sessions.seat(&case.actor.instance)?;
        let ready = self.callees.session_place(&permit.opening().callee);
        let (callee, place) = require_some!("SES-018", ready, Reason::CalleeUnavailable);
        let id = permit.opening().session_id;
        let (chain, instance) = (permit.chain().to_vec(), callee.instance().clone());
        let (session, mut hears) = Session::new(id, chain, instance, SESSION_HEARD_MAX);
        let listed = self.sessions.until_ended(&session);
        let open = OpenSession { permit: &permit, opening: &signed, callee: Some(callee.instance()) };
        let opened = self.domain.decide(
            |state, context| state.decide_open_session(context, &case.actor, &open),
            |state| {
                // Listed in the same step in which it is decided: whoever revokes next finds it.
                self.sessions.insert(&session);
                recorded(state.session(&id).map(|session| session.opened))
            },
        );
        let opened = opened.await?;
        callee.join(&session);
        callee.tell(&session, Parcel::word(offer));
        let answer = match self.answered(&session, &mut hears).await {
            Ok(answer) => answer,
            Err(refusal) => {
                self.not_taken(&session, &callee).await?;
                return Err(refusal);
            }
        };
        let mediator = Arc::clone(self);
        let (actor, viewer) = (case.actor.clone(), case.viewer);
        let _held = (seat, place, listed);
        Ok(Parts { mediator, actor, viewer, permit, session, callee, hears, opened, answer, _held })
    }

    /// Reads the opening, verifies the token and asks the core. Nothing here holds the state.
    fn allow_session(&self, case: &mut Case, first: OpenSessionRequest) -> Result<Allowed, Refusal> {
        self.domain.check_named(&first.trust_domain)?;
        let malformed = |why: String| Refusal::new("CONV-010", Reason::PayloadMalformed, why);
        let alone = first.call.is_none() && first.head.is_empty() && !first.close;
        require!("SES-038", alone, Reason::PayloadMalformed, "Something came before the opening.");
        let signed = Signed::from_bytes(&first.opening).map_err(|error| malformed(format!("{error}.")))?;
        let claimed = signed.peek_unverified::<SessionOpening>();
        claimed.map_err(|error| malformed(format!("The opening: {error}.")))?;
        case.lower(Viewer::Stranger);
        let token = UnverifiedToken::from_bytes(first.token.clone()).verify(self.activator.keys())?;
        case.see(&token);
        let holds = token.leaf().holder.instance == case.actor.instance;
        require!("API-035", holds, Reason::ProofInvalid, "The caller does not hold the chain.");
        let activation = self.activation(token.chain_id())?;
        let active = ActiveToken::new(token, activation.clone())?;
        let permit = active.permit_session(&signed, self.domain.clock().now())?;
        let offer = OfferedSession {
            session_id: permit.opening().session_id.to_string(),
            opening: first.opening,
            token: first.token,
            activation: self.activator.sign(&activation).to_bytes(),
            ..Default::default()
        };
        Ok(Allowed { permit, signed, offer })
    }

    /// The callee's answer, once it is durable.
    async fn answered(
        &self,
        session: &Arc<Session>,
        hears: &mut mpsc::Receiver<Heard>,
    ) -> Result<Vec<u8>, Refusal> {
        let late = self.domain.clock().now().plus(SESSION_ANSWER_MAX);
        let heard = tokio::select! {
            heard = hears.recv() => heard,
            () = self.domain.clock().wait_until(late) => None,
        };
        let gone = Reason::CalleeUnavailable;
        let said = match require_some!("SES-023", heard, gone, "The callee did not answer the opening.") {
            Heard::Said(said) => said,
            Heard::Shut(refusal) => return Err(refusal),
        };
        let (signed, id) = (said::answer(said)?, session.id());
        let decided = self
            .domain
            .decide(|state, context| state.decide_session_answer(context, id, &signed), |_| Ok(()));
        decided.await?;
        Ok(signed.to_bytes())
    }

    async fn not_taken(&self, session: &Arc<Session>, callee: &Arc<Callee>) -> Result<(), Refusal> {
        session.shut(Refusal::new("SES-023", Reason::CalleeUnavailable, "The session was not taken."));
        callee.part(session);
        let id = session.id();
        let ended = self.domain.decide(
            |state, context| state.decide_end_session(context, id, SessionCause::CalleeLeft),
            |_| Ok(()),
        );
        ended.await
    }
}

//! Between the two sides of a session.

use std::sync::Arc;

use countersign_protocol::{
    capability::Arguments,
    digest::Digest,
    domain::{Actor, OpenSession, SessionCause},
    key::SigningKey,
    payload::Payload,
    refusal::{Reason, Refusal},
    session::{Ephemeral, SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult, Side},
    signed::{Signed, Statement},
    token::{ActiveToken, SessionPermit, UnverifiedToken},
};
use countersign_wire::v1;
use rand_core::OsRng;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::{Callee, Lie, Shared, now, status};

/// What the caller of a session hears.
pub(super) type Said = Result<v1::OpenSessionResponse, Status>;

/// A session under way.
struct Between {
    broker: Arc<Shared>,
    actor: Actor,
    permit: SessionPermit,
    callee: Callee,
    out: mpsc::Sender<Said>,
    /// A request that is held back, to come after the next one.
    held_back: Option<v1::SessionCall>,
    last: Option<v1::SessionCall>,
    /// The caller says nothing more, and waits for the callee's last head.
    closed: bool,
}

impl Shared {
    /// Hears what a callee says in a session.
    pub(super) async fn served(&self, said: v1::ServedSession) {
        let session = self.sessions.lock().unwrap().get(&said.session_id).cloned();
        if let Some(session) = session {
            let _ = session.send(said).await;
        }
    }

    /// Opens a session, and goes on in a task of its own.
    pub(super) async fn open_session(
        self: Arc<Self>,
        actor: Actor,
        mut inbound: Streaming<v1::OpenSessionRequest>,
    ) -> Result<mpsc::Receiver<Said>, Status> {
        let first = inbound.message().await?.unwrap();
        let signed = Signed::from_bytes(&first.opening).unwrap();
        let opening: SessionOpening = signed.peek_unverified().unwrap();
        let refused = |refusal: Refusal| status(&refusal);
        let token =
            UnverifiedToken::from_bytes(first.token.clone()).verify(&self.keys.set).map_err(refused)?;
        let activation = self.state().activation(token.chain_id()).unwrap();
        let active = ActiveToken::new(token, activation.clone()).map_err(refused)?;
        let permit = active.permit_session(&signed, now()).map_err(refused)?;
        let callee = self.callees.lock().unwrap().get(&opening.callee).cloned();
        let callee = callee.ok_or_else(|| status(&Refusal::new("SES-018", Reason::CalleeUnavailable, "")))?;
        let open = OpenSession { permit: &permit, opening: &signed, callee: Some(&callee.instance) };
        self.decide(|state, context| state.decide_open_session(context, &actor, &open))?;
        let (route, mut hears) = mpsc::channel(64);
        self.sessions.lock().unwrap().insert(opening.session_id.to_string(), route);
        let offer = v1::OfferedSession {
            session_id: opening.session_id.to_string(),
            opening: first.opening,
            token: first.token,
            activation: activation.sign(&self.keys.activation).to_bytes(),
            ..Default::default()
        };
        offered(&callee, offer).await;
        let answer = hears.recv().await.unwrap().answer;
        let signed = Signed::from_bytes(&answer).unwrap();
        let id = opening.session_id;
        self.decide(|state, context| state.decide_session_answer(context, id, &signed))?;
        let (out, said) = mpsc::channel(64);
        let answer = self.told_answer(&signed);
        let first = v1::OpenSessionResponse { answer, opened_leaf: 1, ..Default::default() };
        out.send(Ok(first)).await.unwrap();
        let between =
            Between { broker: self, actor, permit, callee, out, held_back: None, last: None, closed: false };
        tokio::spawn(between.run(inbound, hears));
        Ok(said)
    }

    /// The answer as the caller is told of it.
    fn told_answer(&self, signed: &Signed) -> Vec<u8> {
        let honest: SessionAnswer = signed.peek_unverified().unwrap();
        let own_key = Ephemeral::generate(&mut OsRng).public();
        if self.lying(Lie::SessionAnswerForged) {
            // With a key that the broker knows, so that it could read and write everything.
            let forged = SessionAnswer { key: own_key, ..honest };
            return forged.sign(&SigningKey::generate(&mut OsRng)).to_bytes();
        }
        if self.lying(Lie::SessionAnswerOfAnother) {
            let other = self.answered_before.lock().unwrap().clone();
            return other.unwrap().to_bytes();
        }
        *self.answered_before.lock().unwrap() = Some(signed.clone());
        signed.to_bytes()
    }
}

async fn offered(callee: &Callee, session: v1::OfferedSession) {
    let message = v1::ServeResponse { session: Some(session), ..Default::default() };
    let _ = callee.forward.send(Ok(message)).await;
}

impl Between {
    async fn run(
        mut self,
        mut inbound: Streaming<v1::OpenSessionRequest>,
        mut hears: mpsc::Receiver<v1::ServedSession>,
    ) {
        let mut speaks = true;
        loop {
            tokio::select! {
                message = inbound.message(), if speaks => match message {
                    Ok(Some(message)) => self.said(message).await,
                    _ if self.closed => speaks = false,
                    _ => break,
                },
                told = hears.recv() => match told {
                    Some(told) if told.leave => break self.fail().await,
                    Some(told) => if self.told(told).await { break },
                    None => break,
                },
            }
        }
        let id = self.permit.opening().session_id;
        let cause = SessionCause::CallerLeft;
        let _ = self.broker.decide(|state, context| state.decide_end_session(context, id, cause));
    }

    fn offered(&self) -> v1::OfferedSession {
        v1::OfferedSession { session_id: self.permit.opening().session_id.to_string(), ..Default::default() }
    }

    async fn fail(&self) {
        let refusal = Refusal::new("SES-023", Reason::CalleeUnavailable, "");
        let _ = self.out.send(Err(status(&refusal))).await;
    }

    async fn said(&mut self, message: v1::OpenSessionRequest) {
        if let Some(call) = message.call {
            return self.asked(call).await;
        }
        if message.close {
            self.closed = true;
            return offered(&self.callee, v1::OfferedSession { closing: true, ..self.offered() }).await;
        }
        self.decide_head(Side::Caller, &message.head);
        let mut head = message.head;
        if self.broker.lying(Lie::RequestsSignedByAnother) {
            let signed = Signed::from_bytes(&head).unwrap();
            let claimed: SessionHead = signed.peek_unverified().unwrap();
            head = claimed.sign(&SigningKey::generate(&mut OsRng)).to_bytes();
        }
        offered(&self.callee, v1::OfferedSession { head, ..self.offered() }).await;
    }

    fn decide_head(&self, side: Side, head: &[u8]) {
        let (id, head) = (self.permit.opening().session_id, Signed::from_bytes(head).unwrap());
        self.broker.decide(|state, context| state.decide_session_head(context, id, side, &head)).unwrap();
    }

    async fn asked(&mut self, call: v1::SessionCall) {
        let request = SessionRequest::from_bytes(&call.request).unwrap();
        let arguments = Arguments::from_bytes(&call.arguments).unwrap();
        let used = self.permit.permit(request.clone(), arguments, &call.body, now()).unwrap();
        let (id, actor) = (self.permit.opening().session_id, self.actor.clone());
        let broker = &self.broker;
        broker.decide(|state, context| state.decide_session_request(context, &actor, id, &used)).unwrap();
        let mut sent = vec![call.clone()];
        if self.broker.lying(Lie::RequestForged) {
            let forged = SessionRequest { resource: "file:/data/eu/other.csv".parse().unwrap(), ..request };
            sent = vec![v1::SessionCall { request: forged.to_bytes(), ..call.clone() }];
        }
        if self.broker.lying(Lie::RequestBodyAltered) {
            sent = vec![v1::SessionCall { body: b"other".to_vec(), ..call.clone() }];
        }
        if self.broker.lying(Lie::RequestReplayed) {
            sent.splice(..0, self.last.clone());
        }
        if self.broker.lying(Lie::RequestsReordered) {
            match self.held_back.take() {
                None => {
                    self.held_back = Some(call);
                    return;
                }
                Some(before) => sent.push(before),
            }
        }
        if self.broker.lying(Lie::RequestDropped) && self.last.is_none() {
            sent.clear();
        }
        self.last = Some(call);
        for call in sent {
            offered(&self.callee, v1::OfferedSession { call: Some(call), ..self.offered() }).await;
        }
    }

    /// The callee said something; whether that was the last.
    async fn told(&mut self, told: v1::ServedSession) -> bool {
        if let Some(reply) = told.reply {
            let result = SessionResult::from_bytes(&reply.result).unwrap();
            let id = self.permit.opening().session_id;
            self.broker.decide(|state, context| state.decide_session_result(context, id, &result)).unwrap();
            let reply = self.told_reply(result, reply);
            let reply = Some(v1::SessionReply { intent_leaf: 1, result_leaf: 2, ..reply });
            let _ = self.out.send(Ok(v1::OpenSessionResponse { reply, ..Default::default() })).await;
            return false;
        }
        self.decide_head(Side::Callee, &told.head);
        let mut head = told.head;
        if self.broker.lying(Lie::ResultsSignedByAnother) {
            let signed = Signed::from_bytes(&head).unwrap();
            let claimed: SessionHead = signed.peek_unverified().unwrap();
            head = claimed.sign(&SigningKey::generate(&mut OsRng)).to_bytes();
        }
        if !self.broker.lying(Lie::HeadLeftOut) {
            let _ = self.out.send(Ok(v1::OpenSessionResponse { head, ..Default::default() })).await;
        }
        // The tests close when they are done; the last head ends it.
        true
    }

    fn told_reply(&self, result: SessionResult, reply: v1::SessionReply) -> v1::SessionReply {
        let body = b"forged".to_vec();
        if self.broker.lying(Lie::SessionResultForged) {
            let forged = SessionResult { result: Digest::of(&body), ..result };
            return v1::SessionReply { result: forged.to_bytes(), body, ..reply };
        }
        if self.broker.lying(Lie::SessionResultAltered) {
            return v1::SessionReply { body, ..reply };
        }
        reply
    }
}

//! Serving sessions: every request is verified end to end, in its order, by the session's key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use countersign_protocol::{
    capability::{Amount, Arguments},
    digest::{Digest, SessionLink},
    extension::Extensions,
    id::{InvocationId, SessionId},
    key::PublicKey,
    payload::Payload,
    receipt::ActionOutcome,
    session::{
        Ephemeral, MacKey, SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult, Side,
        Strand,
    },
    signed::Signed,
    time::Timestamp,
    token::{ActiveToken, SessionPermit},
};
use countersign_wire::v1;
use tokio::sync::{Mutex, mpsc};

use super::{Handler, Invocation, Outcome, desk::Desk};
use crate::{
    agent::Agent,
    clock::entropy,
    error::{About, Error, deceived},
    limits::SERVED_SESSIONS_MAX,
};

/// Where what is said in sessions goes.
type Answers = mpsc::Sender<v1::ServeRequest>;

/// The sessions that this callee is in, by the stream that they came by.
#[derive(Default)]
pub(super) struct ServedSessions(BTreeMap<(u64, String), Served>);

/// One session, as its requests have made it.
struct Served {
    permit: SessionPermit,
    chain: Arc<ActiveToken>,
    caller: PublicKey,
    key: MacKey,
    requests: Strand,
    /// How many requests the caller has signed for.
    covered: u64,
    telling: Arc<Mutex<Telling>>,
}

/// What this side says. Whoever holds the lock says the next thing.
struct Telling {
    agent: Agent,
    opening: SessionOpening,
    key: MacKey,
    results: Strand,
    /// How many results are signed for.
    covered: u64,
    answers: Answers,
}

/// A request to be done now.
pub(super) struct Due {
    invocation: Invocation,
    per_call: Amount,
    seq: u64,
    link: SessionLink,
    telling: Arc<Mutex<Telling>>,
}

impl ServedSessions {
    /// Hears something of a session. Gives what is to be done about it, if anything is.
    pub(super) async fn hear<H: Handler>(
        &mut self,
        desk: &Desk<H>,
        stream: u64,
        said: v1::OfferedSession,
        answers: Option<Answers>,
    ) -> Option<Due> {
        let answers = answers?;
        let place = (stream, said.session_id.clone());
        if said.over {
            self.0.remove(&place);
            return None;
        }
        let heard = match self.0.get_mut(&place) {
            None => self.open(desk.agent(), place.clone(), said, answers.clone()).await.map(|()| None),
            Some(served) => served.hear(said).await,
        };
        match heard {
            Ok(due) => due,
            Err(error) => {
                desk.rejected(&place.1, &error);
                self.0.remove(&place);
                let leave = v1::ServedSession { session_id: place.1, leave: true, ..Default::default() };
                tell(&answers, leave).await;
                None
            }
        }
    }

    /// Forgets the sessions of a stream that has ended.
    pub(super) fn close(&mut self, stream: u64) {
        self.0.retain(|(of, _), _| *of != stream);
    }

    async fn open(
        &mut self,
        agent: &Agent,
        place: (u64, String),
        said: v1::OfferedSession,
        answers: Answers,
    ) -> Result<(), Error> {
        if said.opening.is_empty() {
            return Err(deceived(About::Session, "it is not open here"));
        }
        if self.0.len() >= SERVED_SESSIONS_MAX as usize {
            return Err(deceived(About::Session, "it is one more than this callee said that it takes"));
        }
        let (served, answer) = Served::open(agent, said, answers.clone())?;
        let session_id = place.1.clone();
        self.0.insert(place, served);
        tell(&answers, v1::ServedSession { session_id, answer, ..Default::default() }).await;
        Ok(())
    }
}

impl Served {
    /// Verifies token, activation and opening, all from the bytes on, and agrees on keys.
    fn open(agent: &Agent, said: v1::OfferedSession, answers: Answers) -> Result<(Self, Vec<u8>), Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Session, why);
        let chain = agent.open_chain(said.token, &said.activation)?;
        let signed = Signed::from_bytes(&said.opening).map_err(|error| bad(&error))?;
        let now = agent.now();
        let permit = chain.permit_session(&signed, now).map_err(|refusal| bad(&refusal))?;
        let opening = permit.opening().clone();
        if opening.callee != *agent.instance().principal() {
            return Err(bad(&"it is for another callee"));
        }
        if opening.session_id.to_string() != said.session_id {
            return Err(bad(&"it is another session than it is said to be"));
        }
        let ephemeral = Ephemeral::generate(&mut entropy());
        let answer = SessionAnswer {
            domain: agent.domain().clone(),
            session_id: opening.session_id,
            opening: permit.digest(),
            callee: agent.instance().clone(),
            key: ephemeral.public(),
            answered: now,
            extensions: Extensions::none(),
        };
        let answer = agent.sign(&answer);
        let (opened, answered) = (permit.digest(), answer.digest());
        let keys = ephemeral.agree(&opening.key, &opened, &answered).map_err(|error| bad(&error))?;
        let begin = |side| Strand::begin(side, &opened, &answered);
        let telling = Telling {
            agent: agent.clone(),
            opening,
            key: keys.results,
            results: begin(Side::Callee),
            covered: 0,
            answers,
        };
        let served = Self {
            caller: chain.token().leaf().holder.key,
            permit,
            chain: Arc::new(chain),
            key: keys.requests,
            requests: begin(Side::Caller),
            covered: 0,
            telling: Arc::new(Mutex::new(telling)),
        };
        Ok((served, answer.to_bytes()))
    }

    async fn hear(&mut self, said: v1::OfferedSession) -> Result<Option<Due>, Error> {
        if let Some(call) = said.call {
            return self.asked(call).await;
        }
        if !said.passed.is_empty() {
            // That the broker refused it, and not that nothing was asked, the next MAC shows.
            let digest = Digest::try_from(said.passed.as_slice());
            let digest = digest.map_err(|_| deceived(About::Session, "it passes over nothing"))?;
            self.requests = self.requests.with_digest(&digest);
        } else if !said.head.is_empty() {
            self.signed(&said.head)?;
        } else if said.closing {
            self.telling.lock().await.sign().await;
        } else {
            return Err(deceived(About::Session, "it says nothing"));
        }
        Ok(None)
    }

    /// The next request is the caller's, and every link allows it.
    async fn asked(&mut self, call: v1::SessionCall) -> Result<Option<Due>, Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Session, why);
        let request = SessionRequest::from_bytes(&call.request).map_err(|error| bad(&error))?;
        let strand = self.requests.with(&request);
        self.key.verify(&strand.link, &call.mac).map_err(|error| bad(&error))?;
        if request.seq != strand.count {
            return Err(bad(&"a request is out of order"));
        }
        if strand.count - self.covered > u64::from(self.permit.opening().sign_every) {
            return Err(bad(&"its caller does not sign for what it asks"));
        }
        self.requests = strand;
        let (seq, deadline, now) = (request.seq, request.deadline, self.now().await);
        let arguments = match call.arguments.as_slice() {
            [] => Arguments::new(Vec::new()).map_err(|error| bad(&error))?,
            bytes => Arguments::from_bytes(bytes).map_err(|error| bad(&error))?,
        };
        let used =
            self.permit.permit(request, arguments, &call.body, now).map_err(|refusal| bad(&refusal))?;
        let invocation = Invocation {
            id: InvocationId::in_session(self.permit.opening().session_id, seq),
            chain: Arc::clone(&self.chain),
            request: used.into_wanted(),
            body: call.body,
            deadline,
            trace: None,
        };
        let per_call = self.chain.token().leaf().rights.budget.per_call;
        let due = Due { invocation, per_call, seq, link: strand.link, telling: Arc::clone(&self.telling) };
        if deadline <= now {
            due.answer(Outcome { body: Vec::new(), outcome: ActionOutcome::Failed, cost: Amount::ZERO })
                .await;
            return Ok(None);
        }
        Ok(Some(due))
    }

    async fn now(&self) -> Timestamp {
        self.telling.lock().await.agent.now()
    }

    /// The caller signed for exactly what was asked here.
    fn signed(&mut self, head: &[u8]) -> Result<(), Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Session, why);
        let signed = Signed::from_bytes(head).map_err(|error| bad(&error))?;
        let head: SessionHead = signed.open(&[self.caller]).map_err(|error| bad(&error))?;
        let opening = self.permit.opening();
        let fits = (&head.domain, head.session_id, head.side)
            == (&opening.domain, opening.session_id, Side::Caller)
            && (head.count, head.link) == (self.requests.count, self.requests.link)
            && head.extensions.check().is_ok();
        if !fits {
            return Err(bad(&"its caller signed for something else than it asked"));
        }
        self.covered = head.count;
        Ok(())
    }
}

impl Due {
    /// Does it, and says what came of it.
    pub(super) async fn work<H: Handler>(self, desk: Arc<Desk<H>>) {
        let outcome = desk.outcome(self.invocation.clone(), self.per_call).await;
        self.answer(outcome).await;
    }

    async fn answer(self, outcome: Outcome) {
        let Self { per_call, seq, link, telling, .. } = self;
        let mut told = telling.lock().await;
        told.result(seq, link, outcome, per_call).await;
        // The first result after a head has that time to be signed for.
        if told.results.count == told.covered + 1 {
            let within = Duration::from_millis(told.opening.sign_within.as_millis() / 2);
            tokio::spawn(sign_later(Arc::downgrade(&telling), within, told.covered));
        }
    }
}

/// Signs after that time, unless it was done meanwhile.
async fn sign_later(telling: Weak<Mutex<Telling>>, within: Duration, covered: u64) {
    tokio::time::sleep(within).await;
    if let Some(telling) = telling.upgrade() {
        let mut told = telling.lock().await;
        if told.covered == covered {
            told.sign().await;
        }
    }
}

impl Telling {
    async fn result(&mut self, seq: u64, request: SessionLink, outcome: Outcome, per_call: Amount) {
        let result = SessionResult {
            number: self.results.count + 1,
            seq,
            request,
            outcome: outcome.outcome,
            result: Digest::of(&outcome.body),
            cost: outcome.cost.min(per_call),
            finished: self.agent.now(),
        };
        self.results = self.results.with(&result);
        let reply = v1::SessionReply {
            result: result.to_bytes(),
            body: outcome.body,
            mac: self.key.mac(&self.results.link).to_vec(),
            ..Default::default()
        };
        self.say(v1::ServedSession { reply: Some(reply), ..Default::default() }).await;
        if self.results.count - self.covered >= u64::from(self.opening.sign_every) {
            self.sign().await;
        }
    }

    /// Signs for all results so far, where that is not done.
    async fn sign(&mut self) {
        if self.results.count == self.covered {
            return;
        }
        let head = SessionHead {
            domain: self.opening.domain.clone(),
            session_id: self.opening.session_id,
            side: Side::Callee,
            count: self.results.count,
            link: self.results.link,
            signed: self.agent.now(),
            extensions: Extensions::none(),
        };
        self.covered = self.results.count;
        let head = self.agent.sign(&head).to_bytes();
        self.say(v1::ServedSession { head, ..Default::default() }).await;
    }

    async fn say(&self, said: v1::ServedSession) {
        let session: SessionId = self.opening.session_id;
        tell(&self.answers, v1::ServedSession { session_id: session.to_string(), ..said }).await;
    }
}

/// Where the stream is gone, so is whoever waits for the answer.
async fn tell(answers: &Answers, said: v1::ServedSession) {
    let _ = answers.send(v1::ServeRequest { session: Some(said), ..Default::default() }).await;
}

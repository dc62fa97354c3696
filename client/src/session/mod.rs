//! Using a chain many times under one proof.

mod hearing;
mod opening;
mod saying;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use countersign_protocol::{
    digest::SessionLink,
    id::{InvocationId, SessionId},
    ledger::LeafIndex,
    limits::BODY_MAX_BYTES,
    name::{InstanceId, PrincipalId},
    session::SessionResult,
    time::Lifetime,
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::timeout,
};

use self::saying::Saying;
use crate::{
    agent::Agent,
    connection::unavailable,
    error::{CallerFault, Error},
    invoke::Call,
    limits::{INVOKE_MAX, SESSION_CLOSE_MAX},
};

/// How often both sides of a session sign for what they said. What no signature covers yet rests on the
/// session's MACs, which only the two sides can make and nobody else can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// At the latest after so many requests or results: 1 to 256.
    pub sign_every: u32,
    /// At the latest so long after the first that is not signed for: a tenth of a second to a minute.
    pub sign_within: Lifetime,
}

/// A session with one instance of a callee: many invocations under one proof, on one stream. Clones are
/// the same session, and may invoke at the same time; requests go out in the order of the calls.
///
/// It ends when it is closed, when its last clone is dropped, and when the broker ends it: when the chain
/// is revoked, a side leaves, or the certificate of this instance's connection ends. What was asked and
/// not answered then may have been done: [`Agent::explain`] tells. Open another session to go on.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
    callee: InstanceId,
    opened: LeafIndex,
    /// The last clone's end tells the hearing task to end.
    _alive: Arc<watch::Sender<()>>,
}

/// What came of a request: the callee's word, verified by the session's MAC, and signed for with the
/// callee's next head.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The invocation; [`Agent::explain`] takes it.
    pub invocation: InvocationId,
    /// How it ended, and what it cost.
    pub result: SessionResult,
    /// The result; its digest is in the callee's word.
    pub body: Vec<u8>,
    /// The leaf that permitted it.
    pub intent: LeafIndex,
    /// The leaf that ended it.
    pub ended: LeafIndex,
}

/// What the clones of a session and its hearing task share.
#[derive(Debug)]
struct Shared {
    agent: Agent,
    id: SessionId,
    callee: PrincipalId,
    saying: Mutex<Saying>,
    waiting: Mutex<Waiting>,
    /// How many more requests may be unanswered at once.
    window: Semaphore,
    /// How the session ended.
    over: watch::Sender<Option<Result<(), Error>>>,
}

/// The requests that are not answered, with their links.
#[derive(Debug, Default)]
struct Waiting {
    requests: BTreeMap<u64, Asked>,
}

#[derive(Debug)]
struct Asked {
    link: SessionLink,
    /// Where the answer goes; nobody waits for it any more where that is gone.
    reply: Option<oneshot::Sender<Result<Reply, Error>>>,
}

impl Session {
    /// Which.
    pub fn id(&self) -> SessionId {
        self.shared.id
    }

    /// The instance that serves it.
    pub fn callee(&self) -> &InstanceId {
        &self.callee
    }

    /// The leaf that opened it.
    pub fn opened(&self) -> LeafIndex {
        self.opened
    }

    /// Has something done. Nothing is repeated: what became of a request whose answer did not come, the
    /// ledger tells under [`InvocationId::in_session`].
    pub async fn invoke(&self, call: Call) -> Result<Reply, Error> {
        let shared = &self.shared;
        if call.callee != shared.callee {
            let callee = shared.callee.to_string();
            return Err(CallerFault::AnotherCallee { callee }.into());
        }
        if call.body.len() > BODY_MAX_BYTES {
            return Err(CallerFault::TooLarge { what: "the body", limit: BODY_MAX_BYTES as u64 }.into());
        }
        shared.agent.check_standing()?;
        // Never closed.
        let place = shared.window.acquire().await;
        let answer = shared.ask(call)?;
        let reply = timeout(INVOKE_MAX + Duration::from_secs(1), answer).await;
        drop(place);
        match reply {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(shared.why_over()),
            Err(_) => Err(unavailable("have it done", "no answer came in time")),
        }
    }

    /// Closes the session: waits for all results, and for the callee's signature over them.
    pub async fn close(self) -> Result<(), Error> {
        let mut over = self.shared.over.subscribe();
        self.shared.saying().close(&self.shared.agent);
        let ended = timeout(SESSION_CLOSE_MAX, over.wait_for(Option::is_some)).await;
        match ended.ok().and_then(Result::ok).and_then(|over| over.clone()) {
            Some(ended) => ended,
            None => Err(unavailable("close the session", "it did not end in time")),
        }
    }
}

impl Shared {
    /// Links a request and sends it. Whatever is sent has its place in the order before anything later has.
    fn ask(&self, call: Call) -> Result<oneshot::Receiver<Result<Reply, Error>>, Error> {
        let (reply, answer) = oneshot::channel();
        let mut saying = self.saying();
        if self.over.borrow().is_some() {
            return Err(self.why_over());
        }
        let now = self.agent.now();
        let deadline = now.plus(Lifetime::from_millis(INVOKE_MAX.as_millis() as u64));
        // Held across the sending: the answer may be here before this goes on.
        let mut waiting = self.waiting();
        let (seq, link) = saying.ask(&self.agent, call, deadline)?;
        waiting.requests.insert(seq, Asked { link, reply: Some(reply) });
        Ok(answer)
    }

    fn saying(&self) -> MutexGuard<'_, Saying> {
        self.saying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why_over(&self) -> Error {
        match &*self.over.borrow() {
            Some(Err(error)) => error.clone(),
            _ => unavailable("have it done", "the session has ended"),
        }
    }
}

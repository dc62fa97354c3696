//! Doing what was verified, once, and signing for it.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use countersign_protocol::{
    capability::Amount,
    digest::{ChainId, Digest},
    extension::Extensions,
    id::InvocationId,
    limits::BODY_MAX_BYTES,
    payload::Payload,
    receipt::{ActionOutcome, Receipt},
};
use countersign_wire::v1;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::{
    Done, Handler, Invocation, Outcome,
    answered::{Answered, Served, Turn},
    verify::{Verified, verify},
};
use crate::{agent::Agent, error::Error, limits::ANSWER_MARGIN};

/// Where invocations are done.
pub(super) struct Desk<H> {
    agent: Agent,
    handler: Arc<H>,
}

impl<H: Handler> Desk<H> {
    pub(super) fn new(agent: Agent, handler: H) -> Self {
        Self { agent, handler: Arc::new(handler) }
    }

    pub(super) fn handler(&self) -> &Arc<H> {
        &self.handler
    }

    pub(super) fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Tells the handler of something that does not verify.
    pub(super) fn rejected(&self, what: &str, why: &Error) {
        self.handler.rejected(what, why);
    }

    /// Verifies an invocation, does it, and answers on the stream that it came by.
    pub(super) async fn work(
        self: Arc<Self>,
        message: v1::ServeResponse,
        answers: Option<mpsc::Sender<v1::ServeRequest>>,
    ) {
        let named = message.invocation_id.clone();
        let verified = match verify(&self.agent, message) {
            Ok(verified) => verified,
            Err(error) => return self.handler.rejected(&named, &error),
        };
        let id = verified.invocation.id;
        let turn = self.served().turn(id, verified.fingerprint);
        let answered = match turn {
            Turn::Begin => self.do_it(verified).await,
            Turn::Again(answered) => answered,
            Turn::Ignore => return,
        };
        if let Some(answers) = answers {
            // Where the stream is gone, so is whoever waits for the answer.
            let _ = answers.send(answer(id, answered)).await;
        }
    }

    async fn do_it(&self, verified: Verified) -> Answered {
        let Verified { invocation, proof, .. } = verified;
        let (id, chain_id) = (invocation.id, invocation.chain.token().chain_id());
        let per_call = invocation.chain.token().leaf().rights.budget.per_call;
        let Outcome { body, outcome, cost } = self.outcome(invocation, per_call).await;
        let done = Done { outcome, cost };
        let receipt = self.receipt(id, chain_id, proof, Digest::of(&body), done, per_call);
        let answered = Answered { receipt: self.agent.sign(&receipt).to_bytes(), body };
        self.served().answered(id, answered.clone());
        answered
    }

    /// What is signed of something that was done.
    pub(super) fn receipt(
        &self,
        invocation_id: InvocationId,
        chain_id: ChainId,
        proof: Digest,
        result: Digest,
        done: Done,
        per_call: Amount,
    ) -> Receipt {
        Receipt {
            domain: self.agent.domain().clone(),
            invocation_id,
            chain_id,
            proof,
            callee: self.agent.instance().clone(),
            outcome: done.outcome,
            result,
            cost: done.cost.min(per_call),
            finished: self.agent.now(),
            extensions: Extensions::none(),
        }
    }

    /// Lets the handler do it. If it panics, is not done shortly before the deadline, or gives more than can be sent,
    /// it may have done something all the same: it is signed as failed, at the cost of one call.
    pub(super) async fn outcome(&self, invocation: Invocation, per_call: Amount) -> Outcome {
        let left = Duration::from_millis(invocation.deadline.since(self.agent.now()).as_millis());
        let handler = Arc::clone(&self.handler);
        // A task of its own, so that a panic ends nothing else. It ends with this one.
        let mut task = JoinSet::new();
        task.spawn(async move { handler.handle(invocation).await });
        match timeout(left.saturating_sub(ANSWER_MARGIN.min(left / 4)), task.join_next()).await {
            Ok(Some(Ok(outcome))) if outcome.body.len() <= BODY_MAX_BYTES => outcome,
            _ => Outcome { body: Vec::new(), outcome: ActionOutcome::Failed, cost: per_call },
        }
    }

    /// The agent's own memory: another desk of it must not do again what this one did.
    pub(super) fn served(&self) -> MutexGuard<'_, Served> {
        self.agent.inner.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn answer(id: InvocationId, answered: Answered) -> v1::ServeRequest {
    let Answered { receipt, body } = answered;
    let answer = v1::Answer { invocation_id: id.to_string(), receipt, body };
    v1::ServeRequest { answer: Some(answer), ..Default::default() }
}

//! Serving actions.

use std::{convert::Infallible, future::Future, num::NonZeroU32};

use countersign_protocol::{
    capability::{Amount, Request},
    id::InvocationId,
    receipt::ActionOutcome,
    time::Timestamp,
    token::ActiveToken,
};

use crate::{agent::Agent, error::Error};

/// An invocation whose token, activation and proof have been verified end to end.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Which.
    pub id: InvocationId,
    /// The chain under which it is made, from the originator to the caller.
    pub chain: ActiveToken,
    /// Action, resource and typed arguments.
    pub request: Request,
    /// The opaque body.
    pub body: Vec<u8>,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
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
    /// Does it. Never called twice for one invocation. Dropped at the deadline.
    fn handle(&self, invocation: Invocation) -> impl Future<Output = Outcome> + Send;

    /// Told of an invocation that the broker forwarded and that does not verify. It is not answered.
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
    /// Serves invocations of this principal's actions, at most `capacity` at once, until something
    /// fails for good. Reconnects by itself.
    pub async fn serve<H: Handler>(&self, handler: H, capacity: NonZeroU32) -> Result<Infallible, Error> {
        let _ = (handler, capacity);
        unimplemented!()
    }
}

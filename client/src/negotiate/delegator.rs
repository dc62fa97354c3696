//! The side that is asked.

use std::{convert::Infallible, future::Future};

use countersign_protocol::{
    capability::Rights,
    contract::{Acceptance, Disclosure, FailurePolicy, Offline, Rebind},
    digest::{ChainId, Digest},
    id::NegotiationId,
    name::InstanceId,
    time::{Lifetime, Timestamp},
};

use crate::{
    agent::Agent,
    error::{Ending, Error},
    held::Held,
};

/// What a delegatee wants, in its own verified words.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The negotiation.
    pub negotiation: NegotiationId,
    /// Who asks.
    pub delegatee: InstanceId,
    /// Digest of what configures it: model, prompt, tools.
    pub configuration: Digest,
    /// What it wants: its request, or its last counter.
    pub rights: Rights,
    /// Digest of what for. The text is between the parties.
    pub purpose: Digest,
    /// Whether it turned this side's last offer down without asking for something else.
    pub declined: bool,
    /// The current round, from one.
    pub round: u32,
    /// How many more times the delegatee can counter or decline.
    pub rounds_left: u32,
    /// When the negotiation ends by itself.
    pub deadline: Timestamp,
}

/// The terms of an offer. They become the contract, so each one is stated.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the delegatee may do: within what the delegator holds.
    pub rights: Rights,
    /// Whether another instance of the delegatee may take over.
    pub rebind: Rebind,
    /// What callees see of the chain.
    pub disclosure: Disclosure,
    /// How old the newest revocation state may be on which a use is decided.
    pub max_staleness: Lifetime,
    /// Whether the broker can be left out.
    pub offline: Offline,
    /// What completes an invocation.
    pub acceptance: Acceptance,
    /// What an invocation with an unknown outcome costs.
    pub failure: FailurePolicy,
    /// How long the offer can be accepted.
    pub offer_lifetime: Lifetime,
}

impl Terms {
    /// Terms in which all but the rights, the staleness and the offer's life are the only values
    /// that this version of the specification has.
    pub fn new(rights: Rights, max_staleness: Lifetime, offer_lifetime: Lifetime) -> Self {
        Self {
            rights,
            rebind: Rebind::Never,
            disclosure: Disclosure::Full,
            max_staleness,
            offline: Offline::Forbidden,
            acceptance: Acceptance::SignedReceipt,
            failure: FailurePolicy::SettleReserved,
            offer_lifetime,
        }
    }
}

/// What the delegator says to a request or counter.
#[derive(Clone, Debug)]
pub enum RequestReply {
    /// Signs a complete contract and offers it.
    Offer(Box<Terms>),
    /// Ends the negotiation.
    Reject,
    /// Says nothing: another instance of this principal may answer, or the deadline will.
    Leave,
}

/// How the delegator decides. A closure from `&Wanted` to [`RequestReply`] is one.
pub trait Delegator: Send {
    /// Answers a request or counter.
    fn answer(&mut self, wanted: &Wanted) -> impl Future<Output = RequestReply> + Send;
}

impl<F: FnMut(&Wanted) -> RequestReply + Send> Delegator for F {
    async fn answer(&mut self, wanted: &Wanted) -> RequestReply {
        self(wanted)
    }
}

/// How one negotiation ended, for the delegator.
#[derive(Clone, Debug)]
pub struct Delegated {
    /// The negotiation.
    pub negotiation: NegotiationId,
    /// Who asked.
    pub delegatee: InstanceId,
    /// The chain of the contract, or how it ended without one.
    pub outcome: Result<ChainId, Ending>,
}

impl Agent {
    /// Waits for a request that is addressed to this principal, and negotiates over what `held`
    /// allows until that one negotiation has ended. Requests that the strategy leaves are passed
    /// over.
    pub async fn delegate<D: Delegator>(&self, held: &Held, strategy: &mut D) -> Result<Delegated, Error> {
        let _ = (held, strategy);
        unimplemented!()
    }

    /// Negotiates with everyone who asks, each as it comes, and tells `ended` of each negotiation
    /// that has ended. Goes on until something fails for good.
    pub async fn delegate_all<D: Delegator>(
        &self,
        held: &Held,
        strategy: &mut D,
        ended: impl FnMut(Delegated) + Send,
    ) -> Result<Infallible, Error> {
        let _ = (held, strategy, ended);
        unimplemented!()
    }
}

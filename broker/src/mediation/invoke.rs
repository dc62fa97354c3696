//! The call `Invoke`: who may see what of a refusal, and what the core allows.

use std::{sync::Arc, time::Duration};

use countersign_protocol::{
    digest::ChainId,
    domain::Actor,
    id::InvocationId,
    key::PublicKey,
    refusal::{Reason, Refusal, Viewer},
    require, require_some,
    time::{Lifetime, Timestamp},
    token::{Activation, ActiveToken, Permit, Presentation, Token},
    trace_context::TraceContext,
};
use countersign_wire::v1::{InvokeRequest, InvokeResponse};
use tonic::Status;

use super::{Mediator, asked::Asked, course::Course, denials::is_denial};
use crate::{
    limits::{INVOCATION_DEFAULT, INVOCATION_MAX},
    status::status,
};

/// A call, and what is known of it so far.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) actor: Actor,
    /// How much the caller may know of a refusal.
    pub(super) viewer: Viewer,
    invocation: Option<InvocationId>,
    chain: Option<ChainId>,
}

/// A use that the core allows as far as it can without the ledger.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) permit: Permit,
    pub(super) activation: Activation,
    /// The caller's key, which the proof is signed with.
    pub(super) key: PublicKey,
    /// When the chain's last link ends, which outlives none before it.
    pub(super) until: Timestamp,
}

impl Mediator {
    /// Has a callee do what the caller asks for. `patience` is how long the caller waits.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        actor: Actor,
        message: InvokeRequest,
        patience: Option<Duration>,
        trace: Option<TraceContext>,
    ) -> Result<InvokeResponse, Status> {
        let deadline = deadline(self.domain.clock().now(), patience, INVOCATION_DEFAULT, INVOCATION_MAX);
        let mut case = Case::new(self, actor);
        let outcome = match self.allow(&mut case, message) {
            Ok((asked, allowed)) => {
                let asked = Asked { trace, ..asked };
                let course = Course { actor: case.actor.clone(), asked, allowed, deadline, streams: false };
                self.start(course).await
            }
            Err(refusal) => Err(refusal),
        };
        match outcome {
            Ok(done) => done.reply(case.viewer),
            Err(refusal) => Err(self.refused(&case, &refusal).await),
        }
    }

    /// Reads the request, verifies the token and asks the core. Nothing here holds the state.
    pub(super) fn allow(&self, case: &mut Case, message: InvokeRequest) -> Result<(Asked, Allowed), Refusal> {
        self.domain.check_named(&message.trust_domain)?;
        let asked = Asked::read(message)?;
        case.invocation = Some(asked.id);
        // Until the chain is known to name the caller, it is a stranger to it.
        case.lower(Viewer::Stranger);
        let verified = self.chains.verify(&asked.token, asked.chain, self.activator.keys())?;
        let token = &verified.token;
        case.see(token);
        // A stranger hears this whatever the state of the chain is.
        let holds = token.leaf().holder.instance == case.actor.instance;
        require!("API-035", holds, Reason::ProofInvalid, "The caller does not hold the chain.");
        let activation = self.activation(token.chain_id())?;
        self.chains.keep(&verified);
        let active = ActiveToken::new(verified.token, activation.clone())?;
        let leaf = active.token().leaf();
        let (key, until) = (leaf.holder.key, leaf.rights.not_after);
        let presented = Presentation { proof: &asked.proof, request: &asked.request, body: &asked.body };
        let permit = active.permit(&presented, self.domain.clock().now())?;
        Ok((asked, Allowed { permit, activation, key, until }))
    }

    /// The broker is the home of the chain: what activated it is what its own state says.
    pub(super) fn activation(&self, id: ChainId) -> Result<Activation, Refusal> {
        let activation = self.domain.peek(|state, _| state.activation(id));
        Ok(require_some!("CHN-032", activation, Reason::NotActivated))
    }

    /// Records a denial, and says of it what the caller may know.
    pub(super) async fn refused(&self, case: &Case, refusal: &Refusal) -> Status {
        if is_denial(refusal)
            && let Some(uncounted) = self.denials.count(&case.actor.instance, self.domain.clock().now())
        {
            let recorded = self.domain.decide(
                |state, context| {
                    let (invocation, chain) = (case.invocation, case.chain);
                    state.decide_denied(context, &case.actor, refusal, invocation, chain, uncounted)
                },
                |_| Ok(()),
            );
            if let Err(error) = recorded.await {
                tracing::warn!(%error, caller = %case.actor.instance, "a denial was not recorded");
            }
        }
        status(refusal, case.viewer)
    }
}

impl Case {
    /// A call of which nothing is known but who makes it.
    pub(super) fn new(mediator: &Mediator, actor: Actor) -> Self {
        let admin = mediator.domain.policy().admins.contains(actor.instance.principal());
        let viewer = if admin { Viewer::Operator } else { Viewer::Party };
        Self { actor, viewer, invocation: None, chain: None }
    }

    /// Its chain is verified: whoever is a party to it may know more than a stranger.
    pub(super) fn see(&mut self, token: &Token) {
        self.chain = Some(token.chain_id());
        if is_party(token, &self.actor) {
            self.lower(Viewer::Party);
        }
    }

    /// An operator stays one.
    pub(super) fn lower(&mut self, viewer: Viewer) {
        if self.viewer != Viewer::Operator {
            self.viewer = viewer;
        }
    }
}

fn is_party(token: &Token, actor: &Actor) -> bool {
    let holds = token.links().any(|link| link.holder.instance == actor.instance);
    holds || token.grant().originator == *actor.instance.principal()
}

/// Until when a call goes on whose caller waits that long: `usual` where it does not say, `most` at most.
pub(super) fn deadline(
    now: Timestamp,
    patience: Option<Duration>,
    usual: Lifetime,
    most: Lifetime,
) -> Timestamp {
    let stated = patience.map(|patience| u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
    now.plus(stated.map_or(usual, Lifetime::from_millis).min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_takes_as_long_as_its_caller_waits_and_no_longer_than_it_may() {
        let now = Timestamp::new(1_800_000_000_000).unwrap();
        let left = |patience: Option<Duration>| {
            deadline(now, patience, INVOCATION_DEFAULT, INVOCATION_MAX).since(now)
        };
        let millis = |millis: u64| left(Some(Duration::from_millis(millis)));
        assert_eq!(left(None), INVOCATION_DEFAULT);
        assert_eq!(millis(0), Lifetime::from_millis(0));
        let longest = INVOCATION_MAX.as_millis();
        assert_eq!(millis(longest - 1), Lifetime::from_millis(longest - 1));
        assert_eq!([longest, longest + 1, u64::MAX].map(millis), [INVOCATION_MAX; 3]);
        assert_eq!(left(Some(Duration::MAX)), INVOCATION_MAX);
    }
}

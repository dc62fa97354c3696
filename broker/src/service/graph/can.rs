//! Whether a use would be allowed: decided as an invocation is, and without a trace.

use countersign_protocol::{
    capability::Request,
    digest::ChainId,
    domain::{Context, State},
    graph::{self, Covers, Moment, Wish},
    refusal::{Reason, Refusal},
    require, require_some,
    token::{ActiveToken, UnverifiedToken},
};
use countersign_wire::v1;

use super::{
    Graph,
    edge::{edge, told},
    holdings::Holder,
    question::{arguments, wish},
};
use crate::{
    limits::{CAN_INSTEAD_MAX, CAN_TRIES_MAX, PAGE_SCAN_MAX},
    mediation::is_denial,
    service::{caller::Caller, convert},
};

/// Whose chains are asked about.
enum Under {
    Chain(ChainId),
    Holder(Holder),
}

impl Graph {
    pub(super) async fn judge(
        &self,
        caller: &mut Caller,
        request: v1::CanRequest,
    ) -> Result<v1::CanResponse, Refusal> {
        self.domain.check_named(&request.trust_domain)?;
        let under = Under::of(&request)?;
        let arguments = arguments(&request.arguments)?;
        let wish = wish([&request.callee, &request.action, &request.resource], Some(arguments.clone()))?;
        let asked = wish.request(arguments);
        let chains = self.domain.read(|state, context| under.chains(caller, state, context, &wish)).await?;
        let mut denied = None;
        for chain in chains {
            match self.would_allow(chain, &asked).await {
                Ok(()) => return self.allowed(chain).await,
                Err(refusal) if is_denial(&refusal) => drop(denied.get_or_insert((chain, refusal))),
                Err(fault) => return Err(fault),
            }
        }
        let (chain, refusal) = require_some!("GRA-003", denied, Reason::NotFound);
        self.denied(caller, chain, &wish, &refusal).await
    }

    /// What `Invoke` would say of the chain and the request, in its order.
    async fn would_allow(&self, id: ChainId, request: &Request) -> Result<(), Refusal> {
        let found = self.domain.read(|state, context| {
            let reason = Reason::NotActivated;
            let chain = require_some!("CHN-032", state.chain(&id), reason);
            let activation = require_some!("CHN-032", state.activation(id), reason);
            let keys = require_some!("LOG-004", state.keys(), Reason::LedgerUnavailable);
            Ok((chain.token.clone(), activation, keys.clone(), context.now))
        });
        let (token, activation, keys, now) = found.await?;
        // Nothing here holds the state.
        let token = UnverifiedToken::from_bytes(token).verify(&keys)?;
        ActiveToken::new(token, activation)?.allows(request, now)?;
        self.domain.read(|state, context| state.would_begin(context, id)).await
    }

    async fn allowed(&self, id: ChainId) -> Result<v1::CanResponse, Refusal> {
        let answer = self.domain.read(|state, context| {
            let moment = now(state, context);
            let edge = state.chain(&id).map(|link| edge(id, link, moment));
            Ok(v1::CanResponse { allowed: true, edge, size: moment.size.get(), ..Default::default() })
        });
        answer.await
    }

    async fn denied(
        &self,
        caller: &Caller,
        id: ChainId,
        wish: &Wish,
        refusal: &Refusal,
    ) -> Result<v1::CanResponse, Refusal> {
        let view = caller.clone().author().view(refusal);
        let answer = self.domain.read(|state, context| {
            let moment = now(state, context);
            let show = |id| told(caller, state, id, moment);
            let fault = graph::fault(state, id, wish, moment.time);
            let nearest = graph::nearest(state, id, wish, moment);
            // The holder's other chains are for those who are a party to them.
            let others = graph::others(state, id, wish, moment).take(PAGE_SCAN_MAX).flatten();
            let seen = others.filter(|id| caller.is_admin() || caller.is_party_to_chain(state, *id));
            Ok(v1::CanResponse {
                allowed: false,
                edge: show(id),
                reason: view.reason.name().into(),
                message: view.message,
                rule: view.rule.into(),
                fault: fault.and_then(show),
                nearest: nearest.and_then(show),
                instead: seen.take(CAN_INSTEAD_MAX).filter_map(show).collect(),
                size: moment.size.get(),
            })
        });
        answer.await
    }
}

impl Under {
    fn of(request: &v1::CanRequest) -> Result<Self, Refusal> {
        let (chain, holder) = (request.chain_id.as_slice(), request.holder.as_str());
        let one = chain.is_empty() != holder.is_empty();
        require!("GRA-002", one, Reason::PayloadMalformed, "It names both a chain and a holder, or neither.");
        match chain {
            [] => Ok(Self::Holder(convert::text("holder", holder)?)),
            bytes => Ok(Self::Chain(convert::chain_id(bytes)?)),
        }
    }

    /// The chains to try: of a holder's, those that may allow it, and one other to be told about where
    /// there is none.
    fn chains(
        &self,
        caller: &mut Caller,
        state: &State,
        context: &Context<'_>,
        wish: &Wish,
    ) -> Result<Vec<ChainId>, Refusal> {
        let holder = match self {
            Self::Chain(id) => return caller.chain(state, *id).map(|_| vec![*id]),
            Self::Holder(holder) => holder,
        };
        let moment = now(state, context);
        let (mut likely, mut any) = (Vec::new(), None);
        for step in holder.links(caller, state, None, |_| true).take(PAGE_SCAN_MAX).filter(|it| it.entered) {
            let in_force = moment.has_usable(state, step.id);
            if in_force && wish.within(&step.link.rights) != Covers::No {
                likely.push(step.id);
            } else if in_force || any.is_none() {
                any = Some(step.id);
            }
            if likely.len() >= CAN_TRIES_MAX {
                break;
            }
        }
        Ok(if likely.is_empty() { any.into_iter().collect() } else { likely })
    }
}

fn now(state: &State, context: &Context<'_>) -> Moment {
    Moment { size: state.tree().size(), time: context.now }
}

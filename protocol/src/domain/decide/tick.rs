//! What ends by itself, and what a refusal leaves behind.

use super::{Actor, Context, Decision};
use crate::{
    contract,
    domain::{ChainClosed, Denied, EndCause, Event, NegotiationEnded, State, state::Due},
    id::InvocationId,
    limits::BATCH_MAX_ENTRIES,
    refusal::Refusal,
};

impl State {
    /// Deadlines are transitions: ends what is due, the earliest first, at most a batch at once.
    pub fn decide_tick(&self, context: &Context<'_>) -> Decision {
        self.check_clock(context.now)?;
        let due = self.due.iter().take_while(|(at, _)| *at <= context.now).take(BATCH_MAX_ENTRIES);
        let ended = due.map(|(_, due)| match due {
            Due::Negotiation(id) => Event::NegotiationEnded(NegotiationEnded {
                negotiation_id: *id,
                cause: EndCause::Deadline,
                evidence: None,
            }),
            Due::Chain(id) => {
                Event::ChainClosed(ChainClosed { chain_id: *id, state: contract::State::Expired })
            }
        });
        Ok(ended.collect())
    }

    /// The record of an authenticated caller's denial; the shell bounds how many there are.
    pub fn decide_denied(
        &self,
        context: &Context<'_>,
        actor: &Actor,
        refusal: &Refusal,
        invocation_id: Option<InvocationId>,
        chain_id: Option<crate::digest::ChainId>,
        uncounted: u64,
    ) -> Decision {
        self.check_clock(context.now)?;
        let word = |text: &str| text.to_lowercase().parse().ok();
        let (Some(reason), Some(rule)) = (word(refusal.reason().name()), word(refusal.rule())) else {
            return Ok(Vec::new());
        };
        let caller = actor.instance.clone();
        Ok(vec![Event::Denied(Denied { caller, reason, rule, invocation_id, chain_id, uncounted })])
    }
}

//! One request to several delegators: the delegatee accepts one of them, and the others end with that.

use super::Context;
use crate::{
    domain::{EndCause, Event, Negotiation, NegotiationEnded, State},
    id::{AwardId, NegotiationId},
    limits::{CLOCK_SKEW_MS, NEGOTIATIONS_PER_AWARD},
    name::InstanceId,
    negotiation,
    refusal::{Reason, Refusal},
    require, require_some,
    time::Lifetime,
};

impl State {
    /// An award is of few negotiations, and is made once. Its id is of now: what was awarded is
    /// remembered for longer than an id can be new.
    pub(super) fn check_award(
        &self,
        context: &Context<'_>,
        sender: &InstanceId,
        award: Option<AwardId>,
    ) -> Result<(), Refusal> {
        let Some(award) = award else { return Ok(()) };
        let limit = Reason::LimitExceeded;
        let made = require_some!("NEG-026", award.time(), limit);
        let skew = Lifetime::from_millis(CLOCK_SKEW_MS);
        let fresh = made <= context.now.plus(skew) && context.now <= made.plus(skew);
        require!("NEG-026", fresh, limit, "The award's id is of another time.");
        let asked = || self.asked_for(sender, award);
        let given = asked().any(|(_, talk)| talk.state == negotiation::State::Finalized);
        require!("NEG-027", !given, Reason::AlreadyAwarded);
        let count = asked().count();
        require!("NEG-028", count < NEGOTIATIONS_PER_AWARD, limit, "{count} are asked already.");
        Ok(())
    }

    /// The end of every other negotiation under the award of an accepted one, in order of ids.
    pub(super) fn end_of_others<'a>(
        &'a self,
        accepted: NegotiationId,
        negotiation: &'a Negotiation,
    ) -> impl Iterator<Item = Event> + 'a {
        let delegatee = &negotiation.delegatee;
        let asked = negotiation.award.into_iter().flat_map(|award| self.asked_for(delegatee, award));
        let open = asked.filter(move |(id, other)| *id != accepted && !other.state.is_terminal());
        open.map(|(id, _)| {
            let (negotiation_id, cause) = (id, EndCause::Awarded);
            Event::NegotiationEnded(NegotiationEnded { negotiation_id, cause, evidence: None })
        })
    }
}

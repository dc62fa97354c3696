//! Ordering moves.

use super::{Actor, Context, Decision, not_opened, open_own};
use crate::{
    domain::{EndCause, Event, Instance, Moved, Negotiation, NegotiationEnded, State},
    limits::{
        CLOCK_SKEW_MS, NEGOTIATION_MAX_MS, NEGOTIATIONS_PER_INSTANCE, OPEN_NEGOTIATIONS_PER_INSTANCE,
        ROUNDS_MAX,
    },
    negotiation::{Cell, Move, Request, empty_transcript, next},
    refusal::{Reason, Refusal},
    require, require_some,
    signed::Signed,
    time::Lifetime,
};

impl State {
    /// Orders one move. Only its sender, on its own channel, can submit it.
    pub fn decide_move(&self, context: &Context<'_>, actor: &Actor, signed: &Signed) -> Decision {
        self.check_clock(context.now)?;
        let sender = self.admitted(actor)?;
        let claimed: Move = signed.peek_unverified().map_err(not_opened)?;
        require!("NEG-001", claimed.sender == actor.instance, Reason::ChannelMismatch);
        let made: Move = open_own(signed, sender.statement.key)?;
        context.check_domain(&made.domain)?;
        made.extensions.check()?;
        match self.negotiation(&made.negotiation_id) {
            None => self.decide_opening(context, sender, signed, &made),
            Some(negotiation) => self.decide_next(context, sender, signed, &made, negotiation),
        }
    }

    fn decide_opening(
        &self,
        context: &Context<'_>,
        sender: &Instance,
        signed: &Signed,
        made: &Move,
    ) -> Decision {
        let request = require_some!("NEG-003", made.request.as_ref(), Reason::NegotiationUnknown);
        check_place(made, 1, 1, empty_transcript(&made.domain, made.negotiation_id))?;
        check_deadline(context, made)?;
        super::identity::of_domain(context, &made.audience)?;
        require!(
            "NEG-004",
            made.audience != *made.sender.principal(),
            Reason::MoveNotAllowed,
            "Nobody negotiates with itself."
        );
        check_opening_limits(context, made, request)?;
        self.check_award(context, &made.sender, request.award)?;
        let open = sender.negotiating;
        require!(
            "NEG-013",
            open < OPEN_NEGOTIATIONS_PER_INSTANCE,
            Reason::Overloaded,
            "{open} negotiations are open."
        );
        let remembered = sender.negotiated;
        require!(
            "NEG-025",
            remembered < NEGOTIATIONS_PER_INSTANCE,
            Reason::Overloaded,
            "{remembered} negotiations are open or have ended a short while ago."
        );
        Ok(vec![Event::Moved(Moved { signed_move: signed.clone() })])
    }

    fn decide_next(
        &self,
        context: &Context<'_>,
        sender: &Instance,
        signed: &Signed,
        made: &Move,
        negotiation: &Negotiation,
    ) -> Decision {
        if made.request.is_some() && made.sender != negotiation.delegatee {
            // What an opening is refused for must not depend on whether somebody else's negotiation
            // has the id: only an opening that would succeed finds it taken.
            self.decide_opening(context, sender, signed, made)?;
            return Err(Refusal::new("NEG-020", Reason::IdAlreadyUsed, ""));
        }
        check_party(made, negotiation)?;
        let digest = signed.digest();
        if let Some(before) = negotiation.moves.iter().find(|m| m.sender == made.sender && m.seq == made.seq)
        {
            if before.digest == digest {
                return Ok(Vec::new());
            }
            // Two signatures by one sender over one place: this, and nothing less, is equivocation.
            let same_place = before.transcript == made.transcript;
            let convicted = same_place && negotiation.ended == Some(EndCause::Equivocation);
            require!("NEG-021", !convicted, Reason::Equivocation);
            if same_place && !negotiation.state.is_terminal() {
                let ended = NegotiationEnded {
                    negotiation_id: made.negotiation_id,
                    cause: EndCause::Equivocation,
                    evidence: Some(signed.clone()),
                };
                return Ok(vec![Event::NegotiationEnded(ended)]);
            }
        }
        let input = require_some!("NEG-005", negotiation.input(made), Reason::MoveNotAllowed);
        let uses_round = match next(negotiation.state, input) {
            Cell::To { round, .. } => round,
            Cell::Refuse(reason) => {
                let detail = format!("{} in {}.", input.name(), negotiation.state.name());
                return Err(Refusal::new("NEG-005", reason, detail));
            }
        };
        let seq = negotiation.moves.iter().filter(|m| m.sender == made.sender).count() as u32 + 1;
        check_place(made, seq, negotiation.round, negotiation.transcript)?;
        check_deadline(context, made)?;
        require!("NEG-009", context.now < negotiation.deadline, Reason::DeadlinePassed);
        let rounds_left = !uses_round || negotiation.round < negotiation.max_rounds;
        require!("NEG-010", rounds_left, Reason::RoundsExhausted, "It has {}.", negotiation.max_rounds);
        let moved = Event::Moved(Moved { signed_move: signed.clone() });
        match (&made.offer, &made.accept) {
            (Some(offer), _) => {
                self.check_offer(context, sender, made, offer, negotiation).map(|()| vec![moved])
            }
            (_, Some(accept)) => self.decide_accept(context, sender, accept, negotiation, moved),
            (None, None) => Ok(vec![moved]),
        }
    }
}

/// The sender is the delegatee, or speaks for the delegator as the copy that answered first.
fn check_party(made: &Move, negotiation: &Negotiation) -> Result<(), Refusal> {
    let party = match &negotiation.delegator_instance {
        _ if made.sender == negotiation.delegatee => true,
        Some(instance) => made.sender == *instance,
        None => *made.sender.principal() == negotiation.delegator,
    };
    require!("NEG-002", party, Reason::NotAParty);
    let other = match made.sender == negotiation.delegatee {
        true => &negotiation.delegator,
        false => negotiation.delegatee.principal(),
    };
    require!("NEG-024", made.audience == *other, Reason::NotAParty, "It is addressed to {}.", made.audience);
    Ok(())
}

/// A move stands in one place: after one transcript, as its sender's next, in the current round.
fn check_place(
    made: &Move,
    seq: u32,
    round: u32,
    transcript: crate::digest::TranscriptHash,
) -> Result<(), Refusal> {
    require!("NEG-006", made.transcript == transcript, Reason::StaleTranscript);
    require!("NEG-007", made.seq == seq, Reason::OutOfSequence, "The next number is {seq}.");
    require!("NEG-007", made.round == round, Reason::OutOfSequence, "The round is {round}.");
    Ok(())
}

fn check_deadline(context: &Context<'_>, made: &Move) -> Result<(), Refusal> {
    require!("NEG-008", context.now < made.deadline, Reason::DeadlinePassed);
    Ok(())
}

fn check_opening_limits(context: &Context<'_>, made: &Move, request: &Request) -> Result<(), Refusal> {
    let latest = context.now.plus(Lifetime::from_millis(NEGOTIATION_MAX_MS));
    require!(
        "NEG-012",
        context.now < request.deadline && request.deadline <= latest,
        Reason::LimitExceeded,
        "A negotiation lasts {NEGOTIATION_MAX_MS} ms at most."
    );
    require!(
        "NEG-023",
        (1..=ROUNDS_MAX).contains(&request.max_rounds),
        Reason::LimitExceeded,
        "A negotiation has 1 to {ROUNDS_MAX} rounds."
    );
    let made_at = made.negotiation_id.time();
    let skew = Lifetime::from_millis(CLOCK_SKEW_MS);
    let fresh = made_at.is_some_and(|at| at <= context.now.plus(skew) && context.now <= at.plus(skew));
    require!("NEG-017", fresh, Reason::LimitExceeded, "The negotiation's id is of another time.");
    Ok(())
}

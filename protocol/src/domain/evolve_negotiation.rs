//! What moves do to negotiations.

use super::{
    event::{EndCause, NegotiationEnded},
    state::{Due, Forget, MadeMove, Negotiation, StandingOffer, State},
};
use crate::{
    contract::{self, ContractBody},
    digest::ChainId,
    id::{AwardId, NegotiationId},
    ledger::LeafIndex,
    limits::RESULT_RETENTION_MS,
    name::InstanceId,
    negotiation::{
        self, Cell, Input, Move, MoveKind, Offer, Request, empty_transcript, extend_transcript, next,
    },
    signed::{Algorithm, KeyedSignature, Signed, Statement},
    time::{Lifetime, Timestamp},
};

impl State {
    pub(super) fn moved(&mut self, signed: &Signed, leaf: LeafIndex, now: Timestamp) -> Option<()> {
        let made: Move = signed.peek_unverified().ok()?;
        if let Some(request) = &made.request {
            self.open(&made, request, leaf);
        }
        let negotiation = self.negotiations.get_mut(&made.negotiation_id)?;
        if made.kind == MoveKind::Offer {
            negotiation.delegator_instance = Some(made.sender.clone());
        }
        negotiation.offer = match &made.offer {
            Some(offer) => Some(standing(offer, signed)?),
            // Until the commit that finalizes it, an accepted offer stands.
            None if made.kind == MoveKind::Accept => negotiation.offer.take(),
            None => None,
        };
        let digest = signed.digest();
        let (sender, seq, transcript) = (made.sender.clone(), made.seq, negotiation.transcript);
        negotiation.moves.push(MadeMove { sender, seq, transcript, digest, leaf });
        negotiation.transcript = extend_transcript(negotiation.transcript, signed);
        let input = negotiation.input(&made)?;
        self.changed(made.negotiation_id, leaf)?;
        self.step(made.negotiation_id, input, now)
    }

    fn open(&mut self, made: &Move, request: &Request, leaf: LeafIndex) {
        let negotiation = Negotiation {
            state: negotiation::State::None,
            delegatee: made.sender.clone(),
            delegator: made.audience.clone(),
            delegator_instance: None,
            round: 1,
            max_rounds: request.max_rounds,
            deadline: request.deadline,
            purpose: request.purpose,
            award: request.award,
            transcript: empty_transcript(&made.domain, made.negotiation_id),
            offer: None,
            moves: Vec::new(),
            changed: leaf,
            outcome: None,
            ended: None,
        };
        self.due.insert((request.deadline, Due::Negotiation(made.negotiation_id)));
        if let Some(delegatee) = self.instances.get_mut(&made.sender) {
            delegatee.negotiating += 1;
            delegatee.negotiated += 1;
        }
        if let Some(award) = request.award {
            let asked = self.awards.entry((made.sender.clone(), award)).or_default();
            asked.insert(made.negotiation_id);
        }
        self.negotiations.insert(made.negotiation_id, negotiation);
    }

    /// The accept's own move has brought the state to its end; here it gets its outcome.
    pub(super) fn finalized(&mut self, id: NegotiationId, chain: ChainId, leaf: LeafIndex) -> Option<()> {
        self.changed(id, leaf)?;
        let negotiation = self.negotiations.get_mut(&id)?;
        negotiation.outcome = Some(chain);
        negotiation.offer = None;
        Some(())
    }

    pub(super) fn end_negotiation(
        &mut self,
        event: &NegotiationEnded,
        leaf: LeafIndex,
        now: Timestamp,
    ) -> Option<()> {
        self.changed(event.negotiation_id, leaf)?;
        self.negotiations.get_mut(&event.negotiation_id)?.ended = Some(event.cause);
        let input = match event.cause {
            EndCause::Deadline => Input::BrokerDeadline,
            EndCause::Equivocation => Input::BrokerEquivocation,
            EndCause::Awarded => Input::BrokerAward,
        };
        self.step(event.negotiation_id, input, now)
    }

    /// Remembers the leaf of the last change, and no other one.
    fn changed(&mut self, id: NegotiationId, leaf: LeafIndex) -> Option<()> {
        let negotiation = self.negotiations.get_mut(&id)?;
        if self.changes.get(&negotiation.changed) == Some(&id) {
            self.changes.remove(&negotiation.changed);
        }
        negotiation.changed = leaf;
        self.changes.insert(leaf, id);
        Some(())
    }

    /// What ended is kept as long as a result: until no move can be a retry whose answer was lost, and
    /// until the id is too old to open another one (NEG-017).
    fn forget_later(&mut self, id: NegotiationId, now: Timestamp) -> Option<()> {
        let kept_until = id.time()?.max(now).plus(Lifetime::from_millis(RESULT_RETENTION_MS));
        self.forget.insert((kept_until, Forget::Negotiation(id)));
        Some(())
    }

    pub(super) fn forget_negotiation(&mut self, id: NegotiationId) {
        if let Some(negotiation) = self.negotiations.remove(&id) {
            self.changes.remove(&negotiation.changed);
            if let Some(delegatee) = self.instances.get_mut(&negotiation.delegatee) {
                delegatee.negotiated = delegatee.negotiated.saturating_sub(1);
            }
            if let Some(award) = negotiation.award {
                self.forget_asked((negotiation.delegatee, award), id);
            }
        }
    }

    fn forget_asked(&mut self, award: (InstanceId, AwardId), id: NegotiationId) {
        if let Some(asked) = self.awards.get_mut(&award) {
            asked.remove(&id);
            if asked.is_empty() {
                self.awards.remove(&award);
            }
        }
    }

    fn step(&mut self, id: NegotiationId, input: Input, now: Timestamp) -> Option<()> {
        let negotiation = self.negotiations.get_mut(&id)?;
        let Cell::To { state, round } = next(negotiation.state, input) else { return None };
        negotiation.state = state;
        negotiation.round += u32::from(round);
        if state.is_terminal() {
            self.due.remove(&(negotiation.deadline, Due::Negotiation(id)));
            let delegatee = negotiation.delegatee.clone();
            self.forget_later(id, now);
            let delegatee = self.instances.get_mut(&delegatee)?;
            delegatee.negotiating = delegatee.negotiating.saturating_sub(1);
        }
        Some(())
    }
}

impl Negotiation {
    /// The table's input for a move; `None` for a sender that is no party, or a move that its role
    /// does not have.
    pub fn input(&self, made: &Move) -> Option<Input> {
        let delegatee = made.sender == self.delegatee;
        let delegator = *made.sender.principal() == self.delegator
            && self.delegator_instance.as_ref().is_none_or(|instance| *instance == made.sender);
        match made.kind {
            MoveKind::Request if delegatee => Some(Input::DelegateeRequest),
            MoveKind::Counter if delegatee => Some(Input::DelegateeCounter),
            MoveKind::Decline if delegatee => Some(Input::DelegateeDecline),
            MoveKind::Accept if delegatee => Some(Input::DelegateeAccept),
            MoveKind::Reject if delegatee => Some(Input::DelegateeReject),
            MoveKind::Withdraw if delegatee => Some(Input::DelegateeWithdraw),
            MoveKind::Offer if delegator => Some(Input::DelegatorOffer),
            MoveKind::Reject if delegator => Some(Input::DelegatorReject),
            MoveKind::Withdraw if delegator => Some(Input::DelegatorWithdraw),
            _ => None,
        }
    }
}

fn standing(offer: &Offer, signed_move: &Signed) -> Option<StandingOffer> {
    let key = signed_move.signatures.first()?.key;
    let signature =
        KeyedSignature { algorithm: Algorithm::Ed25519, key, signature: offer.contract_signature };
    let contract = Signed {
        payload_type: ContractBody::TYPE.into(),
        payload: offer.contract.clone(),
        signatures: vec![signature],
    };
    let body: ContractBody = contract.peek_unverified().ok()?;
    Some(StandingOffer {
        hash: contract::hash_of(&offer.contract),
        contract,
        contract_id: body.contract_id,
        parent: body.parent,
        hop_signature: offer.hop_signature,
        expires: offer.expires,
    })
}

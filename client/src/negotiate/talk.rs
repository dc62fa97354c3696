//! What was said in a negotiation, verified move by move from the parties' own signatures. The
//! broker's account of it counts only where it says the same.

use countersign_protocol::{
    capability::Rights,
    contract::{ContractBody, Party},
    digest::{ContractHash, Digest, TranscriptHash},
    id::{NegotiationId, RequestId},
    key::Signature,
    name::{InstanceId, PrincipalId, TrustDomain},
    negotiation::{Cell, Input, Move, MoveKind, State, empty_transcript, extend_transcript, next},
    payload::Payload,
    signed::{Signed, Statement, verify_detached},
    time::Timestamp,
};

use crate::directory::Known;

/// A negotiation as its moves tell it.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) id: NegotiationId,
    pub(crate) state: State,
    pub(crate) delegatee: Party,
    pub(crate) delegator: PrincipalId,
    /// The copy of the delegator that answered first.
    pub(crate) answering: Option<InstanceId>,
    pub(crate) round: u32,
    pub(crate) max_rounds: u32,
    pub(crate) deadline: Timestamp,
    pub(crate) purpose: Digest,
    pub(crate) transcript: TranscriptHash,
    /// What the delegatee asked for last,
    pub(crate) wanted: Rights,
    /// and what it, or the delegator, said last.
    pub(crate) last: MoveKind,
    /// The last offer, whether it stands or was answered.
    pub(crate) offer: Option<Offered>,
    pub(crate) moves: Vec<Signed>,
    /// How many moves the delegatee made, and the delegator.
    made: (u32, u32),
}

/// A complete contract, with the delegator's verified signature.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) body: ContractBody,
    /// The bytes that were signed.
    pub(crate) contract: Vec<u8>,
    pub(crate) hash: ContractHash,
    pub(crate) hop_signature: Signature,
    pub(crate) expires: Timestamp,
}

impl Talk {
    /// Reads the moves in order, each with what is known of its sender. Fails with what is wrong.
    pub(crate) fn replay(
        domain: &TrustDomain,
        id: NegotiationId,
        moves: Vec<(Signed, Known)>,
    ) -> Result<Self, String> {
        let mut moves = moves.into_iter();
        let (first, asker) = moves.next().ok_or("it has no moves")?;
        let mut talk = Self::open(domain, id, first, asker)?;
        for (signed, sender) in moves {
            talk.add(domain, signed, sender)?;
        }
        Ok(talk)
    }

    fn open(domain: &TrustDomain, id: NegotiationId, signed: Signed, asker: Known) -> Result<Self, String> {
        let made: Move = signed.open(&[asker.key]).map_err(|error| format!("its request: {error}"))?;
        let before = empty_transcript(domain, id);
        let in_place = (made.seq, made.round, made.transcript) == (1, 1, before);
        let request = made.request.as_ref().filter(|_| in_place).ok_or("it does not begin with a request")?;
        if made.domain != *domain || made.negotiation_id != id {
            return Err("its request is of another negotiation".into());
        }
        let asker =
            Party { instance: made.sender.clone(), key: asker.key, configuration: asker.configuration };
        Ok(Self {
            id,
            state: State::Requested,
            delegatee: asker,
            delegator: made.audience,
            answering: None,
            round: 1,
            max_rounds: request.max_rounds,
            deadline: request.deadline,
            purpose: request.purpose,
            transcript: extend_transcript(before, &signed),
            wanted: request.rights.clone(),
            last: MoveKind::Request,
            offer: None,
            moves: vec![signed],
            made: (1, 0),
        })
    }

    fn add(&mut self, domain: &TrustDomain, signed: Signed, sender: Known) -> Result<(), String> {
        let number = self.moves.len() + 1;
        let wrong = |what: &str| format!("move {number} {what}");
        let made: Move =
            signed.open(&[sender.key]).map_err(|error| wrong(&format!("is refused: {error}")))?;
        let by_delegatee = made.sender == self.delegatee.instance;
        self.check_parties(&made, by_delegatee).map_err(wrong)?;
        let count = if by_delegatee { &mut self.made.0 } else { &mut self.made.1 };
        *count += 1;
        let in_place = (made.seq, made.round, made.transcript) == (*count, self.round, self.transcript);
        if !in_place || made.domain != *domain || made.negotiation_id != self.id {
            return Err(wrong("was made for another place"));
        }
        let input = input(made.kind, by_delegatee).ok_or_else(|| wrong("is not its sender's to make"))?;
        let Cell::To { state, round } = next(self.state, input) else {
            return Err(wrong("is not allowed where it stands"));
        };
        self.take(&made, sender).map_err(|what| wrong(&what))?;
        self.state = state;
        self.round += u32::from(round);
        self.last = made.kind;
        self.transcript = extend_transcript(self.transcript, &signed);
        self.moves.push(signed);
        if self.round > self.max_rounds {
            return Err(wrong("is beyond the last round"));
        }
        Ok(())
    }

    fn check_parties(&mut self, made: &Move, by_delegatee: bool) -> Result<(), &'static str> {
        let speaks = match &self.answering {
            _ if by_delegatee => true,
            Some(instance) => made.sender == *instance,
            None => *made.sender.principal() == self.delegator,
        };
        let other = if by_delegatee { &self.delegator } else { self.delegatee.instance.principal() };
        match speaks && made.audience == *other {
            true => Ok(()),
            false => Err("is not between the two parties"),
        }
    }

    /// Takes what a move says beside its kind.
    fn take(&mut self, made: &Move, sender: Known) -> Result<(), String> {
        if let Some(counter) = &made.counter {
            self.wanted = counter.rights.clone();
        }
        if let Some(offer) = &made.offer {
            self.offer = Some(self.read_offer(made, offer, sender)?);
        }
        // Until an offer is made, a reject binds nobody: another copy could not answer any more
        // anyway, since the negotiation has ended.
        if made.sender != self.delegatee.instance {
            self.answering = Some(made.sender.clone());
        }
        if let Some(accept) = &made.accept {
            let offer = self.offer.as_ref().ok_or("accepts nothing")?;
            let signed =
                verify_detached(ContractBody::TYPE, &offer.contract, &sender.key, &accept.contract_signature);
            if accept.contract != offer.hash || signed.is_err() {
                return Err("does not sign the contract on offer".into());
            }
        }
        Ok(())
    }

    /// Verifies an offer as far as one can who does not hold the chain above: the contract is signed
    /// by its grantor and says what this negotiation says.
    fn read_offer(
        &self,
        made: &Move,
        offer: &countersign_protocol::negotiation::Offer,
        sender: Known,
    ) -> Result<Offered, String> {
        verify_detached(ContractBody::TYPE, &offer.contract, &sender.key, &offer.contract_signature)
            .map_err(|error| format!("has a contract that is not signed by its sender: {error}"))?;
        let body = ContractBody::from_bytes(&offer.contract)
            .map_err(|error| format!("has a malformed contract: {error}"))?;
        let grantor =
            Party { instance: made.sender.clone(), key: sender.key, configuration: sender.configuration };
        let fits = [
            (body.domain == made.domain, "domain"),
            (body.negotiation_id == self.id, "negotiation"),
            (body.transcript == self.transcript, "transcript"),
            (body.grantor == grantor, "grantor"),
            (body.grantee == self.delegatee, "grantee"),
            (body.purpose == self.purpose, "purpose"),
            (body.check_extensions().is_ok(), "extensions"),
        ];
        if let Some((_, what)) = fits.iter().find(|(fits, _)| !fits) {
            return Err(format!("has a contract of another {what}"));
        }
        Ok(Offered {
            hash: body.hash(),
            body,
            contract: offer.contract.clone(),
            hop_signature: offer.hop_signature,
            expires: offer.expires,
        })
    }

    /// Whether everything that was said in `before` is still there.
    pub(crate) fn continues(&self, before: &Self) -> bool {
        self.moves.starts_with(&before.moves)
    }

    /// How many more times the delegatee can counter or decline.
    pub(crate) fn rounds_left(&self) -> u32 {
        self.max_rounds.saturating_sub(self.round)
    }

    /// The next move of one side, without content.
    pub(crate) fn next_move(
        &self,
        domain: &TrustDomain,
        sender: &InstanceId,
        kind: MoveKind,
        request_id: RequestId,
        deadline: Timestamp,
    ) -> Move {
        let by_delegatee = *sender == self.delegatee.instance;
        let seq = if by_delegatee { self.made.0 } else { self.made.1 } + 1;
        let other = if by_delegatee { &self.delegator } else { self.delegatee.instance.principal() };
        Move {
            round: self.round,
            transcript: self.transcript,
            seq,
            deadline: deadline.min(self.deadline),
            ..bare(domain, self.id, sender, other, kind, request_id, deadline)
        }
    }
}

/// A first move without content.
pub(crate) fn bare(
    domain: &TrustDomain,
    id: NegotiationId,
    sender: &InstanceId,
    audience: &PrincipalId,
    kind: MoveKind,
    request_id: RequestId,
    deadline: Timestamp,
) -> Move {
    Move {
        domain: domain.clone(),
        negotiation_id: id,
        sender: sender.clone(),
        seq: 1,
        round: 1,
        transcript: empty_transcript(domain, id),
        audience: audience.clone(),
        deadline,
        request_id,
        kind,
        request: None,
        counter: None,
        offer: None,
        accept: None,
        extensions: countersign_protocol::extension::Extensions::none(),
    }
}

/// The table's input for a move of one side; `None` where that side has no such move.
fn input(kind: MoveKind, by_delegatee: bool) -> Option<Input> {
    match (kind, by_delegatee) {
        (MoveKind::Counter, true) => Some(Input::DelegateeCounter),
        (MoveKind::Decline, true) => Some(Input::DelegateeDecline),
        (MoveKind::Accept, true) => Some(Input::DelegateeAccept),
        (MoveKind::Reject, true) => Some(Input::DelegateeReject),
        (MoveKind::Withdraw, true) => Some(Input::DelegateeWithdraw),
        (MoveKind::Offer, false) => Some(Input::DelegatorOffer),
        (MoveKind::Reject, false) => Some(Input::DelegatorReject),
        (MoveKind::Withdraw, false) => Some(Input::DelegatorWithdraw),
        _ => None,
    }
}

//! What was said in a negotiation, verified move by move from the parties' own signatures.

use countersign_forge::domain;
use countersign_protocol::{
    capability::Rights,
    contract::{ContractBody, Party},
    digest::{ChainId, ContractHash, Digest, TranscriptHash},
    extension::Extensions,
    id::{NegotiationId, RequestId},
    name::{InstanceId, PrincipalId},
    negotiation::{Cell, Input, Move, MoveKind, Offer, State, empty_transcript, extend_transcript, next},
    payload::Payload,
    signed::{Signed, Statement, verify_detached},
    time::Timestamp,
};

use crate::network::Told;

/// A negotiation as its moves tell it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Which one.
    pub id: NegotiationId,
    /// Where it stands.
    pub state: State,
    /// Who asks,
    pub delegatee: Party,
    /// who is asked,
    pub delegator: PrincipalId,
    /// and which copy answered.
    pub answering: Option<InstanceId>,
    /// The round,
    pub round: u32,
    /// and the last one.
    pub max_rounds: u32,
    /// When it ends by itself.
    pub deadline: Timestamp,
    /// Digest of what for.
    pub purpose: Digest,
    /// What was said.
    pub transcript: TranscriptHash,
    /// What is wanted.
    pub wanted: Rights,
    /// The last offer.
    pub offer: Option<Offered>,
    /// Every move.
    pub moves: Vec<Signed>,
    /// The chain that it led to, as the broker says.
    pub chain: Option<ChainId>,
    made: (u32, u32),
}

/// A contract on offer, with the delegator's verified signature.
#[derive(Clone, Debug)]
pub struct Offered {
    /// What it says.
    pub body: ContractBody,
    /// The bytes that were signed,
    pub contract: Vec<u8>,
    /// and their hash.
    pub hash: ContractHash,
    /// The hop's signature.
    pub hop: countersign_protocol::key::Signature,
}

impl Conversation {
    /// Verifies what the broker tells, from where it was verified before; or says what is wrong.
    pub fn follow(
        before: Option<&Self>,
        told: &Told,
        known: impl Fn(&InstanceId) -> Option<Party>,
    ) -> Result<Self, String> {
        if !told.moves.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err("its moves are not in the order of the ledger".into());
        }
        let mut moves = told.moves.iter().map(|(_, signed)| signed);
        let mut talk = match before {
            Some(before) => {
                if !before.moves.iter().all(|said| moves.next() == Some(said)) {
                    return Err("what had been said is not in it any more".into());
                }
                before.clone()
            }
            None => Self::open(told.id, moves.next().ok_or("it has no moves")?, &known)?,
        };
        moves.try_for_each(|signed| talk.add(signed, &known))?;
        let closed = told.state == State::Terminated && !talk.state.is_terminal();
        if !closed && told.state != talk.state {
            return Err("its state is not what the moves lead to".into());
        }
        if told.chain.is_some() != (talk.state == State::Finalized) {
            return Err("its chain is not what the moves lead to".into());
        }
        (talk.state, talk.chain) = (told.state, told.chain);
        Ok(talk)
    }

    fn open(
        id: NegotiationId,
        signed: &Signed,
        known: &impl Fn(&InstanceId) -> Option<Party>,
    ) -> Result<Self, String> {
        let made = opened(signed, known)?;
        let before = empty_transcript(&domain(), id);
        let in_place = (made.seq, made.round, made.transcript) == (1, 1, before);
        let request = made.request.as_ref().filter(|_| in_place).ok_or("it does not begin with a request")?;
        if made.domain != domain() || made.negotiation_id != id {
            return Err("its request is of another negotiation".into());
        }
        Ok(Self {
            id,
            state: State::Requested,
            delegatee: known(&made.sender).ok_or("nobody of that name")?,
            delegator: made.audience.clone(),
            answering: None,
            round: 1,
            max_rounds: request.max_rounds,
            deadline: request.deadline,
            purpose: request.purpose,
            transcript: extend_transcript(before, signed),
            wanted: request.rights.clone(),
            offer: None,
            moves: vec![signed.clone()],
            chain: None,
            made: (1, 0),
        })
    }

    fn add(&mut self, signed: &Signed, known: &impl Fn(&InstanceId) -> Option<Party>) -> Result<(), String> {
        let made = opened(signed, known)?;
        let by_delegatee = made.sender == self.delegatee.instance;
        let speaks = match &self.answering {
            _ if by_delegatee => true,
            Some(instance) => made.sender == *instance,
            None => *made.sender.principal() == self.delegator,
        };
        let other = if by_delegatee { &self.delegator } else { self.delegatee.instance.principal() };
        if !speaks || made.audience != *other {
            return Err("a move is not between the two parties".into());
        }
        let count = if by_delegatee { &mut self.made.0 } else { &mut self.made.1 };
        *count += 1;
        let in_place = (made.seq, made.round, made.transcript) == (*count, self.round, self.transcript);
        if !in_place || made.domain != domain() || made.negotiation_id != self.id {
            return Err("a move was made for another place".into());
        }
        let input = input(made.kind, by_delegatee).ok_or("a move is not its sender's to make")?;
        let Cell::To { state, round } = next(self.state, input) else {
            return Err("a move is not allowed where it stands".into());
        };
        self.take(&made, known)?;
        self.state = state;
        self.round += u32::from(round);
        self.transcript = extend_transcript(self.transcript, signed);
        self.moves.push(signed.clone());
        if self.round > self.max_rounds { Err("a move is beyond the last round".into()) } else { Ok(()) }
    }

    fn take(&mut self, made: &Move, known: &impl Fn(&InstanceId) -> Option<Party>) -> Result<(), String> {
        if let Some(counter) = &made.counter {
            self.wanted = counter.rights.clone();
        }
        let sender = known(&made.sender).ok_or("nobody of that name")?;
        if let Some(offer) = &made.offer {
            self.offer = Some(self.read_offer(&sender, offer)?);
        }
        if made.sender != self.delegatee.instance {
            self.answering = Some(made.sender.clone());
        }
        if let Some(accept) = &made.accept {
            let offer = self.offer.as_ref().ok_or("it accepts nothing")?;
            let signature = &accept.contract_signature;
            let signed = verify_detached(ContractBody::TYPE, &offer.contract, &sender.key, signature);
            if accept.contract != offer.hash || signed.is_err() {
                return Err("it does not sign the contract on offer".into());
            }
        }
        Ok(())
    }

    fn read_offer(&self, sender: &Party, offer: &Offer) -> Result<Offered, String> {
        verify_detached(ContractBody::TYPE, &offer.contract, &sender.key, &offer.contract_signature)
            .map_err(|error| format!("a contract that is not signed by its sender: {error}"))?;
        let body = ContractBody::from_bytes(&offer.contract).map_err(|error| error.to_string())?;
        let fits = body.domain == domain()
            && (body.negotiation_id, body.transcript, body.purpose)
                == (self.id, self.transcript, self.purpose)
            && (&body.grantor, &body.grantee) == (sender, &self.delegatee)
            && body.check_extensions().is_ok();
        if !fits {
            return Err("a contract of another negotiation".into());
        }
        Ok(Offered { hash: body.hash(), body, contract: offer.contract.clone(), hop: offer.hop_signature })
    }

    /// The next move of one side, without content.
    pub fn next_move(&self, by: &InstanceId, kind: MoveKind, id: RequestId, deadline: Timestamp) -> Move {
        let by_delegatee = *by == self.delegatee.instance;
        let seq = if by_delegatee { self.made.0 } else { self.made.1 } + 1;
        let other = if by_delegatee { &self.delegator } else { self.delegatee.instance.principal() };
        Move {
            round: self.round,
            transcript: self.transcript,
            seq,
            ..bare(self.id, by, other, kind, id, deadline)
        }
    }
}

/// A first move without content.
pub(super) fn bare(
    negotiation_id: NegotiationId,
    sender: &InstanceId,
    audience: &PrincipalId,
    kind: MoveKind,
    request_id: RequestId,
    deadline: Timestamp,
) -> Move {
    Move {
        domain: domain(),
        negotiation_id,
        sender: sender.clone(),
        seq: 1,
        round: 1,
        transcript: empty_transcript(&domain(), negotiation_id),
        audience: audience.clone(),
        deadline,
        request_id,
        kind,
        request: None,
        counter: None,
        offer: None,
        accept: None,
        extensions: Extensions::none(),
    }
}

fn opened(signed: &Signed, known: &impl Fn(&InstanceId) -> Option<Party>) -> Result<Move, String> {
    let claimed: Move = signed.peek_unverified().map_err(|error| error.to_string())?;
    let sender = known(&claimed.sender).ok_or("nobody of that name")?;
    signed.open(&[sender.key]).map_err(|error| error.to_string())
}

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

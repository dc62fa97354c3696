//! The moves of a negotiation, each signed by its sender.

use crate::{
    capability::Rights,
    code_enum,
    contract::SeenCheckpoint,
    digest::{ContractHash, Digest, TranscriptHash, tagged_hash},
    extension::Extensions,
    id::{AwardId, NegotiationId, RequestId},
    key::Signature,
    name::{InstanceId, PrincipalId, TrustDomain},
    payload,
    signed::{Signed, Statement},
    time::Timestamp,
};

code_enum! {
    /// What a move is.
    pub enum MoveKind {
        /// The delegatee asks; opens the negotiation.
        Request = 1,
        /// The delegator makes a complete, revocable offer.
        Offer = 2,
        /// The delegatee asks for something else. Uses a round.
        Counter = 3,
        /// The delegatee turns the offer down and waits for another. Uses a round.
        Decline = 4,
        /// The delegatee signs the contract on offer.
        Accept = 5,
        /// The side that was addressed ends the negotiation.
        Reject = 6,
        /// The side that spoke last takes its word back and ends the negotiation.
        Withdraw = 7,
    }
}

payload! {
    /// What opens a negotiation.
    pub struct Request {
        /// What the delegatee wants.
        1 => pub rights: Rights,
        /// Digest of what for.
        2 => pub purpose: Digest,
        /// When the whole negotiation ends.
        3 => pub deadline: Timestamp,
        /// Rounds that may be used; the spec's limit caps it.
        4 => pub max_rounds: u32,
        /// The same in several requests to different delegators: whichever is accepted ends the others.
        5 => pub award: Option<AwardId>,
    }
}

payload! {
    /// Something else that the delegatee wants.
    pub struct Counter {
        /// What it wants now.
        1 => pub rights: Rights,
    }
}

payload! {
    /// A complete contract, signed by the delegator, with the hop that it becomes.
    pub struct Offer {
        /// The bytes of the [`ContractBody`](crate::contract::ContractBody).
        1 => pub contract: Vec<u8>,
        /// The delegator's signature over the contract.
        2 => pub contract_signature: Signature,
        /// The delegator's signature over the hop's block, which follows from the contract.
        3 => pub hop_signature: Signature,
        /// From when on the offer cannot be accepted any more.
        4 => pub expires: Timestamp,
    }
}

payload! {
    /// The delegatee's word.
    pub struct Accept {
        /// The contract on offer.
        1 => pub contract: ContractHash,
        /// The delegatee's signature over it.
        2 => pub contract_signature: Signature,
        /// The last checkpoint that the delegatee saw.
        3 => pub seen: SeenCheckpoint,
    }
}

payload! {
    /// One move.
    pub struct Move {
        /// Where the negotiation is held.
        1 => pub domain: TrustDomain,
        /// The negotiation.
        2 => pub negotiation_id: NegotiationId,
        /// Who moves.
        3 => pub sender: InstanceId,
        /// The sender's own moves so far, this one included.
        4 => pub seq: u32,
        /// The round in which the move is made; the first is one.
        5 => pub round: u32,
        /// Everything that was said before.
        6 => pub transcript: TranscriptHash,
        /// Whom it is for.
        7 => pub audience: PrincipalId,
        /// From when on the move is void unless it was ordered.
        8 => pub deadline: Timestamp,
        /// Makes a retry of the same move harmless.
        9 => pub request_id: RequestId,
        /// What it is; exactly the field of that name follows, if it has one.
        10 => pub kind: MoveKind,
        /// See [`MoveKind::Request`].
        11 => pub request: Option<Request>,
        /// See [`MoveKind::Counter`].
        12 => pub counter: Option<Counter>,
        /// See [`MoveKind::Offer`].
        13 => pub offer: Option<Offer>,
        /// See [`MoveKind::Accept`].
        14 => pub accept: Option<Accept>,
        /// Growth.
        15 => pub extensions: Extensions,
    }
    valid_if Move::content_fits_kind;
}

impl Statement for Move {
    const TYPE: &'static str = "application/vnd.countersign.move.v1";
}

impl Move {
    fn content_fits_kind(&self) -> bool {
        let has =
            (self.request.is_some(), self.counter.is_some(), self.offer.is_some(), self.accept.is_some());
        has == match self.kind {
            MoveKind::Request => (true, false, false, false),
            MoveKind::Counter => (false, true, false, false),
            MoveKind::Offer => (false, false, true, false),
            MoveKind::Accept => (false, false, false, true),
            MoveKind::Decline | MoveKind::Reject | MoveKind::Withdraw => (false, false, false, false),
        }
    }
}

/// What stands before the first move (NEG-006).
pub fn empty_transcript(domain: &TrustDomain, id: NegotiationId) -> TranscriptHash {
    TranscriptHash::from_bytes(tagged_hash("countersign transcript v1", &[domain.as_bytes(), id.as_bytes()]))
}

/// What stands after a move: the hash before it, and the move with its signer.
pub fn extend_transcript(before: TranscriptHash, signed_move: &Signed) -> TranscriptHash {
    let keys: Vec<&[u8]> = signed_move.signatures.iter().map(|signature| signature.key.as_bytes()).collect();
    let mut parts: Vec<&[u8]> = vec![before.as_bytes(), &signed_move.payload];
    parts.extend(keys);
    TranscriptHash::from_bytes(tagged_hash("countersign move v1", &parts))
}

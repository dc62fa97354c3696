//! What the state is made of.

use super::{
    Kept, kept,
    kept::{elements, numbers, put_element, put_number, take_element, take_number},
};
use crate::{
    capability::{Amount, Budget, Rights},
    contract,
    digest::{ChainId, ContractHash, Digest, SessionLink, TranscriptHash},
    domain::{
        Balance, Chain, EndCause, Instance, Invocation, InvocationOutcome, JoinToken, MadeMove, Negotiation,
        Said, Session, Spoken, Standing, StandingOffer, Strands, Trace,
        state::{Due, Forget},
    },
    id::{AwardId, ContractId, GrantId, InvocationId, NegotiationId, RequestId, SessionId},
    identity::InstanceStatement,
    key::Signature,
    ledger::LeafIndex,
    name::{InstanceId, PrincipalId},
    negotiation,
    payload::{Code, Malformed, Reader, Writer},
    session::{Side, Strand},
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::{ActivatedBy, Nonce, Via},
    trust::KeySet,
};

elements!(
    AwardId,
    Balance,
    Budget,
    ChainId,
    ContractHash,
    ContractId,
    Digest,
    GrantId,
    InstanceId,
    InstanceStatement,
    InvocationId,
    KeySet,
    NegotiationId,
    Nonce,
    PrincipalId,
    RequestId,
    Rights,
    SessionId,
    SessionLink,
    Signature,
    Signed,
    TranscriptHash,
);

numbers! {
    Amount: Amount::get, Amount::new;
    LeafIndex: LeafIndex::get, LeafIndex::new;
    Lifetime: Lifetime::as_millis, |number| Some(Lifetime::from_millis(number));
    Timestamp: Timestamp::get, Timestamp::new;
    ActivatedBy: Code::code, Code::from_code;
    EndCause: Code::code, Code::from_code;
    InvocationOutcome: Code::code, Code::from_code;
    Side: Code::code, Code::from_code;
    Standing: Code::code, Code::from_code;
    Via: Code::code, Code::from_code;
    contract::Side: Code::code, Code::from_code;
    contract::Rebind: Code::code, Code::from_code;
    contract::State: Code::code, Code::from_code;
    negotiation::State: Code::code, Code::from_code;
}

kept!(JoinToken { principal, expires, used_by });
kept!(Instance {
    statement,
    leaf,
    admitted,
    request,
    standing,
    stopped,
    holds,
    negotiating,
    negotiated,
    invoking,
    sessions
});
kept!(Chain {
    parent,
    children,
    grantor,
    holder,
    rights,
    originator,
    grant_id,
    contract,
    activated_by,
    subject,
    leaf,
    at,
    depth,
    sessions,
    rebind,
    rebound,
    asked,
    token,
    state,
    turns,
    live,
    suspended_by,
    account,
});
kept!(Negotiation {
    state,
    delegatee,
    delegator,
    delegator_instance,
    round,
    max_rounds,
    deadline,
    purpose,
    award,
    transcript,
    offer,
    moves,
    changed,
    outcome,
    ended,
});
kept!(MadeMove { sender, seq, transcript, digest, leaf });
kept!(StandingOffer { contract, hash, contract_id, parent, hop_signature, expires });
kept!(Invocation {
    fingerprint,
    proof,
    via,
    caller,
    callee,
    chain,
    reserved,
    intent,
    ended,
    outcome,
    session
});
kept!(Trace { intent, ended, chain, callee, session, told });
kept!(Session { opening, caller, callee, chain, sign_every, sign_within, strands, opened, ended });
kept!(Strands { requests, results });
kept!(Spoken { strand, covered, since });
kept!(Strand { count, link });

impl Kept for Due {
    fn keep(&self, out: &mut Writer) {
        match self {
            Self::Negotiation(id) => tagged(1, id, out),
            Self::Chain(id) => tagged(2, id, out),
        }
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match take_number(input, Some)? {
            1 => Ok(Self::Negotiation(Kept::recall(input)?)),
            2 => Ok(Self::Chain(Kept::recall(input)?)),
            _ => Err(Malformed::Inconsistent),
        }
    }
}

impl Kept for Forget {
    fn keep(&self, out: &mut Writer) {
        match self {
            Self::Nonce(caller, nonce) => {
                tagged(1, caller, out);
                nonce.keep(out);
            }
            Self::Invocation(id) => tagged(2, id, out),
            Self::JoinToken(secret) => tagged(3, secret, out),
            Self::Negotiation(id) => tagged(4, id, out),
            Self::Revocation(id) => tagged(5, id, out),
            Self::Session(id) => tagged(6, id, out),
        }
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match take_number(input, Some)? {
            1 => Ok(Self::Nonce(Kept::recall(input)?, Kept::recall(input)?)),
            2 => Ok(Self::Invocation(Kept::recall(input)?)),
            3 => Ok(Self::JoinToken(Kept::recall(input)?)),
            4 => Ok(Self::Negotiation(Kept::recall(input)?)),
            5 => Ok(Self::Revocation(Kept::recall(input)?)),
            6 => Ok(Self::Session(Kept::recall(input)?)),
            _ => Err(Malformed::Inconsistent),
        }
    }
}

impl Kept for Said {
    fn keep(&self, out: &mut Writer) {
        let (tag, of) = match self {
            Self::Opening => (1, None),
            Self::Answer => (2, None),
            Self::Link(side, number) => (3, Some((*side, *number))),
            Self::Head(side, number) => (4, Some((*side, *number))),
        };
        tagged(tag, &of, out);
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match (take_number(input, Some)?, Kept::recall(input)?) {
            (1, None) => Ok(Self::Opening),
            (2, None) => Ok(Self::Answer),
            (3, Some((side, number))) => Ok(Self::Link(side, number)),
            (4, Some((side, number))) => Ok(Self::Head(side, number)),
            _ => Err(Malformed::Inconsistent),
        }
    }
}

impl Kept for bool {
    fn keep(&self, out: &mut Writer) {
        put_number(u64::from(*self), out);
    }

    fn recall(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        take_number(input, |number| (number < 2).then_some(number == 1))
    }
}

fn tagged(tag: u64, value: &impl Kept, out: &mut Writer) {
    put_number(tag, out);
    value.keep(out);
}

//! Every message of the strict grammar, by itself.

use countersign_protocol::{
    capability::{Arguments, Budget, Capability, Cidr, Constraint, IntRange, Rights, UrlPrefix, Window},
    contract::{ChangeRequest, ContractBody, Party, SeenCheckpoint},
    domain::{Balance, Entry, Intent, InvocationEnded},
    explain::{Bundle, ProvenEntry},
    extension::Extensions,
    grant::GrantRequest,
    identity::{InstanceStatement, JoinStatement, RenewStatement},
    join_token::JoinToken,
    ledger::{Checkpoint, ConsistencyProof, InclusionProof},
    negotiation::{Accept, Counter, Move, Offer, Request},
    receipt::Receipt,
    revocation::RevokeRequest,
    session::{SessionAnswer, SessionHead, SessionOpening, SessionRequest, SessionResult},
    signed::{KeyedSignature, Signed},
    stream::{StreamAccount, StreamHead},
    token::{Activation, Evidence, GrantTerms, Holder, HopTerms, Proof},
    trust::{DomainKey, KeySet},
};

use super::{Seed, Verdict, seeds_of};
use crate::{grammar, vectors};

type Read = fn(&[u8]) -> Verdict;

macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        /// Every type, in the order in which the first byte selects it.
        const KINDS: &[(&str, Read)] =
            &[$((stringify!($name), |bytes| Verdict::of(grammar::read::<$name>(bytes)))),*];
    };
}

kinds! {
    Rights, Capability, Budget, Window, Arguments, Constraint, IntRange, Cidr, UrlPrefix, Extensions,
    GrantRequest, RevokeRequest, JoinStatement, RenewStatement, InstanceStatement, Receipt, Proof,
    Activation, Holder, Evidence, GrantTerms, HopTerms, Party, SeenCheckpoint, ContractBody, Request,
    Counter, Offer, Accept, Move, KeyedSignature, Signed, Checkpoint, InclusionProof, ConsistencyProof,
    ProvenEntry, Bundle, JoinToken, DomainKey, KeySet, Balance, Intent, InvocationEnded, Entry, ChangeRequest,
    SessionOpening, SessionAnswer, SessionHead, SessionRequest, SessionResult, StreamHead, StreamAccount,
}

/// The first byte selects the type of the rest.
pub(super) fn payload(input: &[u8]) -> Verdict {
    let Some((kind, bytes)) = input.split_first() else { return Verdict::Refused };
    let (_, read) = KINDS[usize::from(*kind) % KINDS.len()];
    read(bytes)
}

pub(super) fn seeds() -> Vec<Seed> {
    let of_payload = vectors::VECTORS.iter().filter(|vector| vector.op == "decode_payload");
    let seed = |vector: &vectors::Vector| {
        let name = vector.input["type"].as_str().unwrap();
        let kind = KINDS.iter().position(|(kind, _)| *kind == name).unwrap() as u8;
        let bytes = vectors::bytes(&vector.input, "payload_b64");
        (vector.id.clone(), [&[kind], &bytes[..]].concat())
    };
    seeds_of(of_payload.map(seed))
}

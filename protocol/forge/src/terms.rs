//! What a chain says that has no world around it.

use countersign_protocol::{
    contract::Rebind,
    digest::{ContractHash, Digest},
    extension::Extensions,
    id::{GrantId, InstanceUuid},
    name::InstanceId,
    time::Timestamp,
    token::{Evidence, EvidenceKind, GrantTerms, Holder, HopTerms},
};
use rand::{SeedableRng, rngs::StdRng};

use crate::cast::{START_MS, domain, instance_key, principal, rights};

/// The one copy of an agent that runs where nothing else does. Its key is [`instance_key`].
pub fn instance(name: &str) -> InstanceId {
    let mut rng = StdRng::seed_from_u64(name.bytes().map(u64::from).sum());
    principal(name).instance(InstanceUuid::new(start(), &mut rng))
}

/// That copy, as a chain names it.
pub fn holder(name: &str) -> Holder {
    Holder { instance: instance(name), key: instance_key(name).public() }
}

/// alice's grant to planner.
pub fn grant_terms() -> GrantTerms {
    GrantTerms {
        domain: domain(),
        grant_id: GrantId::new(start(), &mut StdRng::seed_from_u64(1)),
        originator: principal("alice"),
        evidence: Evidence { kind: EvidenceKind::Signed, digest: Digest::of(b"alice's request") },
        holder: holder("planner"),
        rights: rights(500, 5),
        extensions: Extensions::none(),
    }
}

/// The hop to that holder, so many from the grant, with less the further it is away.
pub fn hop_terms(name: &str, hop: u8) -> HopTerms {
    HopTerms {
        holder: holder(name),
        contract: ContractHash::from_bytes([hop; 32]),
        rights: rights(500 - u64::from(hop), 5 - u32::from(hop)),
        rebind: Rebind::Never,
        extensions: Extensions::none(),
    }
}

fn start() -> Timestamp {
    Timestamp::new(START_MS).unwrap()
}

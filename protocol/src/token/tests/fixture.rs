//! alice's grant to planner, and hops to researcher and fetcher.

use crate::{
    capability::{
        Amount, Argument, Arguments, Budget, Capability, Constraint, IntRange, Request, Rights, Rule, Value,
    },
    contract::Rebind,
    digest::{ContractHash, Digest, SpkiHash},
    extension::Extensions,
    id::{GrantId, InstanceUuid, InvocationId},
    key::SigningKey,
    ledger::{LeafIndex, Origin},
    name::{InstanceId, PrincipalId},
    payload::{Ascending, Bounded},
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::{
        ActivatedBy, Activation, ActiveToken, Evidence, EvidenceKind, GrantTerms, Holder, HopTerms, Nonce,
        Presentation, Proof, Token, UnverifiedToken, Via, append_hop, mint_grant, sign_hop,
    },
    trust::KeySet,
};

/// One change to an otherwise good thing.
pub(super) type Change<T> = fn(&mut T);

pub(super) const NOW_MS: u64 = 1_800_000_000_000;

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::new(millis).unwrap()
}

pub(super) fn now() -> Timestamp {
    at(NOW_MS)
}

/// The instance key of a principal: its first letter, 32 times.
pub(super) fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(&[name.as_bytes()[0]; 32])
}

pub(super) fn principal(path: &str) -> PrincipalId {
    format!("spiffe://acme.example/{path}").parse().unwrap()
}

pub(super) fn instance(path: &str) -> InstanceId {
    let mut rng = rand::rngs::mock::StepRng::new(path.len() as u64, 1);
    principal(path).instance(InstanceUuid::new(now(), &mut rng))
}

pub(super) fn holder(name: &str) -> Holder {
    Holder { instance: instance(&format!("agent/{name}")), key: key(name).public() }
}

pub(super) fn keys() -> KeySet {
    let public = |seed| SigningKey::from_seed(&[seed; 32]).public();
    KeySet::new("acme.example".parse().unwrap(), public(201), public(202), public(203), public(204)).unwrap()
}

pub(super) fn capability_key() -> SigningKey {
    SigningKey::from_seed(&[201; 32])
}

pub(super) fn capability(resource: &str, actions: &[&str], max_bytes: Option<i64>) -> Capability {
    let constraint = max_bytes.map(|max| Constraint {
        argument: "max_bytes".parse().unwrap(),
        rule: Rule::IntRange(IntRange { min: 1, max }),
    });
    Capability {
        resource: resource.parse().unwrap(),
        actions: Ascending::new(actions.iter().map(|action| action.parse().unwrap()).collect()).unwrap(),
        constraints: Bounded::new(constraint.into_iter().collect()).unwrap(),
    }
}

/// Rights that shrink with each hop.
pub(super) fn rights(hop: u64) -> Rights {
    let capability = match hop {
        0 => capability("file:/data/**", &["list", "read"], None),
        1 => capability("file:/data/**", &["read"], Some(4096)),
        _ => capability("file:/data/eu/**", &["read"], Some(1024)),
    };
    Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        audiences: Ascending::new(vec![principal("service/files")]).unwrap(),
        not_before: at(NOW_MS - 1000),
        not_after: at(NOW_MS + 3_600_000 - hop),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(500 - hop).unwrap(),
            per_call: Amount::new(1).unwrap(),
            window: None,
        },
        delegations_left: 3 - hop as u32,
    }
}

pub(super) fn grant_terms() -> GrantTerms {
    let mut rng = rand::rngs::mock::StepRng::new(1, 1);
    GrantTerms {
        domain: "acme.example".parse().unwrap(),
        grant_id: GrantId::new(now(), &mut rng),
        originator: principal("human/alice"),
        evidence: Evidence { kind: EvidenceKind::Signed, digest: Digest::of(b"alice's request") },
        holder: holder("planner"),
        rights: rights(0),
        extensions: Extensions::none(),
    }
}

pub(super) fn hop_terms(name: &str, hop: u64) -> HopTerms {
    HopTerms {
        holder: holder(name),
        contract: ContractHash::from_bytes([hop as u8; 32]),
        rights: rights(hop),
        rebind: Rebind::Never,
        extensions: Extensions::none(),
    }
}

pub(super) fn grant() -> Token {
    mint_grant(&grant_terms(), 1, &capability_key()).verify(&keys()).unwrap()
}

/// `parent`, handed on by its holder as it should be.
pub(super) fn delegate(parent: &Token, grantor: &str, terms: &HopTerms) -> UnverifiedToken {
    let signature = sign_hop(parent, terms, &key(grantor));
    append_hop(parent, terms, key(grantor).public(), signature)
}

/// planner → researcher → fetcher.
pub(super) fn chain() -> Token {
    let researcher = delegate(&grant(), "planner", &hop_terms("researcher", 1)).verify(&keys()).unwrap();
    delegate(&researcher, "researcher", &hop_terms("fetcher", 2)).verify(&keys()).unwrap()
}

pub(super) fn activate(token: Token) -> ActiveToken {
    let (activated_by, subject) = match token.leaf().contract {
        Some(contract) => (ActivatedBy::Contract, Digest::from_bytes(contract.to_array())),
        None => (ActivatedBy::Grant, token.grant().evidence.digest),
    };
    let activation = Activation {
        domain: token.grant().domain.clone(),
        chain_id: token.chain_id(),
        activated_by,
        subject,
        leaf: LeafIndex::new(7).unwrap(),
        origin: Origin::of(&token.grant().domain),
    };
    ActiveToken::new(token, activation).unwrap()
}

pub(super) fn request(action: &str, resource: &str, max_bytes: i64) -> Request {
    let argument = Argument { name: "max_bytes".parse().unwrap(), value: Value::Int(max_bytes) };
    Request {
        callee: principal("service/files"),
        action: action.parse().unwrap(),
        resource: resource.parse().unwrap(),
        arguments: Arguments::new(vec![argument]).unwrap(),
    }
}

pub(super) fn good_request() -> Request {
    request("read", "file:/data/eu/q3.csv", 1000)
}

pub(super) fn proof(token: &ActiveToken, request: &Request) -> Proof {
    let mut rng = rand::rngs::mock::StepRng::new(5, 1);
    Proof {
        domain: "acme.example".parse().unwrap(),
        invocation_id: InvocationId::new(now(), &mut rng),
        chain_id: token.token().chain_id(),
        activation_leaf: token.activation().leaf,
        caller: token.token().leaf().holder.instance.clone(),
        callee: request.callee.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        arguments: request.arguments.digest(b""),
        nonce: Nonce::new(&mut rng),
        issued: now(),
        expires: now().plus(Lifetime::from_millis(30_000)),
        via: Via::Broker,
        channel: SpkiHash::from_bytes([9; 32]),
        extensions: Extensions::none(),
    }
}

pub(super) fn signed_proof(token: &ActiveToken, request: &Request) -> Signed {
    proof(token, request).sign(&key("fetcher"))
}

pub(super) fn presentation<'a>(proof: &'a Signed, request: &'a Request) -> Presentation<'a> {
    Presentation { proof, request, body: b"" }
}

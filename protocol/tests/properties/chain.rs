//! Whatever the leaf allows, every ancestor allows: over chains that hostile holders build by hand and
//! sign with their own real keys.

use std::cell::Cell;

use countersign_protocol::{
    capability::{Amount, Budget, Request, Rights},
    digest::{ContractHash, Digest, SpkiHash},
    extension::Extensions,
    id::{GrantId, InstanceUuid, InvocationId},
    key::SigningKey,
    ledger::{LeafIndex, Origin},
    name::{InstanceId, TrustDomain},
    payload::Bounded,
    refusal::{Reason, Refusal},
    signed::Statement,
    time::{Lifetime, Timestamp},
    token::{
        ActivatedBy, Activation, ActiveToken, Evidence, EvidenceKind, GrantTerms, Holder, HopTerms, Link,
        Nonce, Presentation, Proof, Token, UnverifiedToken, Via, append_hop, mint_grant, sign_hop,
    },
    trust::KeySet,
};
use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use rand::rngs::mock::StepRng;

use crate::universe::{UNIVERSE, audiences, capabilities};

const NOW_MS: u64 = 1_800_000_000_000;

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::new(NOW_MS + millis).unwrap()
}

fn domain() -> TrustDomain {
    "acme.example".parse().unwrap()
}

pub(crate) fn domain_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn keys() -> KeySet {
    let public = |seed| domain_key(seed).public();
    KeySet::new(domain(), public(201), public(202), public(203)).unwrap()
}

/// The key of the holder at that place in a chain.
fn key(place: usize) -> SigningKey {
    SigningKey::from_seed(&[place as u8 + 1; 32])
}

fn holder(place: usize) -> Holder {
    let principal: countersign_protocol::name::PrincipalId =
        format!("spiffe://acme.example/agent/a{place}").parse().unwrap();
    let instance: InstanceId = principal.instance(InstanceUuid::new(at(0), &mut StepRng::new(1, 1)));
    Holder { instance, key: key(place).public() }
}

/// What a holder changes in its own rights before it hands them on, within them or not.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Replace(Index, countersign_protocol::capability::Capability),
    Add(countersign_protocol::capability::Capability),
    Drop(Index),
    Unconstrain(Index),
    Audiences(countersign_protocol::payload::Ascending<countersign_protocol::name::PrincipalId, 1, 16>),
    Begin(u64),
    End(u64),
    Ceiling(u64),
    PerCall(u64),
    Delegations(u32),
}

pub(crate) fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<Index>(), capabilities()).prop_map(|(at, capability)| Edit::Replace(at, capability)),
        1 => capabilities().prop_map(Edit::Add),
        1 => any::<Index>().prop_map(Edit::Drop),
        1 => any::<Index>().prop_map(Edit::Unconstrain),
        1 => audiences().prop_map(Edit::Audiences),
        1 => select(vec![0, 10, 20]).prop_map(Edit::Begin),
        1 => select(vec![30, 40, 50]).prop_map(Edit::End),
        1 => (5..20u64).prop_map(Edit::Ceiling),
        1 => (1..5u64).prop_map(Edit::PerCall),
        1 => (0..4u32).prop_map(Edit::Delegations),
    ]
}

impl Edit {
    fn apply(&self, rights: &mut Rights) {
        let mut list = rights.capabilities.to_vec();
        match self {
            Self::Replace(at, capability) => {
                let at = at.index(list.len());
                list[at] = capability.clone();
            }
            Self::Add(capability) => list.push(capability.clone()),
            Self::Drop(at) if list.len() > 1 => drop(list.remove(at.index(list.len()))),
            Self::Drop(_) => {}
            Self::Unconstrain(at) => {
                let at = at.index(list.len());
                list[at].constraints = Bounded::default();
            }
            Self::Audiences(audiences) => rights.audiences = audiences.clone(),
            Self::Begin(begin) => rights.not_before = at(*begin),
            Self::End(end) => rights.not_after = at(*end),
            Self::Ceiling(ceiling) => rights.budget.ceiling = Amount::new(*ceiling).unwrap(),
            Self::PerCall(amount) => rights.budget.per_call = Amount::new(*amount).unwrap(),
            Self::Delegations(left) => rights.delegations_left = *left,
        }
        rights.capabilities = Bounded::new(list).unwrap();
    }
}

pub(crate) fn grants() -> impl Strategy<Value = Rights> {
    (prop::collection::vec(capabilities(), 1..4), audiences()).prop_map(|(list, audiences)| Rights {
        capabilities: Bounded::new(list).unwrap(),
        audiences,
        not_before: at(0),
        not_after: at(50),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(20).unwrap(),
            per_call: Amount::new(4).unwrap(),
            window: None,
        },
        delegations_left: 5,
    })
}

fn grant(rights: Rights) -> Token {
    let terms = GrantTerms {
        domain: domain(),
        grant_id: GrantId::new(at(0), &mut StepRng::new(1, 1)),
        originator: "spiffe://acme.example/human/alice".parse().unwrap(),
        evidence: Evidence { kind: EvidenceKind::Signed, digest: Digest::of(b"request") },
        holder: holder(0),
        rights,
        extensions: Extensions::none(),
    };
    mint_grant(&terms, 1, &domain_key(201)).verify(&keys()).unwrap()
}

/// A hop that the holder of `parent` signs, whatever it says.
fn hop(parent: &Token, rights: Rights) -> UnverifiedToken {
    let place = parent.depth();
    let contract = ContractHash::from_bytes([place as u8; 32]);
    let terms = HopTerms { holder: holder(place + 1), contract, rights, extensions: Extensions::none() };
    let signature = sign_hop(parent, &terms, &key(place));
    append_hop(parent, &terms, key(place).public(), signature)
}

/// Every prefix of the chain that verifies: from the grant as far as its holders stay within it.
pub(crate) fn chain(rights: Rights, hops: &[Vec<Edit>], refused: &Cell<usize>) -> Vec<Token> {
    let mut prefixes = vec![grant(rights)];
    for edits in hops {
        let parent = prefixes.last().unwrap();
        let mut rights = parent.leaf().rights.clone();
        rights.delegations_left = rights.delegations_left.saturating_sub(1);
        edits.iter().for_each(|edit| edit.apply(&mut rights));
        match hop(parent, rights).verify(&keys()) {
            Ok(token) => prefixes.push(token),
            Err(refusal) => {
                refused.set(refused.get() + 1);
                let malformed = refusal.reason() == Reason::TokenMalformed;
                assert!(malformed || refusal.reason() == Reason::RightsWidened, "{refusal}");
                break;
            }
        }
    }
    prefixes
}

pub(crate) fn allows(link: &Link, request: &Request, now: Timestamp) -> bool {
    let rights = &link.rights;
    rights.valid_at(now) && rights.audiences.has(&request.callee) && rights.allows(request)
}

/// Uses the chain as its holder would.
fn permit(token: &Token, request: &Request, now: Timestamp) -> Result<(), Refusal> {
    let (activated_by, subject) = match token.leaf().contract {
        Some(contract) => (ActivatedBy::Contract, Digest::from_bytes(contract.to_array())),
        None => (ActivatedBy::Grant, token.grant().evidence.digest),
    };
    let (leaf, origin, chain_id) = (LeafIndex::ZERO, Origin::of(&domain()), token.chain_id());
    let activation = Activation { domain: domain(), chain_id, activated_by, subject, leaf, origin };
    let active = ActiveToken::new(token.clone(), activation)?;
    let mut rng = StepRng::new(5, 1);
    let proof = Proof {
        domain: domain(),
        invocation_id: InvocationId::new(now, &mut rng),
        chain_id,
        activation_leaf: leaf,
        caller: token.leaf().holder.instance.clone(),
        callee: request.callee.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        arguments: request.arguments.digest(b""),
        nonce: Nonce::new(&mut rng),
        issued: now,
        expires: now.plus(Lifetime::from_millis(1000)),
        via: Via::Broker,
        channel: SpkiHash::from_bytes([9; 32]),
        extensions: Extensions::none(),
    };
    let signed = proof.sign(&key(token.depth()));
    active.permit(&Presentation { proof: &signed, request, body: b"" }, now).map(|_| ())
}

#[test]
fn whatever_the_leaf_allows_every_ancestor_allows() {
    let (refused, narrowed, permitted) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let hops = prop::collection::vec(prop::collection::vec(edits(), 0..3), 1..5);
    let uses = prop::collection::vec((any::<Index>(), select(vec![0, 15, 35, 45])), 4);
    let mut runner = TestRunner::new_with_rng(
        Config::with_cases(400),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let run = runner.run(&(grants(), hops, uses), |(rights, hops, uses)| {
        let prefixes = chain(rights, &hops, &refused);
        let leaf = prefixes.last().unwrap();
        narrowed.set(narrowed.get() + leaf.depth());
        for now in [0, 15, 35, 45].map(at) {
            for request in UNIVERSE.iter().filter(|request| allows(leaf.leaf(), request, now)) {
                let outside = leaf.links().find(|link| !allows(link, request, now));
                prop_assert!(outside.is_none(), "{request:?} at {now}: not by {:?}", outside);
            }
        }
        // The same through the whole decision, proof, walk and Datalog.
        for (request, now) in uses {
            let allowed: Vec<&Request> =
                UNIVERSE.iter().filter(|request| leaf.leaf().rights.allows(request)).collect();
            let Some(request) = (!allowed.is_empty()).then(|| allowed[request.index(allowed.len())]) else {
                continue;
            };
            if permit(leaf, request, at(now)).is_err() {
                continue;
            }
            permitted.set(permitted.get() + 1);
            for ancestor in &prefixes {
                prop_assert!(
                    permit(ancestor, request, at(now)).is_ok(),
                    "{request:?} at depth {}",
                    ancestor.depth()
                );
            }
        }
        Ok(())
    });
    run.unwrap();
    // The property is about something: holders tried to widen, chains grew, and uses were permitted.
    assert!(
        refused.get() > 50 && narrowed.get() > 200 && permitted.get() > 200,
        "{refused:?} {narrowed:?} {permitted:?}"
    );
}

//! Who plays in the vectors, with which keys, on which day; and what they would say if all were well.

use countersign_forge::biscuit::Container;
use countersign_protocol::{
    capability::{Amount, Budget, Capability, Constraint, IntRange, Rights, Rule, Window},
    contract::Rebind,
    digest::{ContractHash, Digest},
    extension::{Criticality, Extension, Extensions},
    id::GrantId,
    key::{PublicKey, SigningKey},
    ledger::LeafIndex,
    name::{InstanceId, PrincipalId, TrustDomain},
    payload::{Ascending, Bounded},
    time::{Lifetime, Timestamp},
    token::{Evidence, EvidenceKind, GrantTerms, Holder, HopTerms},
    trust::{DomainKey, KeyPurpose, KeySet},
};
use sha2::{Digest as _, Sha256};

/// 2027-01-15T08:00:00Z, when everything happens.
pub(crate) const NOW: u64 = 1_800_000_000_000;

/// Everyone who has a key. The domain's old keys signed until leaf 90 or 100.
pub(crate) const KEYS: [&str; 18] = [
    "capability",
    "capability-old",
    "activation",
    "activation-old",
    "checkpoint",
    "rebind",
    "alice",
    "planner",
    "researcher",
    "fetcher",
    "files",
    "mallory",
    "planner-copy",
    "researcher-copy",
    "witness",
    "other-log",
    "self-made-root",
    "link",
];

/// The seed is the hash of a sentence that anyone can write down.
pub(crate) fn seed(name: &str) -> [u8; 32] {
    assert!(KEYS.contains(&name) || name.starts_with("agent-"), "{name} has no key");
    sha256(format!("countersign test key: {name}").as_bytes())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(&seed(name))
}

pub(crate) fn public(name: &str) -> PublicKey {
    key(name).public()
}

/// The name behind a public key, or the key in hexadecimal.
pub(crate) fn key_name(bytes: &[u8]) -> String {
    let known = KEYS.into_iter().find(|name| public(name).as_bytes() == bytes);
    known.map_or_else(|| hex::encode(bytes), str::to_owned)
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::new(millis).unwrap()
}

pub(crate) fn time_text(millis: u64) -> String {
    Timestamp::new(millis).map_or_else(|| format!("{millis} ms"), |time| time.to_string())
}

pub(crate) fn principal(name: &str) -> PrincipalId {
    let kind = match name {
        "alice" => "human",
        "files" | "mail" => "service",
        _ => "agent",
    };
    format!("spiffe://acme.example/{kind}/{name}").parse().unwrap()
}

/// A UUID of version 7 made at [`NOW`], with that number at its end.
pub(crate) fn uuid(number: u64) -> String {
    format!("01a3185c-5000-7000-8000-{number:012x}")
}

/// Every principal has one copy running, except for the second one of planner.
pub(crate) fn instance(name: &str) -> InstanceId {
    let (name, copy) = name.strip_suffix("-copy").map_or((name, 1), |name| (name, 2));
    format!("{}/i/{}", principal(name), uuid(copy)).parse().unwrap()
}

pub(crate) fn holder(name: &str) -> Holder {
    Holder { instance: instance(name), key: public(name) }
}

pub(crate) fn domain() -> TrustDomain {
    "acme.example".parse().unwrap()
}

/// The keys with which a ledger of a few entries begins.
pub(crate) fn first_key_set() -> KeySet {
    KeySet::new(domain(), public("capability"), public("activation"), public("checkpoint"), public("rebind"))
        .unwrap()
}

/// One key of each purpose in use, and two that are not any more.
pub(crate) fn key_set() -> KeySet {
    KeySet::of(domain(), domain_keys()).unwrap()
}

/// The domain's keys; those of before have the number seven.
pub(crate) fn domain_keys() -> Vec<DomainKey> {
    let key = |purpose, id, name, first, end| {
        let [first_leaf, end_leaf] = [first, end].map(|leaf| LeafIndex::new(leaf).unwrap());
        DomainKey { purpose, id, key: public(name), first_leaf, end_leaf }
    };
    vec![
        key(KeyPurpose::Capability, 1, "capability", 100, 0),
        key(KeyPurpose::Capability, 7, "capability-old", 0, 100),
        key(KeyPurpose::Activation, 1, "activation", 90, 0),
        key(KeyPurpose::Activation, 7, "activation-old", 0, 90),
        key(KeyPurpose::Checkpoint, 1, "checkpoint", 0, 0),
        key(KeyPurpose::Rebind, 1, "rebind", 0, 0),
    ]
}

pub(crate) fn actions(names: &[&str]) -> Ascending<countersign_protocol::name::Word, 1, 16> {
    Ascending::new(names.iter().map(|name| name.parse().unwrap()).collect()).unwrap()
}

pub(crate) fn audiences(names: &[&str]) -> Ascending<PrincipalId, 1, 16> {
    Ascending::new(names.iter().map(|name| principal(name)).collect()).unwrap()
}

pub(crate) fn constraint(argument: &str, rule: Rule) -> Constraint {
    Constraint { argument: argument.parse().unwrap(), rule }
}

pub(crate) fn range(min: i64, max: i64) -> Rule {
    Rule::IntRange(IntRange { min, max })
}

pub(crate) fn capability(resource: &str, names: &[&str], constraints: Vec<Constraint>) -> Capability {
    Capability {
        resource: resource.parse().unwrap(),
        actions: actions(names),
        constraints: Bounded::new(constraints).unwrap(),
    }
}

pub(crate) fn amount(amount: u64) -> Amount {
    Amount::new(amount).unwrap()
}

pub(crate) fn window(ceiling: u64, length: u64) -> Option<Window> {
    Some(Window { ceiling: amount(ceiling), length: Lifetime::from_millis(length) })
}

/// Rights that shrink with each hop, in everything.
pub(crate) fn rights(hop: u64) -> Rights {
    let max_bytes = |max| vec![constraint("max_bytes", range(1, max))];
    let capability = match hop {
        0 => capability("file:/data/**", &["list", "read"], vec![]),
        1 => capability("file:/data/**", &["read"], max_bytes(4096)),
        _ => capability("file:/data/eu/**", &["read"], max_bytes(1024)),
    };
    Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        audiences: if hop == 0 { audiences(&["files", "mail"]) } else { audiences(&["files"]) },
        not_before: at(NOW - 10_000 + 1000 * hop),
        not_after: at(NOW + 3_600_000 - 1000 * hop),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: amount(500 - 100 * hop),
            per_call: amount(5 - hop),
            window: window(100 - 10 * hop, 60_000),
        },
        delegations_left: 3 - hop as u32,
    }
}

pub(crate) fn grant_terms() -> GrantTerms {
    GrantTerms {
        domain: domain(),
        grant_id: uuid(16).parse::<GrantId>().unwrap(),
        originator: principal("alice"),
        evidence: Evidence { kind: EvidenceKind::Signed, digest: Digest::of(b"alice's grant request") },
        holder: holder("planner"),
        rights: rights(0),
        extensions: Extensions::none(),
    }
}

/// The grant of those terms, as the domain signs it.
pub(crate) fn minted(terms: &GrantTerms) -> Container {
    Container::grant(terms, &key("capability"))
}

pub(crate) fn hop_terms(name: &str, hop: u64) -> HopTerms {
    HopTerms {
        holder: holder(name),
        contract: ContractHash::from_bytes([hop as u8; 32]),
        rights: rights(hop),
        rebind: Rebind::Never,
        extensions: Extensions::none(),
    }
}

pub(crate) fn extensions(criticality: Criticality) -> Extensions {
    let extension = Extension { id: "example.future".parse().unwrap(), criticality, bytes: vec![1] };
    Extensions::new(vec![extension]).unwrap()
}

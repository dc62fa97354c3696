//! Who is there, with which keys, and what they usually ask for.

use countersign_protocol::{
    capability::{Amount, Budget, Capability, Rights},
    contract::Party,
    digest::{Digest, SpkiHash},
    domain::{Actor, GrantRule, Policy},
    key::SigningKey,
    name::{InstanceId, PrincipalId, TrustDomain},
    payload::{Ascending, Bounded},
    time::{Lifetime, Timestamp},
    trust::KeySet,
};

/// The bytes of the policy, as far as its digest is concerned.
pub const POLICY: &[u8] = b"policy";
/// When a [`crate::World`] begins, in milliseconds since 1970.
pub const START_MS: u64 = 1_800_000_000_000;

/// A party with its keys.
#[derive(Clone)]
pub struct Agent {
    /// The running copy.
    pub id: InstanceId,
    /// Its instance key.
    pub key: SigningKey,
    /// The key of its channel.
    pub spki: SpkiHash,
}

impl Agent {
    /// It, as the channel shows it.
    pub fn actor(&self) -> Actor {
        Actor { instance: self.id.clone(), spki: self.spki }
    }

    /// It, as a contract names it.
    pub fn party(&self) -> Party {
        Party { instance: self.id.clone(), key: self.key.public(), configuration: configuration() }
    }
}

/// The trust domain, `acme.example`.
pub fn domain() -> TrustDomain {
    "acme.example".parse().unwrap()
}

/// The domain's keys: 201 signs grants, 202 activations, 203 checkpoints, 204 rebinds.
pub fn domain_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// What the domain publishes of its keys.
pub fn keys() -> KeySet {
    let public = |seed| domain_key(seed).public();
    KeySet::new(domain(), public(201), public(202), public(203), public(204)).unwrap()
}

/// What everyone runs.
pub fn configuration() -> Digest {
    Digest::of(b"model, prompt, tools")
}

/// A key that only tests name: the hash of a sentence that anyone can write down.
pub fn instance_key(name: &str) -> SigningKey {
    let sentence = format!("the instance key of {name}");
    SigningKey::from_seed(&Digest::of(sentence.as_bytes()).to_array())
}

/// The principal of that name: alice and root are human, files is a service, all others are agents.
/// A second copy is called by its name and a number.
pub fn principal(name: &str) -> PrincipalId {
    let name = name.trim_end_matches(char::is_numeric);
    let kind = match name {
        "alice" | "root" => "human",
        "files" => "service",
        _ => "agent",
    };
    format!("spiffe://acme.example/{kind}/{name}").parse().unwrap()
}

/// These actions on that resource, whatever the arguments.
pub fn capability(resource: &str, actions: &[&str]) -> Capability {
    Capability {
        resource: resource.parse().unwrap(),
        actions: Ascending::new(actions.iter().map(|action| action.parse().unwrap()).collect()).unwrap(),
        constraints: Bounded::default(),
    }
}

/// Rights on `file:/data/**` with so many calls, that leave so many delegations, for an hour.
pub fn rights(calls: u64, delegations_left: u32) -> Rights {
    Rights {
        capabilities: Bounded::new(vec![capability("file:/data/**", &["read"])]).unwrap(),
        audiences: Ascending::new(vec![principal("files")]).unwrap(),
        not_before: Timestamp::new(START_MS).unwrap(),
        not_after: Timestamp::new(START_MS + 3_600_000).unwrap(),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(calls).unwrap(),
            per_call: Amount::new(1).unwrap(),
            window: None,
        },
        delegations_left,
    }
}

/// Alice may let planner do what [`rights`] says, root is the admin, and certificates live five minutes.
pub fn policy() -> Policy {
    let rule = GrantRule {
        originator: principal("alice"),
        principal: principal("planner"),
        rights: rights(1000, 5),
        lifetime: Lifetime::from_millis(86_400_000),
        digest: Digest::of(b"rule"),
    };
    Policy {
        admins: vec![principal("root")],
        grant_rules: vec![rule],
        svid_lifetime: Lifetime::from_millis(300_000),
        human_svid_lifetime: Lifetime::from_millis(3_600_000),
        digest: Digest::of(POLICY),
    }
}

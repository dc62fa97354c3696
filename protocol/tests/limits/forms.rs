//! Things of any size: whether one of that size is within its limit.

use countersign_forge::{
    START_MS, World,
    biscuit::{Container, Step},
    capability, domain, domain_key, grant_terms, instance_key, keys, principal, rights,
};
use countersign_protocol::{
    capability::{
        Argument, Arguments, Capability, Constraint, IntRange, IntSet, PathName, ResourceName,
        ResourcePattern, Rights, Rule, Text, UrlName, Value,
    },
    contract::Rebind,
    digest::{ContractHash, Digest},
    explain::{Bundle, ProvenEntry},
    extension::{Criticality, Extension, Extensions},
    id::InstanceUuid,
    join_token::{JoinSecret, JoinToken},
    key::SigningKey,
    ledger::{LeafIndex, Origin, SignedCheckpoint},
    name::{PrincipalId, Word},
    payload::{Ascending, Bounded, Payload},
    signed::Signed,
    time::Timestamp,
    token::{GrantTerms, Holder, HopTerms, UnverifiedToken},
    trust::{DomainKey, KeyPurpose, KeySet},
};
use rand::{SeedableRng as _, rngs::StdRng};

/// Whether something of that size is within the limit.
type Fits = fn(usize) -> bool;

/// What shows the limit of that name.
pub(crate) fn probe(name: &str, what: &str) -> Option<Fits> {
    Some(match (name, what) {
        ("payload_max_bytes", _) => |bytes| Signed::from_bytes(&envelope(bytes)).is_ok(),
        ("token_max_bytes", _) => |bytes| not_too_long(vec![0; bytes]),
        ("chain_max_depth", "hops after the authority block") => hops,
        ("chain_max_depth", _) => |left| reads(&Rights { delegations_left: left as u32, ..rights(1, 0) }),
        ("block_max_bytes", _) => |bytes| {
            let grant = Container::grant(&grant_terms(), &domain_key(201));
            not_too_long(grant.step(&Step::new(vec![0; bytes], &instance_key("planner"))).bytes())
        },
        ("capabilities_max", _) => |count| {
            let same = vec![capability("file:/data/**", &["read"]); count];
            Bounded::new(same).is_ok_and(|capabilities| reads(&Rights { capabilities, ..rights(1, 0) }))
        },
        ("actions_max", _) => |count| {
            let actions = Ascending::new(words(count));
            actions.is_ok_and(|actions| reads(&Capability { actions, ..any_capability() }))
        },
        ("constraints_max", _) => |count| {
            let each = words(count).into_iter().map(|argument| Constraint { argument, rule: any_rule() });
            let constraints = Bounded::new(each.collect());
            constraints.is_ok_and(|constraints| reads(&Capability { constraints, ..any_capability() }))
        },
        ("choices_max", _) => |count| {
            let numbers = IntSet::new((0..count as i64).collect()).is_ok();
            let texts = Ascending::new((0..count).map(|n| n.to_string().parse::<Text>().unwrap()).collect());
            let texts = texts.is_ok_and(|texts| matches!(Rule::TextIn(texts), Rule::TextIn(_)));
            assert_eq!(numbers, texts, "one limit for both");
            texts
        },
        ("audiences_max", _) => |count| {
            let audiences =
                Ascending::new((0..count).map(|n| principal(&format!("callee-{n}-of-many"))).collect());
            audiences.is_ok_and(|audiences| reads(&Rights { audiences, ..rights(1, 0) }))
        },
        ("segments_max", _) => |count| {
            let name = format!("file:{}", "/a".repeat(count));
            same([name.parse::<ResourceName>().is_ok(), name.parse::<ResourcePattern>().is_ok()])
                && "/a".repeat(count).parse::<PathName>().is_ok()
        },
        ("name_max_bytes", _) => |bytes| {
            let fill = |start: &str| format!("{start}{}", "a".repeat(bytes - start.len()));
            same([
                fill("file:/").parse::<ResourceName>().is_ok(),
                fill("file:/").parse::<ResourcePattern>().is_ok(),
                fill("/").parse::<PathName>().is_ok(),
                fill("https://a.example/").parse::<UrlName>().is_ok(),
            ])
        },
        ("spiffe_id_max_bytes", _) => |bytes| {
            let start = "spiffe://acme.example/agent/";
            format!("{start}{}", "a".repeat(bytes - start.len())).parse::<PrincipalId>().is_ok()
        },
        ("word_max_bytes", _) => |bytes| "a".repeat(bytes).parse::<Word>().is_ok(),
        ("text_max_bytes", _) => |bytes| "a".repeat(bytes).parse::<Text>().is_ok(),
        ("arguments_max", _) => |count| {
            let each = words(count).into_iter().map(|name| Argument { name, value: Value::Int(1) });
            Arguments::new(each.collect()).is_ok()
        },
        ("extensions_max", _) => {
            |count| Extensions::new(words(count).into_iter().map(|id| extension(id, 1)).collect()).is_some()
        }
        ("extension_max_bytes", _) => |bytes| reads(&extension("later".parse().unwrap(), bytes)),
        ("signatures_max", _) => |count| {
            let mut signed = any_signed();
            signed.signatures = vec![signed.signatures.remove(0); count];
            reads(&signed)
        },
        ("domain_keys_max", _) => |count| KeySet::of(domain(), domain_keys(count)).is_some(),
        ("origin_max_bytes", _) => |bytes| "a".repeat(bytes).parse::<Origin>().is_ok(),
        ("checkpoint_max_bytes", _) => |bytes| checkpoint(bytes).parse::<SignedCheckpoint>().is_ok(),
        ("checkpoint_signatures_max", _) => |count| {
            let (honest, witness) = (World::new().checkpoint().to_string(), "— w AAAAAAAA\n");
            format!("{honest}{}", witness.repeat(count - 1)).parse::<SignedCheckpoint>().is_ok()
        },
        ("bundle_max_bytes", _) => |bytes| {
            let bundle = bundle_of(bytes);
            assert_eq!(bundle.to_bytes().len(), bytes);
            reads(&bundle)
        },
        ("bundle_entries_max", _) => |count| {
            Bounded::new((0..count as u64).map(proven).collect())
                .is_ok_and(|entries| reads(&Bundle { entries, ..any_bundle() }))
        },
        // No valid text is as long as these two allow: the longest that there is stands for the edge.
        ("keys_text_max_bytes", _) => |limit| {
            let longest = KeySet::of(domain(), domain_keys(64)).unwrap().to_text();
            let text = if longest.len() < limit && limit % 2 == 0 { longest } else { "A".repeat(limit) };
            text.parse::<KeySet>().is_ok()
        },
        ("join_token_max_bytes", _) => |limit| {
            let longest = longest_token();
            let text = if longest.len() < limit && limit % 2 == 0 { longest } else { "A".repeat(limit) };
            text.parse::<JoinToken>().is_ok()
        },
        _ => return None,
    })
}

fn same<const N: usize>(fits: [bool; N]) -> bool {
    let first = fits.iter().all(|fits| *fits);
    assert!(first || fits.iter().all(|fits| !fits), "one limit for all: {fits:?}");
    first
}

/// Whether what was written is read, as a peer's would be.
fn reads<T: Payload + PartialEq>(value: &T) -> bool {
    T::from_bytes(&value.to_bytes()).is_ok_and(|read| read == *value)
}

fn words(count: usize) -> Vec<Word> {
    (0..count).map(|number| format!("w{number:03}").parse().unwrap()).collect()
}

fn any_capability() -> Capability {
    capability("file:/data/**", &["read"])
}

fn any_rule() -> Rule {
    Rule::IntRange(IntRange { min: 0, max: 1 })
}

fn extension(id: Word, bytes: usize) -> Extension {
    Extension { id, criticality: Criticality::Ignorable, bytes: vec![1; bytes] }
}

fn any_signed() -> Signed {
    let mut signed =
        Signed { payload_type: "application/x".into(), payload: vec![1], signatures: Vec::new() };
    signed.add_signature(&SigningKey::from_seed(&[1; 32]));
    signed
}

/// An envelope of so many bytes in all.
fn envelope(bytes: usize) -> Vec<u8> {
    let of = |payload| Signed { payload: vec![1; payload], ..any_signed() }.to_bytes();
    let around = of(20_000).len() - 20_000;
    let envelope = of(bytes - around);
    assert_eq!(envelope.len(), bytes);
    envelope
}

/// Whether a token, which is none, is refused for something else than its size.
fn not_too_long(token: Vec<u8>) -> bool {
    let refused = UnverifiedToken::from_bytes(token).verify(&keys()).unwrap_err();
    !refused.to_string().contains("the limit is")
}

/// Sixteen keys of each purpose were, and one is.
fn domain_keys(count: usize) -> Vec<DomainKey> {
    let key = |number: usize| SigningKey::from_seed(&[number as u8; 32]).public();
    let leaf = |number: usize| LeafIndex::new(number as u64).unwrap();
    let past = count - KeyPurpose::ALL.len();
    let capability = (0..=past).map(|number| DomainKey {
        purpose: KeyPurpose::Capability,
        id: number as u32 + 1,
        key: key(number),
        first_leaf: leaf(number),
        end_leaf: if number < past { leaf(number + 1) } else { LeafIndex::ZERO },
    });
    let others = [KeyPurpose::Activation, KeyPurpose::Checkpoint, KeyPurpose::Rebind].into_iter().enumerate();
    let others = others.map(|(number, purpose)| DomainKey {
        purpose,
        id: 1,
        key: key(200 + number),
        first_leaf: LeafIndex::ZERO,
        end_leaf: LeafIndex::ZERO,
    });
    capability.chain(others).collect()
}

/// A signed checkpoint of so many bytes, the most of them in a witness's name.
fn checkpoint(bytes: usize) -> String {
    let honest = World::new().checkpoint().to_string();
    let name = bytes - honest.len() - "—  AAAAAAAA\n".len();
    format!("{honest}— {} AAAAAAAA\n", "w".repeat(name))
}

fn proven(leaf: u64) -> ProvenEntry {
    ProvenEntry { leaf: LeafIndex::new(leaf).unwrap(), entry: vec![1], path: Vec::new() }
}

fn any_bundle() -> Bundle {
    let mut world = World::new();
    Bundle {
        invocation_id: world.invocation_id(),
        checkpoint: world.checkpoint(),
        entries: Bounded::new(vec![proven(0)]).unwrap(),
        activation: any_signed(),
        policy: None,
    }
}

/// A bundle of so many bytes in all.
fn bundle_of(bytes: usize) -> Bundle {
    let of = |policy| Bundle { policy: Some(vec![1; policy]), ..any_bundle() };
    let around = of(2_200_000).to_bytes().len() - 2_200_000;
    of(bytes - around)
}

/// The longest join token that any principal could be given.
fn longest_token() -> String {
    let text = || "a".repeat(1024).parse().unwrap();
    let name = "a".repeat(256 - "spiffe://acme.example/agent/".len());
    let token = JoinToken {
        domain: domain(),
        principal: principal(&name),
        enrolment: text(),
        broker: text(),
        authority: Digest::of(b"authority"),
        secret: JoinSecret::try_from(&[7; 32][..]).unwrap(),
    };
    token.to_text().to_string()
}

/// A hop after another, each narrower by one delegation while there are any.
fn hops(count: usize) -> bool {
    let narrowed = |left| Rights { delegations_left: left, ..rights(1, 0) };
    let holder = |depth: usize| {
        let seed = SigningKey::from_seed(&[depth as u8 + 1; 32]);
        (principal(&format!("link-{depth}-of-many")).instance(InstanceUuid::new(now(), &mut rng())), seed)
    };
    let (first, key) = holder(0);
    let grant = GrantTerms {
        holder: Holder { instance: first, key: key.public() },
        rights: narrowed(16),
        ..grant_terms()
    };
    let mut token = Container::grant(&grant, &domain_key(201));
    for depth in 1..=count {
        let (instance, key) = holder(depth);
        let terms = HopTerms {
            holder: Holder { instance, key: key.public() },
            contract: ContractHash::from_bytes([7; 32]),
            rights: narrowed(16u32.saturating_sub(depth as u32)),
            rebind: Rebind::Never,
            extensions: Extensions::none(),
        };
        token = token.hop(&terms, &holder(depth - 1).1);
    }
    match UnverifiedToken::from_bytes(token.bytes()).verify(&keys()) {
        Ok(_) => true,
        Err(refusal) => {
            assert_eq!(refusal.rule(), "TOK-003", "{refusal}");
            false
        }
    }
}

fn now() -> Timestamp {
    Timestamp::new(START_MS).unwrap()
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

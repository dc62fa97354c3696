//! Chains that a hostile party builds block by block, each signed with a real key of its own.

use countersign_forge::ed25519::{plus_order, sign_with_nonce};

use super::fixture::*;
use crate::{
    capability::{Amount, Budget, Rights},
    digest::ChainId,
    extension::{Criticality, Extension, Extensions},
    key::{PublicKey, SigningKey},
    payload::{Ascending, Bounded, Payload, Writer},
    refusal::Reason,
    token::{
        GrantTerms, HopTerms, UnverifiedToken, append_hop, compile,
        container::{Container, HopBlock},
        datalog::{Block, Check, Predicate, Query, Term},
        link_key::LinkKey,
        mint::{block_message, hop_message},
        mint_grant, sign_hop,
    },
};

fn reason(token: &UnverifiedToken) -> Reason {
    token.verify(&keys()).expect_err("it must be refused").reason()
}

/// A hop that researcher signs with its real key, wider than its own rights in one way.
fn widened(change: impl FnOnce(&mut Rights)) -> UnverifiedToken {
    let parent = delegate(&grant(), "planner", &hop_terms("researcher", 1)).verify(&keys()).unwrap();
    let mut terms = hop_terms("fetcher", 2);
    change(&mut terms.rights);
    delegate(&parent, "researcher", &terms)
}

#[test]
fn a_hop_cannot_widen_anything() {
    assert!(widened(|_| ()).verify(&keys()).is_ok(), "the twin");
    let cases: [(&str, Change<Rights>); 12] = [
        ("action", |r| r.capabilities = one("file:/data/eu/**", &["list", "read"], Some(1024))),
        ("resource", |r| r.capabilities = one("file:/**", &["read"], Some(1024))),
        ("sibling resource", |r| r.capabilities = one("file:/database/**", &["read"], Some(1024))),
        ("constraint", |r| r.capabilities = one("file:/data/eu/**", &["read"], Some(4097))),
        ("dropped constraint", |r| r.capabilities = one("file:/data/eu/**", &["read"], None)),
        ("audience", |r| r.audiences = Ascending::new(vec![principal("service/mail")]).unwrap()),
        ("begin", |r| r.not_before = at(NOW_MS - 1001)),
        ("end", |r| r.not_after = at(NOW_MS + 3_600_000)),
        ("ceiling", |r| r.budget.ceiling = Amount::new(500).unwrap()),
        ("per call", |r| r.budget.per_call = Amount::new(2).unwrap()),
        ("unit", |r| r.budget.unit = "cents".parse().unwrap()),
        ("delegations", |r| r.delegations_left = 2),
    ];
    for (what, change) in cases {
        assert_eq!(reason(&widened(change)), Reason::RightsWidened, "{what}");
    }
}

fn one(resource: &str, actions: &[&str], max: Option<i64>) -> Bounded<crate::capability::Capability, 1, 32> {
    Bounded::new(vec![capability(resource, actions, max)]).unwrap()
}

/// Attack line 1: bytes of a token, and a key that holds nothing.
#[test]
fn only_the_holder_can_delegate() {
    let terms = hop_terms("researcher", 1);
    assert!(delegate(&grant(), "planner", &terms).verify(&keys()).is_ok(), "the twin");
    assert_eq!(reason(&delegate(&grant(), "mallory", &terms)), Reason::HopNotByHolder);
    // The domain itself, with the key that made the grant: attack line 31.
    let by_domain = sign_hop(&grant(), &terms, &capability_key());
    let token = append_hop(&grant(), &terms, capability_key().public(), by_domain);
    assert_eq!(reason(&token), Reason::HopNotByHolder);
    // mallory names planner as the grantor but cannot sign for it.
    let forged = sign_hop(&grant(), &terms, &key("mallory"));
    let token = append_hop(&grant(), &terms, key("planner").public(), forged);
    assert_eq!(reason(&token), Reason::TokenUntrusted);
}

/// Attack line 2: a root that nobody pinned, and a root that the token picks.
#[test]
fn a_self_made_root_is_not_trusted() {
    let token = mint_grant(&grant_terms(), 1, &key("mallory"));
    assert_eq!(reason(&token), Reason::TokenUntrusted);
    let token = mint_grant(&grant_terms(), 2, &capability_key());
    assert_eq!(reason(&token), Reason::TokenUntrusted, "a key number that the domain does not have");
    let other = GrantTerms { domain: "other.example".parse().unwrap(), ..grant_terms() };
    assert_eq!(
        reason(&mint_grant(&other, 1, &capability_key())),
        Reason::TokenUntrusted,
        "another domain's grant"
    );
}

/// Attack lines 3 and 11: a hop made for one parent, spliced onto a wider one.
#[test]
fn a_hop_belongs_to_one_parent() {
    let wide = grant();
    let narrow_terms = GrantTerms { rights: rights(1), ..grant_terms() };
    let narrow = mint_grant(&narrow_terms, 1, &capability_key()).verify(&keys()).unwrap();
    let terms = hop_terms("fetcher", 2);
    let signature = sign_hop(&narrow, &terms, &key("planner"));
    assert!(
        append_hop(&narrow, &terms, key("planner").public(), signature).verify(&keys()).is_ok(),
        "the twin"
    );
    let spliced = append_hop(&wide, &terms, key("planner").public(), signature);
    assert_eq!(reason(&spliced), Reason::TokenUntrusted);
}

#[test]
fn a_hop_cannot_be_moved_dropped_or_repeated() {
    let container = Container::read(chain().as_bytes()).unwrap();
    let with = |change: fn(&mut Container)| {
        let mut changed = container.clone();
        change(&mut changed);
        reason(&UnverifiedToken::from_bytes(changed.write()))
    };
    assert_eq!(with(|c| c.hops.swap(0, 1)), Reason::TokenUntrusted);
    assert_eq!(with(|c| c.hops.push(c.hops[1].clone())), Reason::TokenUntrusted);
    assert_eq!(with(|c| drop(c.hops.remove(0))), Reason::TokenUntrusted);
    // The last hop dropped, the link secret set right: it is the parent's chain, and only that.
    let parent = delegate(&grant(), "planner", &hop_terms("researcher", 1));
    let mut cut = container.clone();
    cut.hops.pop();
    cut.next_secret = Container::read(parent.as_bytes()).unwrap().next_secret;
    let cut = UnverifiedToken::from_bytes(cut.write()).verify(&keys()).unwrap();
    assert_eq!(cut.chain_id(), parent.verify(&keys()).unwrap().chain_id());
}

fn next_key(chain: ChainId) -> SigningKey {
    SigningKey::from_seed(LinkKey::after(chain).seed())
}

/// planner links its hop with a key of its own, under which the hop after it could be swapped by nobody
/// else: the token would hold a secret. Everyone else signs anew what follows.
#[test]
fn a_next_key_in_the_middle_is_the_one_that_its_chain_gives() {
    let chain = chain();
    let ids: Vec<_> = chain.links().map(|link| link.chain_id).collect();
    let linked_by = |own: &SigningKey| {
        let mut container = Container::read(chain.as_bytes()).unwrap();
        let authority = container.authority.signature;
        let [first, second] = &mut container.hops[..] else { panic!("two hops") };
        let link = |hop: &HopBlock, before, key: &SigningKey| {
            let (payload, next) = (&hop.block.payload, &hop.block.next_key);
            key.sign(&block_message(payload, next, before, &hop.grantor_signature))
        };
        first.block.next_key = own.public().to_array();
        first.block.signature = link(first, &authority, &next_key(ids[0]));
        let before = first.block.signature;
        second.grantor_signature = key("researcher").sign(&hop_message(&second.block.payload, &before));
        second.block.signature = link(second, &before, own);
        UnverifiedToken::from_bytes(container.write())
    };
    assert!(linked_by(&next_key(ids[1])).verify(&keys()).is_ok(), "the twin");
    assert_eq!(reason(&linked_by(&key("planner"))), Reason::TokenMalformed);
}

/// Attack lines 9 and 10: a block that says more, or other, than its terms compile to.
#[test]
fn a_block_says_what_its_terms_compile_to_and_nothing_else() {
    let terms = hop_terms("researcher", 1);
    let fact = || Predicate { name: "hop", terms: vec![Term::Bytes(terms.to_bytes())] };
    let own = |name, text: &str| Predicate { name, terms: vec![Term::Str(text.into())] };
    let anything = || Check(vec![Query { predicates: vec![own("action", "list")], expressions: vec![] }]);
    let block = |facts: Vec<Predicate>, checks: Vec<Check>| Block { version: 5, facts, checks }.to_bytes();
    let hostile = [
        ("no checks", block(vec![fact()], vec![])),
        ("a fact of its own", block(vec![fact(), own("action", "read")], vec![])),
        ("a check that nothing stands behind", block(vec![fact()], vec![anything()])),
        ("two terms", block(vec![fact(), fact()], vec![])),
        ("no terms", block(vec![own("action", "read")], vec![])),
        ("free text", [compile::hop_block(&terms), vec![0x12, 2, b'h', b'i']].concat()),
        ("a rule", [compile::hop_block(&terms), vec![0x2a, 0]].concat()),
        ("another fact name", {
            let fact = Predicate { name: "grant", ..fact() };
            block(vec![fact], vec![])
        }),
        ("empty", vec![0x18, 5]),
    ];
    for (what, payload) in hostile {
        assert_eq!(reason(&hop_with_payload(payload)), Reason::TokenMalformed, "{what}");
    }
    assert!(hop_with_payload(compile::hop_block(&terms)).verify(&keys()).is_ok(), "the twin");
}

/// A hop on the grant with any payload, signed by planner and linked as it should be.
fn hop_with_payload(payload: Vec<u8>) -> UnverifiedToken {
    crate::token::mint::append_payload(&grant(), payload, &key("planner"))
}

#[test]
fn a_principal_stands_once_in_a_chain() {
    let researcher = delegate(&grant(), "planner", &hop_terms("researcher", 1)).verify(&keys()).unwrap();
    for name in ["planner", "researcher"] {
        let token = delegate(&researcher, "researcher", &hop_terms(name, 2));
        assert_eq!(reason(&token), Reason::ChainLoops, "{name}");
    }
}

#[test]
fn a_first_party_block_is_refused() {
    let root = biscuit_auth::PublicKey::from_bytes(
        capability_key().public().as_bytes(),
        biscuit_auth::Algorithm::Ed25519,
    );
    let biscuit = biscuit_auth::Biscuit::from(grant().as_bytes(), root.unwrap()).unwrap();
    let appended = biscuit.append(biscuit_auth::BlockBuilder::new().code("check if true;").unwrap()).unwrap();
    assert_eq!(reason(&UnverifiedToken::from_bytes(appended.to_vec().unwrap())), Reason::TokenMalformed);
    let sealed = biscuit.seal().unwrap().to_vec().unwrap();
    assert_eq!(reason(&UnverifiedToken::from_bytes(sealed)), Reason::TokenMalformed);
}

#[test]
fn an_unknown_critical_extension_refuses() {
    let extension = |criticality| {
        let extension = Extension { id: "later".parse().unwrap(), criticality, bytes: vec![1] };
        let extensions = Extensions::new(vec![extension]).unwrap();
        delegate(&grant(), "planner", &HopTerms { extensions, ..hop_terms("researcher", 1) })
    };
    assert!(extension(Criticality::Ignorable).verify(&keys()).is_ok(), "the twin");
    assert_eq!(reason(&extension(Criticality::Critical)), Reason::ExtensionUnknown);
}

/// Attack line 29: whoever holds a token can sign its last link once more, since that key is public. The
/// bytes and Biscuit's revocation ids are new; the chain's id, by which it is revoked, is not.
#[test]
fn a_token_wrapped_again_is_the_same_chain() {
    let good = chain();
    let mut container = Container::read(good.as_bytes()).unwrap();
    let parent = Container { hops: container.hops[..1].to_vec(), ..container.clone() };
    let link = next_key(good.links().nth(1).unwrap().chain_id);
    let hop = &mut container.hops[1];
    let (next, last) = (hop.block.next_key, parent.last_signature());
    let message = crate::token::mint::block_message(&hop.block.payload, &next, last, &hop.grantor_signature);
    let other = sign_with_nonce(&link.to_seed(), &message, 7);
    hop.block.signature = crate::key::Signature::try_from(&other[..]).unwrap();
    let wrapped = UnverifiedToken::from_bytes(container.write()).verify(&keys()).unwrap();
    assert_ne!(wrapped.as_bytes(), good.as_bytes());
    let root = PublicKey::try_from(capability_key().public().as_bytes()).unwrap();
    let ids = |token: &crate::token::Token| {
        let root = biscuit_auth::PublicKey::from_bytes(root.as_bytes(), biscuit_auth::Algorithm::Ed25519);
        biscuit_auth::Biscuit::from(token.as_bytes(), root.unwrap()).unwrap().revocation_identifiers()
    };
    assert_ne!(ids(&wrapped), ids(&good));
    assert_eq!(wrapped.chain_id(), good.chain_id());
}

#[test]
fn the_container_has_one_encoding() {
    let good = chain().as_bytes().to_vec();
    assert!(UnverifiedToken::from_bytes(good.clone()).verify(&keys()).is_ok(), "the twin");
    let trailing = [good.clone(), vec![0x28, 1]].concat();
    assert_eq!(reason(&UnverifiedToken::from_bytes(trailing)), Reason::TokenMalformed);
    assert_eq!(reason(&UnverifiedToken::from_bytes(Vec::new())), Reason::TokenMalformed);
    assert_eq!(reason(&UnverifiedToken::from_bytes(vec![0; 40_000])), Reason::TokenMalformed);
    // Every byte counts: one bit flipped anywhere and it is no longer accepted.
    for position in 0..good.len() {
        let mut flipped = good.clone();
        flipped[position] ^= 1;
        assert!(UnverifiedToken::from_bytes(flipped).verify(&keys()).is_err(), "byte {position}");
    }
}

/// Attack line 13: keys for which one signature fits many messages.
#[test]
fn small_order_and_non_canonical_keys_are_no_keys() {
    for bad in [
        [0u8; 32],
        { let mut one = [0; 32]; one[0] = 1; one },
        { let mut p_plus_one = [0xff; 32]; p_plus_one[0] = 0xee; p_plus_one[31] = 0x7f; p_plus_one },
        *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    ] {
        assert!(PublicKey::try_from(&bad[..]).is_err(), "{}", hex::encode(bad));
    }
}

#[test]
fn a_signature_plus_the_group_order_is_another_signature() {
    let message = b"malleable";
    let signature = crate::signed::sign_detached("t", message, &key("planner"));
    let twisted =
        crate::key::Signature::try_from(&plus_order(signature.as_bytes().try_into().unwrap())[..]).unwrap();
    let verify =
        |signature| crate::signed::verify_detached("t", message, &key("planner").public(), signature);
    assert!(verify(&signature).is_ok(), "the twin");
    assert!(verify(&twisted).is_err());
}

#[test]
fn a_grant_without_its_fields_says_nothing() {
    let mut empty = Writer::default();
    empty.bytes(6, &[]);
    assert!(GrantTerms::from_bytes(&empty.into_bytes()).is_err());
    let no_budget = Budget { ceiling: Amount::ZERO, ..rights(0).budget };
    assert!(Budget::from_bytes(&no_budget.to_bytes()).is_err());
}

//! Rebinds that are built block by block, each signed with a real key.

use super::fixture::*;
use crate::{
    contract::{Rebind, RebindConsent},
    digest::{ChainId, Digest},
    extension::{Criticality, Extension, Extensions},
    id::{InstanceUuid, RequestId},
    key::SigningKey,
    ledger::LeafIndex,
    refusal::Reason,
    signed::Statement,
    token::{
        ActivatedBy, Activation, ActiveToken, Holder, HopTerms, KnownChains, RebindTerms, Token,
        UnverifiedToken, append_hop, append_rebind, compile, mint::append_payload, sign_hop,
    },
    trust::{DomainKey, KeyPurpose, KeySet},
};

fn domain_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// alice → planner → researcher, and what the contract says of rebinding.
fn hop(rebind: Rebind) -> Token {
    let terms = HopTerms { rebind, ..hop_terms("researcher", 1) };
    delegate(&grant(), "planner", &terms).verify(&keys()).unwrap()
}

fn copy(number: u64) -> Holder {
    let mut rng = rand::rngs::mock::StepRng::new(1000 + number, 1);
    let instance = principal("agent/researcher").instance(InstanceUuid::new(now(), &mut rng));
    Holder { instance, key: domain_key(100 + number as u8).public() }
}

pub(super) fn terms() -> RebindTerms {
    RebindTerms {
        from: holder("researcher").instance,
        holder: copy(2),
        evidence: Digest::of(b"evidence"),
        consent: None,
        extensions: Extensions::none(),
    }
}

fn consent(hop: &Token) -> RebindConsent {
    RebindConsent {
        domain: "acme.example".parse().unwrap(),
        sender: holder("planner").instance,
        hop: hop.chain_id(),
        from: terms().from,
        holder: terms().holder,
        evidence: terms().evidence,
        request_id: RequestId::new(now(), &mut rand::rngs::mock::StepRng::new(1, 1)),
        issued: now(),
        extensions: Extensions::none(),
    }
}

fn rebound(token: &Token, terms: &RebindTerms) -> UnverifiedToken {
    append_rebind(token, terms, &domain_key(204))
}

fn refused(token: &UnverifiedToken) -> (&'static str, Reason) {
    let refusal = token.verify(&keys()).expect_err("it must be refused");
    (refusal.rule(), refusal.reason())
}

const NOT_ALLOWED: Reason = Reason::RebindNotAllowed;

#[test]
fn a_rebind_changes_the_holder_and_nothing_else() {
    let hop = hop(Rebind::Domain);
    let token = rebound(&hop, &terms()).verify(&keys()).unwrap();
    assert_eq!((token.depth(), &token.leaf().rights), (1, &hop.leaf().rights));
    assert_eq!((&token.leaf().holder, token.leaf().contract), (&copy(2), hop.leaf().contract));
    assert_eq!(token.chain_id(), terms().chain_id(hop.chain_id(), &domain_key(204).public()));
    assert_ne!(token.chain_id(), hop.chain_id());
    let links: Vec<ChainId> = token.links().map(|link| link.chain_id).collect();
    assert_eq!(links, [grant().chain_id(), token.chain_id()], "it stands in the hop's place");
}

/// What is remembered of a hop serves its rebind, and the other way round nothing is taken for it.
#[test]
fn a_rebind_is_verified_after_the_hop_that_is_known() {
    let hop = hop(Rebind::Domain);
    let token = rebound(&hop, &terms());
    let whole = token.verify(&keys()).unwrap();
    let after = token.verify_after(&hop, &keys()).unwrap();
    let fetcher = HopTerms { rights: rights(2), ..hop_terms("fetcher", 2) };
    let signature = sign_hop(&whole, &fetcher, &domain_key(102));
    let beneath = append_hop(&whole, &fetcher, domain_key(102).public(), signature);
    for parent in [&hop, &whole, &after] {
        let beneath = beneath.verify_after(parent, &keys()).unwrap();
        assert_eq!((beneath.depth(), beneath.links().count()), (2, 3));
    }
    let mut known = KnownChains::new(100_000);
    known.keep(std::sync::Arc::new(whole.clone()));
    assert!(known.find(hop.chain_id(), &token, &keys()).is_none());
    assert!(known.find(whole.chain_id(), &token, &keys()).is_some());
    let other = KeySet::new(
        "acme.example".parse().unwrap(),
        domain_key(201).public(),
        domain_key(202).public(),
        domain_key(203).public(),
        domain_key(205).public(),
    )
    .unwrap();
    assert!(
        known.find(whole.chain_id(), &token, &other).is_none(),
        "under another rebind key it is verified anew"
    );
    assert_eq!(token.verify_after(&whole, &other).unwrap_err().rule(), "CHN-060");
}

/// Attack lines 1 and 31: who signs a rebind is the domain, with the one key that is for it.
#[test]
fn only_the_domains_rebind_key_rebinds() {
    let hop = hop(Rebind::Domain);
    assert!(rebound(&hop, &terms()).verify(&keys()).is_ok(), "the twin");
    let untrusted = ("CHN-060", Reason::TokenUntrusted);
    for signer in [
        domain_key(201),
        domain_key(202),
        domain_key(203),
        key("planner"),
        key("researcher"),
        domain_key(102),
    ] {
        assert_eq!(refused(&append_rebind(&hop, &terms(), &signer)), untrusted);
    }
    // One that only says that it is by the domain.
    let forged = append_payload(&hop, compile::rebind_block(&terms()), &key("mallory"));
    assert_eq!(refused(&forged), untrusted);
    // And the domain's key makes no hop.
    let delegated = append_payload(&hop, compile::hop_block(&hop_terms("fetcher", 2)), &domain_key(204));
    assert_eq!(refused(&delegated), ("CHN-001", Reason::HopNotByHolder));
}

/// Attack line 29: what its grantor has not signed for is not rebound, whatever the domain says.
#[test]
fn a_hop_is_rebound_as_its_grantor_signed_it() {
    assert_eq!(refused(&rebound(&hop(Rebind::Never), &terms())), ("CHN-061", NOT_ALLOWED));
    let of_grant = RebindTerms { from: holder("planner").instance, ..terms() };
    assert_eq!(refused(&rebound(&grant(), &of_grant)), ("CHN-061", NOT_ALLOWED), "a grant");
    let once = rebound(&hop(Rebind::Domain), &terms()).verify(&keys()).unwrap();
    let again = RebindTerms { from: copy(2).instance, holder: copy(3), ..terms() };
    assert_eq!(refused(&rebound(&once, &again)), ("CHN-061", NOT_ALLOWED), "a rebind of a rebind");
    assert!(rebound(&hop(Rebind::Domain), &again).verify(&keys()).is_ok(), "it stands behind the hop");
}

/// Attack lines 32 and 35: another principal, the same instance, or the same key.
#[test]
fn the_new_holder_is_another_instance_of_the_same_principal() {
    let hop = hop(Rebind::Domain);
    let cases: [(&str, Change<RebindTerms>); 6] = [
        ("to another principal", |it| it.holder.instance = holder("mallory").instance),
        ("from another principal", |it| it.from = holder("mallory").instance),
        ("to the instance that the hop names", |it| it.holder.instance = holder("researcher").instance),
        ("from itself", |it| it.from = copy(2).instance),
        ("with the old key", |it| it.holder.key = key("researcher").public()),
        ("of another domain", |it| {
            it.holder.instance =
                "spiffe://evil.example/agent/researcher/i/01900000-0000-7000-8000-000000000001"
                    .parse()
                    .unwrap();
        }),
    ];
    for (what, change) in cases {
        let mut terms = terms();
        change(&mut terms);
        assert_eq!(refused(&rebound(&hop, &terms)), ("CHN-062", NOT_ALLOWED), "{what}");
    }
}

/// A holder of another trust domain is not this one's to attest.
#[test]
fn a_foreign_holder_is_not_rebound() {
    let at_home = |uuid: u8| {
        let text =
            format!("spiffe://other.example/agent/researcher/i/01900000-0000-7000-8000-00000000000{uuid}");
        text.parse::<crate::name::InstanceId>().unwrap()
    };
    let foreign = HopTerms {
        holder: Holder { instance: at_home(1), key: key("researcher").public() },
        rebind: Rebind::Domain,
        ..hop_terms("researcher", 1)
    };
    let hop = delegate(&grant(), "planner", &foreign).verify(&keys()).unwrap();
    let holder = Holder { instance: at_home(2), ..copy(2) };
    let terms = RebindTerms { from: at_home(1), holder, ..terms() };
    assert_eq!(refused(&rebound(&hop, &terms)), ("CHN-062", NOT_ALLOWED));
}

/// Attack line 14: consents that are stripped, by another, or to something else.
#[test]
fn a_consent_is_by_the_grantor_to_just_this() {
    let hop = hop(Rebind::GrantorConsent);
    let with = |consent: &RebindConsent, signer: &str| {
        rebound(&hop, &RebindTerms { consent: Some(consent.sign(&key(signer))), ..terms() })
    };
    assert!(with(&consent(&hop), "planner").verify(&keys()).is_ok(), "the twin");
    let not = ("CHN-063", NOT_ALLOWED);
    assert_eq!(refused(&rebound(&hop, &terms())), not, "none");
    for signer in ["researcher", "mallory", "alice"] {
        assert_eq!(refused(&with(&consent(&hop), signer)), not, "by {signer}");
    }
    let cases: [(&str, Change<RebindConsent>); 6] = [
        ("of another domain", |it| it.domain = "evil.example".parse().unwrap()),
        ("of another sender", |it| it.sender = holder("mallory").instance),
        ("for another hop", |it| it.hop = ChainId::from_bytes([1; 32])),
        ("from another instance", |it| it.from = copy(9).instance),
        ("to another instance", |it| it.holder = copy(3)),
        ("on other evidence", |it| it.evidence = Digest::of(b"other")),
    ];
    for (what, change) in cases {
        let mut consent = consent(&hop);
        change(&mut consent);
        assert_eq!(refused(&with(&consent, "planner")), not, "{what}");
    }
    let extension =
        Extension { id: "unknown".parse().unwrap(), criticality: Criticality::Critical, bytes: vec![1] };
    let extensions = Extensions::new(vec![extension]).unwrap();
    let more = RebindConsent { extensions: extensions.clone(), ..consent(&hop) };
    assert_eq!(refused(&with(&more, "planner")).1, Reason::ExtensionUnknown);
    let more = RebindTerms { extensions, consent: Some(consent(&hop).sign(&key("planner"))), ..terms() };
    assert_eq!(refused(&rebound(&hop, &more)).1, Reason::ExtensionUnknown);
    // Where nobody has to consent, a consent would be bytes that nothing asks for.
    let open = self::hop(Rebind::Domain);
    let beside = RebindTerms { consent: Some(consent(&open).sign(&key("planner"))), ..terms() };
    assert_eq!(refused(&rebound(&open, &beside)), not);
}

/// Attack lines 10 and 13: a rebind that says more than its terms, or something else.
#[test]
fn a_rebinds_block_is_what_its_terms_compile_to() {
    let hop = hop(Rebind::Domain);
    let good = compile::rebind_block(&terms());
    assert!(append_payload(&hop, good.clone(), &domain_key(204)).verify(&keys()).is_ok(), "the twin");
    let mut trailing = good.clone();
    trailing.extend(compile::rights_checks(&rights(1)).iter().flat_map(|_| [0x32, 0x00]));
    assert_eq!(refused(&append_payload(&hop, trailing, &domain_key(204))).1, Reason::TokenMalformed);
    // A hop's terms under a rebind's name, and the other way round.
    let renamed = |block: &[u8], from: &[u8], to: &[u8]| {
        let at = block.windows(from.len()).position(|it| it == from).unwrap();
        [&block[..at - 1], &[to.len() as u8], to, &block[at + from.len()..]].concat()
    };
    let hop_block = compile::hop_block(&HopTerms { rebind: Rebind::Domain, ..hop_terms("fetcher", 2) });
    let as_rebind = renamed(&hop_block, b"hop", b"rebind");
    assert_eq!(refused(&append_payload(&hop, as_rebind, &domain_key(204))).1, Reason::TokenMalformed);
    let as_hop = renamed(&good, b"rebind", b"hop");
    assert_eq!(refused(&append_payload(&hop, as_hop, &key("researcher"))).1, Reason::TokenMalformed);
}

/// Attack line 11: a rebind that was signed for another chain, or another place.
#[test]
fn a_rebind_is_for_one_hop() {
    let (one, other) = (hop(Rebind::Domain), {
        let terms = HopTerms {
            rebind: Rebind::Domain,
            contract: crate::digest::ContractHash::from_bytes([9; 32]),
            ..hop_terms("researcher", 1)
        };
        delegate(&grant(), "planner", &terms).verify(&keys()).unwrap()
    });
    let signed = super::super::container::Container::read(rebound(&one, &terms()).as_bytes()).unwrap();
    let hop = signed.hops.last().unwrap();
    let spliced = append_hop_block(&other, hop);
    assert_eq!(refused(&spliced), ("TOK-005", Reason::TokenUntrusted));
}

/// Links a hop anew, which anyone can.
fn append_hop_block(parent: &Token, hop: &crate::token::container::HopBlock) -> UnverifiedToken {
    use crate::token::{
        container::{Container, HopBlock, SealedBlock},
        hop_chain_id,
        link_key::LinkKey,
        mint::block_message,
    };
    let payload = hop.block.payload.clone();
    let next = LinkKey::after(hop_chain_id(parent.chain_id(), &payload, &hop.grantor));
    let message = block_message(&payload, next.public(), parent.last_signature(), &hop.grantor_signature);
    let signature = LinkKey::after(parent.chain_id()).sign(&message);
    let block = SealedBlock { payload, next_key: *next.public(), signature };
    let hop = HopBlock { block, ..hop.clone() };
    UnverifiedToken::from_bytes(Container::append(parent.blocks(), &hop, next.seed()))
}

/// Attack line 29: a rebind is by the key that was the domain's when the ledger recorded it.
#[test]
fn a_rebind_is_by_the_key_of_its_leaf() {
    let key = |purpose, id, seed: u8, first, end| {
        let [first_leaf, end_leaf] = [first, end].map(|leaf| LeafIndex::new(leaf).unwrap());
        DomainKey { purpose, id, key: domain_key(seed).public(), first_leaf, end_leaf }
    };
    let keys = KeySet::of(
        keys().domain().clone(),
        vec![
            key(KeyPurpose::Capability, 1, 201, 0, 0),
            key(KeyPurpose::Activation, 1, 202, 0, 0),
            key(KeyPurpose::Checkpoint, 1, 203, 0, 0),
            key(KeyPurpose::Rebind, 1, 204, 0, 8),
            key(KeyPurpose::Rebind, 2, 214, 8, 0),
        ],
    )
    .unwrap();
    let activate = |token: Token, leaf| {
        let contract = token.leaf().contract.unwrap();
        let activated_by =
            if token.leaf().rebound.is_some() { ActivatedBy::Rebind } else { ActivatedBy::Contract };
        let activation = Activation {
            chain_id: token.chain_id(),
            activated_by,
            subject: Digest::from_bytes(contract.to_array()),
            leaf: LeafIndex::new(leaf).unwrap(),
            ..super::fixture::activate(chain()).activation().clone()
        };
        ActiveToken::new(token, activation).map(drop).map_err(|refusal| refusal.rule())
    };
    let by =
        |seed: u8| append_rebind(&hop(Rebind::Domain), &terms(), &domain_key(seed)).verify(&keys).unwrap();
    let late = Err("CHN-064");
    assert_eq!([7, 8, 9].map(|leaf| activate(by(204), leaf)), [Ok(()), late, late]);
    assert_eq!([7, 8, 9].map(|leaf| activate(by(214), leaf)), [late, Ok(()), Ok(())]);
    // Beneath it no more is known than that it was recorded before.
    let beneath = |seed: u8| {
        let parent = by(seed);
        let terms = hop_terms("fetcher", 2);
        let signature = sign_hop(&parent, &terms, &domain_key(102));
        append_hop(&parent, &terms, domain_key(102).public(), signature).verify(&keys).unwrap()
    };
    assert_eq!([7, 99].map(|leaf| activate(beneath(204), leaf)), [Ok(()), Ok(())]);
    assert_eq!([7, 8, 9].map(|leaf| activate(beneath(214), leaf)), [late, late, Ok(())]);
}

/// The activation of the hop is not that of its rebind, nor the other way round.
#[test]
fn a_rebind_is_activated_by_itself() {
    let hop = hop(Rebind::Domain);
    let token = rebound(&hop, &terms()).verify(&keys()).unwrap();
    let of = |token: &Token, activated_by| {
        let subject = Digest::from_bytes(token.leaf().contract.unwrap().to_array());
        let chain_id = token.chain_id();
        let activation =
            Activation { chain_id, activated_by, subject, ..activate(chain()).activation().clone() };
        ActiveToken::new(token.clone(), activation).map(drop).map_err(|refusal| refusal.rule())
    };
    assert_eq!(
        [of(&token, ActivatedBy::Rebind), of(&hop, ActivatedBy::Contract)],
        [Ok(()), Ok(())],
        "the twins"
    );
    assert_eq!(of(&token, ActivatedBy::Contract), Err("CHN-022"));
    assert_eq!(of(&hop, ActivatedBy::Rebind), Err("CHN-022"));
    assert_eq!(of(&token, ActivatedBy::Grant), Err("CHN-022"));
}

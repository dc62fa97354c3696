//! What the holder of a chain may do with it, and what nobody may.

use super::fixture::*;
use crate::{
    capability::Request,
    digest::{Digest, SpkiHash},
    key::SigningKey,
    ledger::LeafIndex,
    limits::{CLOCK_SKEW_MS, PROOF_MAX_MS},
    refusal::Reason,
    signed::{Signed, Statement},
    time::Timestamp,
    token::{ActivatedBy, Activation, ActiveToken, Presentation, Proof, Via},
    trust::{DomainKey, KeyPurpose, KeySet},
};

fn permit(request: &Request, change: impl FnOnce(&mut Proof)) -> Result<(), Reason> {
    permit_at(now(), request, change)
}

fn permit_at(now: Timestamp, request: &Request, change: impl FnOnce(&mut Proof)) -> Result<(), Reason> {
    let token = activate(chain());
    let mut proof = proof(&token, request);
    change(&mut proof);
    let signed = proof.sign(&key("fetcher"));
    token.permit(&presentation(&signed, request), now).map(|_| ()).map_err(|refusal| refusal.reason())
}

#[test]
fn the_holder_may_do_what_every_link_allows() {
    assert_eq!(permit(&good_request(), |_| ()), Ok(()));
    let refused = [
        (request("list", "file:/data/eu/q3.csv", 10), "an action that only the grant has"),
        (request("read", "file:/data/us/q3.csv", 10), "a resource that only the first hop has"),
        (request("read", "file:/data/eu/q3.csv", 1025), "a number that only the first hop has"),
        (request("read", "file:/data/eu/q3.csv", 0), "a number that no hop has"),
        (
            Request { arguments: crate::capability::Arguments::new(vec![]).unwrap(), ..good_request() },
            "absent",
        ),
    ];
    for (request, why) in refused {
        assert_eq!(permit(&request, |_| ()), Err(Reason::CheckFailed), "{why}");
    }
    let elsewhere = Request { callee: principal("service/mail"), ..good_request() };
    assert_eq!(permit(&elsewhere, |_| ()), Err(Reason::AudienceMismatch));
}

#[test]
fn a_proof_is_for_one_request_only() {
    let other = Some(Reason::ProofInvalid);
    let cases: [(&str, Change<Proof>); 9] = [
        ("domain", |proof| proof.domain = "other.example".parse().unwrap()),
        ("chain", |proof| proof.chain_id = grant().chain_id()),
        ("activation", |proof| proof.activation_leaf = crate::ledger::LeafIndex::new(8).unwrap()),
        ("caller", |proof| proof.caller = instance("agent/planner")),
        ("callee", |proof| proof.callee = principal("service/mail")),
        ("action", |proof| proof.action = "list".parse().unwrap()),
        ("resource", |proof| proof.resource = "file:/data/eu/q4.csv".parse().unwrap()),
        ("arguments", |proof| proof.arguments = good_request().arguments.digest(b"another body")),
        ("arguments", |proof| proof.arguments = Digest::of(b"")),
    ];
    for (field, change) in cases {
        assert_eq!(permit(&good_request(), change).err(), other, "{field}");
    }
}

#[test]
fn a_stolen_token_is_of_no_use() {
    let token = activate(chain());
    for thief in ["planner", "researcher", "mallory"] {
        let signed = proof(&token, &good_request()).sign(&key(thief));
        let refusal = token.permit(&presentation(&signed, &good_request()), now()).unwrap_err();
        assert_eq!(refusal.reason(), Reason::ProofInvalid, "{thief}");
    }
}

#[test]
fn a_proof_has_its_time() {
    let late = at(NOW_MS + 30_000);
    assert_eq!(permit_at(at(NOW_MS + 29_999), &good_request(), |_| ()), Ok(()));
    assert_eq!(permit_at(late, &good_request(), |_| ()), Err(Reason::ProofExpired));
    let ahead = |millis: u64| {
        let issued = at(NOW_MS + millis);
        permit(&good_request(), |proof| (proof.issued, proof.expires) = (issued, at(NOW_MS + 40_000)))
    };
    assert_eq!(ahead(CLOCK_SKEW_MS), Ok(()));
    assert_eq!(ahead(CLOCK_SKEW_MS + 1), Err(Reason::ProofExpired));
    let life = |millis: u64| permit(&good_request(), |proof| proof.expires = at(NOW_MS + millis));
    assert_eq!(life(PROOF_MAX_MS), Ok(()));
    assert_eq!(life(PROOF_MAX_MS + 1), Err(Reason::ProofExpired));
    assert_eq!(permit(&good_request(), |proof| proof.expires = now()), Err(Reason::ProofExpired));
}

#[test]
fn every_link_has_its_time() {
    let end = NOW_MS + 3_600_000 - 2;
    let shift = |now: u64| {
        permit_at(at(now), &good_request(), |proof| {
            (proof.issued, proof.expires) = (at(now), at(now + 1000));
        })
    };
    assert_eq!(shift(end - 1), Ok(()));
    assert_eq!(shift(end), Err(Reason::OutsideValidity));
    assert_eq!(shift(NOW_MS - 1000), Ok(()));
    assert_eq!(shift(NOW_MS - 1001), Err(Reason::OutsideValidity));
}

#[test]
fn a_proof_is_bound_to_way_and_channel() {
    let (token, request) = (activate(chain()), good_request());
    let signed = signed_proof(&token, &request);
    let permit = token.permit(&presentation(&signed, &request), now()).unwrap();
    let channel = SpkiHash::from_bytes([9; 32]);
    assert!(permit.check_channel(Via::Broker, channel).is_ok());
    assert!(permit.check_channel(Via::Direct, channel).is_err());
    assert!(permit.check_channel(Via::Broker, SpkiHash::from_bytes([8; 32])).is_err());
}

#[test]
fn the_body_is_part_of_what_is_signed() {
    let (token, request) = (activate(chain()), good_request());
    let signed = signed_proof(&token, &request);
    let presented = Presentation { proof: &signed, request: &request, body: b"extra" };
    assert_eq!(token.permit(&presented, now()).unwrap_err().reason(), Reason::ProofInvalid);
}

#[test]
fn an_activation_is_of_one_chain_and_by_the_domain() {
    let good = activate(chain()).activation().clone();
    let join = |change: fn(&mut Activation)| {
        let mut activation = good.clone();
        change(&mut activation);
        ActiveToken::new(chain(), activation).err().map(|refusal| refusal.reason())
    };
    let refused = Some(Reason::NotActivated);
    assert_eq!(join(|_| ()), None);
    assert_eq!(join(|activation| activation.chain_id = grant().chain_id()), refused);
    assert_eq!(join(|activation| activation.domain = "other.example".parse().unwrap()), refused);
    assert_eq!(join(|activation| activation.subject = Digest::of(b"another contract")), refused);
    assert_eq!(join(|activation| activation.activated_by = ActivatedBy::Grant), refused);

    let open = |signed: &Signed| Activation::open(signed, &keys()).map_err(|refusal| refusal.reason());
    assert_eq!(open(&good.sign(&SigningKey::from_seed(&[202; 32]))), Ok(good.clone()));
    for origin in ["other.example/ledger", "acme.example/copy"] {
        let elsewhere = Activation { origin: origin.parse().unwrap(), ..good.clone() };
        assert_eq!(open(&elsewhere.sign(&SigningKey::from_seed(&[202; 32]))), Err(Reason::NotActivated));
    }
    for seed in [201, 203, b'p'] {
        let signed = good.sign(&SigningKey::from_seed(&[seed; 32]));
        assert_eq!(open(&signed), Err(Reason::NotActivated), "key {seed}");
    }
}

/// Attack line 29: a key that was rotated away, and a leaf for which there is no other yet.
#[test]
fn an_activation_is_by_the_key_of_its_leaf() {
    let key = |purpose, id, seed, first, end| {
        let [first_leaf, end_leaf] = [first, end].map(|leaf| LeafIndex::new(leaf).unwrap());
        let key = SigningKey::from_seed(&[seed; 32]).public();
        DomainKey { purpose, id, key, first_leaf, end_leaf }
    };
    let keys = KeySet::of(
        keys().domain().clone(),
        vec![
            key(KeyPurpose::Capability, 1, 201, 0, 0),
            key(KeyPurpose::Activation, 1, 202, 0, 8),
            key(KeyPurpose::Activation, 2, 212, 9, 0),
            key(KeyPurpose::Checkpoint, 1, 203, 0, 0),
            key(KeyPurpose::Rebind, 1, 204, 0, 0),
        ],
    );
    let open = |leaf, seed| {
        let leaf = LeafIndex::new(leaf).unwrap();
        let activation = Activation { leaf, ..activate(chain()).activation().clone() };
        let signed = activation.sign(&SigningKey::from_seed(&[seed; 32]));
        let opened = Activation::open(&signed, keys.as_ref().unwrap());
        opened.map(drop).map_err(|refusal| (refusal.rule(), refusal.reason()))
    };
    let refused = Err(("CHN-020", Reason::NotActivated));
    assert_eq!([open(7, 202), open(9, 212)], [Ok(()), Ok(())], "the twins");
    for (leaf, seed) in [(8, 202), (8, 212), (9, 202), (7, 212)] {
        assert_eq!(open(leaf, seed), refused, "leaf {leaf} by {seed}");
    }
}

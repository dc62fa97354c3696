//! The token: container, blocks, terms, chain, and what both evaluators make of it.

use std::{collections::BTreeSet, sync::LazyLock};

use countersign_forge::domain_key;
use countersign_protocol::{
    digest::Digest,
    extension::Extensions,
    ledger::{LeafIndex, Origin},
    limits::{CHAIN_MAX_DEPTH, TOKEN_MAX_BYTES},
    refusal::Reason,
    signed::Statement,
    time::{Lifetime, Timestamp},
    token::{
        ActivatedBy, Activation, ActiveToken, Nonce, Presentation, Proof, Stated, Token, UnverifiedToken, Via,
    },
    trust::KeySet,
};

use super::{
    Seed, Verdict,
    rights::{allows, requests_within},
    seeds_of,
};
use crate::{
    biscuit::{self, Container, Hop},
    keys, memory,
    scene::SCENE,
    vectors,
};

/// As it is, and sealed anew by whoever its blocks name.
pub(super) fn token(bytes: &[u8]) -> Verdict {
    let mut verdict = Verdict::Refused;
    for keys in [&*VECTORS, &countersign_forge::keys()] {
        if let Some(token) = verified(bytes, keys) {
            check_blocks_are_known(bytes);
            check_use(&token, keys);
            verdict = Verdict::Accepted;
        }
    }
    let anew = Container::read(bytes).and_then(|container| container.resealed(&domain_key(201)));
    if let Some(anew) = anew
        && let Some(token) = verified(&anew, &countersign_forge::keys())
    {
        check_use(&token, &countersign_forge::keys());
        verdict = Verdict::Accepted;
    }
    verdict
}

static VECTORS: LazyLock<KeySet> = LazyLock::new(keys::of_the_vectors);

/// Verifies a token, which must then be all that a verified token is.
fn verified(bytes: &[u8], keys: &KeySet) -> Option<Token> {
    let received = UnverifiedToken::from_bytes(bytes.to_vec());
    let peeked = memory::in_proportion(bytes.len(), || received.peek_unverified());
    let token = match received.verify(keys) {
        Ok(token) => token,
        Err(refusal) => {
            assert!(REASONS.contains(&refusal.reason()), "{refusal}");
            return None;
        }
    };
    assert!(bytes.len() <= TOKEN_MAX_BYTES && token.depth() <= CHAIN_MAX_DEPTH);
    assert_eq!(token.as_bytes(), bytes, "what was verified is not what was received");
    let (grant, hops) = peeked.expect("what verifies can be shown before");
    let hops = hops.iter().filter(|(_, stated)| matches!(stated, Stated::Hop(_)));
    assert_eq!((&grant, hops.count()), (token.grant(), token.depth()));
    assert!(biscuit::is_canonical(bytes), "a second encoding of a container");
    check_signatures(bytes, &token);
    check_narrowing(&token);
    Some(token)
}

/// What a token may be refused for by itself (spec/token.md, spec/chain.md).
const REASONS: [Reason; 8] = [
    Reason::TokenMalformed,
    Reason::TokenUntrusted,
    Reason::ChainTooDeep,
    Reason::HopNotByHolder,
    Reason::RightsWidened,
    Reason::ChainLoops,
    Reason::RebindNotAllowed,
    Reason::ExtensionUnknown,
];

/// Each hop is signed by the holder before it, as another verifier finds in another reading of the bytes.
fn check_signatures(bytes: &[u8], token: &Token) {
    let container = Container::read(bytes).expect("what verifies can be taken apart");
    let seals = biscuit::seals(bytes).expect("what verifies can be taken apart");
    // A rebind stands behind the hop whose link it takes over.
    let signers = token.links().zip(token.links().skip(1)).flat_map(|(parent, link)| {
        std::iter::once(parent.holder.key).chain(link.rebound.as_ref().map(|rebound| rebound.by.key))
    });
    let signers: Vec<_> = signers.collect();
    assert_eq!(container.hops.len(), signers.len());
    for ((hop, signer), previous) in container.hops.iter().zip(&signers).zip(&seals) {
        assert_eq!(hop.grantor, signer.as_bytes());
        assert!(biscuit::is_signed(hop, signer, previous), "a hop that nobody signed");
    }
}

fn check_narrowing(token: &Token) {
    let links: Vec<_> = token.links().collect();
    for pair in links.windows(2) {
        assert_eq!(pair[0].rights.first_widening(&pair[1].rights), None);
    }
    let principals: BTreeSet<_> = links.iter().map(|link| link.holder.instance.principal()).collect();
    let chains: BTreeSet<_> = links.iter().map(|link| link.chain_id).collect();
    assert_eq!((principals.len(), chains.len()), (links.len(), links.len()));
    let foreign = token.grant().originator.domain() != token.grant().domain;
    assert!(!foreign, "the originator is of another domain");
}

/// Blocks that somebody's real key signed: those of the seeds.
static KNOWN: LazyLock<BTreeSet<(Vec<u8>, Vec<u8>)>> = LazyLock::new(|| {
    let containers = seeds().into_iter().filter_map(|seed| Container::read(&seed.bytes));
    let blocks = |container: Container| {
        let hops = container.hops.into_iter().map(|hop| (hop.payload, hop.signature));
        std::iter::once((container.authority, Vec::new())).chain(hops).collect::<Vec<_>>()
    };
    containers.flat_map(blocks).collect()
});

/// A token that verifies as it is says only what somebody signed.
fn check_blocks_are_known(bytes: &[u8]) {
    let container = Container::read(bytes).expect("what verifies can be taken apart");
    assert!(KNOWN.contains(&(container.authority, Vec::new())), "a grant that the domain did not sign");
    for Hop { payload, signature, .. } in container.hops {
        assert!(KNOWN.contains(&(payload, signature)), "a hop that nobody signed");
    }
}

/// Uses the token as its holder could. Whatever the leaf allows each ancestor allows.
fn check_use(token: &Token, keys: &KeySet) {
    let leaf = token.leaf();
    let Some(key) = keys::private(&leaf.holder.key) else { return };
    let active = activated(token, keys);
    // Some moment in which every link is valid; there is none beyond the year 9999.
    let now = leaf.rights.not_before;
    for request in requests_within(&leaf.rights).into_iter().take(3) {
        let arguments = request.arguments.digest(b"");
        let proof = Proof {
            domain: token.grant().domain.clone(),
            invocation_id: SCENE.open,
            chain_id: token.chain_id(),
            activation_leaf: active.activation().leaf,
            caller: leaf.holder.instance.clone(),
            callee: request.callee.clone(),
            action: request.action.clone(),
            resource: request.resource.clone(),
            arguments,
            nonce: Nonce::try_from(&[7; 16][..]).unwrap(),
            issued: now,
            expires: now.plus(Lifetime::from_millis(1_000)),
            via: Via::Broker,
            channel: SCENE.world.agent("planner").spki,
            extensions: Extensions::none(),
        };
        let proof = proof.sign(key);
        let presented = Presentation { proof: &proof, request: &request, body: b"" };
        match active.permit(&presented, now) {
            Ok(_) => {
                let allowed = token.links().all(|link| allows(link, &request, now));
                assert!(allowed, "the leaf allows what an ancestor does not: {request:?}");
            }
            Err(refusal) => {
                // Its own last moment is the one thing that the holder cannot choose freely.
                let last_moment = Timestamp::new(now.as_millis() + 1).is_none();
                assert!(last_moment, "its holder cannot use it: {refusal} {request:?}");
            }
        }
    }
}

/// As its home ledger would activate it.
fn activated(token: &Token, keys: &KeySet) -> ActiveToken {
    let (activated_by, subject) = match token.leaf().contract {
        Some(contract) if token.leaf().rebound.is_some() => {
            (ActivatedBy::Rebind, Digest::from_bytes(contract.to_array()))
        }
        Some(contract) => (ActivatedBy::Contract, Digest::from_bytes(contract.to_array())),
        None => (ActivatedBy::Grant, token.grant().evidence.digest),
    };
    let key = keys.capability_key(Container::read(token.as_bytes()).unwrap().root_key_id as u32).unwrap();
    let activation = Activation {
        domain: token.grant().domain.clone(),
        chain_id: token.chain_id(),
        activated_by,
        subject,
        leaf: key.first_leaf.plus(u64::from(token.depth() > 0)).unwrap_or(LeafIndex::ZERO),
        origin: Origin::of(&token.grant().domain),
    };
    ActiveToken::new(token.clone(), activation).expect("it is the activation of this chain")
}

pub(super) fn seeds() -> Vec<Seed> {
    let verify = vectors::inputs("verify_token", "token_b64");
    let used = vectors::inputs("use_token", "token_b64");
    let scene = SCENE
        .active
        .iter()
        .enumerate()
        .map(|(depth, active)| (format!("scene.depth-{depth}"), active.token().as_bytes().to_vec()));
    seeds_of(verify.into_iter().chain(used).chain(scene))
}

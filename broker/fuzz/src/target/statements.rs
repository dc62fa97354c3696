//! Statements that are decided on: by their sender, by somebody else, and by somebody with the key.

use countersign_protocol::{
    contract::{ChangeRequest, ContractBody},
    domain::{Actor, Attested, End},
    grant::GrantRequest,
    identity::{JoinStatement, RenewStatement},
    key::SigningKey,
    name::InstanceId,
    negotiation::Move,
    payload::Payload,
    receipt::Receipt,
    revocation::RevokeRequest,
    signed::{Signed, Statement, sign_detached},
    token::sign_hop,
};

use super::{Seed, Verdict, decided::judge, seeds_of};
use crate::{
    keys,
    scene::{SCENE, join_evidence},
    vectors,
};

pub(super) fn made_move(bytes: &[u8]) -> Verdict {
    let sender = |signed: &Signed| signed.peek_unverified().ok().map(|made: Move| made.sender);
    let key = |signed: &Signed| key_of(&sender(signed)?);
    judge(bytes, key, sign_within, |state, context, signed| {
        state.decide_move(context, &actor(sender(signed)), signed)
    })
}

/// Signs what a move holds, and then the move: the contract and the hop of an offer, the contract that an
/// accept names.
pub(super) fn sign_within(signed: Signed, key: &SigningKey) -> Signed {
    let Ok(mut made) = signed.peek_unverified::<Move>() else { return signed };
    let state = &SCENE.world.state;
    if let Some(offer) = &mut made.offer {
        offer.contract_signature = sign_detached(ContractBody::TYPE, &offer.contract, key);
        if let Ok(body) = ContractBody::from_bytes(&offer.contract) {
            let parent = SCENE.active.iter().find(|active| active.token().chain_id() == body.parent);
            let parent = parent.unwrap_or(&SCENE.active[0]).token();
            offer.hop_signature = sign_hop(parent, &body.hop_terms(), key);
        }
    }
    let standing = state.negotiation(&made.negotiation_id).and_then(|talk| talk.offer.as_ref());
    if let (Some(accept), Some(standing)) = (&mut made.accept, standing) {
        accept.contract_signature = sign_detached(ContractBody::TYPE, &standing.contract.payload, key);
    }
    made.sign(key)
}

pub(super) fn grant_request(bytes: &[u8]) -> Verdict {
    let sender = |signed: &Signed| signed.peek_unverified().ok().map(|it: GrantRequest| it.originator);
    judge(
        bytes,
        |signed| key_of(&sender(signed)?),
        unchanged,
        |state, context, signed| state.decide_grant(context, &actor(sender(signed)), signed),
    )
}

pub(super) fn renewal(bytes: &[u8]) -> Verdict {
    let sender = |signed: &Signed| signed.peek_unverified().ok().map(|it: RenewStatement| it.instance);
    judge(
        bytes,
        |signed| key_of(&sender(signed)?),
        unchanged,
        |state, context, signed| state.decide_renew(context, &actor(sender(signed)), signed),
    )
}

pub(super) fn revocation(bytes: &[u8]) -> Verdict {
    let sender = |signed: &Signed| signed.peek_unverified().ok().map(|it: RevokeRequest| it.sender);
    judge(
        bytes,
        |signed| key_of(&sender(signed)?),
        unchanged,
        |state, context, signed| state.decide_revoke(context, &actor(sender(signed)), signed),
    )
}

pub(super) fn change(bytes: &[u8]) -> Verdict {
    let sender = |signed: &Signed| signed.peek_unverified().ok().map(|it: ChangeRequest| it.sender);
    judge(
        bytes,
        |signed| key_of(&sender(signed)?),
        unchanged,
        |state, context, signed| state.decide_change(context, &actor(sender(signed)), signed),
    )
}

/// A newcomer has no key that is known: the statement names it. Signed anew, it names one of ours.
pub(super) fn join(bytes: &[u8]) -> Verdict {
    let newcomer = || SigningKey::from_seed(&[9; 32]);
    let claim = |mut signed: Signed, key: &SigningKey| {
        if let Ok(mut claimed) = signed.peek_unverified::<JoinStatement>() {
            claimed.key = key.public();
            signed = claimed.sign(key);
        }
        signed
    };
    judge(
        bytes,
        |_| Some(newcomer()),
        claim,
        |state, context, signed| {
            let spki = signed.peek_unverified().map(|claimed: JoinStatement| claimed.spki);
            let spki = spki.unwrap_or_else(|_| SCENE.world.agent("mallory").spki);
            let attested =
                Attested { attestor: "join_token".parse().unwrap(), evidence: join_evidence(), spki };
            state.decide_join(context, signed, &attested)
        },
    )
}

pub(super) fn receipt(bytes: &[u8]) -> Verdict {
    let files = || SCENE.world.agent("files").key;
    judge(
        bytes,
        |_| Some(files()),
        unchanged,
        |state, context, signed| state.decide_end(context, SCENE.open, &End::Receipt(signed)),
    )
}

fn unchanged(signed: Signed, _: &SigningKey) -> Signed {
    signed
}

/// Whoever claims to send it, over its own channel.
fn actor(sender: Option<InstanceId>) -> Actor {
    let sender = sender.and_then(|sender| SCENE.agent(&sender));
    sender.map_or_else(|| SCENE.world.agent("mallory").actor(), |sender| sender.actor())
}

fn key_of(sender: &InstanceId) -> Option<SigningKey> {
    SCENE.agent(sender).map(|agent| agent.key.clone())
}

/// The scene's statements of that type.
pub(super) fn of_the_scene<T: Statement>() -> Vec<(String, Vec<u8>)> {
    let statements = SCENE.statements::<T>().into_iter().enumerate();
    statements.map(|(number, signed)| (format!("scene.{number:02}"), signed.to_bytes())).collect()
}

pub(super) fn move_seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<Move>().into_iter().chain(vectors::inputs("order_move", "move_b64")))
}

pub(super) fn grant_seeds() -> Vec<Seed> {
    let opened = vectors::inputs("open_statement", "statement_b64");
    seeds_of(of_the_scene::<GrantRequest>().into_iter().chain(opened))
}

pub(super) fn renewal_seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<RenewStatement>().into_iter().chain([a_forgery()]))
}

pub(super) fn revocation_seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<RevokeRequest>().into_iter().chain([a_forgery()]))
}

pub(super) fn change_seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<ChangeRequest>().into_iter().chain([a_forgery()]))
}

pub(super) fn join_seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<JoinStatement>())
}

pub(super) fn receipt_seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<Receipt>().into_iter().chain([a_forgery()]))
}

/// A statement of another type by somebody else.
fn a_forgery() -> (String, Vec<u8>) {
    let planner = SCENE.statements::<Move>().remove(0);
    let mallory = SCENE.world.agent("mallory").key;
    ("another-type".to_owned(), keys::signed_by(&planner, &mallory).to_bytes())
}

//! The holder's proof, presented with the chain that it names.

use countersign_protocol::{
    capability::Request,
    domain::{Actor, Begin},
    limits::PROOF_MAX_MS,
    name::InstanceId,
    refusal::{Reason, Refusal},
    signed::Signed,
    time::{Lifetime, Timestamp},
    token::{ActiveToken, Presentation, Proof, Via},
};

use super::{Seed, Verdict, decided::judge, rights::allows, seeds_of, statements::of_the_scene};
use crate::{
    scene::{BODY, SCENE, request},
    vectors,
};

/// As it is, and signed by the holder of the chain that it names. What the caller wants is what the proof
/// claims, as a broker reads it.
pub(super) fn proof(bytes: &[u8]) -> Verdict {
    let claimed = |signed: &Signed| signed.peek_unverified::<Proof>().ok();
    let key = |signed: &Signed| {
        let holder = &chain_of(&claimed(signed)?).token().leaf().holder.instance;
        SCENE.agent(holder).map(|agent| agent.key.clone())
    };
    judge(
        bytes,
        key,
        |signed, _| signed,
        |state, context, signed| {
            let Some(claims) = claimed(signed) else { return Err(malformed()) };
            let active = chain_of(&claims);
            let asked = Request {
                callee: claims.callee.clone(),
                action: claims.action.clone(),
                resource: claims.resource.clone(),
                ..request()
            };
            let presented = Presentation { proof: signed, request: &asked, body: BODY };
            let permit = active.permit(&presented, context.now)?;
            assert_eq!(permit.proof(), &claims);
            check(active, &asked, &claims, context.now);
            let (actor, callee) = (actor(&claims.caller), SCENE.world.agent("files").id);
            let channel = permit.check_channel(Via::Broker, actor.spki);
            let begin = Begin { permit: &permit, proof: signed, callee: Some(&callee) };
            let begun = state.decide_begin(context, &actor, &begin);
            assert!(begun.is_err() || channel.is_ok(), "it went over another channel");
            begun
        },
    )
}

/// What is permitted every ancestor allows, and the proof is for this moment.
fn check(active: &ActiveToken, asked: &Request, proof: &Proof, now: Timestamp) {
    assert!(active.token().links().all(|link| allows(link, asked, now)));
    assert!(now < proof.expires && proof.expires.since(proof.issued) <= Lifetime::from_millis(PROOF_MAX_MS));
    assert_eq!(proof.arguments, asked.arguments.digest(BODY));
    assert_eq!(proof.activation_leaf, active.activation().leaf);
}

/// The chain that it names; the longest where it names none of ours.
fn chain_of(claims: &Proof) -> &'static ActiveToken {
    let named = SCENE.active.iter().find(|active| active.token().chain_id() == claims.chain_id);
    named.unwrap_or(&SCENE.active[2])
}

fn actor(caller: &InstanceId) -> Actor {
    SCENE.agent(caller).map_or_else(|| SCENE.world.agent("mallory").actor(), |agent| agent.actor())
}

fn malformed() -> Refusal {
    Refusal::new("CONV-010", Reason::PayloadMalformed, "It is no proof.")
}

pub(super) fn seeds() -> Vec<Seed> {
    seeds_of(of_the_scene::<Proof>().into_iter().chain(vectors::inputs("use_token", "proof_b64")))
}

//! The contract: offered by its grantor and accepted by its grantee, who both sign whatever it is.

use countersign_protocol::{
    capability::Amount,
    contract::{ContractBody, hash_of},
    domain::{Event, State},
    negotiation::{Accept, Move, MoveKind},
    payload::Payload,
    signed::{Signed, Statement, sign_detached},
};

use super::{
    Seed, Verdict,
    decided::{follow, settle},
    seeds_of,
    statements::sign_within,
};
use crate::{grammar, scene::SCENE, vectors};

pub(super) fn contract(bytes: &[u8]) -> Verdict {
    let Some(body) = grammar::read::<ContractBody>(bytes) else { return Verdict::Refused };
    assert_eq!(body.hash(), hash_of(bytes));
    let hop = body.hop_terms();
    assert_eq!((hop.contract, &hop.rights, &hop.holder.key), (body.hash(), &body.rights, &body.grantee.key));
    let scene = &*SCENE;
    let offered = offer(bytes);
    let planner = scene.world.agent("planner");
    let verdict = settle(scene, &offered, &|state, context, signed| {
        state.decide_move(context, &planner.actor(), signed)
    });
    if verdict == Verdict::Accepted {
        accept(&body, &offered);
    }
    verdict
}

/// The scene's offer that would come next, with another contract in it.
fn offer(bytes: &[u8]) -> Signed {
    let mut made: Move = next_offer();
    made.offer.as_mut().unwrap().contract = bytes.to_vec();
    let planner = SCENE.world.agent("planner");
    sign_within(made.sign(&planner.key), &planner.key)
}

fn next_offer() -> Move {
    let moves = SCENE.fresh.iter().filter_map(|signed| signed.peek_unverified::<Move>().ok());
    moves.into_iter().find(|made| made.kind == MoveKind::Offer).unwrap()
}

/// An offer that stands can be accepted, whatever it says: then there is a chain, or a refusal that
/// concerns what the parties have.
fn accept(body: &ContractBody, offered: &Signed) {
    let made: Move = offered.peek_unverified().unwrap();
    let (planner, researcher) = (SCENE.world.agent("planner"), SCENE.world.agent("researcher"));
    let offer = |state: &State| {
        SCENE.decide(|context| state.decide_move(context, &planner.actor(), offered)).unwrap()
    };
    let Some(state) = follow(&SCENE, offer(&SCENE.world.state)) else { return };
    let talk = state.negotiation(&made.negotiation_id).unwrap();
    let accept = Accept {
        contract: body.hash(),
        contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), &researcher.key),
        seen: body.seen.clone(),
    };
    let accepted = Move {
        sender: researcher.id.clone(),
        seq: 2,
        round: talk.round,
        transcript: talk.transcript,
        audience: planner.id.principal().clone(),
        kind: MoveKind::Accept,
        offer: None,
        accept: Some(accept),
        ..made
    };
    let signed = accepted.sign(&researcher.key);
    let decision = SCENE.decide(|context| state.decide_move(context, &researcher.actor(), &signed));
    if let Ok(events) = decision {
        assert!(matches!(events[..], [Event::Moved(_), Event::ContractFinalized(_)]), "{events:?}");
        let offered =
            SCENE.decide(|context| SCENE.world.state.decide_move(context, &planner.actor(), offered));
        follow(&SCENE, [offered.unwrap(), events].concat());
    }
}

pub(super) fn seeds() -> Vec<Seed> {
    let moves = SCENE.statements::<Move>().into_iter();
    let offers = moves.filter_map(|signed| signed.peek_unverified::<Move>().unwrap().offer);
    let ours = offers.enumerate().map(|(number, offer)| (format!("scene.{number:02}"), offer.contract));
    let theirs = vectors::inputs("order_move", "move_b64").into_iter().filter_map(|(id, bytes)| {
        let made: Move = Signed::from_bytes(&bytes).ok()?.peek_unverified().ok()?;
        Some((id, made.offer?.contract))
    });
    seeds_of(ours.chain(theirs).chain([oversold()]))
}

/// Within the parent's budget, and beyond what is left of it.
fn oversold() -> (String, Vec<u8>) {
    let mut body = ContractBody::from_bytes(&next_offer().offer.unwrap().contract).unwrap();
    let parent = SCENE.world.state.chain(&body.parent).unwrap();
    body.rights.budget.ceiling = parent.account.available().plus(Amount::new(1).unwrap()).unwrap();
    ("scene.oversold".to_owned(), body.to_bytes())
}

//! Instances that open negotiations and take them back, for ever.

use countersign::Agent;
use countersign_protocol::{
    digest::Digest,
    extension::Extensions,
    id::{NegotiationId, RequestId},
    name::PrincipalId,
    negotiation::{Move, MoveKind, Request, empty_transcript, extend_transcript},
    payload::Payload as _,
    time::Lifetime,
};
use countersign_wire::v1::{self, negotiations_client::NegotiationsClient};
use rand::rngs::OsRng;

use super::{Deed, Tally, deed};
use crate::{
    arena::{ALL, Arena, principal, rights},
    daemon::DOMAIN,
};

/// Instances, and negotiations of each at a time.
const NEGOTIATORS: usize = 4;
const AT_ONCE: usize = 16;

pub(super) async fn endless(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    talking_to(arena, tally, "agent/reader").await
}

/// Requests to that principal, each withdrawn and followed by another.
pub(super) async fn talking_to(arena: &Arena, tally: &Tally, audience: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for _ in 0..NEGOTIATORS {
        let agent = arena.enter("agent/mallory").await;
        for _ in 0..AT_ONCE {
            let (agent, audience, tally) = (agent.clone(), principal(audience), tally.clone());
            deeds.push(deed(async move {
                loop {
                    talk(&agent, &audience, &tally).await;
                }
            }));
        }
    }
    deeds
}

async fn talk(agent: &Agent, audience: &PrincipalId, tally: &Tally) {
    let id = NegotiationId::new(agent.now(), &mut OsRng);
    let deadline = agent.now().plus(Lifetime::from_millis(60_000));
    let transcript = empty_transcript(agent.domain(), id);
    let opening = Move {
        domain: agent.domain().clone(),
        negotiation_id: id,
        sender: agent.instance().clone(),
        seq: 1,
        round: 1,
        transcript,
        audience: audience.clone(),
        deadline,
        request_id: RequestId::new(agent.now(), &mut OsRng),
        kind: MoveKind::Request,
        request: Some(Request {
            rights: rights(agent, "files", ALL),
            purpose: Digest::of(b"none"),
            deadline,
            max_rounds: 2,
            award: None,
        }),
        counter: None,
        offer: None,
        accept: None,
        extensions: Extensions::none(),
    };
    let signed = agent.sign(&opening);
    submit(agent, signed.to_bytes(), tally).await;
    let withdrawal = Move {
        seq: 2,
        transcript: extend_transcript(transcript, &signed),
        request_id: RequestId::new(agent.now(), &mut OsRng),
        kind: MoveKind::Withdraw,
        request: None,
        ..opening
    };
    submit(agent, agent.sign(&withdrawal).to_bytes(), tally).await;
}

async fn submit(agent: &Agent, signed_move: Vec<u8>, tally: &Tally) {
    let request = v1::SubmitMoveRequest { trust_domain: DOMAIN.into(), signed_move };
    tally.outcome(NegotiationsClient::new(agent.channel()).submit_move(request).await);
}

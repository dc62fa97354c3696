//! Explaining an invocation: to whom, and that what is given is believed by who pins the keys.

use countersign_forge::receipt;
use countersign_protocol::{
    capability::{Arguments, Request},
    domain::{Begin, End},
    explain::Bundle,
    id::InvocationId,
    signed::{Signed, Statement},
    time::Lifetime,
    token::Presentation,
};
use countersign_wire::v1;
use tonic::Status;

use crate::{
    negotiating::{active, contract},
    world::*,
};

async fn explain(world: &World, name: &str, id: &str) -> Result<Vec<u8>, Status> {
    let request = v1::ExplainRequest { trust_domain: DOMAIN.into(), invocation_id: id.into() };
    Ok(inner(world.ledger.explain(world.call(name, request)).await)?.bundle)
}

/// fetcher reads a file; what the mediator records before it forwards.
async fn begin(world: &mut World, chain: &v1::ActiveChain) -> (InvocationId, Signed) {
    let (chain, caller, callee) = (active(chain), world.agent("fetcher"), world.agent("files").id);
    let request = Request {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(vec![]).unwrap(),
    };
    let id = chain.token().chain_id();
    let (invocation_id, proof) = world.say(|stage| {
        let invocation_id = InvocationId::new(stage.now, stage.rng);
        (invocation_id, stage.proof("fetcher", id, invocation_id, &request).sign(&caller.key))
    });
    let presented = Presentation { proof: &proof, request: &request, body: b"" };
    let permit = chain.permit(&presented, world.now()).unwrap();
    let begin = Begin { permit: &permit, proof: &proof, callee: Some(&callee) };
    let begun = world
        .domain
        .decide(|state, context| state.decide_begin(context, &caller.actor(), &begin), |_| Ok(()));
    begun.await.unwrap();
    (invocation_id, proof)
}

/// files answers; what the mediator records before it replies.
async fn end(world: &World, id: InvocationId, proof: &Signed) {
    let files = world.agent("files");
    let receipt = receipt(&files, proof, b"content", world.now()).sign(&files.key);
    let ended = world
        .domain
        .decide(|state, context| state.decide_end(context, id, &End::Receipt(&receipt)), |_| Ok(()));
    ended.await.unwrap();
}

/// alice → planner → researcher → fetcher, and one invocation that is open.
async fn used() -> (World, v1::ActiveChain, InvocationId, Signed) {
    let mut world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let first = contract(&mut world, &grant, "planner", "researcher", rights(100, 4)).await;
    let leaf = contract(&mut world, &first, "researcher", "fetcher", rights(10, 3)).await;
    let (id, proof) = begin(&mut world, &leaf).await;
    (world, leaf, id, proof)
}

#[tokio::test]
async fn parties_callee_and_admins_get_evidence_that_verifies_offline() {
    let (world, _, id, proof) = used().await;
    for ended in [false, true] {
        if ended {
            end(&world, id, &proof).await;
        }
        for name in ["root", "alice", "planner", "researcher", "fetcher", "files"] {
            let bundle = explain(&world, name, &id.to_string()).await.unwrap();
            let bundle: Bundle = countersign_protocol::payload::Payload::from_bytes(&bundle).unwrap();
            let explanation = bundle.verify(&key_set()).unwrap();
            let holders: Vec<_> =
                explanation.links.iter().map(|link| link.holder.principal().short()).collect();
            assert_eq!(holders, ["planner", "researcher", "fetcher"], "{name}");
            assert_eq!(bundle.checkpoint.peek_unverified().size.get(), world.size(), "{name}");
            assert_eq!(bundle.policy.as_deref(), Some(countersign_forge::POLICY));
        }
    }
}

/// Attack line 27.
#[tokio::test]
async fn to_a_stranger_an_invocation_is_not_there() {
    let (mut world, _, id, _) = used().await;
    let absent = InvocationId::new(world.now(), &mut world.rng).to_string();
    for stranger in ["mallory", "researcher2", "planner2"] {
        let answer = explain(&world, stranger, &absent).await;
        assert_eq!(reason(answer.clone()), "NOT_AVAILABLE");
        assert_eq!(all_of(explain(&world, stranger, &id.to_string()).await), all_of(answer));
        assert_eq!(reason(explain(&world, stranger, "x").await), "PAYLOAD_MALFORMED");
    }
    assert_eq!(reason(explain(&world, "root", &absent).await), "NOT_FOUND");
    assert!(explain(&world, "fetcher", &id.to_string()).await.is_ok(), "the twin");
}

#[tokio::test]
async fn it_is_explained_after_a_restart_and_long_after_it_is_forgotten() {
    let (world, leaf, id, proof) = used().await;
    end(&world, id, &proof).await;
    world.clock.advance(Lifetime::from_millis(3_600_000));
    world.tick().await;
    assert!(world.domain.peek(|state, _| state.invocation(&id).is_none()));
    assert!(world.activation("fetcher", &leaf.chain_id).await.is_err(), "the chain is long over");
    let world = world.restart().await;
    let bundle = explain(&world, "alice", &id.to_string()).await.unwrap();
    let bundle: Bundle = countersign_protocol::payload::Payload::from_bytes(&bundle).unwrap();
    bundle.verify(&key_set()).unwrap();
}

//! Instances that ask and do not read what they are told.

use std::num::NonZeroU32;

use countersign::{Invocation, Outcome};
use countersign_protocol::{capability::Amount, receipt::ActionOutcome};
use countersign_wire::v1::{
    self, negotiations_client::NegotiationsClient, revocations_client::RevocationsClient,
};
use tonic::{Request, Status, Streaming, client::Grpc, transport::Channel};

use super::{Deed, Tally, caller::Caller, deed, negotiator};
use crate::{
    arena::{ALL, Arena},
    daemon::DOMAIN,
};

/// Answers that are asked for and not read; more than one instance may have.
const ANSWERS: usize = 1_600;

/// Bytes of each.
const LENGTH: usize = 1 << 20;

/// Instances that watch, with as many watches as they may have and some.
const WATCHERS: usize = 8;
const WATCHES: usize = 20;

/// One invocation with a large result, asked for again and again. It is a retry, so nothing is done
/// twice; the answers are opened and left.
pub(super) async fn unread(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let sink = arena.enter("service/sink").await;
    tokio::spawn(async move { sink.serve(generous, NonZeroU32::MIN).await });
    let caller = Caller::enter(arena, ALL).await;
    let id = caller.id();
    let request = || caller.request(id, Vec::new(), Vec::new());
    while caller.client().invoke(request()).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let one = |caller: Caller, tally: Tally| async move {
        loop {
            let request = caller.request(id, Vec::new(), Vec::new());
            match open(caller.agent.channel(), request).await {
                Ok(unread) => {
                    tally.add("opened and not read");
                    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                    drop(unread);
                }
                refused => tally.outcome(refused),
            }
        }
    };
    (0..ANSWERS).map(|_| deed(one(caller.clone(), tally.clone()))).collect()
}

/// Asks, and gives the answer as a stream that nobody reads yet.
async fn open(channel: Channel, request: v1::InvokeRequest) -> Result<Streaming<v1::InvokeResponse>, Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let codec = tonic_prost::ProstCodec::default();
    let path = "/countersign.v1.Mediation/Invoke".parse().unwrap();
    Ok(grpc.server_streaming(Request::new(request), path, codec).await?.into_inner())
}

async fn generous(_: Invocation) -> Outcome {
    Outcome { body: vec![8; LENGTH], outcome: ActionOutcome::Done, cost: Amount::new(1).unwrap() }
}

/// Watches of both kinds that are not read, while others make sure that there is much to tell.
pub(super) async fn watchers(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for _ in 0..WATCHERS {
        let agent = arena.enter("agent/watcher").await;
        for _ in 0..WATCHES {
            let (agent, tally) = (agent.clone(), tally.clone());
            deeds.push(deed(async move {
                loop {
                    let watch = v1::WatchNegotiationsRequest { trust_domain: DOMAIN.into(), from_leaf: 0 };
                    let negotiations =
                        NegotiationsClient::new(agent.channel()).watch_negotiations(watch).await;
                    let watch = v1::WatchRevocationsRequest { trust_domain: DOMAIN.into(), from_leaf: 0 };
                    let revocations = RevocationsClient::new(agent.channel()).watch_revocations(watch).await;
                    let refused = negotiations.is_err() && revocations.is_err();
                    tally.add(if refused { "refused" } else { "watching, not reading" });
                    tokio::time::sleep(std::time::Duration::from_secs(if refused { 1 } else { 60 })).await;
                }
            }));
        }
    }
    let talkers = negotiator::talking_to(arena, tally, "agent/watcher").await;
    deeds.into_iter().chain(talkers).collect()
}

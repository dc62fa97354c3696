//! What an attacker sends. The SDK has no way to do this, so these build their messages by hand, with
//! real keys, and send them over the attacker's own channel.

use countersign::Agent;
use countersign_protocol::{
    digest::ChainId,
    extension::Extensions,
    id::InvocationId,
    ledger::LeafIndex,
    payload::Payload,
    signed::Signed,
    time::Lifetime,
    token::{Nonce, Proof, UnverifiedToken, Via},
};
use countersign_wire::v1::{InvokeRequest, mediation_client::MediationClient};
use rand::rngs::OsRng;
use serde_json::{Value as Json, json};

use super::agent::{call, now};
use crate::script::Outcome;

/// Uses the chain once, honestly, and then sends the same bytes again.
pub(crate) async fn replay(agent: &Agent, held: &countersign::Held, resource: &str) -> Outcome<Json> {
    let token = held.active().token();
    let leaf = held.active().activation().leaf;
    let proof = proof(agent, token.chain_id(), leaf, resource)?;
    send(agent, token.as_bytes(), &proof).await?;
    send(agent, token.as_bytes(), &proof).await
}

/// Presents somebody else's token with a proof by one's own key.
pub(crate) async fn use_stolen(agent: &Agent, token: &str, leaf: u64, resource: &str) -> Outcome<Json> {
    let token = hex::decode(token)?;
    // A token is public: anyone can verify it and read which chain it is.
    let chain = UnverifiedToken::from_bytes(token.clone()).verify(&agent.keys())?.chain_id();
    let leaf = LeafIndex::new(leaf).ok_or("no leaf")?;
    let proof = proof(agent, chain, leaf, resource)?;
    send(agent, &token, &proof).await
}

fn proof(agent: &Agent, chain_id: ChainId, activation_leaf: LeafIndex, resource: &str) -> Outcome<Signed> {
    let call = call(resource, 64)?;
    let now = now();
    Ok(agent.sign(&Proof {
        domain: agent.domain().clone(),
        invocation_id: InvocationId::new(now, &mut OsRng),
        chain_id,
        activation_leaf,
        caller: agent.instance().clone(),
        callee: call.callee,
        action: call.action,
        resource: call.resource,
        arguments: call.arguments.digest(&[]),
        nonce: Nonce::new(&mut OsRng),
        issued: now,
        expires: now.plus(Lifetime::from_millis(30_000)),
        via: Via::Broker,
        channel: agent.channel_key(),
        extensions: Extensions::none(),
    }))
}

async fn send(agent: &Agent, token: &[u8], proof: &Signed) -> Outcome<Json> {
    let request = InvokeRequest {
        trust_domain: agent.domain().to_string(),
        token: token.to_vec(),
        proof: proof.to_bytes(),
        arguments: call("file:/x", 64)?.arguments.to_bytes(),
        body: Vec::new(),
    };
    let mut broker = MediationClient::new(agent.channel());
    let response = broker.invoke(request).await.map_err(countersign::Error::from)?;
    Ok(json!({ "bytes": response.into_inner().body.len() }))
}

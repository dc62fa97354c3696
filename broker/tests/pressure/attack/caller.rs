//! An admitted instance that floods the broker with calls.

use std::time::Duration;

use countersign::{Agent, Held};
use countersign_protocol::{
    capability::Arguments,
    extension::Extensions,
    id::InvocationId,
    payload::Payload as _,
    time::Lifetime,
    token::{Nonce, Proof, Via},
};
use countersign_wire::v1::{self, mediation_client::MediationClient};
use rand::rngs::OsRng;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::{Deed, Tally, deed};
use crate::{
    arena::{ALL, Arena, principal},
    daemon::DOMAIN,
};

/// Calls under way at a time: as many as one instance may have, and some.
const CALLS: usize = 1_600;

/// The body of the largest invocation.
const LARGEST: usize = countersign_protocol::limits::BODY_MAX_BYTES;

/// One who may do something, and asks for it as it likes.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) agent: Agent,
    pub(super) token: Vec<u8>,
    held: Held,
}

impl Caller {
    pub(super) async fn enter(arena: &Arena, capabilities: &str) -> Self {
        let agent = arena.enter("agent/mallory").await;
        let held = arena.grant(&agent, "sink", capabilities).await;
        Self { token: held.token().as_bytes().to_vec(), agent, held }
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    pub(super) fn client(&self) -> MediationClient<Channel> {
        let most = 4 * LARGEST;
        MediationClient::new(self.agent.channel())
            .max_encoding_message_size(most)
            .max_decoding_message_size(most)
    }

    pub(super) fn id(&self) -> InvocationId {
        InvocationId::new(self.agent.now(), &mut OsRng)
    }

    /// The proof of that request, and all that goes with it.
    pub(super) fn request(&self, id: InvocationId, arguments: Vec<u8>, body: Vec<u8>) -> v1::InvokeRequest {
        let (agent, active) = (&self.agent, self.held.active());
        let digest = match Arguments::from_bytes(&arguments) {
            Ok(arguments) => arguments.digest(&body),
            Err(_) => Arguments::new(Vec::new()).unwrap().digest(&body),
        };
        let proof = Proof {
            domain: agent.domain().clone(),
            invocation_id: id,
            chain_id: self.held.chain_id(),
            activation_leaf: active.activation().leaf,
            caller: agent.instance().clone(),
            callee: principal("service/sink"),
            action: "files:read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: digest,
            nonce: Nonce::new(&mut OsRng),
            issued: agent.now(),
            expires: agent.now().plus(Lifetime::from_millis(30_000)),
            via: Via::Broker,
            channel: agent.channel_key(),
            extensions: Extensions::none(),
        };
        let (token, proof) = (self.token.clone(), agent.sign(&proof).to_bytes());
        v1::InvokeRequest { trust_domain: DOMAIN.into(), token, proof, arguments, body }
    }
}

/// More of the largest requests than it may have. There is nobody to take them.
pub(super) async fn large(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let caller = Caller::enter(arena, ALL).await;
    let one = |caller: Caller, tally: Tally| async move {
        loop {
            tally.add("asked");
            let request = caller.request(caller.id(), Vec::new(), vec![7; LARGEST]);
            tally.outcome(caller.client().invoke(request).await);
        }
    };
    (0..CALLS / 4).map(|_| deed(one(caller.clone(), tally.clone()))).collect()
}

/// One proof, sent again and again: each is a denial.
pub(super) async fn replays(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let caller = Caller::enter(arena, ALL).await;
    let request = caller.request(caller.id(), Vec::new(), b"again".to_vec());
    let one = |caller: Caller, request: v1::InvokeRequest, tally: Tally| async move {
        loop {
            tally.outcome(caller.client().invoke(request.clone()).await);
        }
    };
    (0..64).map(|_| deed(one(caller.clone(), request.clone(), tally.clone()))).collect()
}

/// Calls that are opened and reset before anyone can answer.
pub(super) async fn resets(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let caller = Caller::enter(arena, ALL).await;
    let one = |caller: Caller, tally: Tally| async move {
        loop {
            let request = caller.request(caller.id(), Vec::new(), b"never mind".to_vec());
            match timeout(Duration::from_micros(200), caller.client().invoke(request)).await {
                Ok(outcome) => tally.outcome(outcome),
                Err(_) => tally.add("given up"),
            }
        }
    };
    (0..64).map(|_| deed(one(caller.clone(), tally.clone()))).collect()
}

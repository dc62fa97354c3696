//! Between caller and callee.

use std::time::Duration;

use countersign_protocol::{
    capability::{Arguments, Request as Wanted},
    domain::{Begin, End, Entry, Event},
    id::InvocationId,
    key::SigningKey,
    payload::Payload,
    receipt::Receipt,
    refusal::{Reason, Refusal},
    signed::{Signed, Statement},
    token::{Activation, ActiveToken, Presentation, Proof, UnverifiedToken},
};
use countersign_wire::v1;
use rand_core::OsRng;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::{Callee, Lie, Services, Shared, malformed, now, status, stream::Told};

/// The signed move of an entry that holds one.
pub(super) fn signed_move(entry: &[u8]) -> Vec<u8> {
    match Entry::from_bytes(entry).unwrap().event {
        Event::Moved(moved) => moved.signed_move.to_bytes(),
        other => panic!("{other:?}"),
    }
}

/// The contract of an entry that holds one.
pub(super) fn contract(entry: &[u8]) -> Option<Signed> {
    match Entry::from_bytes(entry).unwrap().event {
        Event::ContractFinalized(finalized) => Some(finalized.contract),
        _ => None,
    }
}

impl Shared {
    /// Another invocation than that one.
    pub(super) fn other_invocation(&self, id: InvocationId) -> InvocationId {
        let bodies = self.bodies.lock().unwrap();
        let mut ids = bodies.keys().map(|text| text.parse().unwrap());
        ids.find(|other| *other != id).unwrap()
    }

    async fn forward(&self, callee: &Callee, message: v1::ServeResponse) -> Result<v1::Answer, Status> {
        let (answer, answered) = oneshot::channel();
        self.pending.lock().unwrap().insert(message.invocation_id.clone(), answer);
        let before = self.forwarded_before.lock().unwrap().replace(message.clone());
        let mut messages = vec![message.clone()];
        if self.lying(Lie::ForwardedTwice) {
            messages.push(message);
        }
        if self.lying(Lie::ForwardedAgain) {
            messages.splice(..0, before);
        }
        for message in messages {
            let gone = |_| status(&Refusal::new("API-033", Reason::CalleeUnavailable, ""));
            callee.forward.send(Ok(message)).await.map_err(gone)?;
        }
        match timeout(Duration::from_secs(2), answered).await {
            Ok(Ok(answer)) => Ok(answer),
            _ => Err(status(&Refusal::new("API-043", Reason::DeadlineExceeded, ""))),
        }
    }

    pub(super) fn forwarded(
        &self,
        request: &v1::InvokeRequest,
        proof: &Proof,
        activation: &Signed,
    ) -> v1::ServeResponse {
        let mut message = v1::ServeResponse {
            traceparent: String::new(),
            tracestate: String::new(),
            invocation_id: proof.invocation_id.to_string(),
            token: request.token.clone(),
            activation: activation.to_bytes(),
            proof: request.proof.clone(),
            arguments: request.arguments.clone(),
            body: request.body.clone(),
            deadline_ms: now().as_millis() + 2_000,
            ..Default::default()
        };
        if self.lying(Lie::ForwardedBodyAltered) {
            message.body.push(b'!');
        }
        if self.lying(Lie::ForwardedWithoutActivation) {
            message.activation.clear();
        }
        if self.lying(Lie::ForwardedProofForged) {
            message.proof = proof.sign(&SigningKey::generate(&mut OsRng)).to_bytes();
        }
        message
    }

    /// The answer to the caller, as the ledger has it.
    fn invoked(&self, id: InvocationId) -> Result<v1::InvokeResponse, Status> {
        let state = self.state();
        let told = match self.lying(Lie::ReceiptOfAnother) {
            false => id,
            true => self.other_invocation(id),
        };
        let invocation = state.invocation(&told).unwrap();
        let mut receipt = invocation.outcome.clone().and_then(|(_, receipt)| receipt).unwrap();
        if self.lying(Lie::ReceiptForged) {
            let claimed: Receipt = receipt.peek_unverified().unwrap();
            receipt = claimed.sign(&SigningKey::generate(&mut OsRng));
        }
        let mut body = self.bodies.lock().unwrap()[&told.to_string()].clone();
        if self.lying(Lie::ResultAltered) {
            body.push(b'!');
        }
        Ok(v1::InvokeResponse {
            receipt: receipt.to_bytes(),
            body,
            intent_leaf: invocation.intent.get(),
            result_leaf: invocation.ended.unwrap().get(),
        })
    }
}

#[tonic::async_trait]
impl v1::mediation_server::Mediation for Services {
    type InvokeStreamStream = ReceiverStream<super::stream::Said>;

    async fn invoke_stream(
        &self,
        request: Request<Streaming<v1::InvokeStreamRequest>>,
    ) -> Result<Response<Self::InvokeStreamStream>, Status> {
        let (broker, actor) = self.of(&request)?;
        let said = broker.invoke_stream(actor, request.into_inner()).await?;
        Ok(Response::new(ReceiverStream::new(said)))
    }

    type OpenSessionStream = ReceiverStream<super::session::Said>;

    async fn open_session(
        &self,
        request: Request<Streaming<v1::OpenSessionRequest>>,
    ) -> Result<Response<Self::OpenSessionStream>, Status> {
        let (broker, actor) = self.of(&request)?;
        let said = broker.open_session(actor, request.into_inner()).await?;
        Ok(Response::new(ReceiverStream::new(said)))
    }

    type ServeStream = ReceiverStream<Result<v1::ServeResponse, Status>>;

    async fn invoke(
        &self,
        request: Request<v1::InvokeRequest>,
    ) -> Result<Response<v1::InvokeResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let request = request.into_inner();
        let refused = |refusal: Refusal| status(&refusal);
        let token = UnverifiedToken::from_bytes(request.token.clone());
        let token = token.verify(&broker.keys.set).map_err(refused)?;
        let chain = token.chain_id();
        let activation = broker.activation(&broker.state(), chain);
        let opened = Activation::open(&activation, &broker.keys.set).map_err(refused)?;
        let active = ActiveToken::new(token, opened).map_err(refused)?;
        let signed = Signed::from_bytes(&request.proof).map_err(malformed)?;
        let proof: Proof = signed.peek_unverified().map_err(malformed)?;
        let wanted = Wanted {
            callee: proof.callee.clone(),
            action: proof.action.clone(),
            resource: proof.resource.clone(),
            arguments: Arguments::from_bytes(&request.arguments).map_err(malformed)?,
        };
        let presented = Presentation { proof: &signed, request: &wanted, body: &request.body };
        let permit = active.permit(&presented, now()).map_err(refused)?;
        let callee = broker.callees.lock().unwrap().get(&proof.callee).cloned();
        let callee = callee.ok_or_else(|| status(&Refusal::new("API-033", Reason::CalleeUnavailable, "")))?;
        let begin = Begin { permit: &permit, proof: &signed, callee: Some(&callee.instance) };
        let begun = broker.decide(|state, context| state.decide_begin(context, &actor, &begin))?;
        if !begun.is_empty() {
            let message = broker.forwarded(&request, &proof, &activation);
            let id = proof.invocation_id;
            let answer = match broker.forward(&callee, message).await {
                Ok(answer) => answer,
                Err(error) => {
                    broker.decide(|state, context| state.decide_end(context, id, &End::Unknown))?;
                    return Err(error);
                }
            };
            let receipt = Signed::from_bytes(&answer.receipt).map_err(malformed)?;
            broker.decide(|state, context| state.decide_end(context, id, &End::Receipt(&receipt)))?;
            broker.bodies.lock().unwrap().insert(id.to_string(), answer.body);
        }
        broker.reply(broker.invoked(proof.invocation_id)?)
    }

    async fn serve(
        &self,
        request: Request<Streaming<v1::ServeRequest>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let (broker, actor) = self.of(&request)?;
        let mut inbound = request.into_inner();
        let hello = inbound.next().await.ok_or_else(|| malformed("no hello"))??;
        assert!(hello.capacity > 0 && hello.answer.is_none());
        let (forward, stream) = mpsc::channel(hello.capacity as usize);
        let callee = Callee { instance: actor.instance.clone(), capacity: hello.capacity, forward };
        broker.callees.lock().unwrap().insert(actor.instance.principal().clone(), callee);
        drop(broker);
        let weak = self.0.clone();
        tokio::spawn(async move {
            while let Some(Ok(v1::ServeRequest { answer, session, stream, .. })) = inbound.next().await {
                let Some(broker) = weak.upgrade() else { return };
                if let Some(said) = session {
                    broker.served(said).await;
                    continue;
                }
                if let Some(said) = stream {
                    let id = said.invocation_id.clone();
                    broker.told_in_stream(&id, Told::Said(said)).await;
                    continue;
                }
                let Some(answer) = answer else { return };
                let (id, told) = (answer.invocation_id.clone(), Told::Answer(answer.clone()));
                if broker.told_in_stream(&id, told).await {
                    continue;
                }
                let waiting = broker.pending.lock().unwrap().remove(&answer.invocation_id);
                waiting.into_iter().for_each(|waiting| drop(waiting.send(answer.clone())));
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

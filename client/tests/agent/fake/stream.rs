//! Between the two sides of a stream.

use std::sync::Arc;

use countersign_protocol::{
    capability::{Arguments, Request as Wanted},
    domain::{Actor, Begin, End},
    key::{PublicKey, SigningKey},
    payload::Payload,
    receipt::OpenedReceipt,
    refusal::{Reason, Refusal},
    signed::{Signed, Statement},
    stream::{OpenedHead, StreamAccount, StreamHead, StreamHeads},
    token::{Activation, ActiveToken, Presentation, Proof, UnverifiedToken},
};
use countersign_wire::v1;
use rand_core::OsRng;
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::{Callee, Lie, Shared, malformed, now, status};

/// What the caller of a stream hears.
pub(super) type Said = Result<v1::InvokeStreamResponse, Status>;

/// What its callee says.
pub(super) enum Told {
    Said(v1::ServedStream),
    Answer(v1::Answer),
}

/// A stream under way.
struct Between {
    broker: Arc<Shared>,
    proof: Proof,
    callee: Callee,
    caller_key: PublicKey,
    callee_key: PublicKey,
    out: mpsc::Sender<Said>,
    /// The heads of both sides, as they came.
    asked: Vec<Signed>,
    told: Vec<Signed>,
}

impl Shared {
    /// Hears what a callee says in a stream; false where it is of none.
    pub(super) async fn told_in_stream(&self, id: &str, told: Told) -> bool {
        let stream = self.streams.lock().unwrap().get(id).cloned();
        match stream {
            Some(stream) => stream.send(told).await.is_ok(),
            None => false,
        }
    }

    /// Begins a stream, and goes on in a task of its own.
    pub(super) async fn invoke_stream(
        self: Arc<Self>,
        actor: Actor,
        mut inbound: Streaming<v1::InvokeStreamRequest>,
    ) -> Result<mpsc::Receiver<Said>, Status> {
        let first = inbound.message().await?.unwrap();
        let refused = |refusal: Refusal| status(&refusal);
        let token = UnverifiedToken::from_bytes(first.token.clone());
        let token = token.verify(&self.keys.set).map_err(refused)?;
        let caller_key = token.leaf().holder.key;
        let activation = self.activation(&self.state(), token.chain_id());
        let opened = Activation::open(&activation, &self.keys.set).map_err(refused)?;
        let active = ActiveToken::new(token, opened).map_err(refused)?;
        let signed = Signed::from_bytes(&first.proof).map_err(malformed)?;
        let proof: Proof = signed.peek_unverified().map_err(malformed)?;
        let wanted = Wanted {
            callee: proof.callee.clone(),
            action: proof.action.clone(),
            resource: proof.resource.clone(),
            arguments: Arguments::from_bytes(&first.arguments).map_err(malformed)?,
        };
        let presented = Presentation { proof: &signed, request: &wanted, body: b"" };
        let permit = active.permit(&presented, now()).map_err(refused)?;
        let callee = self.callees.lock().unwrap().get(&proof.callee).cloned();
        let callee = callee.ok_or_else(|| status(&Refusal::new("API-033", Reason::CalleeUnavailable, "")))?;
        let begin = Begin { permit: &permit, proof: &signed, callee: Some(&callee.instance) };
        self.decide(|state, context| state.decide_begin_stream(context, &actor, &begin))?;
        let request = v1::InvokeRequest {
            trust_domain: first.trust_domain,
            token: first.token,
            proof: first.proof,
            arguments: first.arguments,
            body: Vec::new(),
        };
        let (route, hears) = mpsc::channel(256);
        self.streams.lock().unwrap().insert(proof.invocation_id.to_string(), route);
        let message = v1::ServeResponse { streams: true, ..self.forwarded(&request, &proof, &activation) };
        let _ = callee.forward.send(Ok(message)).await;
        let (out, said) = mpsc::channel(256);
        let intent = self.state().invocation(&proof.invocation_id).unwrap().intent.get();
        let begun = match self.lying(Lie::StreamOfAnotherCallee) {
            false => callee.instance.to_string(),
            true => proof.caller.to_string(),
        };
        let begun = v1::InvokeStreamResponse { callee: begun, intent_leaf: intent, ..Default::default() };
        out.send(Ok(begun)).await.unwrap();
        let callee_key = self.state().instance(&callee.instance).unwrap().statement.key;
        let (asked, told) = (Vec::new(), Vec::new());
        let between = Between { broker: self, proof, callee, caller_key, callee_key, out, asked, told };
        tokio::spawn(between.run(inbound, hears));
        Ok(said)
    }
}

impl Between {
    async fn run(mut self, mut inbound: Streaming<v1::InvokeStreamRequest>, mut hears: mpsc::Receiver<Told>) {
        let mut speaks = true;
        loop {
            tokio::select! {
                message = inbound.message(), if speaks => match message {
                    Ok(Some(message)) => self.said(message).await,
                    _ => speaks = false,
                },
                told = hears.recv() => match told {
                    Some(Told::Said(said)) => self.heard(said).await,
                    Some(Told::Answer(answer)) => return self.end(answer).await,
                    None => return,
                },
                () = self.out.closed() => return self.over().await,
            }
        }
    }

    async fn said(&mut self, message: v1::InvokeStreamRequest) {
        let v1::InvokeStreamRequest { mut chunk, taken, .. } = message;
        if let Some(chunk) = &mut chunk {
            self.asked.push(Signed::from_bytes(&chunk.head).unwrap());
            let first = self.asked.len() == 1;
            if first && self.broker.lying(Lie::StreamChunkDropped) {
                return;
            }
            if self.broker.lying(Lie::StreamChunkAltered) {
                chunk.data.push(b'!');
            }
            if self.broker.lying(Lie::StreamChunkForged) {
                chunk.head = forged(&chunk.head);
            }
        }
        self.offer(v1::OfferedStream { chunk: chunk.clone(), taken, ..Default::default() }).await;
        if self.broker.lying(Lie::StreamChunkReplayed) {
            self.offer(v1::OfferedStream { chunk, ..Default::default() }).await;
        }
    }

    async fn heard(&mut self, said: v1::ServedStream) {
        let v1::ServedStream { mut chunk, taken, .. } = said;
        if let Some(chunk) = &mut chunk {
            self.told.push(Signed::from_bytes(&chunk.head).unwrap());
            let first = self.told.len() == 1;
            if first && self.broker.lying(Lie::StreamResultDropped) {
                return;
            }
            if self.broker.lying(Lie::StreamResultAltered) {
                chunk.data.push(b'!');
            }
            if self.broker.lying(Lie::StreamResultForged) {
                chunk.head = forged(&chunk.head);
            }
            if self.broker.lying(Lie::StreamCutShort) {
                return;
            }
        }
        let _ = self.out.send(Ok(v1::InvokeStreamResponse { chunk, taken, ..Default::default() })).await;
    }

    async fn end(self, answer: v1::Answer) {
        let id = self.proof.invocation_id;
        let account = StreamAccount::from_bytes(&answer.body).unwrap();
        let open = |signed: &Signed, key| OpenedHead::open(signed.clone(), key).unwrap();
        let received = (account.received.count as usize).checked_sub(1).and_then(|at| self.asked.get(at));
        let asked = received.map(|head| open(head, self.caller_key));
        let heads = StreamHeads { asked, told: open(self.told.last().unwrap(), self.callee_key) };
        let receipt = Signed::from_bytes(&answer.receipt).unwrap();
        let opened = OpenedReceipt::open(receipt, self.callee_key).unwrap();
        self.broker
            .decide(|state, context| state.decide_end(context, id, &End::Streamed(&opened, &heads)))
            .unwrap();
        let invocation = self.broker.state().invocation(&id).unwrap().clone();
        let end = v1::InvokeResponse {
            receipt: answer.receipt,
            body: answer.body,
            intent_leaf: invocation.intent.get(),
            result_leaf: invocation.ended.unwrap().get(),
        };
        let _ = self.out.send(Ok(v1::InvokeStreamResponse { end: Some(end), ..Default::default() })).await;
    }

    async fn over(self) {
        self.offer(v1::OfferedStream { over: true, ..Default::default() }).await;
    }

    async fn offer(&self, said: v1::OfferedStream) {
        let stream = v1::OfferedStream { invocation_id: self.proof.invocation_id.to_string(), ..said };
        let message = v1::ServeResponse { stream: Some(stream), ..Default::default() };
        let _ = self.callee.forward.send(Ok(message)).await;
    }
}

/// The same head by another key.
fn forged(head: &[u8]) -> Vec<u8> {
    let head: StreamHead = Signed::from_bytes(head).unwrap().peek_unverified().unwrap();
    head.sign(&SigningKey::generate(&mut OsRng)).to_bytes()
}

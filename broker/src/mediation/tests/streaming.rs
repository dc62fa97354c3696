//! Streams between a caller and a callee whose words the test chooses.

use std::time::Duration;

use countersign_protocol::{
    digest::ChainId,
    domain::{Invocation, InvocationOutcome},
    key::SigningKey,
    payload::Payload,
    receipt::Receipt,
    session::Side,
    signed::{Signed, Statement},
    stream::{Part, StreamAccount, StreamHead, StreamSum, StreamWriter},
    token::Via,
};
use countersign_wire::v1::{
    Answer, InvokeStreamRequest, InvokeStreamResponse, OfferedStream, ServeRequest, ServeResponse,
    ServedStream, StreamChunk,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;

use super::world::{Call, Callee, World, reason};
use crate::mediation::Relaying;

pub(super) const SOON: Duration = Duration::from_secs(5);
pub(super) const A_WHILE: Duration = Duration::from_millis(60);

/// One side, which signs as it likes.
pub(super) struct Voice {
    pub(super) writer: StreamWriter,
    pub(super) key: SigningKey,
    pub(super) world: World,
}

impl Voice {
    pub(super) fn next(&mut self, data: &[u8], part: Part) -> (StreamHead, StreamChunk) {
        let head = self.writer.next(data, part, self.world.now());
        let chunk = self.signed(data, &head);
        (head, chunk)
    }

    pub(super) fn chunk(&mut self, data: &[u8]) -> StreamChunk {
        self.next(data, Part::Further).1
    }

    pub(super) fn last(&mut self) -> StreamChunk {
        self.next(b"", Part::Last).1
    }

    pub(super) fn signed(&self, data: &[u8], head: &StreamHead) -> StreamChunk {
        StreamChunk { data: data.to_vec(), head: head.sign(&self.key).to_bytes() }
    }
}

pub(super) struct Caller {
    pub(super) say: Option<mpsc::Sender<Result<InvokeStreamRequest, Status>>>,
    pub(super) stream: Relaying,
    pub(super) side: Voice,
}

impl Caller {
    pub(super) async fn say(&self, message: InvokeStreamRequest) {
        self.say.as_ref().unwrap().send(Ok(message)).await.unwrap();
    }

    pub(super) async fn send(&self, chunk: StreamChunk) {
        self.say(InvokeStreamRequest { chunk: Some(chunk), ..Default::default() }).await;
    }

    pub(super) async fn takes(&self, taken: u64) {
        self.say(InvokeStreamRequest { taken, ..Default::default() }).await;
    }

    pub(super) async fn next(&mut self) -> Option<Result<InvokeStreamResponse, Status>> {
        timeout(SOON, self.stream.next()).await.expect("an answer")
    }

    pub(super) async fn hear(&mut self) -> InvokeStreamResponse {
        self.next().await.unwrap().unwrap()
    }

    /// The reason that it ends with.
    pub(super) async fn end(&mut self) -> String {
        loop {
            match self.next().await.expect("an end") {
                Ok(_) => {}
                Err(status) => return reason(&status),
            }
        }
    }
}

/// The callee's side of one stream.
pub(super) struct Serving {
    pub(super) callee: Callee,
    pub(super) asked: ServeResponse,
    pub(super) side: Voice,
    pub(super) received: StreamSum,
}

impl Serving {
    pub(super) async fn say(&self, said: ServedStream) {
        let stream = ServedStream { invocation_id: self.asked.invocation_id.clone(), ..said };
        self.callee.say.send(Ok(ServeRequest { stream: Some(stream), ..Default::default() })).await.unwrap();
    }

    pub(super) async fn send(&self, chunk: StreamChunk) {
        self.say(ServedStream { chunk: Some(chunk), ..Default::default() }).await;
    }

    pub(super) async fn takes(&self, taken: u64) {
        self.say(ServedStream { taken, ..Default::default() }).await;
    }

    pub(super) async fn hear(&mut self) -> OfferedStream {
        self.callee.next().await.stream.unwrap()
    }

    /// The next chunk of the body.
    pub(super) async fn receive(&mut self) -> Vec<u8> {
        let data = self.hear().await.chunk.unwrap().data;
        self.received = self.received.with(&data);
        data
    }

    pub(super) async fn hears_that_it_is_over(&mut self) {
        assert!(self.hear().await.over);
        self.callee.hears_nothing().await;
    }

    pub(super) fn account(&self) -> StreamAccount {
        StreamAccount { received: self.received.clone(), sent: self.side.writer.sum().clone() }
    }

    pub(super) fn receipt(&self, account: &StreamAccount) -> Receipt {
        self.callee.receipt(&self.asked, &account.to_bytes())
    }

    pub(super) async fn answer(&self, receipt: &Receipt, body: Vec<u8>) {
        let receipt = receipt.sign(&self.callee.agent.key).to_bytes();
        let answer = Answer { invocation_id: self.asked.invocation_id.clone(), receipt, body };
        self.callee.say.send(Ok(ServeRequest { answer: Some(answer), ..Default::default() })).await.unwrap();
    }

    /// Ends it honestly.
    pub(super) async fn done(&mut self) {
        let last = self.side.last();
        self.send(last).await;
        let account = self.account();
        self.answer(&self.receipt(&account), account.to_bytes()).await;
    }
}

pub(super) async fn serve(world: &World, streams: u32) -> Callee {
    try_serve(world, streams).await.unwrap()
}

pub(super) async fn try_serve(world: &World, streams: u32) -> Result<Callee, Status> {
    let hello =
        ServeRequest { trust_domain: "acme.example".into(), capacity: 4, streams, ..Default::default() };
    world.serve_with("files", hello).await
}

pub(super) fn first(call: &Call) -> InvokeStreamRequest {
    let message = call.message();
    InvokeStreamRequest {
        trust_domain: message.trust_domain,
        token: message.token,
        proof: message.proof,
        arguments: message.arguments,
        ..Default::default()
    }
}

pub(super) fn streamed(world: &World, chain: ChainId) -> Call {
    let mut call = world.call("fetcher", chain);
    call.proof.via = Via::Stream;
    call
}

/// Begins a stream as that message says.
pub(super) async fn begin_for(
    world: &World,
    call: &Call,
    patience: Option<u64>,
) -> Result<(mpsc::Sender<Result<InvokeStreamRequest, Status>>, Relaying), Status> {
    let (say, heard) = mpsc::channel(64);
    say.send(Ok(first(call))).await.unwrap();
    let actor = world.agent("fetcher").actor();
    let patience = patience.map(Duration::from_millis);
    let begun = world.mediation.0.invoke_stream(actor, ReceiverStream::new(heard), patience, None);
    Ok((say, timeout(SOON, begun).await.expect("an answer")?))
}

pub(super) async fn begin(world: &World, call: &Call) -> Result<Caller, Status> {
    let (say, stream) = begin_for(world, call, None).await?;
    let digest = call.proof.sign(&call.key).digest();
    let writer = StreamWriter::new(&call.proof, &digest, Side::Caller);
    let side = Voice { writer, key: call.key.clone(), world: world.clone() };
    let mut caller = Caller { say: Some(say), stream, side };
    let begun = caller.hear().await;
    assert_eq!(begun.callee, world.agent("files").id.to_string());
    Ok(caller)
}

/// What the callee was given, and its side of it.
pub(super) async fn take(world: &World, mut callee: Callee) -> Serving {
    let asked = callee.next().await;
    assert!(asked.streams);
    let proof = Signed::from_bytes(&asked.proof).unwrap();
    let (digest, proof) = (proof.digest(), proof.peek_unverified().unwrap());
    let writer = StreamWriter::new(&proof, &digest, Side::Callee);
    let side = Voice { writer, key: callee.agent.key.clone(), world: world.clone() };
    Serving { callee, asked, side, received: StreamSum::begin(Side::Caller, &digest) }
}

/// A world with a chain of the fetcher, and a stream that the callee has.
pub(super) async fn streaming() -> (World, ChainId, Call, Caller, Serving) {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let callee = serve(&world, 4).await;
    let call = streamed(&world, leaf);
    let caller = begin(&world, &call).await.unwrap();
    let serving = take(&world, callee).await;
    (world, leaf, call, caller, serving)
}

pub(super) fn found(world: &World, call: &Call) -> Invocation {
    world.look(|state| state.invocation(&call.proof.invocation_id).unwrap().clone())
}

pub(super) fn outcome(world: &World, call: &Call) -> Option<InvocationOutcome> {
    found(world, call).outcome.map(|(outcome, _)| outcome)
}

//! The floor: what any mediator would have to do that relays over the callee's stream, lets each side sign
//! and verify what it has to, and makes two entries durable for each call. Messages and entries have the
//! broker's sizes; nothing in them means anything.

use std::{
    collections::HashMap,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use countersign_protocol::{
    key::{PublicKey, Signature, SigningKey},
    name::TrustDomain,
    signed::{sign_detached, verify_detached},
};
use countersign_store::{EmbeddedStore, Store};
use countersign_wire::v1::{
    Answer, InvokeRequest, InvokeResponse, InvokeStreamRequest, InvokeStreamResponse, OpenSessionRequest,
    OpenSessionResponse, ServeRequest, ServeResponse, ServedSession,
    mediation_client::MediationClient,
    mediation_server::{Mediation, MediationServer},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    drive,
    floor_session::{Relayed, Served, Session},
    process::say,
    real::CONNECTIONS,
    tls,
};

/// Bytes of the broker's own messages and entries for the same call.
const TOKEN: usize = 1_150;
const ACTIVATION: usize = 256;
const PROOF: usize = 560;
const RECEIPT: usize = 420;
const ARGUMENTS: usize = 30;
const INTENT: usize = 1_020;
const RESULT: usize = 520;

pub(crate) const CALLER: u8 = 1;
pub(crate) const CALLEE: u8 = 2;

/// What somebody signs: bytes, and the signature behind them.
pub(crate) struct Signer {
    key: SigningKey,
    is_signed: bool,
}

impl Signer {
    pub(crate) fn new(seed: u8, is_signed: bool) -> Self {
        Self { key: SigningKey::from_seed(&[seed; 32]), is_signed }
    }

    pub(crate) fn sign(&self, bytes: usize) -> Vec<u8> {
        let mut signed = vec![7; bytes];
        if self.is_signed {
            signed.extend(sign_detached("floor", &signed, &self.key).as_bytes());
        }
        signed
    }
}

pub(crate) fn verify(seed: u8, signed: &[u8]) {
    let (bytes, signature) = signed.split_at(signed.len() - 64);
    let signature = Signature::try_from(signature).unwrap();
    verify_detached("floor", bytes, &public(seed), &signature).expect("it is signed");
}

fn public(seed: u8) -> PublicKey {
    static KEYS: std::sync::OnceLock<[PublicKey; 2]> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| [CALLER, CALLEE].map(|seed| SigningKey::from_seed(&[seed; 32]).public()))
        [usize::from(seed - 1)]
}

/// Entries on their way to the disk.
pub(crate) type Commit = (Bytes, oneshot::Sender<()>);

#[derive(Default)]
struct Relay {
    next: AtomicU64,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Answer>>>>,
    sessions: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<ServedSession>>>>,
    callee: Mutex<Option<mpsc::Sender<Result<ServeResponse, Status>>>>,
    ledger: Option<mpsc::Sender<Commit>>,
}

impl Relay {
    async fn commit(&self, bytes: usize) {
        if let Some(ledger) = &self.ledger {
            let (done, durable) = oneshot::channel();
            ledger.send((Bytes::from(vec![7; bytes]), done)).await.unwrap();
            durable.await.unwrap();
        }
    }
}

/// Group commit: whatever has gathered during the last flush is the next batch.
async fn write(directory: PathBuf, mut waiting: mpsc::Receiver<Commit>) {
    let store = EmbeddedStore::open(&directory).unwrap();
    let domain: TrustDomain = "floor.example".parse().unwrap();
    let mut head = store.head(&domain).await.unwrap();
    let mut gathered = Vec::new();
    while waiting.recv_many(&mut gathered, 1_024).await > 0 {
        let (entries, told): (Vec<Bytes>, Vec<_>) = gathered.drain(..).unzip();
        head = store.append(&domain, head, entries).await.unwrap();
        for told in told {
            let _ = told.send(());
        }
    }
}

#[tonic::async_trait]
impl Mediation for Relay {
    type OpenSessionStream = ReceiverStream<Result<OpenSessionResponse, Status>>;

    async fn open_session(
        &self,
        request: Request<Streaming<OpenSessionRequest>>,
    ) -> Result<Response<Self::OpenSessionStream>, Status> {
        let ledger = self.ledger.clone().ok_or_else(|| Status::unimplemented("a bare relay has none"))?;
        let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (told, heard) = mpsc::unbounded_channel();
        self.sessions.lock().unwrap().insert(id.clone(), told);
        let callee = self.callee.lock().unwrap().clone().unwrap();
        let (caller, said) = mpsc::channel(1_024);
        tokio::spawn(Relayed { id, ledger, callee, caller }.run(request.into_inner(), heard));
        Ok(Response::new(ReceiverStream::new(said)))
    }

    type InvokeStreamStream = tokio_stream::Empty<Result<InvokeStreamResponse, Status>>;

    async fn invoke_stream(
        &self,
        _: Request<Streaming<InvokeStreamRequest>>,
    ) -> Result<Response<Self::InvokeStreamStream>, Status> {
        Err(Status::unimplemented("the floor is of Invoke alone"))
    }

    async fn invoke(&self, request: Request<InvokeRequest>) -> Result<Response<InvokeResponse>, Status> {
        let InvokeRequest { token, proof, arguments, body, .. } = request.into_inner();
        let is_signed = self.ledger.is_some();
        if is_signed {
            verify(CALLER, &proof);
        }
        self.commit(INTENT).await;
        let id = format!("{:036}", self.next.fetch_add(1, Ordering::Relaxed));
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id.clone(), answer);
        let (activation, deadline_ms) = (vec![7; ACTIVATION], 1_800_000_000_000);
        let message = ServeResponse {
            traceparent: String::new(),
            tracestate: String::new(),
            invocation_id: id,
            token,
            activation,
            proof,
            arguments,
            body,
            deadline_ms,
            ..Default::default()
        };
        let callee = self.callee.lock().unwrap().clone().unwrap();
        callee.send(Ok(message)).await.unwrap();
        let Answer { receipt, body, .. } = answered.await.unwrap();
        if is_signed {
            verify(CALLEE, &receipt);
        }
        self.commit(RESULT).await;
        Ok(Response::new(InvokeResponse { receipt, body, intent_leaf: 1, result_leaf: 2 }))
    }

    type ServeStream = Pin<Box<dyn Stream<Item = Result<ServeResponse, Status>> + Send>>;

    async fn serve(
        &self,
        request: Request<Streaming<ServeRequest>>,
    ) -> Result<Response<Self::ServeStream>, Status> {
        let (sender, forwarded) = mpsc::channel(1_024);
        *self.callee.lock().unwrap() = Some(sender);
        let (mut answers, waiting) = (request.into_inner(), Arc::clone(&self.waiting));
        let sessions = Arc::clone(&self.sessions);
        tokio::spawn(async move {
            while let Some(Ok(message)) = answers.next().await {
                if let Some(said) = message.session {
                    let session = sessions.lock().unwrap().get(&said.session_id).cloned();
                    let _ = session.unwrap().send(said);
                    continue;
                }
                let Some(answer) = message.answer else { continue };
                let waiting = waiting.lock().unwrap().remove(&answer.invocation_id);
                let _ = waiting.unwrap().send(answer);
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(forwarded))))
    }
}

/// With a ledger it verifies and commits; without one it only relays.
pub(crate) async fn relay(tls_directory: &str, ledger: Option<PathBuf>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut relay = Relay::default();
    if let Some(directory) = ledger {
        let (sender, waiting) = mpsc::channel(4_096);
        tokio::spawn(write(directory, waiting));
        relay.ledger = Some(sender);
    }
    say(&listener.local_addr().unwrap().to_string());
    let incoming = tls::incoming(listener, tls_directory);
    let serving = tonic::transport::Server::builder()
        .add_service(MediationServer::new(relay))
        .serve_with_incoming(incoming);
    let mut commands = crate::process::commands();
    tokio::select! {
        served = serving => served.unwrap(),
        _ = commands.next_line() => {}
    }
}

pub(crate) async fn callee(tls_directory: &str, address: &str, is_signed: bool) {
    let mut client = MediationClient::new(tls::connect(address, tls_directory).await);
    let (answers, outgoing) = mpsc::channel(1_024);
    let hello = ServeRequest { trust_domain: String::new(), capacity: 1_024, ..Default::default() };
    answers.send(hello).await.unwrap();
    let mut forwarded = client.serve(ReceiverStream::new(outgoing)).await.unwrap().into_inner();
    say("serves");
    let signer = Arc::new(Signer::new(CALLEE, is_signed));
    let mut served = Served::default();
    while let Some(Ok(message)) = forwarded.next().await {
        if let Some(said) = message.session {
            served.hear(said, &signer, &answers).await;
            continue;
        }
        let (signer, answers) = (Arc::clone(&signer), answers.clone());
        // A task for each, as in the SDK: one that takes long delays nobody.
        tokio::spawn(async move {
            if signer.is_signed {
                verify(CALLER, &message.proof);
            }
            let (receipt, body) = (signer.sign(RECEIPT), message.body);
            let answer = Some(Answer { invocation_id: message.invocation_id, receipt, body });
            let answer = ServeRequest { answer, ..Default::default() };
            let _ = answers.send(answer).await;
        });
    }
}

pub(crate) async fn callers(tls_directory: &str, address: &str, is_signed: bool) {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(MediationClient::new(tls::connect(address, tls_directory).await));
    }
    let signer = Arc::new(Signer::new(CALLER, is_signed));
    let mut sessions = Vec::new();
    for client in clients.iter().filter(|_| is_signed) {
        sessions.push(Session::open(client.clone()).await);
    }
    let sessions = Arc::new(sessions);
    let in_session: drive::Call = Arc::new(move |caller| {
        let sessions = Arc::clone(&sessions);
        Box::pin(async move { sessions[caller % CONNECTIONS].call().await })
    });
    let call: drive::Call = Arc::new(move |caller| {
        let (mut client, signer) = (clients[caller % CONNECTIONS].clone(), Arc::clone(&signer));
        Box::pin(async move {
            let request = InvokeRequest {
                trust_domain: "floor.example".to_owned(),
                token: vec![7; TOKEN],
                proof: signer.sign(PROOF),
                arguments: vec![7; ARGUMENTS],
                body: crate::real::BODY.to_vec(),
            };
            let answer = client.invoke(request).await.map_err(|status| status.to_string())?.into_inner();
            if signer.is_signed {
                verify(CALLEE, &answer.receipt);
            }
            Ok(())
        })
    });
    say("ready");
    drive::obey(&[("invoke", call), ("session", in_session)]).await;
}

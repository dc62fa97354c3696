//! The floor of a session: the same streams, links, MACs, signed heads and group commits, and nothing else.
//! Openings are left out: each caller's connection has one session for as long as it lasts.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use countersign_wire::v1::{
    OfferedSession, OpenSessionRequest, OpenSessionResponse, ServeRequest, ServeResponse, ServedSession,
    SessionCall, SessionReply, mediation_client::MediationClient,
};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming, transport::Channel};

use crate::{
    floor::{CALLEE, CALLER, Commit, Signer, verify},
    real::{BODY, SIGN_EVERY},
};

/// Bytes of the broker's own messages and entries for the same request.
const REQUEST: usize = 75;
const RESULT: usize = 83;
const HEAD: usize = 166;
const ARGUMENTS: usize = 30;
const INTENT: usize = 225;
const RESULTED: usize = 151;
const SIGNED: usize = 245;

/// What may be under way in one session.
const WINDOW: usize = 256;

/// One side's links: each is the hash of what was said and of the link before.
#[derive(Default)]
struct Links {
    last: [u8; 32],
    count: u64,
}

impl Links {
    fn add(&mut self, said: &[u8]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.last);
        hasher.update(Sha256::digest(said));
        self.last = hasher.finalize().into();
        self.count += 1;
        self.last
    }

    fn is_to_be_signed(&self) -> bool {
        self.count.is_multiple_of(u64::from(SIGN_EVERY))
    }
}

fn mac(link: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    mac.update(link);
    mac
}

fn tag(link: &[u8]) -> Vec<u8> {
    mac(link).finalize().into_bytes().to_vec()
}

/// Something to send once an entry is durable, in order.
type Next<T> = (oneshot::Receiver<()>, Result<T, Status>);

fn in_order<T: Send + 'static>(to: mpsc::Sender<Result<T, Status>>) -> mpsc::Sender<Next<T>> {
    let (sender, mut waiting) = mpsc::channel::<Next<T>>(WINDOW);
    tokio::spawn(async move {
        while let Some((durable, message)) = waiting.recv().await {
            if durable.await.is_err() || to.send(message).await.is_err() {
                return;
            }
        }
    });
    sender
}

/// One session of the relay's: what it needs of it, and where its words go.
pub(crate) struct Relayed {
    pub(crate) id: String,
    pub(crate) ledger: mpsc::Sender<Commit>,
    pub(crate) callee: mpsc::Sender<Result<ServeResponse, Status>>,
    pub(crate) caller: mpsc::Sender<Result<OpenSessionResponse, Status>>,
}

impl Relayed {
    async fn commit(&self, bytes: usize) -> oneshot::Receiver<()> {
        let (done, durable) = oneshot::channel();
        self.ledger.send((Bytes::from(vec![7; bytes]), done)).await.unwrap();
        durable
    }

    /// From the caller's first message to its last.
    pub(crate) async fn run(
        self,
        mut inbound: Streaming<OpenSessionRequest>,
        mut heard: mpsc::UnboundedReceiver<ServedSession>,
    ) {
        let (forwards, replies) = (in_order(self.callee.clone()), in_order(self.caller.clone()));
        let (mut requests, mut results) = (Links::default(), Links::default());
        loop {
            tokio::select! {
                Some(Ok(said)) = inbound.next() => {
                    let mut offered = OfferedSession { session_id: self.id.clone(), ..Default::default() };
                    let bytes = match said.call {
                        Some(call) => {
                            requests.add(&call.request);
                            offered.call = Some(call);
                            INTENT
                        }
                        None if said.head.is_empty() => continue,
                        None => {
                            verify(CALLER, &said.head);
                            offered.head = said.head;
                            SIGNED
                        }
                    };
                    let message = ServeResponse { session: Some(offered), ..Default::default() };
                    let _ = forwards.send((self.commit(bytes).await, Ok(message))).await;
                }
                Some(said) = heard.recv() => {
                    let mut message = OpenSessionResponse::default();
                    let bytes = match said.reply {
                        Some(reply) => {
                            results.add(&reply.result);
                            message.reply = Some(reply);
                            RESULTED
                        }
                        None => {
                            verify(CALLEE, &said.head);
                            message.head = said.head;
                            SIGNED
                        }
                    };
                    let _ = replies.send((self.commit(bytes).await, Ok(message))).await;
                }
                else => return,
            }
        }
    }
}

/// The callee's side of all sessions.
#[derive(Default)]
pub(crate) struct Served(HashMap<String, (Links, Links)>);

impl Served {
    /// Answers one request at once, and signs when it is time.
    pub(crate) async fn hear(
        &mut self,
        said: OfferedSession,
        signer: &Signer,
        answers: &mpsc::Sender<ServeRequest>,
    ) {
        let (requests, results) = self.0.entry(said.session_id.clone()).or_default();
        if !said.head.is_empty() {
            verify(CALLER, &said.head);
        }
        let Some(call) = said.call else { return };
        let link = requests.add(&call.request);
        mac(&link).verify_slice(&call.mac).unwrap();
        std::hint::black_box(Sha256::digest(&call.body));
        let result = vec![7; RESULT];
        let mac = tag(&results.add(&result));
        let reply = SessionReply { result, body: call.body, mac, ..Default::default() };
        let session_id = said.session_id;
        let reply =
            ServedSession { session_id: session_id.clone(), reply: Some(reply), ..Default::default() };
        let _ = answers.send(ServeRequest { session: Some(reply), ..Default::default() }).await;
        if results.is_to_be_signed() {
            let head = ServedSession { session_id, head: signer.sign(HEAD), ..Default::default() };
            let _ = answers.send(ServeRequest { session: Some(head), ..Default::default() }).await;
        }
    }
}

/// The caller's side of one session.
pub(crate) struct Session(Mutex<Saying>);

struct Saying {
    requests: Links,
    waiting: Arc<Mutex<VecDeque<oneshot::Sender<()>>>>,
    outgoing: mpsc::Sender<OpenSessionRequest>,
    signer: Signer,
}

impl Session {
    pub(crate) async fn open(mut client: MediationClient<Channel>) -> Self {
        let (outgoing, said) = mpsc::channel(WINDOW * 2);
        outgoing.send(OpenSessionRequest::default()).await.unwrap();
        let mut inbound = client.open_session(ReceiverStream::new(said)).await.unwrap().into_inner();
        let waiting: Arc<Mutex<VecDeque<oneshot::Sender<()>>>> = Arc::default();
        let asked = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut results = Links::default();
            while let Some(Ok(message)) = inbound.next().await {
                if !message.head.is_empty() {
                    verify(CALLEE, &message.head);
                }
                let Some(reply) = message.reply else { continue };
                mac(&results.add(&reply.result)).verify_slice(&reply.mac).unwrap();
                let asked = asked.lock().unwrap().pop_front().unwrap();
                let _ = asked.send(());
            }
        });
        let signer = Signer::new(CALLER, true);
        Self(Mutex::new(Saying { requests: Links::default(), waiting, outgoing, signer }))
    }

    pub(crate) async fn call(&self) -> Result<(), String> {
        let answered = {
            let mut saying = self.0.lock().unwrap();
            let (answer, answered) = oneshot::channel();
            let request = vec![7; REQUEST];
            let mac = tag(&saying.requests.add(&request));
            let call = SessionCall { request, arguments: vec![7; ARGUMENTS], body: BODY.to_vec(), mac };
            saying.waiting.lock().unwrap().push_back(answer);
            let message = OpenSessionRequest { call: Some(call), ..Default::default() };
            saying.outgoing.try_send(message).map_err(|error| error.to_string())?;
            if saying.requests.is_to_be_signed() {
                let head = OpenSessionRequest { head: saying.signer.sign(HEAD), ..Default::default() };
                saying.outgoing.try_send(head).map_err(|error| error.to_string())?;
            }
            answered
        };
        answered.await.map_err(|_| "the session has ended".to_owned())
    }
}

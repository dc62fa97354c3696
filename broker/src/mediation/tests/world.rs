//! A trust domain in memory behind the real domain, mediator and clock: only the sockets are missing.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

pub(crate) use countersign_forge::{Agent, START_MS, domain as domain_name, principal, rights};
use countersign_forge::{Speaks, Stage, attested, domain_key, keys, receipt};
use countersign_protocol::{
    capability::{Arguments, Request, Rights},
    contract::{ContractBody, Rebind},
    digest::{ChainId, Digest, SpkiHash},
    domain::{Context, Decision, Policy, State},
    id::{InvocationId, NegotiationId},
    key::SigningKey,
    name::InstanceId,
    negotiation::{Move, MoveKind},
    payload::Payload,
    receipt::Receipt,
    refusal::Refusal,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::{Nonce, Proof},
};
use countersign_store::Store;
use countersign_wire::v1::{Answer, InvokeRequest, InvokeResponse, ServeRequest, ServeResponse};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_stream::{Stream as _, StreamExt as _, wrappers::ReceiverStream};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::store::HeldStore;
use crate::{
    activation::Activator,
    clock::{Clock, ManualClock},
    domain::Domain,
    mediation::{Forwarding, Mediation},
};

const NAMES: [&str; 7] = ["root", "alice", "planner", "researcher", "fetcher", "files", "mallory"];

/// Real time within which something happens that should happen.
const SOON: Duration = Duration::from_secs(5);
/// Real time within which something would have happened that should not.
const A_WHILE: Duration = Duration::from_millis(60);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<HeldStore>,
    pub(crate) domain: Arc<Domain>,
    pub(crate) mediation: Mediation,
    agents: BTreeMap<&'static str, Agent>,
    rng: Arc<Mutex<StdRng>>,
}

fn policy() -> Policy {
    // Nobody renews here: instances are live for as long as a test takes.
    Policy { svid_lifetime: Lifetime::from_millis(3_600_000), ..countersign_forge::policy() }
}

pub(crate) async fn open(store: &Arc<HeldStore>, clock: &ManualClock) -> Arc<Domain> {
    let store = Arc::clone(store) as Arc<dyn Store>;
    let clock = Arc::new(clock.clone());
    Domain::open(domain_name(), policy(), (1, domain_key(201)), domain_key(204), store, clock).await.unwrap()
}

fn mediation(domain: &Arc<Domain>) -> Mediation {
    Mediation::new(Arc::clone(domain), Arc::new(Activator::new(domain, domain_key(202), Vec::new()).unwrap()))
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(Timestamp::new(START_MS).unwrap());
        let store = Arc::new(HeldStore::default());
        let domain = open(&store, &clock).await;
        let published = domain.decide(|state, context| state.decide_keys(context, &keys()), |_| Ok(()));
        published.await.unwrap();
        let mediation = mediation(&domain);
        let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(7)));
        let mut world = Self { clock, store, domain, mediation, agents: BTreeMap::new(), rng };
        for name in NAMES {
            world.join(name, name).await;
        }
        world
    }

    /// alice → planner → researcher → fetcher, and the three chains.
    pub(crate) async fn with_chain() -> (Self, [ChainId; 3]) {
        let world = Self::new().await;
        let grant = world.grant(rights(500, 5)).await;
        let first = world.contract(grant, "planner", "researcher", rights(100, 4)).await.unwrap();
        let leaf = world.contract(first, "researcher", "fetcher", rights(10, 3)).await.unwrap();
        (world, [grant, first, leaf])
    }

    /// The same ledger under a broker that has just started, which nobody is connected to.
    pub(crate) async fn restarted(&self) -> Self {
        let domain = open(&self.store, &self.clock).await;
        let mediation = mediation(&domain);
        Self { domain, mediation, ..self.clone() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.clock.advance(Lifetime::from_millis(millis));
    }

    pub(crate) fn agent(&self, name: &str) -> &Agent {
        &self.agents[name]
    }

    pub(crate) async fn decide(
        &self,
        decide: impl FnOnce(&State, &Context<'_>) -> Decision,
    ) -> Result<(), Refusal> {
        self.domain.decide(decide, |_| Ok(())).await
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        self.domain.peek(|state, _| look(state))
    }

    /// Something that a party would say as it stands.
    pub(crate) fn say<T>(&self, say: impl FnOnce(&mut Stage<'_>) -> T) -> T {
        let (now, rng) = (self.now(), &mut *self.rng.lock().unwrap());
        self.look(|state| say(&mut Stage { state, now, rng, agents: &self.agents }))
    }

    /// One more instance of `of`, to be known as `name`.
    pub(crate) async fn join(&mut self, name: &'static str, of: &str) {
        let spki = SpkiHash::from_bytes(Digest::of(name.as_bytes()).to_array());
        self.join_with(name, of, spki).await;
    }

    /// Each of two instances goes by the name of the other from now on.
    pub(crate) fn swap(&mut self, one: &'static str, other: &'static str) {
        let [a, b] = [one, other].map(|name| self.agent(name).clone());
        self.agents.extend([(one, b), (other, a)]);
    }

    /// The same, by a process that has that TLS key.
    pub(crate) async fn join_with(&mut self, name: &'static str, of: &str, spki: SpkiHash) {
        let secret = Digest::of(name.as_bytes());
        let expires = self.now().plus(Lifetime::from_millis(60_000));
        let who = principal(of);
        self.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires))
            .await
            .unwrap();
        let (agent, join) = self.say(|stage| stage.newcomer(&who, spki, secret));
        let (join, attested) = (join.sign(&agent.key), attested(&agent, secret));
        self.decide(|state, context| state.decide_join(context, &join, &attested)).await.unwrap();
        self.agents.insert(name, agent);
    }

    pub(crate) async fn grant(&self, rights: Rights) -> ChainId {
        let alice = self.agent("alice");
        let request = self.say(|stage| stage.grant_request(rights));
        let signed = request.sign(&alice.key);
        self.decide(|state, context| state.decide_grant(context, &alice.actor(), &signed)).await.unwrap();
        self.look(|state| state.grant(&request.grant_id)).unwrap()
    }

    /// A whole negotiation: request, offer, accept.
    pub(crate) async fn contract(
        &self,
        parent: ChainId,
        grantor: &str,
        grantee: &str,
        rights: Rights,
    ) -> Result<ChainId, Refusal> {
        self.rebindable(parent, grantor, grantee, (rights, Rebind::Never)).await
    }

    /// The same for a contract that may be taken over as that rule says.
    pub(crate) async fn rebindable(
        &self,
        parent: ChainId,
        grantor: &str,
        grantee: &str,
        (rights, rebind): (Rights, Rebind),
    ) -> Result<ChainId, Refusal> {
        let id = self.say(|stage| NegotiationId::new(stage.now, stage.rng));
        let asks = Speaks { id, sender: grantee, audience: grantor };
        let gives = Speaks { id, sender: grantor, audience: grantee };
        let wish = self.say(|stage| {
            let request = Some(stage.wish(rights.clone()));
            Move { request, ..stage.bare_move(asks, MoveKind::Request) }
        });
        self.submit(grantee, &wish).await?;
        let body = self.say(|stage| stage.contract_body(id, [grantor, grantee], parent, rights));
        let body = ContractBody { rebind, ..body };
        let offer = self.say(|stage| {
            let offer = Some(stage.offer(grantor, &body));
            Move { offer, ..stage.bare_move(gives, MoveKind::Offer) }
        });
        self.submit(grantor, &offer).await?;
        let accept = self.say(|stage| {
            let accept = Some(stage.accept(grantee, &body));
            Move { accept, ..stage.bare_move(asks, MoveKind::Accept) }
        });
        self.submit(grantee, &accept).await?;
        Ok(self.look(|state| state.negotiation(&id).unwrap().outcome).unwrap())
    }

    async fn submit(&self, sender: &str, made: &Move) -> Result<(), Refusal> {
        let agent = self.agent(sender);
        let signed = made.sign(&agent.key);
        self.decide(|state, context| state.decide_move(context, &agent.actor(), &signed)).await
    }

    pub(crate) fn token_bytes(&self, chain: ChainId) -> Vec<u8> {
        self.look(|state| state.chain(&chain).unwrap().token.clone())
    }

    pub(crate) fn available(&self, chain: ChainId) -> u64 {
        self.look(|state| state.chain(&chain).unwrap().account.available().get())
    }

    pub(crate) fn revocation(&self, by: &str, chain: ChainId, chains: u64) -> Signed {
        self.revoke_request(by, Some(chain), None, chains)
    }

    /// By one for all that another one holds, which is nothing.
    pub(crate) fn instance_revocation(&self, by: &str, of: &str) -> Signed {
        self.revoke_request(by, None, Some(self.agent(of).id.clone()), 0)
    }

    fn revoke_request(
        &self,
        by: &str,
        chain: Option<ChainId>,
        instance: Option<InstanceId>,
        chains: u64,
    ) -> Signed {
        let request = self.say(|stage| stage.revocation(by, chain, instance, chains));
        request.sign(&self.agent(by).key)
    }

    /// An honest call by that caller: reading one file.
    pub(crate) fn call(&self, caller: &str, chain: ChainId) -> Call {
        let request = Request {
            callee: principal("files"),
            action: "read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: Arguments::new(vec![]).unwrap(),
        };
        let honest = self.say(|stage| {
            let id = InvocationId::new(stage.now, stage.rng);
            stage.proof(caller, chain, id, &request)
        });
        let proof = Proof { expires: honest.issued.plus(Lifetime::from_millis(45_000)), ..honest };
        let key = self.agent(caller).key.clone();
        Call { proof, key, token: self.token_bytes(chain), arguments: Vec::new(), body: Vec::new() }
    }

    /// The same call with a fresh proof.
    pub(crate) fn again(&self, call: &Call) -> Call {
        let mut again = call.clone();
        again.proof.nonce = Nonce::new(&mut *self.rng.lock().unwrap());
        again.proof.issued = self.now();
        again.proof.expires = self.now().plus(Lifetime::from_millis(45_000));
        again
    }

    /// Sends a call over the channel of `on`.
    pub(crate) async fn send(&self, on: &str, call: &Call) -> Result<InvokeResponse, Status> {
        self.send_for(on, call, None).await
    }

    /// The same, by a caller that waits so many milliseconds.
    pub(crate) async fn send_for(
        &self,
        on: &str,
        call: &Call,
        patience: Option<u64>,
    ) -> Result<InvokeResponse, Status> {
        let patience = patience.map(Duration::from_millis);
        let sent = self.mediation.0.invoke(self.agent(on).actor(), call.message(), patience, None);
        timeout(SOON, sent).await.expect("an answer")
    }

    /// The same, while the test goes on.
    pub(crate) fn sending(&self, on: &str, call: &Call) -> JoinHandle<Result<InvokeResponse, Status>> {
        let (world, on, call) = (self.clone(), on.to_owned(), call.clone());
        tokio::spawn(async move { world.send(&on, &call).await })
    }

    /// A callee whose answers the test gives.
    pub(crate) async fn serve(&self, name: &str, capacity: u32) -> Callee {
        self.try_serve(name, capacity).await.unwrap()
    }

    pub(crate) async fn try_serve(&self, name: &str, capacity: u32) -> Result<Callee, Status> {
        let hello = ServeRequest { trust_domain: "acme.example".into(), capacity, ..ServeRequest::default() };
        self.serve_with(name, hello).await
    }

    /// A callee that says that hello.
    pub(crate) async fn serve_with(&self, name: &str, hello: ServeRequest) -> Result<Callee, Status> {
        let (say, heard) = mpsc::channel(64);
        say.send(Ok(hello)).await.unwrap();
        let agent = self.agent(name).clone();
        let stream = self.mediation.0.serve(agent.actor(), ReceiverStream::new(heard)).await?;
        Ok(Callee { agent, say, stream, clock: self.clock.clone() })
    }

    /// A callee that does whatever it is asked, and says what it was asked.
    pub(crate) async fn willing(&self, name: &str, capacity: u32) -> mpsc::UnboundedReceiver<ServeResponse> {
        let mut callee = self.serve(name, capacity).await;
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(asked)) = callee.stream.next().await {
                let receipt = callee.receipt(&asked, b"content");
                callee.answer(&asked, receipt.sign(&callee.agent.key).to_bytes(), b"content").await;
                let _ = tell.send(asked);
            }
        });
        told
    }
}

/// A request as its caller would send it; a test changes what it likes.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) proof: Proof,
    pub(crate) key: SigningKey,
    pub(crate) token: Vec<u8>,
    pub(crate) arguments: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn message(&self) -> InvokeRequest {
        InvokeRequest {
            trust_domain: "acme.example".into(),
            token: self.token.clone(),
            proof: self.proof.sign(&self.key).to_bytes(),
            arguments: self.arguments.clone(),
            body: self.body.clone(),
        }
    }
}

pub(crate) struct Callee {
    pub(crate) agent: Agent,
    pub(crate) say: mpsc::Sender<Result<ServeRequest, Status>>,
    pub(crate) stream: Forwarding,
    clock: ManualClock,
}

impl Callee {
    pub(crate) async fn next(&mut self) -> ServeResponse {
        timeout(SOON, self.stream.next()).await.expect("an invocation").unwrap().unwrap()
    }

    /// What is there at once, without giving any other task a turn.
    pub(crate) async fn take_now(&mut self) -> Option<ServeResponse> {
        let next = poll_fn(|cx| Poll::Ready(Pin::new(&mut self.stream).poll_next(cx)));
        match next.await {
            Poll::Ready(next) => next.map(Result::unwrap),
            Poll::Pending => None,
        }
    }

    /// Fails if anything is forwarded.
    pub(crate) async fn hears_nothing(&mut self) {
        let heard = timeout(A_WHILE, self.stream.next()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    /// Why the stream ended.
    pub(crate) async fn end(&mut self) -> Option<Status> {
        timeout(SOON, self.stream.next()).await.expect("an end").map(|last| last.unwrap_err())
    }

    pub(crate) fn receipt(&self, asked: &ServeResponse, body: &[u8]) -> Receipt {
        let proof = Signed::from_bytes(&asked.proof).unwrap();
        receipt(&self.agent, &proof, body, self.clock.now())
    }

    /// An honest answer.
    pub(crate) async fn done(&self, asked: &ServeResponse, body: &[u8]) {
        self.answer(asked, self.receipt(asked, body).sign(&self.agent.key).to_bytes(), body).await;
    }

    pub(crate) async fn answer(&self, asked: &ServeResponse, receipt: Vec<u8>, body: &[u8]) {
        let invocation_id = asked.invocation_id.clone();
        let answer = Answer { invocation_id, receipt, body: body.to_vec() };
        let message = ServeRequest { answer: Some(answer), ..ServeRequest::default() };
        self.say.send(Ok(message)).await.unwrap();
    }
}

/// The reason that a status gives.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The reason of a call's refusal.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    reason(&outcome.unwrap_err())
}

/// Waits until something is so.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, waiting).await.expect("it never became so");
}

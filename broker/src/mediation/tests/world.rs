//! A trust domain in memory behind the real domain, mediator and clock: only the sockets are missing.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use countersign_protocol::{
    capability::{Amount, Arguments, Budget, Capability, Rights},
    contract::{
        Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Party, Rebind,
        SeenCheckpoint,
    },
    digest::{ChainId, Digest, SpkiHash},
    domain::{Actor, Attested, Context, Decision, GrantRule, Policy, State},
    extension::Extensions,
    grant::GrantRequest,
    id::{ContractId, GrantId, InstanceUuid, InvocationId, NegotiationId, RequestId},
    identity::JoinStatement,
    key::SigningKey,
    name::{InstanceId, PrincipalId, TrustDomain},
    negotiation::{Accept, Move, MoveKind, Offer, Request as Wish, empty_transcript},
    payload::{Ascending, Bounded, Payload},
    receipt::{ActionOutcome, Receipt},
    refusal::Refusal,
    revocation::RevokeRequest,
    signed::{Algorithm, Signed, Statement, sign_detached},
    time::{Lifetime, Timestamp},
    token::{Nonce, Proof, Token, UnverifiedToken, Via, sign_hop},
    trust::KeySet,
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

pub(crate) const START_MS: u64 = 1_800_000_000_000;
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

#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) id: InstanceId,
    pub(crate) key: SigningKey,
    pub(crate) spki: SpkiHash,
}

impl Agent {
    pub(crate) fn actor(&self) -> Actor {
        Actor { instance: self.id.clone(), spki: self.spki }
    }

    fn party(&self) -> Party {
        Party { instance: self.id.clone(), key: self.key.public(), configuration: Digest::of(b"model") }
    }
}

pub(crate) fn domain_name() -> TrustDomain {
    "acme.example".parse().unwrap()
}

pub(crate) fn principal(name: &str) -> PrincipalId {
    let kind = match name {
        "alice" | "root" => "human",
        "files" => "service",
        _ => "agent",
    };
    format!("spiffe://acme.example/{kind}/{name}").parse().unwrap()
}

/// Rights to read `file:/data/**` from `files` for an hour, at most so often.
pub(crate) fn rights(calls: u64, delegations_left: u32) -> Rights {
    let capability = Capability {
        resource: "file:/data/**".parse().unwrap(),
        actions: Ascending::new(vec!["read".parse().unwrap()]).unwrap(),
        constraints: Bounded::default(),
    };
    Rights {
        capabilities: Bounded::new(vec![capability]).unwrap(),
        audiences: Ascending::new(vec![principal("files")]).unwrap(),
        not_before: Timestamp::new(START_MS).unwrap(),
        not_after: Timestamp::new(START_MS + 3_600_000).unwrap(),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(calls).unwrap(),
            per_call: Amount::new(1).unwrap(),
            window: None,
        },
        delegations_left,
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn policy() -> Policy {
    let rule = GrantRule {
        originator: principal("alice"),
        principal: principal("planner"),
        rights: rights(1000, 5),
        lifetime: Lifetime::from_millis(86_400_000),
        digest: Digest::of(b"rule"),
    };
    Policy {
        admins: vec![principal("root")],
        grant_rules: vec![rule],
        svid_lifetime: Lifetime::from_millis(3_600_000),
        human_svid_lifetime: Lifetime::from_millis(3_600_000),
        digest: Digest::of(b"policy"),
    }
}

async fn open(store: &Arc<HeldStore>, clock: &ManualClock) -> Arc<Domain> {
    let store = Arc::clone(store) as Arc<dyn Store>;
    let clock = Arc::new(clock.clone());
    Domain::open(domain_name(), policy(), (1, key(201)), store, clock).await.unwrap()
}

fn mediation(domain: &Arc<Domain>) -> Mediation {
    Mediation::new(Arc::clone(domain), Arc::new(Activator::new(domain, key(202)).unwrap()))
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(Timestamp::new(START_MS).unwrap());
        let store = Arc::new(HeldStore::default());
        let domain = open(&store, &clock).await;
        let keys =
            KeySet::new(domain_name(), key(201).public(), key(202).public(), key(203).public()).unwrap();
        let published = domain.decide(|state, context| state.decide_keys(context, &keys), |_| Ok(()));
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

    /// One more instance of `of`, to be known as `name`.
    pub(crate) async fn join(&mut self, name: &'static str, of: &str) {
        let secret = Digest::of(name.as_bytes());
        let expires = self.now().plus(Lifetime::from_millis(60_000));
        let who = principal(of);
        self.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires))
            .await
            .unwrap();
        let id = who.instance(InstanceUuid::new(self.now(), &mut *self.rng.lock().unwrap()));
        let key = SigningKey::generate(&mut *self.rng.lock().unwrap());
        let agent = Agent { id, key, spki: SpkiHash::from_bytes(secret.to_array()) };
        let join = JoinStatement {
            domain: domain_name(),
            instance: agent.id.clone(),
            key: agent.key.public(),
            spki: agent.spki,
            configuration: Digest::of(b"model"),
            evidence: secret,
            issued: self.now(),
            extensions: Extensions::none(),
        };
        let join = join.sign(&agent.key);
        let attested =
            Attested { attestor: "join_token".parse().unwrap(), evidence: secret, spki: agent.spki };
        self.decide(|state, context| state.decide_join(context, &join, &attested)).await.unwrap();
        self.agents.insert(name, agent);
    }

    pub(crate) async fn grant(&self, rights: Rights) -> ChainId {
        let alice = self.agent("alice");
        let request = GrantRequest {
            domain: domain_name(),
            grant_id: GrantId::new(self.now(), &mut *self.rng.lock().unwrap()),
            originator: alice.id.clone(),
            holder: self.agent("planner").id.clone(),
            rights,
            issued: self.now(),
            extensions: Extensions::none(),
        };
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
        let id = NegotiationId::new(self.now(), &mut *self.rng.lock().unwrap());
        let deadline = self.now().plus(Lifetime::from_millis(600_000));
        let mut wish = self.bare_move(id, grantee, grantor, MoveKind::Request);
        wish.request =
            Some(Wish { rights: rights.clone(), purpose: Digest::of(b"why"), deadline, max_rounds: 5 });
        self.submit(grantee, &wish).await?;

        let body = self.contract_body(id, parent, grantor, grantee, rights);
        let key = &self.agent(grantor).key;
        let mut offer = self.bare_move(id, grantor, grantee, MoveKind::Offer);
        offer.offer = Some(Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), key),
            hop_signature: sign_hop(&self.token(parent), &body.hop_terms(), key),
            contract: body.to_bytes(),
            expires: self.now().plus(Lifetime::from_millis(60_000)),
        });
        self.submit(grantor, &offer).await?;

        let key = &self.agent(grantee).key;
        let mut accept = self.bare_move(id, grantee, grantor, MoveKind::Accept);
        accept.accept = Some(Accept {
            contract: body.hash(),
            contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), key),
            seen: self.seen(),
        });
        self.submit(grantee, &accept).await?;
        Ok(self.look(|state| state.negotiation(&id).unwrap().outcome).unwrap())
    }

    fn contract_body(
        &self,
        id: NegotiationId,
        parent: ChainId,
        grantor: &str,
        grantee: &str,
        rights: Rights,
    ) -> ContractBody {
        let (chain, talk) = self
            .look(|state| (state.chain(&parent).unwrap().clone(), state.negotiation(&id).unwrap().clone()));
        ContractBody {
            version: ContractVersion::V1,
            contract_id: ContractId::new(self.now(), &mut *self.rng.lock().unwrap()),
            negotiation_id: id,
            transcript: talk.transcript,
            domain: domain_name(),
            grantor: self.agent(grantor).party(),
            grantee: self.agent(grantee).party(),
            originator: chain.originator,
            grant_id: chain.grant_id,
            parent,
            depth: chain.depth + 1,
            rights,
            rebind: Rebind::Never,
            disclosure: Disclosure::Full,
            max_staleness: Lifetime::from_millis(1000),
            offline: Offline::Forbidden,
            purpose: talk.purpose,
            acceptance: Acceptance::SignedReceipt,
            failure: FailurePolicy::SettleReserved,
            seen: self.seen(),
            algorithm: Algorithm::Ed25519,
            extensions: Extensions::none(),
        }
    }

    fn seen(&self) -> SeenCheckpoint {
        self.look(|state| SeenCheckpoint { size: state.tree().size(), root: state.tree().root() })
    }

    fn bare_move(&self, id: NegotiationId, sender: &str, audience: &str, kind: MoveKind) -> Move {
        let known = self.look(|state| state.negotiation(&id).cloned());
        let sender = self.agent(sender).id.clone();
        let made = known.iter().flat_map(|talk| &talk.moves).filter(|made| made.sender == sender).count();
        Move {
            domain: domain_name(),
            negotiation_id: id,
            sender,
            seq: made as u32 + 1,
            round: known.as_ref().map_or(1, |talk| talk.round),
            transcript: known.map_or(empty_transcript(&domain_name(), id), |talk| talk.transcript),
            audience: principal(audience),
            deadline: self.now().plus(Lifetime::from_millis(60_000)),
            request_id: RequestId::new(self.now(), &mut *self.rng.lock().unwrap()),
            kind,
            request: None,
            counter: None,
            offer: None,
            accept: None,
            extensions: Extensions::none(),
        }
    }

    async fn submit(&self, sender: &str, made: &Move) -> Result<(), Refusal> {
        let agent = self.agent(sender);
        let signed = made.sign(&agent.key);
        self.decide(|state, context| state.decide_move(context, &agent.actor(), &signed)).await
    }

    pub(crate) fn token_bytes(&self, chain: ChainId) -> Vec<u8> {
        self.look(|state| state.chain(&chain).unwrap().token.clone())
    }

    fn token(&self, chain: ChainId) -> Token {
        let keys = self.look(|state| state.keys().unwrap().clone());
        UnverifiedToken::from_bytes(self.token_bytes(chain)).verify(&keys).unwrap()
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
        let request = RevokeRequest {
            domain: domain_name(),
            sender: self.agent(by).id.clone(),
            chain,
            instance,
            chains,
            request_id: RequestId::new(self.now(), &mut *self.rng.lock().unwrap()),
            issued: self.now(),
            extensions: Extensions::none(),
        };
        request.sign(&self.agent(by).key)
    }

    /// An honest call by that caller: reading one file.
    pub(crate) fn call(&self, caller: &str, chain: ChainId) -> Call {
        let rng = &mut *self.rng.lock().unwrap();
        let arguments = Arguments::new(vec![]).unwrap();
        let proof = Proof {
            domain: domain_name(),
            invocation_id: InvocationId::new(self.now(), rng),
            chain_id: chain,
            activation_leaf: self.look(|state| state.chain(&chain).unwrap().leaf),
            caller: self.agent(caller).id.clone(),
            callee: principal("files"),
            action: "read".parse().unwrap(),
            resource: "file:/data/eu/q3.csv".parse().unwrap(),
            arguments: arguments.digest(b""),
            nonce: Nonce::new(rng),
            issued: self.now(),
            expires: self.now().plus(Lifetime::from_millis(45_000)),
            via: Via::Broker,
            channel: self.agent(caller).spki,
            extensions: Extensions::none(),
        };
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
        let sent = self.mediation.0.invoke(self.agent(on).actor(), call.message(), patience);
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
        let (say, heard) = mpsc::channel(64);
        let hello = ServeRequest { trust_domain: "acme.example".into(), capacity, answer: None };
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
        let claims: Proof = proof.peek_unverified().unwrap();
        Receipt {
            domain: domain_name(),
            invocation_id: claims.invocation_id,
            chain_id: claims.chain_id,
            proof: proof.digest(),
            callee: self.agent.id.clone(),
            outcome: ActionOutcome::Done,
            result: Digest::of(body),
            cost: Amount::new(1).unwrap(),
            finished: self.clock.now(),
            extensions: Extensions::none(),
        }
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

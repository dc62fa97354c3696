//! A broker of the tests' own: the core behind real sockets, honest unless it is told to lie.
//!
//! It shares no code with the real broker, and little of its care: it is only as good as the SDK
//! needs to be tested.

mod authority;
mod delegation;
mod identity;
mod ledger;
mod lie;
mod listener;
mod mediation;
mod negotiation;
mod revocation;
mod session;
mod stream;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use countersign::{Clock as _, Held, SystemClock};
use countersign_protocol::{
    capability::{Amount, Budget, Capability, Rights},
    digest::{ChainId, Digest},
    domain::{Actor, Context, Decision, Entry, Event, GrantRule, Policy, State},
    id::InvocationId,
    join_token::{JoinSecret, JoinToken},
    key::SigningKey,
    ledger::{Checkpoint, Origin, SignedCheckpoint},
    name::{InstanceId, PrincipalId, TrustDomain},
    payload::{Ascending, Bounded, Payload},
    refusal::{Refusal, Viewer},
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::Activation,
    trust::KeySet,
};
use countersign_wire::v1;
use rand_core::OsRng;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tonic::{Request, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

use self::authority::Authority;
pub(crate) use self::lie::Lie;

pub(crate) const DOMAIN: &str = "acme.example";

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn domain() -> TrustDomain {
    DOMAIN.parse().unwrap()
}

pub(crate) fn principal(name: &str) -> PrincipalId {
    let kind = match name {
        "alice" | "root" => "human",
        "archive" | "files" => "service",
        _ => "agent",
    };
    format!("spiffe://{DOMAIN}/{kind}/{name}").parse().unwrap()
}

/// When all rights begin, so that each is within each other's time whenever it is made.
static BEGINNING: LazyLock<Timestamp> = LazyLock::new(now);

/// Rights on `file:/data/**` for so many calls, that leave so many delegations, for ten minutes.
pub(crate) fn rights(calls: u64, delegations_left: u32) -> Rights {
    Rights {
        capabilities: Bounded::new(vec![Capability {
            resource: "file:/data/**".parse().unwrap(),
            actions: Ascending::new(vec!["read".parse().unwrap()]).unwrap(),
            constraints: Bounded::default(),
        }])
        .unwrap(),
        audiences: Ascending::new(vec![principal("archive"), principal("files")]).unwrap(),
        not_before: *BEGINNING,
        not_after: BEGINNING.plus(Lifetime::from_millis(600_000)),
        budget: Budget {
            unit: "calls".parse().unwrap(),
            ceiling: Amount::new(calls).unwrap(),
            per_call: Amount::new(1).unwrap(),
            window: None,
        },
        delegations_left,
    }
}

/// The broker. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Shared>);

impl std::ops::Deref for Fake {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub(crate) struct Shared {
    authority: Authority,
    keys: Keys,
    policy: Policy,
    state: Mutex<State>,
    entries: Mutex<Vec<Vec<u8>>>,
    /// The ledger's size: tells watchers that there is more.
    size: watch::Sender<u64>,
    /// The lie that is told, and to whom if not to all.
    lie: Mutex<Option<(Lie, Option<PrincipalId>)>>,
    /// Replies that get lost after what they tell of was done.
    lost: AtomicU32,
    /// Life of a certificate in milliseconds.
    svid_ms: AtomicU64,
    /// TLS keys by instance.
    spkis: Mutex<BTreeMap<InstanceId, Vec<u8>>>,
    callees: Mutex<BTreeMap<PrincipalId, Callee>>,
    pending: Mutex<HashMap<String, oneshot::Sender<v1::Answer>>>,
    bodies: Mutex<HashMap<String, Vec<u8>>>,
    forwarded_before: Mutex<Option<v1::ServeResponse>>,
    /// Where what callees say in sessions goes.
    sessions: Mutex<HashMap<String, mpsc::Sender<v1::ServedSession>>>,
    /// The same for streams.
    streams: Mutex<HashMap<String, mpsc::Sender<stream::Told>>>,
    answered_before: Mutex<Option<Signed>>,
    addresses: Mutex<(String, String)>,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

struct Keys {
    capability: SigningKey,
    activation: SigningKey,
    checkpoint: SigningKey,
    rebind: SigningKey,
    set: KeySet,
}

#[derive(Clone)]
struct Callee {
    instance: InstanceId,
    capacity: u32,
    forward: mpsc::Sender<Result<v1::ServeResponse, Status>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.servers.get_mut().unwrap().iter().for_each(JoinHandle::abort);
    }
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let [capability, activation, checkpoint, rebind] = [(); 4].map(|()| SigningKey::generate(&mut OsRng));
        let [a, b, c, d] = [&capability, &activation, &checkpoint, &rebind].map(SigningKey::public);
        let set = KeySet::new(domain(), a, b, c, d).unwrap();
        let fake = Self(Arc::new(Shared {
            authority: Authority::new(DOMAIN, now()),
            keys: Keys { capability, activation, checkpoint, rebind, set },
            policy: policy(),
            state: Mutex::default(),
            entries: Mutex::default(),
            size: watch::Sender::new(0),
            lie: Mutex::default(),
            lost: AtomicU32::new(0),
            svid_ms: AtomicU64::new(300_000),
            spkis: Mutex::default(),
            callees: Mutex::default(),
            pending: Mutex::default(),
            bodies: Mutex::default(),
            forwarded_before: Mutex::default(),
            sessions: Mutex::default(),
            streams: Mutex::default(),
            answered_before: Mutex::default(),
            addresses: Mutex::default(),
            servers: Mutex::default(),
        }));
        let set = fake.keys.set.clone();
        fake.decide(|state, context| state.decide_keys(context, &set)).unwrap();
        fake.listen().await;
        fake
    }

    async fn listen(&self) {
        let (enrolment, newcomers) = listener::listen(self.authority.server(false)).await;
        let (broker, instances) = listener::listen(self.authority.server(true)).await;
        *self.addresses.lock().unwrap() = (enrolment, broker);
        // Weak, so that the last clone that a test drops ends the servers.
        let weak = Services(Arc::downgrade(&self.0));
        let enrolment =
            Server::builder().add_service(v1::enrolment_server::EnrolmentServer::new(weak.clone()));
        let services = Server::builder()
            .add_service(v1::info_server::InfoServer::new(weak.clone()))
            .add_service(v1::identity_server::IdentityServer::new(weak.clone()))
            .add_service(v1::grants_server::GrantsServer::new(weak.clone()))
            .add_service(v1::activations_server::ActivationsServer::new(weak.clone()))
            .add_service(v1::negotiations_server::NegotiationsServer::new(weak.clone()))
            .add_service(v1::contracts_server::ContractsServer::new(weak.clone()))
            .add_service(v1::revocations_server::RevocationsServer::new(weak.clone()))
            .add_service(v1::mediation_server::MediationServer::new(weak.clone()))
            .add_service(v1::ledger_server::LedgerServer::new(weak));
        let servers = [
            tokio::spawn(async move { enrolment.serve_with_incoming(newcomers).await.unwrap() }),
            tokio::spawn(async move { services.serve_with_incoming(instances).await.unwrap() }),
        ];
        self.servers.lock().unwrap().extend(servers);
    }

    /// A join token, as an operator hands it out.
    pub(crate) fn join_token(&self, name: &str) -> JoinToken {
        let secret = JoinSecret::generate(&mut OsRng);
        let (who, expires) = (principal(name), now().plus(Lifetime::from_millis(60_000)));
        let digest = secret.digest();
        self.decide(|state, context| state.decide_join_token(context, None, digest, &who, expires)).unwrap();
        self.token(who, secret)
    }

    /// From now on, tells this lie.
    pub(crate) fn lie(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some((lie, None));
    }

    /// From now on, tells this lie about the ledger to one principal, and the others the truth.
    pub(crate) fn lie_to(&self, name: &str, lie: Lie) {
        *self.lie.lock().unwrap() = Some((lie, Some(principal(name))));
    }

    /// From now on, tells the truth.
    pub(crate) fn stop_lying(&self) {
        *self.lie.lock().unwrap() = None;
    }

    /// Loses the replies to the next so many writes.
    pub(crate) fn lose_replies(&self, count: u32) {
        self.lost.store(count, Ordering::SeqCst);
    }

    /// From now on, certificates live so long.
    pub(crate) fn set_svid_ms(&self, millis: u64) {
        self.svid_ms.store(millis, Ordering::SeqCst);
    }

    /// Whether an instance of that principal is serving.
    pub(crate) fn serves(&self, name: &str) -> bool {
        self.callees.lock().unwrap().contains_key(&principal(name))
    }

    /// Forwards a proof under that name, without a decision, a record or a caller who waits.
    pub(crate) async fn deliver(&self, callee: &str, held: &Held, named: InvocationId, proof: &Signed) {
        let message = v1::ServeResponse {
            traceparent: String::new(),
            tracestate: String::new(),
            invocation_id: named.to_string(),
            token: held.token().as_bytes().to_vec(),
            activation: self.activation(&self.state(), held.chain_id()).to_bytes(),
            proof: proof.to_bytes(),
            arguments: Vec::new(),
            body: Vec::new(),
            deadline_ms: now().as_millis() + 2_000,
            ..Default::default()
        };
        self.deliver_bare(callee, message).await;
    }

    /// Forwards that message, whatever it says.
    pub(crate) async fn deliver_bare(&self, callee: &str, message: v1::ServeResponse) {
        let callee = self.callees.lock().unwrap().get(&principal(callee)).unwrap().clone();
        callee.forward.send(Ok(message)).await.unwrap();
    }

    /// How many invocations that callee says it takes at once.
    pub(crate) fn capacity(&self, callee: &str) -> u32 {
        self.callees.lock().unwrap().get(&principal(callee)).unwrap().capacity
    }

    /// Forgets who serves for that principal.
    pub(crate) fn forget_callee(&self, name: &str) {
        self.callees.lock().unwrap().remove(&principal(name));
    }

    /// How many entries of that kind the ledger has.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let entries = self.entries.lock().unwrap();
        let kinds = entries.iter().map(|bytes| Entry::from_bytes(bytes).unwrap().event.kind().name());
        kinds.filter(|name| *name == kind).count()
    }
}

impl Shared {
    fn lying(&self, lie: Lie) -> bool {
        *self.lie.lock().unwrap() == Some((lie, None))
    }

    fn lying_to(&self, actor: &Actor, lie: Lie) -> bool {
        let to_it = Some((lie, Some(actor.instance.principal().clone())));
        self.lying(lie) || *self.lie.lock().unwrap() == to_it
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Decides, records, evolves.
    fn decide(&self, decide: impl FnOnce(&State, &Context<'_>) -> Decision) -> Result<Vec<Event>, Status> {
        let mut state = self.state();
        let events = decide(&state, &self.context(&domain())).map_err(|refusal| status(&refusal))?;
        for event in &events {
            let entry = Entry { time: state.last_time().unwrap_or(now()).max(now()), event: event.clone() };
            self.entries.lock().unwrap().push(entry.to_bytes());
            *state = std::mem::take(&mut *state).evolve(&entry);
        }
        self.size.send_replace(state.tree().size().get());
        Ok(events)
    }

    fn context<'a>(&'a self, domain: &'a TrustDomain) -> Context<'a> {
        let capability_key = (1, &self.keys.capability);
        let rebind_key = &self.keys.rebind;
        Context { now: now(), policy: &self.policy, capability_key, rebind_key, domain }
    }

    /// Fails if the reply is to get lost.
    fn reply<T>(&self, reply: T) -> Result<tonic::Response<T>, Status> {
        let lose = |left: u32| left.checked_sub(1);
        match self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose) {
            Ok(_) => Err(Status::unavailable("the reply got lost")),
            Err(_) => Ok(tonic::Response::new(reply)),
        }
    }

    fn token(&self, principal: PrincipalId, secret: JoinSecret) -> JoinToken {
        let (enrolment, broker) = self.addresses.lock().unwrap().clone();
        JoinToken {
            domain: domain(),
            principal,
            enrolment: enrolment.parse().unwrap(),
            broker: broker.parse().unwrap(),
            authority: self.authority.fingerprint(),
            secret,
        }
    }

    fn activation(&self, state: &State, id: ChainId) -> Signed {
        let chain = state.chain(&id).unwrap();
        Activation {
            domain: domain(),
            chain_id: id,
            activated_by: chain.activated_by,
            subject: chain.subject,
            leaf: chain.leaf,
            origin: Origin::of(&domain()),
        }
        .sign(&self.keys.activation)
    }

    fn checkpoint(&self, state: &State) -> SignedCheckpoint {
        let (size, root) = (state.tree().size(), state.tree().root());
        SignedCheckpoint::sign(
            &Checkpoint { origin: Origin::of(&domain()), size, root },
            &self.keys.checkpoint,
        )
    }
}

/// The services, which end with the broker.
#[derive(Clone)]
struct Services(std::sync::Weak<Shared>);

impl Services {
    fn broker(&self) -> Result<Arc<Shared>, Status> {
        self.0.upgrade().ok_or_else(|| Status::unavailable("the broker is gone"))
    }

    /// The broker, and who is calling.
    fn of<T>(&self, request: &Request<T>) -> Result<(Arc<Shared>, Actor), Status> {
        let actor = request.extensions().get::<Option<Actor>>().cloned().flatten();
        Ok((self.broker()?, actor.ok_or_else(|| Status::unauthenticated("no certificate"))?))
    }
}

fn status(refusal: &Refusal) -> Status {
    let view = refusal.view(Viewer::Operator);
    let metadata = HashMap::from([("rule".to_owned(), view.rule.to_owned())]);
    let details = ErrorDetails::with_error_info(view.reason.name(), "countersign.v1", metadata);
    Status::with_error_details(view.reason.grpc_code().into(), view.message, details)
}

fn malformed(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

fn policy() -> Policy {
    Policy {
        admins: vec![principal("root")],
        grant_rules: vec![GrantRule {
            originator: principal("alice"),
            principal: principal("planner"),
            rights: rights(1_000, 5),
            lifetime: Lifetime::from_millis(3_600_000),
            digest: Digest::of(b"rule"),
        }],
        svid_lifetime: Lifetime::from_millis(300_000),
        human_svid_lifetime: Lifetime::from_millis(300_000),
        digest: Digest::of(b"policy"),
    }
}

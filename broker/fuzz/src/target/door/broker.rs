//! A broker without sockets: the services and their codec, over the scene's ledger in memory.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use countersign_broker::{
    activation::Activator,
    attestor::Attestors,
    channel::{Authority, Peer},
    checkpoint::Checkpoints,
    clock::ManualClock,
    domain::Domain,
    join_tokens::JoinTokens,
    mediation::Mediation,
    service::{
        Activations, Contracts, Enrolment, Grants, Identity, Info, Issuer, Ledger, Negotiations, Revocations,
    },
};
use countersign_forge::{POLICY, domain, domain_key};
use countersign_protocol::{digest::Digest, payload::Payload, time::Lifetime};
use countersign_store::{Head, MemoryStore, Store};
use countersign_wire::v1::{
    activations_server::ActivationsServer, contracts_server::ContractsServer,
    enrolment_server::EnrolmentServer, grants_server::GrantsServer, identity_server::IdentityServer,
    info_server::InfoServer, ledger_server::LedgerServer, negotiations_server::NegotiationsServer,
    revocations_server::RevocationsServer,
};
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use tonic::{Status, body::Body, service::Routes};
use tower::ServiceExt as _;

use super::{method::Method, newcomer::PROVEN};
use crate::scene::SCENE;

/// What came back: a status if it was a refusal, and the first message if there was one.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: Option<Status>,
    pub(super) message: Option<Vec<u8>>,
}

/// Serves until something is recorded in its ledger; then the next call finds a new one.
pub(super) struct Broker {
    runtime: Runtime,
    domain: Arc<Domain>,
    routes: Routes,
}

thread_local! {
    static BROKER: RefCell<Option<Broker>> = const { RefCell::new(None) };
}

/// Made once: keys take their time.
static AUTHORITY: LazyLock<Arc<Authority>> = LazyLock::new(|| {
    let life = Lifetime::from_millis(86_400_000);
    Arc::new(Authority::create(&domain(), SCENE.world.now, life).unwrap())
});

/// How long the answer to a call may take, in the time of a runtime that waits for nothing.
const PATIENCE: Duration = Duration::from_secs(600);

impl Broker {
    /// Calls a method as that party, over its own channel.
    pub(super) fn call(method: &Method, caller: &str, message: &[u8]) -> Answer {
        BROKER.with_borrow_mut(|broker| {
            let serving = broker.get_or_insert_with(Self::open);
            let answer = serving.runtime.block_on(ask(serving.routes.clone(), method, caller, message));
            if !serving.is_unchanged() {
                *broker = None;
            }
            answer
        })
    }

    fn is_unchanged(&self) -> bool {
        self.domain.peek(|state, _| state.tree().size() == SCENE.world.state.tree().size())
    }

    fn open() -> Self {
        // Time passes only where every task waits for it, and then at once.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.unwrap();
        let (domain, routes) = runtime.block_on(serve());
        Self { runtime, domain, routes }
    }
}

async fn serve() -> (Arc<Domain>, Routes) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let entries = SCENE.world.entries.iter().map(|entry| entry.to_bytes().into()).collect();
    store.append(&domain(), Head::EMPTY, entries).await.unwrap();
    let clock = Arc::new(ManualClock::at(SCENE.world.now));
    let policy = SCENE.world.policy.clone();
    let domain =
        Domain::open(domain(), policy, (1, domain_key(201)), domain_key(204), store, clock).await.unwrap();
    let activator = Arc::new(Activator::new(&domain, domain_key(202), Vec::new()).unwrap());
    let checkpoints = Checkpoints::open(Arc::clone(&domain), domain_key(203)).await.unwrap();
    let issuer = Issuer::new(Arc::clone(&domain), Arc::clone(&AUTHORITY));
    let of = || Arc::clone(&domain);
    let join_tokens = JoinTokens {
        enrolment: "127.0.0.1:2".parse().unwrap(),
        broker: "127.0.0.1:1".parse().unwrap(),
        authority: AUTHORITY.fingerprint(),
    };
    let policies = Arc::new(|digest| (digest == Digest::of(POLICY)).then(|| POLICY.to_vec()));
    let mediation = Mediation::new(of(), Arc::clone(&activator));
    let ledger = Ledger::new(of(), checkpoints, Arc::clone(&activator), policies);
    let routes = Routes::new(InfoServer::new(Info::new(of())))
        .add_service(GrantsServer::new(Grants::new(of(), Arc::clone(&activator))))
        .add_service(ActivationsServer::new(Activations::new(of(), activator)))
        .add_service(NegotiationsServer::new(Negotiations::new(of())))
        .add_service(ContractsServer::new(Contracts::new(&mediation)))
        .add_service(RevocationsServer::new(Revocations::new(&mediation)))
        .add_service(EnrolmentServer::new(Enrolment::new(of(), issuer.clone(), Attestors::join_tokens())))
        .add_service(IdentityServer::new(Identity::new(of(), issuer, join_tokens)))
        .add_service(LedgerServer::new(ledger))
        .add_service(mediation.server());
    (domain, routes)
}

/// Sends one message and waits for the first of the answer, and for its status if it has none.
async fn ask(routes: Routes, method: &Method, caller: &str, message: &[u8]) -> Answer {
    let frame = [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat();
    let body = Body::new(http_body_util::Full::new(frame.into()));
    let mut request = http::Request::post(format!("/countersign.v1.{}", method.name)).body(body).unwrap();
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    let agent = SCENE.world.agent(caller);
    let not_after = SCENE.world.now.plus(Lifetime::from_millis(60_000));
    let peer = Peer {
        instance: agent.id.clone(),
        key: PROVEN.clone(),
        not_after,
        remote: ([127, 0, 0, 1], 1).into(),
    };
    request.extensions_mut().insert(agent.actor());
    request.extensions_mut().insert(peer);
    let answer = async {
        let (head, mut body) = routes.oneshot(request).await.unwrap().into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return Answer { status: Some(status), message: None };
        }
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(data) = frame.data_ref() {
                return Answer { status: None, message: data.get(5..).map(<[u8]>::to_vec) };
            }
            let status = frame.trailers_ref().and_then(Status::from_header_map);
            if let Some(status) = status.filter(|status| status.code() != tonic::Code::Ok) {
                return Answer { status: Some(status), message: None };
            }
        }
        Answer { status: None, message: None }
    };
    // A stream that has nothing to say yet was opened all the same.
    let opened = Answer { status: None, message: None };
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or(opened)
}

//! A trust domain with its services, and parties that are honest unless a test makes them otherwise.

use std::{collections::BTreeMap, sync::Arc};

use countersign_broker::{
    activation::Activator,
    checkpoint::Checkpoints,
    clock::ManualClock,
    domain::Domain,
    mediation::Mediation,
    service::{Activations, Contracts, Grants, Ledger, Negotiations},
};
pub(crate) use countersign_forge::{
    Agent, START_MS, domain as trust_domain, domain_key, keys as key_set, principal, rights,
};
use countersign_forge::{POLICY, Stage, attested, policy};
use countersign_protocol::{
    capability::Rights,
    digest::{ChainId, Digest, SpkiHash},
    grant::GrantRequest,
    key::SigningKey,
    name::InstanceId,
    payload::Payload,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
};
use countersign_store::{MemoryStore, Store};
use countersign_wire::v1;
use rand::{SeedableRng, rngs::StdRng};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

pub(crate) use countersign_wire::v1::{
    activations_server::Activations as _, contracts_server::Contracts as _, grants_server::Grants as _,
    ledger_server::Ledger as _, negotiations_server::Negotiations as _,
};

pub(crate) const DOMAIN: &str = "acme.example";

pub(crate) struct World {
    pub(crate) domain: Arc<Domain>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: ManualClock,
    pub(crate) rng: StdRng,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) grants: Grants,
    pub(crate) activations: Activations,
    pub(crate) negotiations: Negotiations,
    pub(crate) contracts: Contracts,
    pub(crate) ledger: Ledger,
    agents: BTreeMap<&'static str, Agent>,
}

pub(crate) fn checkpoint_key() -> SigningKey {
    domain_key(203)
}

/// The policies that are kept.
fn archive(digest: Digest) -> Option<Vec<u8>> {
    (digest == Digest::of(POLICY)).then(|| POLICY.to_vec())
}

/// The domain on that store, as the broker opens it.
pub(crate) async fn open(store: &Arc<dyn Store>, clock: &ManualClock) -> Arc<Domain> {
    let (store, clock) = (Arc::clone(store), Arc::new(clock.clone()));
    Domain::open(trust_domain(), policy(), (1, domain_key(201)), domain_key(204), store, clock).await.unwrap()
}

impl World {
    /// A domain with its keys, and alice, planner, two researchers, fetcher, files, mallory and the
    /// admin root in it.
    pub(crate) async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let clock = ManualClock::at(Timestamp::new(START_MS).unwrap());
        let domain = open(&store, &clock).await;
        domain.decide(|state, context| state.decide_keys(context, &key_set()), |_| Ok(())).await.unwrap();
        let mut world = Self::on(domain, store, clock, BTreeMap::new()).await;
        for name in [
            "root",
            "alice",
            "planner",
            "planner2",
            "researcher",
            "researcher2",
            "fetcher",
            "files",
            "mallory",
        ] {
            world.join(name).await;
        }
        world
    }

    /// The same domain after a restart.
    pub(crate) async fn restart(self) -> Self {
        let domain = open(&self.store, &self.clock).await;
        Self::on(domain, self.store, self.clock, self.agents).await
    }

    async fn on(
        domain: Arc<Domain>,
        store: Arc<dyn Store>,
        clock: ManualClock,
        agents: BTreeMap<&'static str, Agent>,
    ) -> Self {
        let activator = Arc::new(Activator::new(&domain, domain_key(202), Vec::new()).unwrap());
        let checkpoints = Checkpoints::open(Arc::clone(&domain), checkpoint_key()).await.unwrap();
        Self {
            grants: Grants::new(Arc::clone(&domain), Arc::clone(&activator)),
            activations: Activations::new(Arc::clone(&domain), Arc::clone(&activator)),
            negotiations: Negotiations::new(Arc::clone(&domain)),
            contracts: Contracts::new(&Mediation::new(Arc::clone(&domain), Arc::clone(&activator))),
            ledger: Ledger::new(Arc::clone(&domain), Arc::clone(&checkpoints), activator, Arc::new(archive)),
            checkpoints,
            domain,
            store,
            clock,
            rng: StdRng::seed_from_u64(7),
            agents,
        }
    }

    async fn join(&mut self, name: &'static str) {
        self.join_over(name, SpkiHash::from_bytes(Digest::of(name.as_bytes()).to_array())).await;
    }

    /// Lets one in that holds this channel key.
    pub(crate) async fn join_over(&mut self, name: &'static str, spki: SpkiHash) {
        let (secret, expires) = (Digest::of(name.as_bytes()), self.now().plus(Lifetime::from_millis(60_000)));
        let (agent, join) = self.say(|stage| stage.newcomer(&principal(name), spki, secret));
        let (join, attested) = (join.sign(&agent.key), attested(&agent, secret));
        let domain = &self.domain;
        let issued = domain.decide(
            |state, context| state.decide_join_token(context, None, secret, &principal(name), expires),
            |_| Ok(()),
        );
        issued.await.unwrap();
        let joined = domain.decide(|state, context| state.decide_join(context, &join, &attested), |_| Ok(()));
        joined.await.unwrap();
        self.agents.insert(name, agent);
    }

    pub(crate) fn now(&self) -> Timestamp {
        use countersign_broker::clock::Clock as _;
        self.clock.now()
    }

    pub(crate) fn agent(&self, name: &str) -> Agent {
        self.agents[name].clone()
    }

    /// Something that a party would say as it stands.
    pub(crate) fn say<T>(&mut self, say: impl FnOnce(&mut Stage<'_>) -> T) -> T {
        let (now, rng, agents) = (self.now(), &mut self.rng, &self.agents);
        self.domain.peek(|state, _| say(&mut Stage { state, now, rng, agents }))
    }

    /// A call by that agent, as the gate hands it to a service.
    pub(crate) fn call<T>(&self, name: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(self.agent(name).actor());
        request
    }

    /// Entries in the ledger.
    pub(crate) fn size(&self) -> u64 {
        self.domain.peek(|state, _| state.tree().size().get())
    }

    pub(crate) fn grant_request(&mut self, rights: Rights) -> GrantRequest {
        self.say(|stage| stage.grant_request(rights))
    }

    pub(crate) async fn issue(&self, name: &str, signed: &Signed) -> Result<v1::ActiveChain, Status> {
        let request = v1::IssueGrantRequest { trust_domain: DOMAIN.into(), grant_request: signed.to_bytes() };
        Ok(self.grants.issue_grant(self.call(name, request)).await?.into_inner().chain.unwrap())
    }

    /// alice's grant to planner.
    pub(crate) async fn grant(&mut self, rights: Rights) -> v1::ActiveChain {
        let signed = self.grant_request(rights).sign(&self.agent("alice").key);
        self.issue("alice", &signed).await.unwrap()
    }

    pub(crate) async fn activation(&self, name: &str, chain: &[u8]) -> Result<v1::ActiveChain, Status> {
        let request = v1::GetActivationRequest { trust_domain: DOMAIN.into(), chain_id: chain.to_vec() };
        let answer = self.activations.get_activation(self.call(name, request)).await?;
        Ok(answer.into_inner().chain.unwrap())
    }

    /// An admin revokes a chain and everything beneath it.
    pub(crate) async fn revoke(&mut self, chain: &[u8]) {
        let chain = ChainId::try_from(chain).unwrap();
        let chains = self.domain.peek(|state, _| state.live_subtree(chain).len());
        self.revoke_target(Some(chain), None, chains).await;
    }

    /// An admin revokes an instance and everything that it holds.
    pub(crate) async fn revoke_instance(&mut self, name: &str) {
        let (instance, root) = (self.agent(name).id, self.agent("root").id);
        let ending = self.domain.peek(|state, context| {
            state.revocable_instance(context, &root, &instance).map(|ending| ending.live() as usize)
        });
        self.revoke_target(None, Some(instance), ending.unwrap()).await;
    }

    async fn revoke_target(&mut self, chain: Option<ChainId>, instance: Option<InstanceId>, chains: usize) {
        let root = self.agent("root");
        let request = self.say(|stage| stage.revocation("root", chain, instance, chains as u64));
        let (signed, actor) = (request.sign(&root.key), root.actor());
        let revoked =
            self.domain.decide(|state, context| state.decide_revoke(context, &actor, &signed), |_| Ok(()));
        revoked.await.unwrap();
    }

    /// Ends what is due.
    pub(crate) async fn tick(&self) {
        self.domain.decide(|state, context| state.decide_tick(context), |_| Ok(())).await.unwrap();
    }
}

/// The reason that a caller is given.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    let info = status.get_error_details().error_info().cloned().unwrap();
    assert_eq!(info.domain, "countersign.v1");
    info.reason
}

/// The rule that an operator is told was enforced.
pub(crate) fn rule<T: std::fmt::Debug>(answer: Result<T, Status>) -> Option<String> {
    answer.unwrap_err().get_error_details().error_info()?.metadata.get("rule").cloned()
}

/// Everything that a caller can see of a refusal.
pub(crate) fn all_of<T: std::fmt::Debug>(answer: Result<T, Status>) -> (tonic::Code, String, Vec<u8>) {
    let status = answer.unwrap_err();
    assert!(status.metadata().is_empty());
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

pub(crate) fn inner<T>(answer: Result<Response<T>, Status>) -> Result<T, Status> {
    answer.map(Response::into_inner)
}

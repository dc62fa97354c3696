//! A trust domain in memory: its ledger is a list, its clock a number, its parties honest unless a
//! test makes them otherwise.
use std::collections::BTreeMap;

use countersign_protocol::{
    capability::{Amount, Budget, Capability, Rights},
    contract::{
        Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Party, Rebind,
        SeenCheckpoint,
    },
    digest::{ChainId, Digest, SpkiHash},
    domain::{Actor, Attested, Context, Decision, Entry, Event, GrantRule, Policy, State},
    extension::Extensions,
    grant::GrantRequest,
    id::{ContractId, GrantId, InstanceUuid, InvocationId, NegotiationId, RequestId},
    identity::{JoinStatement, RenewStatement},
    key::SigningKey,
    ledger::{Checkpoint, Origin, SignedCheckpoint},
    name::{InstanceId, PrincipalId, TrustDomain},
    negotiation::{Accept, Counter, Move, MoveKind, Offer, Request, empty_transcript},
    payload::{Ascending, Bounded, Payload},
    refusal::{Reason, Refusal},
    signed::{Signed, Statement, sign_detached},
    time::{Lifetime, Timestamp},
    token::{Activation, ActiveToken, Token, UnverifiedToken, sign_hop},
    trust::KeySet,
};
use rand::{SeedableRng, rngs::StdRng};

pub(crate) const POLICY: &[u8] = b"policy";
pub(crate) const START_MS: u64 = 1_800_000_000_000;

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) entries: Vec<Entry>,
    pub(crate) now: Timestamp,
    pub(crate) rng: StdRng,
    pub(crate) policy: Policy,
    pub(crate) agents: BTreeMap<&'static str, Agent>,
}

/// One change to an otherwise good thing, in a world that may change with it.
pub(crate) type Change<T> = fn(&mut World, &mut T);

/// A party with its keys.
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

    pub(crate) fn party(&self) -> Party {
        Party { instance: self.id.clone(), key: self.key.public(), configuration: configuration() }
    }
}

pub(crate) fn domain() -> TrustDomain {
    "acme.example".parse().unwrap()
}

/// The domain's keys: 201 signs grants, 202 activations, 203 checkpoints.
pub(crate) fn domain_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(crate) fn keys() -> KeySet {
    let public = |seed| domain_key(seed).public();
    KeySet::new(domain(), public(201), public(202), public(203)).unwrap()
}

pub(crate) fn configuration() -> Digest {
    Digest::of(b"model, prompt, tools")
}

pub(crate) fn principal(name: &str) -> PrincipalId {
    let kind = match name {
        "alice" | "root" => "human",
        "files" => "service",
        _ => "agent",
    };
    format!("spiffe://acme.example/{kind}/{name}").parse().unwrap()
}

pub(crate) fn capability(resource: &str, actions: &[&str]) -> Capability {
    Capability {
        resource: resource.parse().unwrap(),
        actions: Ascending::new(actions.iter().map(|action| action.parse().unwrap()).collect()).unwrap(),
        constraints: Bounded::default(),
    }
}

/// Rights on `file:/data/**` with so many calls, that leave so many delegations, for an hour.
pub(crate) fn rights(calls: u64, delegations_left: u32) -> Rights {
    Rights {
        capabilities: Bounded::new(vec![capability("file:/data/**", &["read"])]).unwrap(),
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

impl World {
    /// A domain with its keys, and alice, planner, researcher, fetcher, files and mallory in it.
    pub(crate) fn new() -> Self {
        Self::with_keys(&keys())
    }

    /// The same under other keys of the domain.
    pub(crate) fn with_keys(keys: &KeySet) -> Self {
        let rule = GrantRule {
            originator: principal("alice"),
            principal: principal("planner"),
            rights: rights(1000, 5),
            lifetime: Lifetime::from_millis(86_400_000),
            digest: Digest::of(b"rule"),
        };
        let policy = Policy {
            admins: vec![principal("root")],
            grant_rules: vec![rule],
            svid_lifetime: Lifetime::from_millis(300_000),
            human_svid_lifetime: Lifetime::from_millis(3_600_000),
            digest: Digest::of(POLICY),
        };
        let mut world = Self {
            state: State::default(),
            entries: Vec::new(),
            now: Timestamp::new(START_MS).unwrap(),
            rng: StdRng::seed_from_u64(7),
            policy,
            agents: BTreeMap::new(),
        };
        world.decide(|state, context| state.decide_keys(context, keys)).unwrap();
        for name in ["root", "alice", "planner", "researcher", "fetcher", "files", "mallory"] {
            world.join(name);
        }
        world
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.now = self.now.plus(Lifetime::from_millis(millis));
    }

    /// Decides, records, evolves: what the shell does, without a shell.
    pub(crate) fn decide(
        &mut self,
        decide: impl FnOnce(&State, &Context<'_>) -> Decision,
    ) -> Result<Vec<Event>, Reason> {
        let key = domain_key(201);
        let domain = domain();
        let context =
            Context { now: self.now, policy: &self.policy, capability_key: (1, &key), domain: &domain };
        let events = decide(&self.state, &context).map_err(|refusal: Refusal| refusal.reason())?;
        events.iter().for_each(|event| self.record(event));
        Ok(events)
    }

    /// Records an event, decided or not: what a hostile broker can do to its own ledger.
    pub(crate) fn record(&mut self, event: &Event) {
        let entry = Entry { time: self.now, event: event.clone() };
        assert_eq!(Entry::from_bytes(&entry.to_bytes()).as_ref(), Ok(&entry), "it reads back");
        self.state = std::mem::take(&mut self.state).evolve(&entry);
        self.entries.push(entry);
    }

    pub(crate) fn join(&mut self, name: &'static str) {
        let secret = Digest::of(name.as_bytes());
        let expires = self.now.plus(Lifetime::from_millis(60_000));
        let who = principal(name);
        self.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
        let agent = Agent {
            id: who.instance(InstanceUuid::new(self.now, &mut self.rng)),
            key: SigningKey::generate(&mut self.rng),
            spki: SpkiHash::from_bytes(Digest::of(name.as_bytes()).to_array()),
        };
        let join = JoinStatement {
            domain: domain(),
            instance: agent.id.clone(),
            key: agent.key.public(),
            spki: agent.spki,
            configuration: configuration(),
            evidence: secret,
            issued: self.now,
            extensions: Extensions::none(),
        }
        .sign(&agent.key);
        let attested =
            Attested { attestor: "join_token".parse().unwrap(), evidence: secret, spki: agent.spki };
        self.decide(|state, context| state.decide_join(context, &join, &attested)).unwrap();
        self.agents.insert(name, agent);
    }

    /// Renews: an entry like any other, which moves the ledger's time on.
    pub(crate) fn stay(&mut self, name: &str) {
        let agent = self.agent(name);
        let renewal = RenewStatement {
            domain: domain(),
            generation: self.state.instance(&agent.id).unwrap().statement.generation,
            instance: agent.id.clone(),
            spki: agent.spki,
            configuration: configuration(),
            issued: self.now,
            extensions: Extensions::none(),
        };
        let signed = renewal.sign(&agent.key);
        self.decide(|state, context| state.decide_renew(context, &agent.actor(), &signed)).unwrap();
    }

    pub(crate) fn agent(&self, name: &str) -> Agent {
        self.agents[name].clone()
    }

    pub(crate) fn seen(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.state.tree().size(), root: self.state.tree().root() }
    }

    /// alice's grant to planner.
    pub(crate) fn grant(&mut self, rights: Rights) -> Result<ChainId, Reason> {
        let alice = self.agent("alice");
        let request = GrantRequest {
            domain: domain(),
            grant_id: GrantId::new(self.now, &mut self.rng),
            originator: alice.id.clone(),
            holder: self.agent("planner").id,
            rights,
            issued: self.now,
            extensions: Extensions::none(),
        };
        let signed = request.sign(&alice.key);
        self.decide(|state, context| state.decide_grant(context, &alice.actor(), &signed))?;
        Ok(self.state.grant(&request.grant_id).unwrap())
    }

    pub(crate) fn token(&self, chain: ChainId) -> Token {
        let bytes = self.state.chain(&chain).unwrap().token.clone();
        UnverifiedToken::from_bytes(bytes).verify(self.state.keys().unwrap()).unwrap()
    }

    pub(crate) fn activation(&self, id: ChainId) -> Activation {
        self.state.activation(id).unwrap()
    }

    pub(crate) fn active(&self, id: ChainId) -> ActiveToken {
        ActiveToken::new(self.token(id), self.activation(id)).unwrap()
    }

    /// The whole ledger as the domain signs it.
    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        let (size, root) = (self.state.tree().size(), self.state.tree().root());
        let checkpoint = Checkpoint { origin: Origin::of(&domain()), size, root };
        SignedCheckpoint::sign(&checkpoint, &domain_key(203))
    }

    pub(crate) fn submit(&mut self, sender: &str, signed: &Signed) -> Result<Vec<Event>, Reason> {
        let actor = self.agent(sender).actor();
        self.decide(|state, context| state.decide_move(context, &actor, signed))
    }

    /// A whole negotiation: request, offer, accept.
    pub(crate) fn contract(
        &mut self,
        parent: ChainId,
        grantor: &str,
        grantee: &str,
        rights: Rights,
    ) -> Result<ChainId, Reason> {
        let mut talk = Talk::new(self, grantor, grantee);
        talk.request(self, rights.clone())?;
        talk.offer(self, parent, rights)?;
        talk.accept(self)?;
        Ok(self.state.negotiation(&talk.id).unwrap().outcome.unwrap())
    }

    pub(crate) fn invocation_id(&mut self) -> InvocationId {
        InvocationId::new(self.now, &mut self.rng)
    }

    pub(crate) fn request_id(&mut self) -> RequestId {
        RequestId::new(self.now, &mut self.rng)
    }
}

/// Both sides of one negotiation.
pub(crate) struct Talk {
    pub(crate) id: NegotiationId,
    pub(crate) grantor: String,
    pub(crate) grantee: String,
    pub(crate) last_offer: Option<ContractBody>,
}

impl Talk {
    pub(crate) fn new(world: &mut World, grantor: &str, grantee: &str) -> Self {
        let id = NegotiationId::new(world.now, &mut world.rng);
        Self { id, grantor: grantor.into(), grantee: grantee.into(), last_offer: None }
    }

    /// The next move of that sender, without content.
    pub(crate) fn bare(&self, world: &mut World, sender: &str, kind: MoveKind) -> Move {
        let known = world.state.negotiation(&self.id);
        let id = world.agent(sender).id;
        let seq = known.map_or(0, |talk| talk.moves.iter().filter(|made| made.sender == id).count()) + 1;
        let audience = if sender == self.grantor { &self.grantee } else { &self.grantor };
        Move {
            domain: domain(),
            negotiation_id: self.id,
            sender: id,
            seq: seq as u32,
            round: known.map_or(1, |talk| talk.round),
            transcript: known.map_or(empty_transcript(&domain(), self.id), |talk| talk.transcript),
            audience: principal(audience),
            deadline: world.now.plus(Lifetime::from_millis(60_000)),
            request_id: world.request_id(),
            kind,
            request: None,
            counter: None,
            offer: None,
            accept: None,
            extensions: Extensions::none(),
        }
    }

    pub(crate) fn send(&self, world: &mut World, sender: &str, made: &Move) -> Result<Vec<Event>, Reason> {
        let signed = made.sign(&world.agent(sender).key);
        world.submit(sender, &signed)
    }

    pub(crate) fn request(&self, world: &mut World, rights: Rights) -> Result<Vec<Event>, Reason> {
        let mut made = self.bare(world, &self.grantee, MoveKind::Request);
        let deadline = world.now.plus(Lifetime::from_millis(600_000));
        let purpose = Digest::of(b"why");
        made.request = Some(Request { rights, purpose, deadline, max_rounds: 5 });
        self.send(world, &self.grantee, &made)
    }

    pub(crate) fn counter(&self, world: &mut World, rights: Rights) -> Result<Vec<Event>, Reason> {
        let mut made = self.bare(world, &self.grantee, MoveKind::Counter);
        made.counter = Some(Counter { rights });
        self.send(world, &self.grantee, &made)
    }

    pub(crate) fn plain(
        &self,
        world: &mut World,
        sender: &str,
        kind: MoveKind,
    ) -> Result<Vec<Event>, Reason> {
        let made = self.bare(world, sender, kind);
        self.send(world, sender, &made)
    }

    /// The contract that an honest grantor would offer.
    pub(crate) fn body(&self, world: &mut World, parent: ChainId, rights: Rights) -> ContractBody {
        let chain = world.state.chain(&parent).unwrap().clone();
        let talk = world.state.negotiation(&self.id).unwrap().clone();
        ContractBody {
            version: ContractVersion::V1,
            contract_id: ContractId::new(world.now, &mut world.rng),
            negotiation_id: self.id,
            transcript: talk.transcript,
            domain: domain(),
            grantor: world.agent(&self.grantor).party(),
            grantee: world.agent(&self.grantee).party(),
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
            seen: world.seen(),
            algorithm: countersign_protocol::signed::Algorithm::Ed25519,
            extensions: Extensions::none(),
        }
    }

    pub(crate) fn offer(
        &mut self,
        world: &mut World,
        parent: ChainId,
        rights: Rights,
    ) -> Result<Vec<Event>, Reason> {
        let body = self.body(world, parent, rights);
        self.offer_body(world, &body)
    }

    /// Offers any contract, signed with the grantor's real key.
    pub(crate) fn offer_body(
        &mut self,
        world: &mut World,
        body: &ContractBody,
    ) -> Result<Vec<Event>, Reason> {
        let made = self.offered(world, body);
        self.last_offer = Some(body.clone());
        self.send(world, &self.grantor.clone(), &made)
    }

    /// The move that offers it.
    pub(crate) fn offered(&self, world: &mut World, body: &ContractBody) -> Move {
        let grantor = world.agent(&self.grantor);
        let parent = world.token(body.parent);
        let contract = body.to_bytes();
        let mut made = self.bare(world, &self.grantor, MoveKind::Offer);
        made.offer = Some(Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &contract, &grantor.key),
            hop_signature: sign_hop(&parent, &body.hop_terms(), &grantor.key),
            contract,
            expires: world.now.plus(Lifetime::from_millis(60_000)),
        });
        made
    }

    pub(crate) fn accept(&self, world: &mut World) -> Result<Vec<Event>, Reason> {
        let made = self.acceptance(world);
        self.send(world, &self.grantee, &made)
    }

    pub(crate) fn acceptance(&self, world: &mut World) -> Move {
        let body = self.last_offer.clone().unwrap();
        let key = world.agent(&self.grantee).key;
        let mut made = self.bare(world, &self.grantee, MoveKind::Accept);
        made.accept = Some(Accept {
            contract: body.hash(),
            contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), &key),
            seen: world.seen(),
        });
        made
    }
}

//! A trust domain in memory: its ledger is a list, its clock a number, its parties honest unless a
//! test makes them otherwise.

use std::collections::BTreeMap;

use countersign_protocol::{
    capability::Rights,
    contract::{ContractBody, Rebind, SeenCheckpoint},
    digest::{ChainId, Digest, SpkiHash},
    domain::{Context, Decision, Entry, Event, Policy, State},
    id::{InvocationId, RequestId},
    ledger::{Checkpoint, Origin, SignedCheckpoint},
    payload::Payload,
    refusal::{Reason, Refusal},
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::{Activation, ActiveToken, Token, UnverifiedToken},
    trust::KeySet,
};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    cast::{Agent, START_MS, domain, domain_key, keys, policy, principal},
    stage::{Stage, attested},
    talk::Talk,
};

/// A trust domain, whoever is in it, and the time there.
#[derive(Clone)]
pub struct World {
    /// The fold of the entries.
    pub state: State,
    /// The ledger.
    pub entries: Vec<Entry>,
    /// The time.
    pub now: Timestamp,
    /// Where ids and keys come from.
    pub rng: StdRng,
    /// What its operator allows.
    pub policy: Policy,
    /// Who joined, by name.
    pub agents: BTreeMap<&'static str, Agent>,
}

/// One change to an otherwise good thing, in a world that may change with it.
pub type Change<T> = fn(&mut World, &mut T);

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A domain with its keys, and alice, planner, researcher, fetcher, files and mallory in it.
    pub fn new() -> Self {
        Self::with_keys(&keys())
    }

    /// The same under other keys of the domain.
    pub fn with_keys(keys: &KeySet) -> Self {
        let mut world = Self {
            state: State::default(),
            entries: Vec::new(),
            now: Timestamp::new(START_MS).unwrap(),
            rng: StdRng::seed_from_u64(7),
            policy: policy(),
            agents: BTreeMap::new(),
        };
        world.decide(|state, context| state.decide_keys(context, keys)).unwrap();
        for name in ["root", "alice", "planner", "researcher", "fetcher", "files", "mallory"] {
            world.join(name);
        }
        world
    }

    /// Lets time pass.
    pub fn pass(&mut self, millis: u64) {
        self.now = self.now.plus(Lifetime::from_millis(millis));
    }

    /// Decides, records, evolves: what the shell does, without a shell.
    pub fn decide(
        &mut self,
        decide: impl FnOnce(&State, &Context<'_>) -> Decision,
    ) -> Result<Vec<Event>, Reason> {
        let events = self.judge(decide).map_err(|refusal: Refusal| refusal.reason())?;
        events.iter().for_each(|event| self.record(event));
        Ok(events)
    }

    /// Decides, and leaves it at that.
    pub fn judge(&self, decide: impl FnOnce(&State, &Context<'_>) -> Decision) -> Decision {
        let (key, rebind_key, domain) = (domain_key(201), domain_key(204), domain());
        let context = Context {
            now: self.now,
            policy: &self.policy,
            capability_key: (1, &key),
            rebind_key: &rebind_key,
            domain: &domain,
        };
        decide(&self.state, &context)
    }

    /// Records an event, decided or not: what a hostile broker can do to its own ledger.
    pub fn record(&mut self, event: &Event) {
        let entry = Entry { time: self.now, event: event.clone() };
        assert_eq!(Entry::from_bytes(&entry.to_bytes()).as_ref(), Ok(&entry), "it reads back");
        self.state = std::mem::take(&mut self.state).evolve(&entry);
        // Of a long ledger now and then: a snapshot is as long as all that it holds.
        if self.entries.len() < 64 || self.entries.len().is_multiple_of(64) {
            let again = State::from_snapshot(&self.state.to_snapshot(), self.state.tree().clone());
            assert_eq!(again.as_ref(), Ok(&self.state), "a snapshot holds all of it");
        }
        self.entries.push(entry);
    }

    /// A new running copy of that principal, with keys of its own.
    pub fn join(&mut self, name: &'static str) {
        let secret = Digest::of(name.as_bytes());
        let expires = self.now.plus(Lifetime::from_millis(60_000));
        let who = principal(name);
        self.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
        let spki = SpkiHash::from_bytes(Digest::of(name.as_bytes()).to_array());
        let (agent, join) = self.stage().newcomer(&who, spki, secret);
        let (join, attested) = (join.sign(&agent.key), attested(&agent, secret));
        self.decide(|state, context| state.decide_join(context, &join, &attested)).unwrap();
        self.agents.insert(name, agent);
    }

    /// Renews: an entry like any other, which moves the ledger's time on.
    pub fn stay(&mut self, name: &str) {
        let agent = self.agent(name);
        let renewal = self.stage().renewal(name);
        let signed = renewal.sign(&agent.key);
        self.decide(|state, context| state.decide_renew(context, &agent.actor(), &signed)).unwrap();
    }

    /// The newest copy of that name.
    pub fn agent(&self, name: &str) -> Agent {
        self.agents[name].clone()
    }

    /// The ledger as it stands, as a party states it.
    pub fn seen(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.state.tree().size(), root: self.state.tree().root() }
    }

    /// What its parties would say as it stands.
    pub fn stage(&mut self) -> Stage<'_> {
        Stage { state: &self.state, now: self.now, rng: &mut self.rng, agents: &self.agents }
    }

    /// alice's grant to planner.
    pub fn grant(&mut self, rights: Rights) -> Result<ChainId, Reason> {
        let alice = self.agent("alice");
        let request = self.stage().grant_request(rights);
        let signed = request.sign(&alice.key);
        self.decide(|state, context| state.decide_grant(context, &alice.actor(), &signed))?;
        Ok(self.state.grant(&request.grant_id).unwrap())
    }

    /// The token of a chain, verified.
    pub fn token(&self, chain: ChainId) -> Token {
        let bytes = self.state.chain(&chain).unwrap().token.clone();
        UnverifiedToken::from_bytes(bytes).verify(self.state.keys().unwrap()).unwrap()
    }

    /// What the domain signs for a chain.
    pub fn activation(&self, id: ChainId) -> Activation {
        self.state.activation(id).unwrap()
    }

    /// Both together.
    pub fn active(&self, id: ChainId) -> ActiveToken {
        ActiveToken::new(self.token(id), self.activation(id)).unwrap()
    }

    /// The whole ledger as the domain signs it.
    pub fn checkpoint(&self) -> SignedCheckpoint {
        let (size, root) = (self.state.tree().size(), self.state.tree().root());
        let checkpoint = Checkpoint { origin: Origin::of(&domain()), size, root };
        SignedCheckpoint::sign(&checkpoint, &domain_key(203))
    }

    /// Submits a signed move as that sender.
    pub fn submit(&mut self, sender: &str, signed: &Signed) -> Result<Vec<Event>, Reason> {
        let actor = self.agent(sender).actor();
        self.decide(|state, context| state.decide_move(context, &actor, signed))
    }

    /// A contract that a fresh instance of its grantee may take over as that rule says.
    pub fn rebindable(
        &mut self,
        parent: ChainId,
        grantor: &str,
        grantee: &str,
        terms: (Rights, Rebind),
    ) -> Result<ChainId, Reason> {
        let (rights, rebind) = terms;
        let mut talk = Talk::new(self, grantor, grantee);
        talk.request(self, rights.clone())?;
        let body = ContractBody { rebind, ..talk.body(self, parent, rights) };
        talk.offer_body(self, &body)?;
        talk.accept(self)?;
        Ok(self.state.negotiation(&talk.id).unwrap().outcome.unwrap())
    }

    /// A whole negotiation: request, offer, accept.
    pub fn contract(
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

    /// A new id.
    pub fn invocation_id(&mut self) -> InvocationId {
        InvocationId::new(self.now, &mut self.rng)
    }

    /// A new id.
    pub fn request_id(&mut self) -> RequestId {
        RequestId::new(self.now, &mut self.rng)
    }
}

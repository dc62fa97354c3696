//! Everything that there is in one run.

use std::sync::LazyLock;

use bytes::Bytes;
use countersign_forge::{Agent, START_MS, principal};
use countersign_protocol::{
    capability::Rights,
    digest::{Digest, SpkiHash},
    domain::{GrantRule, Policy, State},
    id::InstanceUuid,
    key::SigningKey,
    payload::Payload,
    time::{Lifetime, Timestamp},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    broker::Process,
    keys::Keys,
    ledger::Ledger,
    network::{Network, Packet},
    party::{CAST, Party, Swindle},
    plan::Step,
    scope,
    stop::Flow,
    tally::Tally,
    tokens::Tokens,
    witness::Witness,
};

/// From how many entries on the keys are rotated, in runs in which they are.
const ROTATION: u64 = 40;

/// Everything that there is in one run.
pub struct World {
    /// The time.
    pub now: Timestamp,
    /// By how many milliseconds the broker's clock is ahead of it.
    pub drift: i64,
    /// Where ids and keys come from.
    pub rng: StdRng,
    /// What the operator allows.
    pub policy: Policy,
    /// The domain's keys.
    pub keys: Keys,
    /// Whether they are rotated on the way.
    rotates: bool,
    /// What survives.
    pub ledger: Ledger,
    /// The broker, while it runs.
    pub process: Option<Process>,
    /// How many more steps it is down.
    pub outage: u8,
    /// The state before a crash that lost nothing.
    pub before_crash: Option<State>,
    /// The principals.
    pub parties: Vec<Party>,
    /// What is between them.
    pub network: Network,
    /// Who sees everything.
    pub witness: Witness,
    /// Tokens that were verified.
    pub tokens: Tokens,
    /// At which of the next commit points the power goes; zero for none.
    pub crash_in: u8,
    /// Whether the power goes again as soon as the broker starts.
    pub cut_again: bool,
    /// Whether the disk leaves things unwritten.
    pub slow: bool,
    /// For how many more steps callees take nothing.
    pub stalled: u8,
    /// How the hostile callee answers next.
    pub swindle: Option<Swindle>,
    /// Processes that are gone, whose keys somebody may have.
    pub ghosts: Vec<Agent>,
    /// Numbers for requests.
    pub calls: u64,
    /// What was met.
    pub tally: Tally,
    /// Whether every step is printed.
    pub trace: bool,
}

/// Alice may let planner and dealer do what [`scope::widest`] says.
fn policy() -> Policy {
    let rule = |name| GrantRule {
        originator: principal("alice"),
        principal: principal(name),
        rights: Rights { delegations_left: 4, ..scope::widest() },
        lifetime: Lifetime::from_millis(scope::GRANT_MS),
        digest: Digest::of(b"rule"),
    };
    Policy { grant_rules: vec![rule("planner"), rule("dealer")], ..countersign_forge::policy() }
}

/// A domain in which everyone has joined and two grants were made; each run begins with a copy.
struct Prologue {
    entries: Vec<Bytes>,
    state: State,
    parties: Vec<Party>,
    witness: Witness,
    tokens: Tokens,
    now: Timestamp,
}

static PROLOGUE: LazyLock<Prologue> = LazyLock::new(Prologue::new);

impl Prologue {
    fn new() -> Self {
        let mut world = World::empty();
        world.enact().unwrap_or_else(|stop| panic!("the prologue: {stop:?}"));
        let state = world.process.as_ref().map(|process| process.state.clone()).unwrap_or_default();
        let entries = world.witness.entries.iter().map(|entry| Bytes::from(entry.to_bytes()));
        Self {
            entries: entries.collect(),
            state,
            parties: world.parties,
            witness: world.witness,
            tokens: world.tokens,
            now: world.now,
        }
    }
}

impl World {
    /// The world in which the plan of a seed runs.
    pub fn begin(seed: u64) -> Self {
        let prologue = &*PROLOGUE;
        let ledger = Ledger::beginning_with(prologue.entries.clone());
        let process = Process::of(prologue.state.clone(), ledger.head());
        Self {
            now: prologue.now,
            rng: StdRng::seed_from_u64(!seed),
            ledger,
            process: Some(process),
            parties: prologue.parties.clone(),
            witness: prologue.witness.clone().thorough(seed.is_multiple_of(2)),
            tokens: prologue.tokens.clone(),
            rotates: seed % 4 == 3,
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        let keys = Keys::first();
        let ledger = Ledger::default();
        let process = Process::of(State::default(), ledger.head());
        Self {
            now: Timestamp::new(START_MS).unwrap(),
            drift: 0,
            rng: StdRng::seed_from_u64(7),
            policy: policy(),
            witness: Witness::new(keys.set.clone()),
            keys,
            rotates: false,
            ledger,
            process: Some(process),
            outage: 0,
            before_crash: None,
            parties: Vec::new(),
            network: Network::default(),
            tokens: Tokens::default(),
            crash_in: 0,
            cut_again: false,
            slow: false,
            stalled: 0,
            swindle: None,
            ghosts: Vec::new(),
            calls: 0,
            tally: Tally::default(),
            trace: false,
        }
    }

    /// What came before: the keys, everyone's joining, and a grant for planner and dealer.
    fn enact(&mut self) -> Flow {
        let keys = self.keys.set.clone();
        self.decide(|state, context| state.decide_keys(context, &keys))?;
        for name in CAST {
            let agent = Agent {
                id: principal(name).instance(InstanceUuid::new(self.now, &mut self.rng)),
                key: SigningKey::generate(&mut self.rng),
                spki: SpkiHash::from_bytes(self.rng.r#gen()),
            };
            let Some(secret) = self.invite(name, 0)? else { continue };
            let (join, attested) = self.join_statement(&agent, secret);
            self.decide(|state, context| state.decide_join(context, &join, &attested))?;
            let expires = self
                .process
                .as_ref()
                .and_then(|it| it.state.instance(&agent.id))
                .map(|it| it.statement.expires);
            self.parties.push(Party::new(name, agent, 1, expires.unwrap_or(self.now)));
        }
        self.flush()?;
        for (to, how) in [(0, 0), (1, 3)] {
            let step = Step::plain(crate::plan::Act::Grant, 0, to, 0, how);
            self.make_grant(&step)?;
            self.pump()?;
        }
        Ok(())
    }

    /// Rotates the keys, once there are so many entries; again, if the power went before that was durable.
    pub fn rotate_if_due(&mut self) -> Flow {
        let Some(process) = &self.process else { return Ok(()) };
        let size = process.state.tree().size();
        if !self.rotates || size.get() < ROTATION {
            return Ok(());
        }
        // No more than once: there is no third set of keys.
        let Some(rotation) = self.keys.rotation_at(size.next_leaf()) else { return Ok(()) };
        self.decide(|state, context| state.decide_rotation(context, &rotation))?;
        self.know_keys();
        Ok(())
    }

    /// Everyone knows the keys that the ledger tells of.
    pub fn know_keys(&mut self) {
        let known = self.process.as_ref().and_then(|process| process.state.keys().cloned());
        let keys = known.map_or_else(Keys::first, Keys::of);
        self.witness.know_keys(&keys.set);
        self.keys = keys;
    }

    /// Lets everything arrive that arrives now, and what it causes.
    pub fn pump(&mut self) -> Flow {
        while let Some(packet) = self.network.arrival() {
            match packet {
                Packet::Request { from, call, request, honest } => {
                    self.handle(from, call, request, honest)?
                }
                Packet::Reply { to, call, reply } => self.hear(&to, call, reply)?,
                Packet::Forward { to, job } => self.serve_job(&to, &job)?,
                Packet::Receipt { from, id, receipt, body, told } => {
                    self.receipted(&from, id, (receipt, body, told))?;
                }
            }
        }
        Ok(())
    }

    /// Time passes.
    pub fn pass_time(&mut self, millis: u64) {
        self.now = self.now.plus(Lifetime::from_millis(millis));
    }

    /// The callee of that name, if a process of it is there.
    pub fn callee(
        &self,
        wanted: &countersign_protocol::name::PrincipalId,
    ) -> Option<crate::network::Address> {
        let at = self.parties.iter().position(|party| {
            scope::CALLEES.contains(&party.name) && *party.agent.id.principal() == *wanted && !party.out
        });
        at.map(|who| self.address(who))
    }

    /// Prints something of a run that is traced.
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{}", what());
        }
    }
}

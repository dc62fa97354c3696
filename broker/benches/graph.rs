//! What questions to the delegation graph cost, as ratios to reading the edges that they must read.
//!
//! `cargo bench -p countersign-broker --bench graph`; `COUNTERSIGN_GRAPH_AGENTS` and
//! `COUNTERSIGN_GRAPH_CONTRACTS` say how large. The ledger is made of entries that nobody decided: the
//! fold does not ask, and a hundred thousand negotiations would take longer than what is measured.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot build its input must stop")]
#![expect(clippy::indexing_slicing, reason = "a measurement that cannot build its input must stop")]

use std::{
    env, fs,
    hint::black_box,
    time::{Duration, Instant},
};

use countersign_forge::{Talk, World, principal, rights};
use countersign_protocol::{
    capability::{Capability, Rights},
    contract::{ContractBody, Party},
    digest::{ChainId, Digest, SpkiHash},
    domain::{Chain, ContractFinalized, Entry, Event, GrantIssued, InstanceAdmitted, State},
    graph::{Covers, Moment, Walk, Wish},
    id::{ContractId, InstanceUuid, NegotiationId},
    identity::InstanceStatement,
    key::SigningKey,
    ledger::TreeSize,
    name::InstanceId,
    payload::Bounded,
    signed::{Signed, Statement},
};

/// Links beneath each link.
const FAN: usize = 10;
const RUNS: usize = 9;
const RUN: Duration = Duration::from_millis(50);

/// Where a link stands: its chain, its holder's number, and its resources without the final star.
#[derive(Clone)]
struct Place {
    chain: ChainId,
    holder: usize,
    beneath: String,
    depth: u32,
}

struct Ledger {
    state: State,
    world: World,
    talk: NegotiationId,
    agents: Vec<InstanceId>,
    key: SigningKey,
    body: ContractBody,
    /// Whether each link may do less than its parent, as agents agree, or the same.
    narrows: bool,
    tokens: usize,
}

impl Ledger {
    fn new(agents: usize, narrows: bool) -> Self {
        let mut world = World::new();
        let grant = world.grant(rights(1_000, 5)).unwrap();
        let talk = Talk::new(&mut world, "planner", "researcher");
        talk.request(&mut world, rights(2, 4)).unwrap();
        let body = world.stage().contract_body(talk.id, ["planner", "researcher"], grant, rights(2, 4));
        let (state, key) = (world.state.clone(), SigningKey::from_seed(&[7; 32]));
        let mut ledger =
            Self { state, world, talk: talk.id, agents: Vec::new(), key, body, narrows, tokens: 0 };
        ledger.agents = (0..agents).map(|number| ledger.admit(number)).collect();
        ledger
    }

    fn record(&mut self, event: Event) {
        let entry = Entry { time: self.world.now, event };
        self.state = std::mem::take(&mut self.state).evolve(&entry);
    }

    fn admit(&mut self, number: usize) -> InstanceId {
        let who = principal(&format!("a{}", number / 2));
        let instance = who.instance(InstanceUuid::new(self.world.now, &mut self.world.rng));
        let statement = InstanceStatement {
            instance: instance.clone(),
            key: self.key.public(),
            spki: SpkiHash::from_bytes([1; 32]),
            configuration: Digest::of(b"model, prompt, tools"),
            attestor: "join_token".parse().unwrap(),
            evidence: Digest::of(b"secret"),
            generation: 1,
            expires: self.body.rights.not_after,
        };
        let join = self.signed();
        self.record(Event::InstanceAdmitted(InstanceAdmitted { statement, join }));
        instance
    }

    fn signed(&self) -> Signed {
        self.body.sign(&self.key)
    }

    fn rights(&self, beneath: &str) -> Rights {
        let pattern = if self.narrows { format!("file:/{beneath}**") } else { "file:/**".to_owned() };
        let wide = rights(1_000, 5);
        let capability = Capability { resource: pattern.parse().unwrap(), ..wide.capabilities[0].clone() };
        Rights { capabilities: Bounded::new(vec![capability]).unwrap(), ..wide }
    }

    fn grant(&mut self) -> Place {
        let holder = 0;
        let rights = self.rights("");
        let mut request = self.world.stage().grant_request(rights);
        request.holder = self.agents[holder].clone();
        let request = request.sign(&self.key);
        let chain = ChainId::from_bytes(Digest::of(b"the grant").to_array());
        let token = vec![0; 900];
        self.tokens += token.len();
        self.record(Event::GrantIssued(GrantIssued {
            request,
            token,
            chain_id: chain,
            rule: Digest::of(b""),
        }));
        Place { chain, holder, beneath: String::new(), depth: 0 }
    }

    fn contract(&mut self, parent: &Place, number: usize) -> Place {
        let holder = number % self.agents.len();
        let beneath = format!("{}s{}/", parent.beneath, number % FAN);
        let contract_id = ContractId::new(self.world.now, &mut self.world.rng);
        let party = |agent: usize| Party {
            instance: self.agents[agent].clone(),
            key: self.key.public(),
            configuration: Digest::of(b"model, prompt, tools"),
        };
        let body = ContractBody {
            contract_id,
            grantor: party(parent.holder),
            grantee: party(holder),
            parent: parent.chain,
            depth: parent.depth + 1,
            rights: self.rights(&beneath),
            ..self.body.clone()
        };
        let chain = ChainId::from_bytes(Digest::of(&number.to_be_bytes()).to_array());
        let token = vec![0; 900 + 700 * body.depth as usize];
        self.tokens += token.len();
        let contract = body.sign(&self.key);
        let (negotiation_id, depth) = (self.talk, body.depth);
        self.record(Event::ContractFinalized(ContractFinalized {
            negotiation_id,
            contract,
            chain_id: chain,
            token,
        }));
        Place { chain, holder, beneath, depth }
    }

    /// A grant, and so many contracts in a tree beneath it.
    fn grow(&mut self, contracts: usize) -> ChainId {
        let grant = self.grant();
        let mut places = vec![grant.clone()];
        for number in 0..contracts {
            let parent = places[number / FAN].clone();
            let place = self.contract(&parent, number);
            places.push(place);
        }
        grant.chain
    }

    fn moment(&self) -> Moment {
        Moment { size: self.state.tree().size(), time: self.world.now }
    }
}

/// How long it takes: the median, the fastest and the slowest of some runs, each long enough to be told
/// from a turn that another process had.
fn timed(mut run: impl FnMut() -> usize) -> (Duration, Duration, Duration, usize) {
    let begin = Instant::now();
    let found = black_box(run());
    let turns = (RUN.as_nanos() / begin.elapsed().as_nanos().max(1)).clamp(1, 100_000) as u32;
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..turns {
                black_box(run());
            }
            begin.elapsed() / turns
        })
        .collect();
    times.sort();
    (times[RUNS / 2], times[0], times[RUNS - 1], found)
}

/// A question against reading, one after another, the links that it has to look at.
fn compare(what: &str, question: impl FnMut() -> usize, floor: impl FnMut() -> usize) {
    let (asked, least, most, found) = timed(question);
    let (read, ..) = timed(floor);
    let ratio = |time: Duration| time.as_secs_f64() / read.as_secs_f64();
    println!(
        "{what:<44} {found:>7} found  {asked:>10.1?}  floor {read:>10.1?}  ratio {:>5.2} ({:.2} to {:.2})",
        ratio(asked),
        ratio(least),
        ratio(most)
    );
}

fn who_can(state: &State, moment: Moment, wish: &Wish) -> usize {
    let meant = |link: &Chain| moment.has_in_force(link) && wish.within(&link.rights) != Covers::No;
    Walk::all(state).after(None, meant).filter(|step| step.entered).count()
}

/// The links that any answer has to look at: those that can, and those right beneath them.
fn must_read(state: &State, moment: Moment, wish: &Wish) -> Vec<ChainId> {
    let meant = |link: &Chain| moment.has_in_force(link) && wish.within(&link.rights) != Covers::No;
    Walk::all(state).after(None, meant).map(|step| step.id).collect()
}

fn questions(ledger: &Ledger, top: ChainId, resource: &str) {
    let (state, moment) = (&ledger.state, ledger.moment());
    let wish = Wish {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: resource.parse().unwrap(),
        arguments: None,
    };
    let ids = must_read(state, moment, &wish);
    let read = || {
        let can = ids.iter().filter_map(|id| state.chain(id));
        can.filter(|link| moment.has_in_force(link) && wish.within(&link.rights) != Covers::No).count()
    };
    compare(&format!("who can {resource}"), || who_can(state, moment, &wish), read);
    let past = Moment { size: TreeSize::new(moment.size.get() / 2).unwrap(), ..moment };
    let ids = must_read(state, past, &wish);
    let read = || {
        let can = ids.iter().filter_map(|id| state.chain(id));
        can.filter(|link| past.has_in_force(link) && wish.within(&link.rights) != Covers::No).count()
    };
    compare("the same as of half the ledger", || who_can(state, past, &wish), read);

    let ending = Walk::beneath(state, top);
    let ids: Vec<ChainId> = ending.after(None, |link| link.live > 0).map(|step| step.id).collect();
    let read =
        || ids.iter().filter_map(|id| state.chain(id)).filter(|link| !link.state.is_terminal()).count();
    let walk =
        || ending.after(None, |link| link.live > 0).filter(|step| !step.link.state.is_terminal()).count();
    compare("blast radius of the grant", walk, read);
    let (count, ..) = timed(|| ending.live() as usize);
    println!("its number alone: {count:?}");
    let (page, ..) =
        timed(|| ending.after(ids.get(ids.len() / 2).copied(), |link| link.live > 0).take(1_024).count());
    println!("one page of 1,024 links from the middle: {page:.1?}");
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn number(name: &str, default: usize) -> usize {
    env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

fn main() {
    let (agents, contracts) =
        (number("COUNTERSIGN_GRAPH_AGENTS", 10_000), number("COUNTERSIGN_GRAPH_CONTRACTS", 100_000));
    for (narrows, resource) in [(true, "file:/s3/s1/s4/s1/s5/x"), (false, "file:/s3/x")] {
        let mut ledger = Ledger::new(agents, narrows);
        let before = resident_kib();
        let top = ledger.grow(contracts);
        let bytes = (resident_kib().saturating_sub(before)) * 1_024 / contracts as u64;
        let tokens = ledger.tokens / contracts;
        let kind =
            if narrows { "each link narrower than its parent" } else { "every link as wide as its parent" };
        println!("\n{agents} agents, {contracts} contracts, {kind}");
        // The second ledger is in memory that the first has left.
        if narrows {
            println!("memory: {bytes} bytes a contract, of which {tokens} are its token");
        }
        questions(&ledger, top, resource);
    }
}

//! The trust domain in which statements are judged: a few chains, negotiations in each state, an
//! invocation that has ended and one that has not, and what its parties could honestly say next.

use std::{collections::BTreeSet, sync::LazyLock};

use countersign_forge::{
    Agent, POLICY, Talk, World, capability, configuration, domain, domain_key, principal, receipt, rights,
};
use countersign_protocol::{
    audit::Audit,
    capability::{Argument, Arguments, Constraint, IntRange, Request, Rights, Rule, Value},
    contract::{ChangeKind, Side},
    digest::{ChainId, Digest, SpkiHash},
    domain::{Begin, Context, End, Event},
    explain::{self, Bundle},
    extension::Extensions,
    id::InvocationId,
    identity::RenewStatement,
    name::InstanceId,
    negotiation::{self, Move, MoveKind},
    payload::{Bounded, Payload},
    signed::{Signed, Statement},
    time::Lifetime,
    token::{ActiveToken, Presentation, Proof},
};

/// Made once: everything in it is the same in each run.
pub(crate) static SCENE: LazyLock<Scene> = LazyLock::new(Scene::set);

pub(crate) struct Scene {
    pub(crate) world: World,
    /// An audit that has read the whole ledger.
    pub(crate) audit: Audit,
    /// alice's grant to planner, planner's contract with researcher, researcher's with fetcher.
    pub(crate) chains: [ChainId; 3],
    /// Their tokens.
    pub(crate) active: [ActiveToken; 3],
    /// An invocation by fetcher that was receipted.
    pub(crate) ended: InvocationId,
    /// One by researcher that is under way.
    pub(crate) open: InvocationId,
    /// Statements that would be accepted as they are, each on its own.
    pub(crate) fresh: Vec<Signed>,
    /// Digests of all payloads that somebody's real key signed.
    known: BTreeSet<Digest>,
}

impl Scene {
    fn set() -> Self {
        let mut world = World::new();
        let grant = world.grant(rights(500, 5)).unwrap();
        let first = world.contract(grant, "planner", "researcher", rights(100, 4)).unwrap();
        let leaf = world.contract(first, "researcher", "fetcher", few_bytes(10, 3)).unwrap();
        let (ended, proven) = begin(&mut world, "fetcher", leaf);
        let receipt = receipt_for(&world, &proven);
        world.decide(|state, context| state.decide_end(context, ended, &End::Receipt(&receipt))).unwrap();
        let (open, proven) = begin(&mut world, "researcher", first);
        // A second grant, so that a listing has a second page.
        world.grant(rights(3, 0)).unwrap();
        let talks = [talk_that_asks(&mut world), talk_that_offers(&mut world, grant)];
        let token = issue_join_token(&mut world);

        let mut fresh = next_moves(&world, &talks, grant);
        fresh.extend([join(&world, token), renewal(&world), grant_request(&world)]);
        fresh.extend(revocations(&world, leaf));
        fresh.extend(changes(&world, first));
        fresh.push(receipt_for(&world, &proven));
        fresh.push(proof(&mut world.clone(), "fetcher", leaf).sign(&world.agent("fetcher").key));
        let statements = world.entries.iter().flat_map(|entry| statements_in(&entry.event));
        let known = statements.chain(fresh.iter().cloned()).flat_map(|signed| digests(&signed)).collect();

        let audit = Audit::begin(countersign_forge::keys());
        let audit = world.entries.iter().fold(audit, |audit, entry| audit.entry(&entry.to_bytes()));
        let chains = [grant, first, leaf];
        let active = chains.map(|chain| world.active(chain));
        Self { world, audit, chains, active, ended, open, fresh, known }
    }

    /// Whether that payload was signed by a real key.
    pub(crate) fn knows(&self, signed: &Signed) -> bool {
        self.known.contains(&signed.digest())
    }

    /// The party behind an instance.
    pub(crate) fn agent(&self, id: &InstanceId) -> Option<&Agent> {
        self.world.agents.values().find(|agent| agent.id == *id)
    }

    /// Judges at the scene's time, under its operator's policy.
    pub(crate) fn decide<T>(&self, decide: impl FnOnce(&Context<'_>) -> T) -> T {
        let (key, rebind_key, domain) = (domain_key(201), &domain_key(204), domain());
        let (now, policy) = (self.world.now, &self.world.policy);
        decide(&Context { now, policy, capability_key: (1, &key), rebind_key, domain: &domain })
    }

    /// Every statement of that type: those in the ledger, and those that could come next.
    pub(crate) fn statements<T: Statement>(&self) -> Vec<Signed> {
        let ledger = self.world.entries.iter().flat_map(|entry| statements_in(&entry.event));
        let all = ledger.chain(self.fresh.iter().cloned());
        all.filter(|signed| signed.payload_type.as_str() == T::TYPE).collect()
    }

    /// The bundle about an invocation under that chain.
    pub(crate) fn bundle(&self, id: InvocationId, chain: ChainId) -> Bundle {
        let world = &self.world;
        let leaves = explain::leaves(&world.state, id).unwrap();
        let entries = leaves.iter().map(|leaf| (*leaf, world.entries[leaf.get() as usize].to_bytes()));
        let activation = world.activation(chain).sign(&domain_key(202));
        let policy = Some(POLICY.to_vec());
        explain::assemble(&world.state, id, world.checkpoint(), entries.collect(), activation, policy)
            .unwrap()
    }
}

/// Names the statement, and the contract in it if it is an offer.
fn digests(signed: &Signed) -> Vec<Digest> {
    let offered = signed.peek_unverified::<Move>().ok().and_then(|made| made.offer);
    std::iter::once(signed.digest()).chain(offered.map(|offer| Digest::of(&offer.contract))).collect()
}

/// The statements that an event holds.
pub(crate) fn statements_in(event: &Event) -> Vec<Signed> {
    let one = match event {
        Event::InstanceAdmitted(event) => Some(&event.join),
        Event::InstanceRenewed(event) => Some(&event.renewal),
        Event::InstanceForked(event) => Some(&event.renewal),
        Event::GrantIssued(event) => Some(&event.request),
        Event::Moved(event) => Some(&event.signed_move),
        Event::ContractFinalized(event) => Some(&event.contract),
        Event::NegotiationEnded(event) => event.evidence.as_ref(),
        Event::Revoked(event) => Some(&event.request),
        Event::Changed(event) => Some(&event.request),
        Event::RebindAsked(event) => Some(&event.request),
        Event::ChainRebound(event) => Some(&event.request),
        Event::Intent(event) => Some(&event.proof),
        Event::InvocationEnded(event) => event.receipt.as_ref(),
        Event::KeysRotated(event) => Some(&event.rotation),
        Event::SessionOpened(event) => Some(&event.opening),
        Event::SessionAnswered(event) => Some(&event.answer),
        Event::SessionSigned(event) => Some(&event.head),
        Event::KeysPublished(_)
        | Event::JoinTokenIssued(_)
        | Event::ChainClosed(_)
        | Event::Denied(_)
        | Event::SessionIntent(_)
        | Event::SessionPassed(_)
        | Event::SessionResulted(_)
        | Event::SessionEnded(_) => None,
    };
    one.cloned().into_iter().collect()
}

/// Rights to read what lies in `file:/data/eu`, a kibibyte at a time.
fn few_bytes(calls: u64, delegations_left: u32) -> Rights {
    let mut capability = capability("file:/data/eu/**", &["read"]);
    let rule = Rule::IntRange(IntRange { min: 1, max: 1024 });
    let constraint = Constraint { argument: "max_bytes".parse().unwrap(), rule };
    capability.constraints = Bounded::new(vec![constraint]).unwrap();
    Rights { capabilities: Bounded::new(vec![capability]).unwrap(), ..rights(calls, delegations_left) }
}

/// What is asked for in each invocation.
pub(crate) fn request() -> Request {
    let bytes = Argument { name: "max_bytes".parse().unwrap(), value: Value::Int(1000) };
    Request {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(vec![bytes]).unwrap(),
    }
}

/// The body that goes with it.
pub(crate) const BODY: &[u8] = b"opaque";

fn proof(world: &mut World, caller: &str, chain: ChainId) -> Proof {
    let (id, asked) = (world.invocation_id(), request());
    let proof = world.stage().proof(caller, chain, id, &asked);
    Proof { arguments: asked.arguments.digest(BODY), ..proof }
}

/// An invocation that is under way, and the proof under which it is.
fn begin(world: &mut World, caller: &str, chain: ChainId) -> (InvocationId, Signed) {
    let (actor, callee) = (world.agent(caller).actor(), world.agent("files").id);
    let proof = proof(world, caller, chain);
    let (id, proof) = (proof.invocation_id, proof.sign(&world.agent(caller).key));
    let presented = Presentation { proof: &proof, request: &request(), body: BODY };
    let permit = world.active(chain).permit(&presented, world.now).unwrap();
    let begin = Begin { permit: &permit, proof: &proof, callee: Some(&callee) };
    world.decide(|state, context| state.decide_begin(context, &actor, &begin)).unwrap();
    (id, proof)
}

fn receipt_for(world: &World, proof: &Signed) -> Signed {
    let files = world.agent("files");
    receipt(&files, proof, b"content", world.now).sign(&files.key)
}

fn talk_that_asks(world: &mut World) -> Talk {
    let talk = Talk::new(world, "planner", "researcher");
    talk.request(world, rights(20, 2)).unwrap();
    talk
}

fn talk_that_offers(world: &mut World, grant: ChainId) -> Talk {
    let mut talk = Talk::new(world, "planner", "fetcher");
    talk.request(world, rights(30, 2)).unwrap();
    talk.offer(world, grant, few_bytes(20, 1)).unwrap();
    talk
}

/// Every kind of move, each as the next one of its negotiation.
fn next_moves(world: &World, [asks, offers]: &[Talk; 2], grant: ChainId) -> Vec<Signed> {
    // Ids are drawn from a copy of the world, whose ledger stays as it is.
    let world = &mut world.clone();
    let key = |world: &World, name: &str| world.agent(name).key;
    let body = asks.body(world, grant, few_bytes(5, 1));
    let mut moves = vec![
        asks.offered(world, &body).sign(&key(world, "planner")),
        offers.acceptance(world).sign(&key(world, "fetcher")),
    ];
    for (talk, sender, kind) in [
        (asks, "planner", MoveKind::Reject),
        (asks, "researcher", MoveKind::Withdraw),
        (offers, "planner", MoveKind::Withdraw),
        (offers, "fetcher", MoveKind::Decline),
        (offers, "fetcher", MoveKind::Reject),
    ] {
        moves.push(talk.bare(world, sender, kind).sign(&key(world, sender)));
    }
    let mut counter = offers.bare(world, "fetcher", MoveKind::Counter);
    counter.counter = Some(negotiation::Counter { rights: rights(25, 1) });
    let opening = Talk::new(world, "researcher", "mallory");
    let mut opens = opening.bare(world, "mallory", MoveKind::Request);
    opens.request = Some(world.stage().wish(rights(2, 1)));
    moves.extend([counter.sign(&key(world, "fetcher")), opens.sign(&key(world, "mallory"))]);
    moves
}

/// The evidence of the join token that nobody has used yet: the digest of [`JOIN_SECRET`].
pub(crate) fn join_evidence() -> Digest {
    Digest::of(&JOIN_SECRET)
}

/// The secret of that token.
pub(crate) const JOIN_SECRET: [u8; 32] = [9; 32];

fn issue_join_token(world: &mut World) -> Digest {
    let (who, secret) = (principal("newcomer"), join_evidence());
    let expires = world.now.plus(Lifetime::from_millis(3_600_000));
    world.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
    secret
}

fn join(world: &World, evidence: Digest) -> Signed {
    let (world, spki) = (&mut world.clone(), SpkiHash::from_bytes([9; 32]));
    let (newcomer, join) = world.stage().newcomer(&principal("newcomer"), spki, evidence);
    join.sign(&newcomer.key)
}

fn renewal(world: &World) -> Signed {
    let planner = world.agent("planner");
    let statement = RenewStatement {
        domain: domain(),
        instance: planner.id,
        spki: planner.spki,
        configuration: configuration(),
        generation: 1,
        issued: world.now,
        extensions: Extensions::none(),
    };
    statement.sign(&planner.key)
}

fn grant_request(world: &World) -> Signed {
    world.clone().stage().grant_request(rights(7, 2)).sign(&world.agent("alice").key)
}

/// The leaf by its grantor, and mallory by the admin.
fn revocations(world: &World, leaf: ChainId) -> [Signed; 2] {
    let (researcher, root) = (world.agent("researcher"), world.agent("root"));
    let (world, mallory) = (&mut world.clone(), world.agent("mallory").id);
    let chain = world.stage().revocation("researcher", Some(leaf), None, 1);
    let instance = world.stage().revocation("root", None, Some(mallory), 0);
    [chain.sign(&researcher.key), instance.sign(&root.key)]
}

/// The middle link held up by its grantor, and given back by its holder.
fn changes(world: &World, chain: ChainId) -> [Signed; 2] {
    let (planner, researcher) = (world.agent("planner"), world.agent("researcher"));
    let world = &mut world.clone();
    let suspended = world.stage().change("planner", Side::Grantor, chain, ChangeKind::Suspend);
    let retired = world.stage().change("researcher", Side::Holder, chain, ChangeKind::Retire);
    [retired.sign(&researcher.key), suspended.sign(&planner.key)]
}

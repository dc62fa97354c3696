//! Joining and staying, by those who may and those who may not.

use countersign_forge::{Agent, Change, Talk, World, configuration, domain, principal, rights};
use countersign_protocol::{
    digest::{Digest, SpkiHash},
    domain::{Attested, Event, Standing},
    extension::Extensions,
    id::InstanceUuid,
    identity::{JoinStatement, RenewStatement},
    key::SigningKey,
    limits::{SVID_MAX_MS, SVID_MIN_MS},
    negotiation::MoveKind,
    refusal::Reason,
    revocation::RevokeRequest,
    signed::Statement,
    time::Lifetime,
};

use crate::invocation::begin;

/// A newcomer with a join token for `agent/guest`, and what it honestly says.
struct Newcomer {
    join: JoinStatement,
    attested: Attested,
    key: SigningKey,
}

fn newcomer(world: &mut World) -> Newcomer {
    newcomer_with(world, b"guest")
}

fn newcomer_with(world: &mut World, secret: &[u8]) -> Newcomer {
    let (secret, key) = (Digest::of(secret), SigningKey::generate(&mut world.rng));
    let (who, expires) = (principal("guest"), world.now.plus(Lifetime::from_millis(60_000)));
    world.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
    let spki = SpkiHash::from_bytes([3; 32]);
    let join = JoinStatement {
        domain: domain(),
        instance: who.instance(InstanceUuid::new(world.now, &mut world.rng)),
        key: key.public(),
        spki,
        configuration: configuration(),
        evidence: secret,
        issued: world.now,
        extensions: Extensions::none(),
    };
    Newcomer {
        join,
        attested: Attested { attestor: "join_token".parse().unwrap(), evidence: secret, spki },
        key,
    }
}

impl Newcomer {
    fn knock(&self, world: &mut World) -> Result<usize, Reason> {
        let signed = self.join.sign(&self.key);
        let decided = world.decide(|state, context| state.decide_join(context, &signed, &self.attested));
        decided.map(|events| events.len())
    }
}

#[test]
fn a_join_token_lets_in_whom_it_names_and_once() {
    let cases: [(&str, Change<Newcomer>, Reason); 8] = [
        ("domain", |_, n| n.join.domain = "other.example".parse().unwrap(), Reason::WrongDomain),
        ("another's name", |w, n| n.join.instance = other(w, "root"), Reason::JoinRefused),
        ("evidence", |_, n| n.join.evidence = Digest::of(b"alice"), Reason::JoinRefused),
        ("no token", |_, n| no_token(n), Reason::JoinRefused),
        ("another TLS key", |_, n| n.attested.spki = SpkiHash::from_bytes([4; 32]), Reason::JoinRefused),
        ("another's key", |w, n| n.key = w.agent("alice").key, Reason::SignatureInvalid),
        ("an expired token", |w, n| n.join.issued = later(w, 60_000), Reason::JoinRefused),
        ("an old statement", |w, _| w.pass(30_001), Reason::StatementStale),
    ];
    for (what, change, reason) in cases {
        let mut world = World::new();
        let mut newcomer = newcomer(&mut world);
        change(&mut world, &mut newcomer);
        assert_eq!(newcomer.knock(&mut world), Err(reason), "{what}");
    }
    let mut world = World::new();
    newcomer(&mut world).knock(&mut world).unwrap();
    let taken = world.state.instances().find(|(id, _)| id.principal().short() == "guest").unwrap().0.clone();
    let mut second = newcomer_with(&mut world, b"another");
    second.join.instance = taken;
    assert_eq!(second.knock(&mut world), Err(Reason::IdAlreadyUsed), "an instance is one process");
    let mut world = World::new();
    let guest = newcomer(&mut world);
    assert_eq!(guest.knock(&mut world), Ok(1), "the twin");
    assert_eq!(guest.knock(&mut world), Ok(0), "its reply may have been lost");
    let mut second = Newcomer { key: guest.key.clone(), join: guest.join.clone(), attested: guest.attested };
    second.join.instance = other(&mut world, "guest");
    assert_eq!(second.knock(&mut world), Err(Reason::JoinRefused), "used");
}

/// TIM-005: a statement that was decided is answered as it was then, whatever its age and whatever its
/// sender did since.
#[test]
fn a_join_whose_reply_was_lost_is_answered_until_its_token_expires() {
    let mut world = World::new();
    let guest = newcomer(&mut world);
    assert_eq!(guest.knock(&mut world), Ok(1));
    world.pass(30_001);
    assert_eq!(guest.knock(&mut world), Ok(0), "it would be stale if it were new");
    let agent = Agent { id: guest.join.instance.clone(), key: guest.key.clone(), spki: guest.join.spki };
    world.agents.insert("guest", agent);
    world.stay("guest");
    assert_eq!(guest.knock(&mut world), Ok(0), "it was renewed since");
    world.pass(30_000);
    assert_eq!(guest.knock(&mut world), Err(Reason::JoinRefused), "nobody remembers the token");
}

fn later(world: &mut World, millis: u64) -> countersign_protocol::time::Timestamp {
    world.pass(millis);
    world.now
}

fn other(world: &mut World, name: &str) -> countersign_protocol::name::InstanceId {
    principal(name).instance(InstanceUuid::new(world.now, &mut world.rng))
}

fn no_token(newcomer: &mut Newcomer) {
    let nothing = Digest::of(b"a secret that was never issued");
    (newcomer.join.evidence, newcomer.attested.evidence) = (nothing, nothing);
}

#[test]
fn only_admins_issue_join_tokens_and_none_lives_long() {
    let mut world = World::new();
    let mut issue = |name: &str, secret: &[u8], millis| {
        let (actor, who) = (world.agent(name).actor(), principal("guest"));
        let expires = world.now.plus(Lifetime::from_millis(millis));
        let secret = Digest::of(secret);
        let decided = world
            .decide(|state, context| state.decide_join_token(context, Some(&actor), secret, &who, expires));
        decided.map(|events| events.len())
    };
    assert_eq!(issue("mallory", b"1", 60_000), Err(Reason::AdminRequired));
    assert_eq!(issue("root", b"1", 86_400_001), Err(Reason::LimitExceeded));
    assert_eq!(issue("root", b"1", 0), Err(Reason::LimitExceeded));
    assert_eq!(issue("root", b"1", 86_400_000), Ok(1), "the twin");
    assert_eq!(issue("root", b"1", 86_400_000), Err(Reason::IdAlreadyUsed));
}

fn renewal(world: &World, name: &str, generation: u32) -> RenewStatement {
    let agent = world.agent(name);
    RenewStatement {
        domain: domain(),
        instance: agent.id,
        spki: agent.spki,
        configuration: configuration(),
        generation,
        issued: world.now,
        extensions: Extensions::none(),
    }
}

fn renew(world: &mut World, name: &str, renewal: &RenewStatement) -> Result<Vec<Event>, Reason> {
    let agent = world.agent(name);
    let signed = renewal.sign(&agent.key);
    world.decide(|state, context| state.decide_renew(context, &agent.actor(), &signed))
}

/// Whatever its operator writes, and whoever asks: how long a certificate lives has both ends.
#[test]
fn a_certificate_lives_ten_seconds_at_least_and_an_hour_at_most() {
    let recorded = |millis: u64| {
        let mut world = World::new();
        world.policy.svid_lifetime = Lifetime::from_millis(millis);
        let planner = world.agent("planner").id;
        world.stay("planner");
        world.state.instance(&planner).unwrap().statement.expires.since(world.now).as_millis()
    };
    assert_eq!([SVID_MIN_MS - 1, SVID_MIN_MS, SVID_MIN_MS + 1].map(recorded), [10_000, 10_000, 10_001]);
    let longest = [SVID_MAX_MS - 1, SVID_MAX_MS, SVID_MAX_MS + 1].map(recorded);
    assert_eq!(longest, [3_599_999, 3_600_000, 3_600_000]);
}

/// Attack line 32: another model, prompt or tool set is another instance.
#[test]
fn an_instance_stays_what_it_was() {
    let mut world = World::new();
    let good = renewal(&world, "planner", 1);
    let cases: [(&str, Change<RenewStatement>, Reason); 6] = [
        ("configuration", |_, r| r.configuration = Digest::of(b"another model"), Reason::ChannelMismatch),
        ("TLS key", |_, r| r.spki = SpkiHash::from_bytes([4; 32]), Reason::ChannelMismatch),
        ("instance", |w, r| r.instance = w.agent("alice").id, Reason::ChannelMismatch),
        ("domain", |_, r| r.domain = "other.example".parse().unwrap(), Reason::WrongDomain),
        ("generation", |_, r| r.generation = 2, Reason::OutOfSequence),
        ("time", |_, r| r.issued = r.issued.plus(Lifetime::from_millis(30_001)), Reason::StatementStale),
    ];
    for (what, change, reason) in cases {
        let mut changed = good.clone();
        change(&mut world, &mut changed);
        assert_eq!(renew(&mut world, "planner", &changed), Err(reason), "{what}");
    }
    assert!(matches!(&renew(&mut world, "planner", &good).unwrap()[..], [Event::InstanceRenewed(_)]));
    assert_eq!(renew(&mut world, "planner", &good), Ok(vec![]), "its reply may have been lost");
}

/// Attack line 32: two processes with one key. The first that renews from an old generation gives both
/// away, and neither can do anything more.
#[test]
fn a_fork_is_found_at_renewal_and_locks_the_instance() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", rights(2, 4)).unwrap();
    let first = renewal(&world, "researcher", 1);
    renew(&mut world, "researcher", &first).unwrap();
    world.pass(1);
    let copy = renewal(&world, "researcher", 1);
    assert!(matches!(&renew(&mut world, "researcher", &copy).unwrap()[..], [Event::InstanceForked(_)]));
    let researcher = world.agent("researcher");
    assert_eq!(world.state.instance(&researcher.id).unwrap().standing, Standing::Forked);
    assert_eq!(begin(&mut world, "researcher", leaf).map(|_| ()), Err(Reason::InstanceForked));
    let newest = renewal(&world, "researcher", 2);
    assert_eq!(renew(&mut world, "researcher", &newest), Err(Reason::InstanceForked));
}

#[test]
fn a_revoked_instance_can_do_nothing_more_and_what_it_holds_ends() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", rights(2, 4)).unwrap();
    let beneath = world.contract(leaf, "researcher", "fetcher", rights(1, 3)).unwrap();
    let mut revoke = |by: &str, chains| {
        let (agent, request_id) = (world.agent(by), world.request_id());
        let request = RevokeRequest {
            domain: domain(),
            sender: agent.id.clone(),
            chain: None,
            instance: Some(world.agent("researcher").id),
            chains,
            request_id,
            issued: world.now,
            extensions: Extensions::none(),
        };
        let signed = request.sign(&agent.key);
        world.decide(|state, context| state.decide_revoke(context, &agent.actor(), &signed)).map(|_| ())
    };
    assert_eq!(revoke("planner", 2), Err(Reason::RevocationNotAllowed), "it gave a right, not the process");
    assert_eq!(revoke("root", 1), Err(Reason::PreviewStale));
    assert_eq!(revoke("root", 2), Ok(()));
    assert_eq!(begin(&mut world, "fetcher", beneath).map(|_| ()), Err(Reason::Revoked));
    assert_eq!(begin(&mut world, "researcher", leaf).map(|_| ()), Err(Reason::InstanceRevoked));
    let stay = renewal(&world, "researcher", 1);
    assert_eq!(renew(&mut world, "researcher", &stay), Err(Reason::InstanceRevoked));
    let talk = Talk::new(&mut world, "planner", "researcher");
    assert_eq!(talk.request(&mut world, rights(1, 4)), Err(Reason::InstanceRevoked));
    let talk = Talk::new(&mut world, "planner", "fetcher");
    assert!(talk.request(&mut world, rights(1, 4)).is_ok(), "the twin");
    assert!(talk.plain(&mut world, "planner", MoveKind::Reject).is_ok());
}

/// Attack line 33: an instance that stopped renewing gets no right, gives none, and is not called; what
/// it holds waits until it is back.
#[test]
fn whoever_stopped_renewing_is_no_party_to_anything_new() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", rights(2, 4)).unwrap();
    let offered = |world: &mut World| {
        let mut talk = Talk::new(world, "planner", "researcher");
        talk.request(world, rights(1, 4)).unwrap();
        talk.offer(world, grant, rights(1, 4)).unwrap();
        talk
    };
    world.pass(299_999);
    assert!(world.clone().grant(rights(1, 1)).is_ok(), "the twin");
    world.stay("alice");
    let talk = offered(&mut world);
    assert!(talk.accept(&mut world.clone()).is_ok(), "the twin");
    assert!(begin(&mut world.clone(), "researcher", leaf).is_ok(), "the twin");
    world.pass(1);
    assert_eq!(world.clone().grant(rights(1, 1)), Err(Reason::InstanceUnknown), "its holder");
    assert_eq!(talk.accept(&mut world.clone()), Err(Reason::ParentChanged), "its grantor");
    world.stay("planner");
    assert_eq!(talk.accept(&mut world.clone()), Err(Reason::CertificateExpired), "its holder to be");
    let called = begin(&mut world.clone(), "researcher", leaf).map(|_| ());
    assert_eq!(called, Err(Reason::CalleeUnavailable));
    ["researcher", "files"].into_iter().for_each(|name| world.stay(name));
    assert!(talk.accept(&mut world).is_ok(), "the twin");
    assert!(begin(&mut world, "researcher", leaf).is_ok(), "the twin: what it held is still there");
}

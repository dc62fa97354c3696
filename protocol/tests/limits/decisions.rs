//! Decisions about things of any size, age or number: whether one of that much is allowed.

use countersign_forge::{Talk, World, attested, principal, rights};
use countersign_protocol::{
    capability::{Arguments, Request},
    digest::{ChainId, Digest, SpkiHash},
    domain::Begin,
    id::{AwardId, InvocationId},
    identity::JoinStatement,
    negotiation::{Move, MoveKind, Request as Wish},
    refusal::Reason,
    signed::Statement,
    time::{Lifetime, Timestamp},
    token::{Presentation, Proof},
};

/// What is decided about something of that size.
type Decides = fn(usize) -> Result<(), Reason>;

/// What shows the limit of that name.
pub(crate) fn probe(name: &str, what: &str) -> Option<Decides> {
    Some(match (name, what) {
        ("rounds_max", _) => |rounds| opened(|_, wish| wish.max_rounds = rounds as u32),
        ("open_negotiations_per_instance", _) => |count| {
            let mut world = World::new();
            let all = (0..count).map(|_| {
                let talk = Talk::new(&mut world, "planner", "researcher");
                talk.request(&mut world, rights(1, 1)).map(drop)
            });
            all.collect()
        },
        ("negotiations_per_award", _) => |count| {
            let mut world = World::new();
            let award = AwardId::new(world.now, &mut world.rng);
            let all = (0..count).map(|_| {
                let talk = Talk::new(&mut world, "planner", "researcher");
                open(&mut world, &talk, |_, wish| wish.award = Some(award))
            });
            all.collect()
        },
        ("clock_skew_ms", "an award's id, ahead or behind") => |millis| {
            let mut world = World::new();
            let award = AwardId::new(in_future(world.now, millis), &mut world.rng);
            let ahead = opened(|_, wish| wish.award = Some(award));
            let award = AwardId::new(world.now, &mut world.rng);
            world.pass(millis as u64);
            let talk = Talk::new(&mut world, "planner", "researcher");
            same([ahead, open(&mut world, &talk, |_, wish| wish.award = Some(award))])
        },
        ("negotiation_max_ms", _) => {
            |millis| opened(|world, wish| wish.deadline = in_future(world.now, millis))
        }
        ("proof_max_ms", _) => |millis| used(|_| (), |proof| proof.expires = in_future(proof.issued, millis)),
        ("clock_skew_ms", "*issued* of a statement, ahead of the broker's clock or behind it") => |millis| {
            let ahead = joined(|_| (), |join| join.issued = in_future(join.issued, millis));
            same([ahead, joined(|world| world.pass(millis as u64), |_| ())])
        },
        ("clock_skew_ms", "*issued* of a proof, ahead") => |millis| {
            let later = |proof: &mut Proof| {
                proof.issued = in_future(proof.issued, millis);
                proof.expires = in_future(proof.issued, 1);
            };
            used(|_| (), later)
        },
        ("clock_skew_ms", "a negotiation's id, ahead or behind") => |millis| {
            let mut early = World::new();
            let ahead = Talk::new(&mut ahead_of(&early, millis), "planner", "researcher");
            let behind = Talk::new(&mut early, "planner", "researcher");
            let mut late = ahead_of(&early, millis);
            same([open(&mut early, &ahead, |_, _| ()), open(&mut late, &behind, |_, _| ())])
        },
        ("clock_skew_ms", "an invocation's id, ahead") => |millis| {
            let mut rng = World::new().rng;
            used(
                |_| (),
                |proof| proof.invocation_id = InvocationId::new(in_future(proof.issued, millis), &mut rng),
            )
        },
        ("grant_max_ms", _) => |millis| {
            let mut world = World::new();
            let rule = world.policy.grant_rules.first_mut().unwrap();
            rule.lifetime = Lifetime::from_millis(2 * millis as u64);
            let mut asked = rights(1, 1);
            asked.not_after = in_future(world.now, millis);
            world.grant(asked).map(drop)
        },
        ("result_retention_ms", _) => |millis| {
            let mut rng = World::new().rng;
            used(
                |world| {
                    // The callee stays meanwhile.
                    let third = millis as u64 / 3;
                    for _ in 0..2 {
                        world.pass(third);
                        world.stay("files");
                    }
                    world.pass(millis as u64 - 2 * third);
                },
                |proof| {
                    let made = Timestamp::new(proof.issued.as_millis() - millis as u64).unwrap();
                    proof.invocation_id = InvocationId::new(made, &mut rng);
                },
            )
        },
        ("join_token_max_ms", _) => |millis| {
            let mut world = World::new();
            let (secret, who, expires) =
                (Digest::of(b"secret"), principal("guest"), in_future(world.now, millis));
            world
                .decide(|state, context| state.decide_join_token(context, None, secret, &who, expires))
                .map(drop)
        },
        _ => return None,
    })
}

fn same<const N: usize>(decided: [Result<(), Reason>; N]) -> Result<(), Reason> {
    let [first, others @ ..] = &decided[..] else { panic!("nothing was decided") };
    assert!(others.iter().all(|other| other == first), "one limit for all: {decided:?}");
    *first
}

fn in_future(now: Timestamp, millis: usize) -> Timestamp {
    now.plus(Lifetime::from_millis(millis as u64))
}

fn ahead_of(world: &World, millis: usize) -> World {
    let mut later = world.clone();
    later.pass(millis as u64);
    later
}

/// An opening that is good but for one thing.
fn opened(change: impl FnOnce(&World, &mut Wish)) -> Result<(), Reason> {
    let mut world = World::new();
    let talk = Talk::new(&mut world, "planner", "researcher");
    open(&mut world, &talk, change)
}

fn open(world: &mut World, talk: &Talk, change: impl FnOnce(&World, &mut Wish)) -> Result<(), Reason> {
    let mut wish = world.stage().wish(rights(1, 1));
    change(world, &mut wish);
    let bare = talk.bare(world, "researcher", MoveKind::Request);
    talk.send(world, "researcher", &Move { request: Some(wish), ..bare }).map(drop)
}

/// A guest joins, good but for one thing.
fn joined(before: impl FnOnce(&mut World), change: impl FnOnce(&mut JoinStatement)) -> Result<(), Reason> {
    let mut world = World::new();
    let (secret, who) = (Digest::of(b"secret"), principal("guest"));
    let expires = in_future(world.now, 600_000);
    world.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
    let (agent, mut join) = world.stage().newcomer(&who, SpkiHash::from_bytes([3; 32]), secret);
    before(&mut world);
    change(&mut join);
    let (join, attested) = (join.sign(&agent.key), attested(&agent, secret));
    world.decide(|state, context| state.decide_join(context, &join, &attested)).map(drop)
}

/// A chain is used, well but for one thing.
fn used(before: impl FnOnce(&mut World), change: impl FnOnce(&mut Proof)) -> Result<(), Reason> {
    let mut world = World::new();
    let chain: ChainId = world.grant(rights(1, 1)).unwrap();
    before(&mut world);
    let request = Request {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(vec![]).unwrap(),
    };
    let id = world.invocation_id();
    let mut proof = world.stage().proof("planner", chain, id, &request);
    change(&mut proof);
    let planner = world.agent("planner");
    let signed = proof.sign(&planner.key);
    let presented = Presentation { proof: &signed, request: &request, body: b"" };
    let permit = world.active(chain).permit(&presented, world.now).map_err(|refusal| refusal.reason())?;
    let files = world.agent("files").id;
    let begin = Begin { permit: &permit, proof: &signed, callee: Some(&files) };
    world.decide(|state, context| state.decide_begin(context, &planner.actor(), &begin)).map(drop)
}

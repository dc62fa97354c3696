//! The delegation graph: what it was at any size of the ledger, who sees what of it, and that a
//! revocation ends what it was said to end.

use std::collections::BTreeSet;

use countersign_protocol::{
    capability::{Argument, Arguments, Capability, Constraint, Rights, Rule, Value},
    contract,
    digest::ChainId,
    domain::{Chain, ContractFinalized, Entry, Event, State},
    graph::{Covers, Moment, Walk, Wish, fault, nearest, others},
    name::InstanceId,
    payload::{Ascending, Bounded},
};

use crate::audit::eventful;
use countersign_forge::{Talk, World, principal, rights};

fn every(state: &State) -> Vec<ChainId> {
    let (grants, contracts) = (state.grants().map(|(_, id)| *id), state.contracts().map(|(_, id)| *id));
    grants.chain(contracts).collect()
}

fn walked(walk: Walk<'_>, after: Option<ChainId>, enter: impl Fn(&Chain) -> bool) -> Vec<ChainId> {
    walk.after(after, enter).filter(|step| step.entered).map(|step| step.id).collect()
}

fn wish(resource: &str) -> Wish {
    Wish {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: resource.parse().unwrap(),
        arguments: None,
    }
}

fn now(world: &World) -> Moment {
    Moment { size: world.state.tree().size(), time: world.now }
}

/// alice → planner → researcher → fetcher, and planner → mallory; and another grant to planner.
fn family() -> (World, [ChainId; 5]) {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let first = world.contract(grant, "planner", "researcher", rights(100, 4)).unwrap();
    let leaf = world.contract(first, "researcher", "fetcher", rights(10, 3)).unwrap();
    let beside = world.contract(grant, "planner", "mallory", rights(10, 3)).unwrap();
    let other = world.grant(rights(7, 2)).unwrap();
    (world, [grant, first, leaf, beside, other])
}

/// What is answered for a size of the past is what was the case: the fold of that many entries.
#[test]
fn the_graph_at_any_size_is_that_of_the_ledger_of_that_size() {
    let world = eventful();
    let then = |entries: &[Entry]| entries.iter().fold(State::default(), State::evolve);
    let mut seen = BTreeSet::new();
    for size in 0..=world.entries.len() {
        let past = then(&world.entries[..size]);
        let time = past.last_time().unwrap_or(world.now);
        let moment = Moment { size: past.tree().size(), time };
        let listed =
            |state: &State| walked(Walk::all(state), None, |link| link.state_at(moment.size).is_some());
        assert_eq!(listed(&world.state), listed(&past));
        for id in every(&world.state) {
            let link = world.state.chain(&id).unwrap();
            assert_eq!(link.state_at(moment.size), past.chain(&id).map(|link| link.state), "{id} at {size}");
            assert_eq!(moment.has_usable(&world.state, id), moment.has_usable(&past, id), "{id} at {size}");
            seen.extend(link.state_at(moment.size).map(contract::State::name));
        }
        let can = |state: &State| {
            let enter = |link: &Chain| {
                moment.has_in_force(link) && wish("file:/data/a").within(&link.rights) != Covers::No
            };
            walked(Walk::all(state), None, enter)
        };
        assert_eq!(can(&world.state), can(&past), "at {size}");
    }
    assert_eq!(
        seen,
        BTreeSet::from(["ACTIVE", "EXPIRED", "FULFILLED", "REVOKED", "SUSPENDED"]),
        "the ledger has it all"
    );
}

#[test]
fn what_is_live_is_counted_as_it_is_walked() {
    let world = eventful();
    let mut state = State::default();
    let mut most = 0;
    for entry in &world.entries {
        state = state.evolve(entry);
        for id in every(&state) {
            let live = state.live_subtree(id).len() as u64;
            assert_eq!(state.chain(&id).unwrap().live, live, "{id}");
            assert_eq!(Walk::beneath(&state, id).live(), live);
            most = most.max(live);
        }
    }
    assert!(most > 1);
}

#[test]
fn a_walk_goes_on_from_any_link_as_if_it_had_not_stopped() {
    let (world, [grant, first, leaf, beside, other]) = family();
    let (state, planner) = (&world.state, world.agent("planner").id);
    let whole = walked(Walk::all(state), None, |_| true);
    assert_eq!(BTreeSet::from_iter(whole.clone()), BTreeSet::from([grant, first, leaf, beside, other]));
    for walk in [Walk::all(state), Walk::beneath(state, grant), Walk::held_by(state, &planner)] {
        let whole = walked(walk, None, |_| true);
        for (at, id) in whole.iter().enumerate() {
            assert_eq!(walked(walk, Some(*id), |_| true), whole[at + 1..]);
            let parent = state.chain(id).unwrap().parent;
            assert!(parent.is_none_or(|parent| !whole[at..].contains(&parent)), "a parent comes first");
        }
    }
}

/// Attack line 24: a place in a walk is what a caller says.
#[test]
fn nobody_is_led_out_of_what_it_sees_by_a_place_that_it_made_up() {
    let (world, [grant, first, leaf, beside, other]) = family();
    let walk = Walk::seen_by(&world.state, &world.agent("researcher").id);
    assert_eq!(walked(walk, None, |_| true), [first, leaf]);
    assert_eq!(walked(walk, Some(first), |_| true), [leaf], "the twin");
    for outside in [grant, beside, other, ChainId::from_bytes([9; 32])] {
        assert_eq!(walked(walk, Some(outside), |_| true), []);
    }
}

/// What an instance sees on a walk is what it is a party to: it, and nothing else.
#[test]
fn everyone_sees_what_they_are_a_party_to() {
    let (world, chains) = family();
    let state = &world.state;
    let party = |who: &InstanceId, id| {
        state.path(id).any(|(_, link)| link.holder == *who || link.originator == *who.principal())
    };
    for name in ["root", "alice", "planner", "researcher", "fetcher", "files", "mallory"] {
        let who = world.agent(name).id;
        let seen = walked(Walk::seen_by(state, &who), None, |_| true);
        let parties: BTreeSet<_> = chains.into_iter().filter(|id| party(&who, *id)).collect();
        assert_eq!(seen.len(), parties.len(), "each once");
        assert_eq!(BTreeSet::from_iter(seen), parties, "{name}");
    }
}

/// Whoever holds a link and one beneath it sees both, once.
#[test]
fn a_top_beneath_another_top_is_no_top() {
    let mut world = World::new();
    // To itself by way of another: its principal answers for the grant, and it holds what came of it.
    let grant = world.grant(rights(500, 5)).unwrap();
    let held = world.contract(grant, "planner", "alice", rights(5, 3)).unwrap();
    let alice = world.agent("alice").id;
    assert_eq!(walked(Walk::seen_by(&world.state, &alice), None, |_| true), [grant, held]);
    assert_eq!(Walk::held_by(&world.state, &alice).live(), 1);
}

/// Attack line 29: what a preview shows and what the revocation ends are the same chains.
#[test]
fn a_revocation_ends_exactly_what_was_walked() {
    let (world, chains) = family();
    for target in chains {
        let mut world = world.clone();
        let walk = Walk::beneath(&world.state, target);
        let (shown, count) = (BTreeSet::from_iter(walked(walk, None, |link| link.live > 0)), walk.live());
        let alive = |state: &State| -> BTreeSet<ChainId> {
            let live = |id: &ChainId| state.chain(id).unwrap().state == contract::State::Active;
            chains.into_iter().filter(live).collect()
        };
        let before = alive(&world.state);
        crate::invocation::revoke(&mut world, "alice", target, count).unwrap();
        assert_eq!(&before - &alive(&world.state), shown);
        assert_eq!(shown.len() as u64, count);
    }
}

/// A hostile ledger that finalizes a contract under the name of its own parent makes no circle, in which
/// whoever walks upwards would never arrive.
#[test]
fn no_link_is_made_its_own_ancestor() {
    let (mut world, [grant, first, ..]) = family();
    let finalized = world.entries.iter().find_map(|entry| match &entry.event {
        Event::ContractFinalized(event) if event.chain_id == first => Some(event.clone()),
        _ => None,
    });
    let circle = ContractFinalized { chain_id: grant, ..finalized.unwrap() };
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(1, 1)).unwrap();
    let before = every(&world.state);
    world.record(&Event::ContractFinalized(ContractFinalized { negotiation_id: talk.id, ..circle }));
    assert_eq!(world.state.chain(&grant).unwrap().parent, None);
    assert_eq!(every(&world.state), before);
    let issued = world.entries.iter().find(|entry| matches!(entry.event, Event::GrantIssued(_))).cloned();
    world.record(&issued.unwrap().event);
    assert_eq!(world.state.chain(&grant).unwrap().children.len(), 2, "a grant is not made anew either");
}

fn with(rights: Rights, resource: &str) -> Rights {
    let capability = rights.capabilities[0].clone();
    let capability = Capability { resource: resource.parse().unwrap(), ..capability };
    Rights { capabilities: Bounded::new(vec![capability]).unwrap(), ..rights }
}

#[test]
fn a_denial_names_the_link_at_fault_and_the_nearest_that_could_help() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let first =
        world.contract(grant, "planner", "researcher", with(rights(50, 4), "file:/data/eu/**")).unwrap();
    let leaf =
        world.contract(first, "researcher", "fetcher", with(rights(5, 3), "file:/data/eu/q3/*")).unwrap();
    let spare = world.contract(grant, "planner", "fetcher", with(rights(5, 0), "file:/data/us/*")).unwrap();
    let state = &world.state;
    let help = |id, resource: &str| {
        let (wish, moment) = (wish(resource), now(&world));
        let others = others(state, id, &wish, moment).flatten().collect::<Vec<_>>();
        (fault(state, id, &wish, world.now), nearest(state, id, &wish, moment), others)
    };
    assert_eq!(help(leaf, "file:/data/eu/q3/a").0, None, "the twin: it is allowed");
    assert_eq!(help(leaf, "file:/data/eu/q4/a"), (Some(leaf), Some(first), vec![]));
    assert_eq!(help(leaf, "file:/data/us/a"), (Some(first), Some(grant), vec![spare]));
    assert_eq!(help(leaf, "file:/etc/a"), (Some(grant), None, vec![]), "nobody has it");
    assert_eq!(help(spare, "file:/data/eu/q3/a"), (Some(spare), Some(grant), vec![leaf]));

    let mut ended = world.clone();
    crate::invocation::revoke(&mut ended, "planner", first, 2).unwrap();
    let fault = fault(&ended.state, leaf, &wish("file:/data/eu/q3/a"), ended.now);
    assert_eq!(fault, Some(first), "the uppermost that ended");
}

#[test]
fn what_is_asked_without_arguments_may_depend_on_them() {
    let any = rights(5, 1);
    let europe = Rule::TextIn(Ascending::new(vec!["eu".parse().unwrap()]).unwrap());
    let constraint = Constraint { argument: "region".parse().unwrap(), rule: europe };
    let capability =
        Capability { constraints: Bounded::new(vec![constraint]).unwrap(), ..any.capabilities[0].clone() };
    let bound = Rights { capabilities: Bounded::new(vec![capability.clone()]).unwrap(), ..any.clone() };
    let argument = |value: &str| {
        let value = Value::Text(value.parse().unwrap());
        Arguments::new(vec![Argument { name: "region".parse().unwrap(), value }]).unwrap()
    };
    let asked = |rights: &Rights, arguments| Wish { arguments, ..wish("file:/data/a") }.within(rights);
    assert_eq!(asked(&any, None), Covers::Yes);
    assert_eq!(asked(&bound, None), Covers::SomeArguments);
    assert_eq!(asked(&bound, Some(argument("eu"))), Covers::Yes);
    assert_eq!(asked(&bound, Some(argument("us"))), Covers::No);
    assert_eq!(asked(&bound, Some(Arguments::new(vec![]).unwrap())), Covers::No);
    let other = Wish { callee: principal("mail"), ..wish("file:/data/a") };
    assert_eq!(other.within(&any), Covers::No, "another callee");
    let other = Wish { action: "write".parse().unwrap(), ..wish("file:/data/a") };
    assert_eq!(other.within(&any), Covers::No, "another action");
    // One capability that holds without arguments is enough.
    let both =
        Rights { capabilities: Bounded::new(vec![capability, any.capabilities[0].clone()]).unwrap(), ..any };
    assert_eq!(asked(&both, None), Covers::Yes);
}

//! A contract that takes the place of another: both in one entry, and the parent never overdrawn.

use countersign_forge::{Talk, World, rights};
use countersign_protocol::{
    contract::{ChangeKind, ContractBody, Side, State as Contract},
    digest::ChainId,
    domain::{End, Event},
    id::ContractId,
    refusal::Reason,
    signed::Statement,
};

use crate::{
    changes::change,
    invocation::{begin, chain, end, receipt, revoke},
};

fn id_of(world: &World, chain: ChainId) -> ContractId {
    world.state.chain(&chain).unwrap().contract.unwrap().0
}

fn state(world: &World, chain: ChainId) -> Contract {
    world.state.chain(&chain).unwrap().state
}

fn available(world: &World, chain: ChainId) -> u64 {
    world.state.chain(&chain).unwrap().account.available().get()
}

/// planner offers researcher a contract of so many calls in place of another one.
fn offer(world: &mut World, parent: ChainId, calls: u64, old: ChainId) -> (Talk, Result<(), Reason>) {
    let mut talk = Talk::new(world, "planner", "researcher");
    talk.request(world, rights(calls, 4)).unwrap();
    let body = talk.body(world, parent, rights(calls, 4));
    let body = ContractBody { replaces: Some(id_of(world, old)), ..body };
    let offered = talk.offer_body(world, &body).map(drop);
    (talk, offered)
}

fn replace(world: &mut World, parent: ChainId, calls: u64, old: ChainId) -> Result<ChainId, Reason> {
    let (talk, offered) = offer(world, parent, calls, old);
    offered?;
    let events = talk.accept(world)?;
    assert!(matches!(&events[..], [Event::Moved(_), Event::ContractFinalized(_)]), "one entry does both");
    Ok(world.state.negotiation(&talk.id).unwrap().outcome.unwrap())
}

#[test]
fn the_new_one_begins_where_the_old_one_ends() {
    let (mut world, [grant, first, leaf]) = chain();
    // 500 in all, 100 of them the old contract's: without its end there is no room for 480.
    let second = replace(&mut world, grant, 480, first).unwrap();
    assert_eq!((state(&world, first), state(&world, leaf)), (Contract::Superseded, Contract::Revoked));
    assert_eq!((state(&world, second), available(&world, grant)), (Contract::Active, 20));
    assert_eq!(begin(&mut world, "researcher", first).map(drop), Err(Reason::ContractNotActive));
    assert_eq!(begin(&mut world, "fetcher", leaf).map(drop), Err(Reason::Revoked));
    assert!(begin(&mut world, "researcher", second).is_ok());
    assert_eq!(replace(&mut world, grant, 1, first), Err(Reason::ContractNotActive), "it is replaced once");
}

/// Attack line 28: what the old one and those beneath it have spent, or may still spend, is not free.
#[test]
fn the_two_together_never_exceed_their_parent() {
    let (mut world, [grant, first, leaf]) = chain();
    let (done, proof) = begin(&mut world, "fetcher", leaf).unwrap();
    let signed = receipt(&world, &proof, 1).sign(&world.agent("files").key);
    end(&mut world, done, &End::Receipt(&signed)).unwrap();
    let (open, _) = begin(&mut world, "fetcher", leaf).unwrap();
    assert_eq!(replace(&mut world.clone(), grant, 499, first), Err(Reason::BudgetExceeded));
    replace(&mut world, grant, 498, first).unwrap();
    assert_eq!(available(&world, grant), 0);
    end(&mut world, open, &End::Cancelled).unwrap();
    assert_eq!(available(&world, grant), 1, "what was under way and was not done is released once");
}

/// What hangs beneath a link that has ended is released through it.
#[test]
fn what_is_counted_as_free_is_what_becomes_free() {
    let (mut world, [grant, first, leaf]) = chain();
    world.contract(leaf, "fetcher", "mallory", rights(1, 2)).unwrap();
    change(&mut world, "fetcher", Side::Holder, leaf, ChangeKind::Retire).unwrap();
    assert_eq!(replace(&mut world.clone(), grant, 501, first), Err(Reason::RightsWidened));
    replace(&mut world, grant, 500, first).unwrap();
    assert_eq!(available(&world, grant), 0);
}

#[test]
fn only_the_same_two_under_the_same_chain_replace() {
    let (mut world, [grant, first, leaf]) = chain();
    let other = world.contract(grant, "planner", "fetcher", rights(5, 3)).unwrap();
    for old in [other, leaf] {
        let (_, offered) = offer(&mut world, grant, 5, old);
        assert_eq!(offered, Err(Reason::OfferMismatch), "between others");
    }
    let again = world.grant(rights(500, 5)).unwrap();
    let (_, offered) = offer(&mut world, again, 5, first);
    assert_eq!(offered, Err(Reason::OfferMismatch), "beneath another chain");
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(5, 4)).unwrap();
    let body = talk.body(&mut world, grant, rights(5, 4));
    let itself = ContractBody { replaces: Some(body.contract_id), ..body };
    assert_eq!(talk.offer_body(&mut world, &itself).map(drop), Err(Reason::OfferMismatch), "itself");
    assert_eq!(replace(&mut world, grant, 5, first).map(drop), Ok(()), "the twin");
}

/// Whoever holds a contract up does not find it in use under another name; and what ended between
/// offer and acceptance is not replaced.
#[test]
fn what_is_suspended_or_has_ended_is_not_replaced() {
    let (mut world, [grant, first, _]) = chain();
    let (talk, offered) = offer(&mut world, grant, 5, first);
    offered.unwrap();
    let mut ended = world.clone();
    change(&mut world, "root", Side::Admin, first, ChangeKind::Suspend).unwrap();
    assert_eq!(talk.accept(&mut world).map(drop), Err(Reason::ContractSuspended));
    let (_, offered) = offer(&mut world, grant, 5, first);
    assert_eq!(offered, Err(Reason::ContractSuspended));
    revoke(&mut ended, "planner", first, 2).unwrap();
    assert_eq!(talk.accept(&mut ended).map(drop), Err(Reason::ContractNotActive));
    change(&mut world, "root", Side::Admin, first, ChangeKind::Resume).unwrap();
    assert!(talk.accept(&mut world).is_ok(), "the twin");
}

/// Two offers to replace one contract: the second finds it replaced.
#[test]
fn one_contract_is_replaced_by_one() {
    let (mut world, [grant, first, _]) = chain();
    let talks = [0, 1].map(|_| offer(&mut world, grant, 90, first).0);
    assert!(talks[0].accept(&mut world).is_ok());
    assert_eq!(talks[1].accept(&mut world).map(drop), Err(Reason::ContractNotActive));
    assert_eq!(available(&world, grant), 410);
}

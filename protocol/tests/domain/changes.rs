//! Holding a contract up and ending it by one side's word: who may, what it stops, what it gives back.

use countersign_forge::{Change, World, rights};
use countersign_protocol::{
    contract::{ChangeKind, ChangeRequest, Side, State as Contract},
    digest::{ChainId, Digest},
    domain::{End, Event},
    payload::Payload,
    refusal::Reason,
    signed::Statement,
};

use crate::invocation::{begin, chain, end, present, proof, receipt, revoke};

/// One side changes a link, and counts right.
pub(crate) fn change(
    world: &mut World,
    by: &str,
    side: Side,
    chain: ChainId,
    kind: ChangeKind,
) -> Result<usize, Reason> {
    let request = world.stage().change(by, side, chain, kind);
    submit(world, by, &request)
}

fn submit(world: &mut World, by: &str, request: &ChangeRequest) -> Result<usize, Reason> {
    let agent = world.agent(by);
    let signed = request.sign(&agent.key);
    let decided = world.decide(|state, context| state.decide_change(context, &agent.actor(), &signed));
    decided.map(|events| events.len())
}

fn suspend(world: &mut World, by: &str, side: Side, chain: ChainId) -> Result<usize, Reason> {
    change(world, by, side, chain, ChangeKind::Suspend)
}

fn resume(world: &mut World, by: &str, side: Side, chain: ChainId) -> Result<usize, Reason> {
    change(world, by, side, chain, ChangeKind::Resume)
}

fn state(world: &World, chain: ChainId) -> Contract {
    world.state.chain(&chain).unwrap().state
}

fn available(world: &World, chain: ChainId) -> u64 {
    world.state.chain(&chain).unwrap().account.available().get()
}

fn used(world: &mut World, by: &str, chain: ChainId) -> Result<(), Reason> {
    begin(world, by, chain).map(drop)
}

#[test]
fn what_is_suspended_is_not_used_nor_anything_beneath_it_until_it_is_resumed() {
    for (by, side) in [("planner", Side::Grantor), ("root", Side::Admin)] {
        let (mut world, [grant, first, leaf]) = chain();
        let epoch = world.state.epoch();
        assert_eq!(suspend(&mut world, by, side, first), Ok(1));
        assert_eq!(world.state.epoch(), epoch + 1, "what is under way is looked at again");
        for (holder, held) in [("researcher", first), ("fetcher", leaf)] {
            assert_eq!(used(&mut world, holder, held), Err(Reason::ContractSuspended), "{holder}");
        }
        assert_eq!(used(&mut world, "planner", grant), Ok(()), "what is above goes on");
        let further = world.contract(first, "researcher", "mallory", rights(1, 1));
        assert_eq!(further, Err(Reason::ParentChanged), "nothing is handed on");
        assert_eq!(available(&world, grant), 399, "nothing is released");
        assert_eq!(resume(&mut world, by, side, first), Ok(1));
        assert_eq!((used(&mut world, "fetcher", leaf), state(&world, first)), (Ok(()), Contract::Active));
    }
}

/// Attack line 29: nobody lifts what another one suspended.
#[test]
fn a_suspension_is_taken_back_by_the_side_that_made_it() {
    let (mut world, [_, first, leaf]) = chain();
    let not = Err(Reason::ContractNotSuspended);
    assert_eq!(resume(&mut world, "planner", Side::Grantor, first), not, "nobody has suspended it");
    suspend(&mut world, "root", Side::Admin, first).unwrap();
    assert_eq!(suspend(&mut world, "root", Side::Admin, first), Err(Reason::ContractSuspended), "twice");
    assert_eq!(resume(&mut world, "planner", Side::Grantor, first), not, "an admin's");
    suspend(&mut world, "planner", Side::Grantor, first).unwrap();
    assert_eq!(resume(&mut world, "planner", Side::Admin, first), Err(Reason::ChangeNotAllowed));
    assert_eq!(resume(&mut world, "root", Side::Admin, first), Ok(1));
    assert_eq!(used(&mut world, "fetcher", leaf), Err(Reason::ContractSuspended), "the grantor's stands");
    assert_eq!(resume(&mut world, "root", Side::Admin, first), not, "a grantor's");
    assert_eq!(resume(&mut world, "planner", Side::Grantor, first), Ok(1));
    assert_eq!(used(&mut world, "fetcher", leaf), Ok(()));
}

#[test]
fn each_change_is_for_its_own_side() {
    use ChangeKind::{Breach, Retire, Suspend};
    use Side::{Admin, Grantor, Holder};
    let cases = [
        ("researcher", Grantor, Suspend, Err(Reason::ChangeNotAllowed)),
        ("researcher", Admin, Suspend, Err(Reason::ChangeNotAllowed)),
        // The originator can revoke; a contract's grantor is another.
        ("alice", Grantor, Suspend, Err(Reason::ChangeNotAllowed)),
        ("mallory", Grantor, Breach, Err(Reason::ChangeNotAllowed)),
        ("planner", Holder, Retire, Err(Reason::ChangeNotAllowed)),
        ("fetcher", Holder, Retire, Err(Reason::ChangeNotAllowed)),
        ("root", Holder, Breach, Err(Reason::ChangeNotAllowed)),
        ("planner", Grantor, Suspend, Ok(1)),
        ("root", Admin, Suspend, Ok(1)),
        ("researcher", Holder, Retire, Ok(1)),
        ("researcher", Holder, Breach, Ok(1)),
        ("planner", Grantor, Breach, Ok(1)),
    ];
    for (by, side, kind, expected) in cases {
        let (mut world, [_, first, _]) = chain();
        assert_eq!(change(&mut world, by, side, first, kind), expected, "{by} {side:?} {kind:?}");
    }
    let (mut world, [grant, ..]) = chain();
    assert_eq!(suspend(&mut world, "alice", Grantor, grant), Ok(1), "a grant's grantor is its originator");
    let nowhere = ChainId::from_bytes([7; 32]);
    assert_eq!(suspend(&mut world, "root", Admin, nowhere), Err(Reason::NotFound));
}

/// What a side may not ask for does not even read.
#[test]
fn a_change_that_no_side_could_make_is_malformed() {
    let (mut world, [_, first, _]) = chain();
    let changes: [Change<ChangeRequest>; 6] = [
        |_, request| request.side = Side::Holder,
        |_, request| request.evidence = Some(Digest::of(b"why")),
        |world, request| request.invocation = Some(world.invocation_id()),
        |_, request| request.kind = ChangeKind::Retire,
        |_, request| request.kind = ChangeKind::Breach,
        |world, request| {
            (request.kind, request.evidence) = (ChangeKind::Breach, Some(Digest::of(b"why")));
            request.invocation = Some(world.invocation_id());
        },
    ];
    let good = world.stage().change("planner", Side::Grantor, first, ChangeKind::Suspend);
    assert_eq!(ChangeRequest::from_bytes(&good.to_bytes()).as_ref(), Ok(&good), "the twin");
    for (at, change) in changes.iter().enumerate() {
        let mut bad = good.clone();
        change(&mut world, &mut bad);
        assert!(ChangeRequest::from_bytes(&bad.to_bytes()).is_err(), "{at}");
    }
}

#[test]
fn a_change_is_in_ones_own_name_of_this_domain_fresh_counted_and_made_once() {
    let cases: [(&str, Change<ChangeRequest>, Reason); 5] = [
        ("name", |world, it| it.sender = world.agent("root").id, Reason::ChannelMismatch),
        ("domain", |_, it| it.domain = "other.example".parse().unwrap(), Reason::WrongDomain),
        (
            "time",
            |world, it| {
                world.pass(30_001);
                it.chains = 2;
            },
            Reason::StatementStale,
        ),
        ("count", |_, it| it.chains = 1, Reason::PreviewStale),
        ("count", |_, it| it.chains = 3, Reason::PreviewStale),
    ];
    let (world, [_, first, _]) = chain();
    for (what, change, reason) in cases {
        let mut world = world.clone();
        let mut bad = world.stage().change("planner", Side::Grantor, first, ChangeKind::Suspend);
        assert_eq!(submit(&mut world.clone(), "planner", &bad), Ok(1), "the twin");
        change(&mut world, &mut bad);
        assert_eq!(submit(&mut world, "planner", &bad), Err(reason), "{what}");
    }
    let mut world = world;
    let good = world.stage().change("planner", Side::Grantor, first, ChangeKind::Suspend);
    assert_eq!(submit(&mut world, "planner", &good), Ok(1));
    assert_eq!(submit(&mut world, "planner", &good), Ok(0), "its reply may have been lost");
    let other = ChangeRequest { kind: ChangeKind::Resume, ..good };
    assert_eq!(submit(&mut world, "planner", &other), Err(Reason::IdAlreadyUsed));
}

/// A permit from before is decided again after it: the state at the INTENT counts.
#[test]
fn a_retry_is_answered_under_suspension_and_nothing_new_begins() {
    let (mut world, [_, first, leaf]) = chain();
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    suspend(&mut world, "planner", Side::Grantor, first).unwrap();
    let retry = proof(&mut world, "fetcher", leaf, id).sign(&world.agent("fetcher").key);
    assert_eq!(present(&mut world, "fetcher", leaf, &retry).map(|events| events.len()), Ok(0));
    let fresh = world.invocation_id();
    let fresh = proof(&mut world, "fetcher", leaf, fresh).sign(&world.agent("fetcher").key);
    assert_eq!(present(&mut world, "fetcher", leaf, &fresh), Err(Reason::ContractSuspended));
}

#[test]
fn what_is_suspended_still_ends() {
    let (mut world, [grant, first, leaf]) = chain();
    let open: Vec<_> = (0..2).map(|_| begin(&mut world, "fetcher", leaf).unwrap()).collect();
    for link in [leaf, first] {
        suspend(&mut world, "root", Side::Admin, link).unwrap();
    }
    for (id, proof) in open {
        let signed = receipt(&world, &proof, 1).sign(&world.agent("files").key);
        end(&mut world, id, &End::Receipt(&signed)).unwrap();
    }
    assert_eq!(state(&world, leaf), Contract::Fulfilled, "the last of its budget was settled");
    assert_eq!(resume(&mut world, "root", Side::Admin, leaf), Err(Reason::ContractNotActive));
    let mut expired = world.clone();
    expired.pass(3_600_000);
    expired.decide(|state, context| state.decide_tick(context)).unwrap();
    assert_eq!(state(&expired, first), Contract::Expired);
    assert_eq!(revoke(&mut world, "planner", first, 1).map(|events| events.len()), Ok(1));
    assert_eq!((state(&world, first), available(&world, grant)), (Contract::Revoked, 498));
    let back = resume(&mut world, "root", Side::Admin, first);
    assert_eq!(back, Err(Reason::ContractNotActive), "nothing is un-revoked");
}

#[test]
fn what_is_retired_or_broken_ends_with_all_beneath_it_and_gives_back_what_it_held() {
    use ChangeKind::{Breach, Retire};
    let cases = [
        ("researcher", Side::Holder, Retire, Contract::Retired),
        ("researcher", Side::Holder, Breach, Contract::Breached),
        ("planner", Side::Grantor, Breach, Contract::Breached),
    ];
    for (by, side, kind, ended) in cases {
        let (mut world, [grant, first, leaf]) = chain();
        let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
        let from = world.state.tree().size().next_leaf();
        assert_eq!(change(&mut world, by, side, first, kind), Ok(1));
        assert_eq!((state(&world, first), state(&world, leaf)), (ended, Contract::Revoked));
        assert_eq!(world.state.revoked_since(from).count(), 2, "watchers hear of both");
        assert_eq!(available(&world, grant), 499, "all but what is under way");
        end(&mut world, id, &End::Cancelled).unwrap();
        assert_eq!(available(&world, grant), 500);
        assert_eq!(used(&mut world, "researcher", first), Err(Reason::ContractNotActive));
        assert_eq!(used(&mut world, "fetcher", leaf), Err(Reason::Revoked));
        assert_eq!(change(&mut world, by, side, first, kind), Err(Reason::ContractNotActive), "once");
        assert_eq!(available(&world, grant), 500);
    }
}

/// A hostile side gains nothing: it names what it likes, and the ledger holds only what there was.
#[test]
fn a_breach_names_an_invocation_of_that_contract() {
    let (mut world, [grant, first, leaf]) = chain();
    let (beneath, _) = begin(&mut world, "fetcher", leaf).unwrap();
    let (above, _) = begin(&mut world, "planner", grant).unwrap();
    let mut breach = world.stage().change("planner", Side::Grantor, first, ChangeKind::Breach);
    breach.evidence = None;
    for elsewhere in [above, world.invocation_id()] {
        breach.invocation = Some(elsewhere);
        assert_eq!(submit(&mut world, "planner", &breach), Err(Reason::NotFound));
    }
    breach.invocation = Some(beneath);
    let agent = world.agent("planner");
    let signed = breach.sign(&agent.key);
    let decided = world.decide(|state, context| state.decide_change(context, &agent.actor(), &signed));
    let events = decided.unwrap();
    assert!(matches!(&events[..], [Event::Changed(it)] if it.request == signed), "who says so, and why");
}

//! Using a chain: replay, retries, budgets and revocation.

use countersign_protocol::{
    capability::{Amount, Arguments, Request},
    contract,
    digest::{ChainId, Digest},
    domain::{Begin, End, Event, InvocationOutcome},
    extension::Extensions,
    id::InvocationId,
    receipt::{ActionOutcome, Receipt},
    refusal::Reason,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    time::Lifetime,
    token::{Nonce, Presentation, Proof, Via},
};

use crate::world::{World, domain, principal, rights};

pub(crate) fn request() -> Request {
    Request {
        callee: principal("files"),
        action: "read".parse().unwrap(),
        resource: "file:/data/eu/q3.csv".parse().unwrap(),
        arguments: Arguments::new(vec![]).unwrap(),
    }
}

pub(crate) fn proof(world: &mut World, caller: &str, chain: ChainId, id: InvocationId) -> Proof {
    proof_of(world, caller, chain, id, &request())
}

fn proof_of(world: &mut World, caller: &str, chain: ChainId, id: InvocationId, request: &Request) -> Proof {
    let request = request.clone();
    Proof {
        domain: domain(),
        invocation_id: id,
        chain_id: chain,
        activation_leaf: world.state.chain(&chain).unwrap().leaf,
        caller: world.agent(caller).id,
        callee: request.callee,
        action: request.action,
        resource: request.resource,
        arguments: request.arguments.digest(b""),
        nonce: Nonce::new(&mut world.rng),
        issued: world.now,
        expires: world.now.plus(Lifetime::from_millis(30_000)),
        via: Via::Broker,
        channel: world.agent(caller).spki,
        extensions: Extensions::none(),
    }
}

/// Presents a proof over the channel of `on`.
pub(crate) fn present(
    world: &mut World,
    on: &str,
    chain: ChainId,
    proof: &Signed,
) -> Result<Vec<Event>, Reason> {
    present_request(world, on, chain, proof, &request())
}

fn present_request(
    world: &mut World,
    on: &str,
    chain: ChainId,
    proof: &Signed,
    request: &Request,
) -> Result<Vec<Event>, Reason> {
    let (actor, callee) = (world.agent(on).actor(), world.agent("files").id);
    let presented = Presentation { proof, request, body: b"" };
    let permit = world.active(chain).permit(&presented, world.now).map_err(|refusal| refusal.reason())?;
    let begin = Begin { permit: &permit, proof, callee: Some(&callee) };
    world.decide(|state, context| state.decide_begin(context, &actor, &begin))
}

pub(crate) fn begin(
    world: &mut World,
    caller: &str,
    chain: ChainId,
) -> Result<(InvocationId, Signed), Reason> {
    begin_with(world, caller, chain, &request())
}

pub(crate) fn begin_with(
    world: &mut World,
    caller: &str,
    chain: ChainId,
    request: &Request,
) -> Result<(InvocationId, Signed), Reason> {
    let id = world.invocation_id();
    let signed = proof_of(world, caller, chain, id, request).sign(&world.agent(caller).key);
    present_request(world, caller, chain, &signed, request).map(|_| (id, signed))
}

pub(crate) fn receipt(world: &World, id: InvocationId, chain: ChainId, proof: &Signed, cost: u64) -> Receipt {
    Receipt {
        domain: domain(),
        invocation_id: id,
        chain_id: chain,
        proof: proof.digest(),
        callee: world.agent("files").id,
        outcome: ActionOutcome::Done,
        result: Digest::of(b"content"),
        cost: Amount::new(cost).unwrap(),
        finished: world.now,
        extensions: Extensions::none(),
    }
}

pub(crate) fn end(world: &mut World, id: InvocationId, end: &End<'_>) -> Result<Vec<Event>, Reason> {
    world.decide(|state, context| state.decide_end(context, id, end))
}

/// alice → planner → researcher → fetcher.
pub(crate) fn chain() -> (World, [ChainId; 3]) {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let first = world.contract(grant, "planner", "researcher", rights(100, 4)).unwrap();
    let second = world.contract(first, "researcher", "fetcher", rights(2, 3)).unwrap();
    (world, [grant, first, second])
}

fn available(world: &World, chain: ChainId) -> u64 {
    world.state.chain(&chain).unwrap().account.available().get()
}

#[test]
fn an_invocation_is_permitted_settled_and_done() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, proof) = begin(&mut world, "fetcher", leaf).unwrap();
    assert_eq!(available(&world, leaf), 1);
    let signed = receipt(&world, id, leaf, &proof, 1).sign(&world.agent("files").key);
    end(&mut world, id, &End::Receipt(&signed)).unwrap();
    assert_eq!(end(&mut world, id, &End::Unknown).map(|events| events.len()), Ok(0), "settled once");
    assert_eq!(available(&world, leaf), 1);
}

#[test]
fn a_cancelled_invocation_costs_nothing_and_an_unknown_one_its_reserve() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    end(&mut world, id, &End::Cancelled).unwrap();
    assert_eq!(available(&world, leaf), 2);
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    end(&mut world, id, &End::Unknown).unwrap();
    assert_eq!(available(&world, leaf), 1);
}

#[test]
fn a_proof_works_once_and_a_retry_needs_a_fresh_one() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, first) = begin(&mut world, "fetcher", leaf).unwrap();
    assert_eq!(present(&mut world, "fetcher", leaf, &first), Err(Reason::ProofReplayed));
    let retry = proof(&mut world, "fetcher", leaf, id).sign(&world.agent("fetcher").key);
    assert_eq!(present(&mut world, "fetcher", leaf, &retry).map(|events| events.len()), Ok(0));
    assert_eq!(available(&world, leaf), 1, "a retry reserves nothing");
    let mut other = proof(&mut world, "fetcher", leaf, id);
    other.chain_id = leaf;
    other.arguments = request().arguments.digest(b"other");
    let other = other.sign(&world.agent("fetcher").key);
    assert_eq!(present(&mut world, "fetcher", leaf, &other), Err(Reason::ProofInvalid));
}

#[test]
fn a_proof_is_of_no_use_on_another_channel() {
    let (mut world, [_, _, leaf]) = chain();
    let id = world.invocation_id();
    let stolen = proof(&mut world, "fetcher", leaf, id).sign(&world.agent("fetcher").key);
    assert_eq!(present(&mut world, "mallory", leaf, &stolen), Err(Reason::ChannelMismatch));
    assert!(present(&mut world, "fetcher", leaf, &stolen).is_ok(), "the twin");
}

/// After the memory of an id is gone, the id itself is refused: it never runs again.
#[test]
fn an_old_invocation_id_never_runs_again() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    end(&mut world, id, &End::Cancelled).unwrap();
    world.pass(600_000);
    let late = proof(&mut world, "fetcher", leaf, id).sign(&world.agent("fetcher").key);
    // Any entry moves the ledger's time on; what is too old is forgotten with it.
    world.grant(rights(1, 1)).unwrap();
    assert!(world.state.invocation(&id).is_none());
    assert_eq!(present(&mut world, "fetcher", leaf, &late), Err(Reason::ProofExpired));
}

#[test]
fn a_budget_that_is_used_up_ends_its_chain() {
    let (mut world, [_, first, leaf]) = chain();
    for _ in 0..2 {
        let (id, proof) = begin(&mut world, "fetcher", leaf).unwrap();
        let signed = receipt(&world, id, leaf, &proof, 1).sign(&world.agent("files").key);
        end(&mut world, id, &End::Receipt(&signed)).unwrap();
    }
    assert_eq!(world.state.chain(&leaf).unwrap().state, contract::State::Fulfilled);
    assert_eq!(begin(&mut world, "fetcher", leaf).map(|_| ()), Err(Reason::ContractNotActive));
    assert_eq!(available(&world, first), 98, "the parent has paid");
}

#[test]
fn open_invocations_cannot_overspend() {
    let (mut world, [_, _, leaf]) = chain();
    begin(&mut world, "fetcher", leaf).unwrap();
    begin(&mut world, "fetcher", leaf).unwrap();
    assert_eq!(begin(&mut world, "fetcher", leaf).map(|_| ()), Err(Reason::BudgetExceeded));
}

#[test]
fn a_receipt_is_the_callees_own_about_this_invocation() {
    let (mut world, [_, first, leaf]) = chain();
    let (id, proof) = begin(&mut world, "fetcher", leaf).unwrap();
    let good = receipt(&world, id, leaf, &proof, 1);
    let other_id = world.invocation_id();
    let other_callee = world.agent("mallory").id;
    let changed = [
        Receipt { invocation_id: other_id, ..good.clone() },
        Receipt { chain_id: first, ..good.clone() },
        Receipt { proof: Digest::of(b"another"), ..good.clone() },
        Receipt { callee: other_callee, ..good.clone() },
        Receipt { cost: Amount::new(2).unwrap(), ..good.clone() },
    ];
    let key = world.agent("files").key;
    for receipt in changed {
        let signed = receipt.sign(&key);
        assert_eq!(end(&mut world, id, &End::Receipt(&signed)), Err(Reason::CalleeFault), "{receipt:?}");
    }
    let forged = good.sign(&world.agent("mallory").key);
    assert_eq!(end(&mut world, id, &End::Receipt(&forged)), Err(Reason::CalleeFault));
    let events = end(&mut world, id, &End::Receipt(&good.sign(&key))).unwrap();
    assert!(
        matches!(&events[..], [Event::InvocationEnded(end)] if end.outcome == InvocationOutcome::Receipted)
    );
}

pub(crate) fn revoke(world: &mut World, by: &str, chain: ChainId, chains: u64) -> Result<Vec<Event>, Reason> {
    let (agent, request_id) = (world.agent(by), world.request_id());
    let request = RevokeRequest {
        domain: domain(),
        sender: agent.id.clone(),
        chain: Some(chain),
        instance: None,
        chains,
        request_id,
        issued: world.now,
        extensions: Extensions::none(),
    };
    let signed = request.sign(&agent.key);
    world.decide(|state, context| state.decide_revoke(context, &agent.actor(), &signed))
}

#[test]
fn revocation_takes_the_subtree_and_gives_the_budget_back_once() {
    let (mut world, [grant, first, leaf]) = chain();
    assert_eq!(available(&world, grant), 400);
    revoke(&mut world, "planner", first, 2).unwrap();
    assert_eq!(begin(&mut world, "fetcher", leaf).map(|_| ()), Err(Reason::Revoked));
    assert_eq!(available(&world, grant), 500);
    revoke(&mut world, "planner", first, 0).unwrap();
    assert_eq!(available(&world, grant), 500);
    assert_eq!(world.contract(first, "researcher", "mallory", rights(1, 3)), Err(Reason::ParentChanged));
}

#[test]
fn an_open_invocation_keeps_its_reserve_through_a_revocation() {
    let (mut world, [grant, first, leaf]) = chain();
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    revoke(&mut world, "alice", grant, 3).unwrap();
    let held = |world: &World| world.state.chain(&first).unwrap().account.balance().delegated.get();
    assert_eq!(held(&world), 1);
    end(&mut world, id, &End::Cancelled).unwrap();
    assert_eq!(held(&world), 0);
    assert_eq!(available(&world, grant), 500);
}

#[test]
fn only_those_above_can_revoke_and_only_what_they_counted() {
    let (mut world, [_, first, leaf]) = chain();
    assert_eq!(revoke(&mut world, "fetcher", first, 2), Err(Reason::RevocationNotAllowed));
    assert_eq!(revoke(&mut world, "mallory", leaf, 1), Err(Reason::RevocationNotAllowed));
    assert_eq!(revoke(&mut world, "researcher", leaf, 2), Err(Reason::PreviewStale));
    for by in ["researcher", "planner", "alice", "root", "fetcher"] {
        let (mut world, [_, _, leaf]) = chain();
        assert!(revoke(&mut world, by, leaf, 1).is_ok(), "{by}");
    }
}

//! Using a chain: replay, retries, budgets and revocation.

use countersign_protocol::{
    capability::{Amount, Arguments, Request, Rights},
    contract::{self, Rebind},
    digest::{ChainId, Digest},
    domain::{Begin, End, Event, InvocationOutcome},
    extension::Extensions,
    id::InvocationId,
    ledger::{LeafIndex, Origin},
    negotiation::MoveKind,
    receipt::{OpenedReceipt, Receipt},
    refusal::Reason,
    revocation::RevokeRequest,
    signed::{Signed, Statement},
    token::{
        ActivatedBy, Activation, ActiveToken, Holder, HopTerms, Presentation, Proof, Token, append_hop,
        sign_hop,
    },
};

use countersign_forge::{Talk, World, domain, keys, principal, rights};

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

pub(crate) fn proof_of(
    world: &mut World,
    caller: &str,
    chain: ChainId,
    id: InvocationId,
    request: &Request,
) -> Proof {
    world.stage().proof(caller, chain, id, request)
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

pub(crate) fn present_request(
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

pub(crate) fn receipt(world: &World, proof: &Signed, cost: u64) -> Receipt {
    let honest = countersign_forge::receipt(&world.agent("files"), proof, b"content", world.now);
    Receipt { cost: Amount::new(cost).unwrap(), ..honest }
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
    let signed = receipt(&world, &proof, 1).sign(&world.agent("files").key);
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

/// A nonce is forgotten when its proof expires: a permit that was made just before must not be enough.
#[test]
fn a_proof_that_expires_after_its_permit_is_refused() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, fetcher, files) = (world.invocation_id(), world.agent("fetcher"), world.agent("files").id);
    let signed = proof(&mut world, "fetcher", leaf, id).sign(&fetcher.key);
    let (token, request) = (world.active(leaf), request());
    let presented = Presentation { proof: &signed, request: &request, body: b"" };
    world.pass(29_999);
    let permit = token.permit(&presented, world.now).unwrap();
    let begin = Begin { permit: &permit, proof: &signed, callee: Some(&files) };
    let decide = |world: &mut World| {
        world.decide(|state, context| state.decide_begin(context, &fetcher.actor(), &begin)).map(drop)
    };
    world.pass(1);
    assert_eq!(decide(&mut world), Err(Reason::ProofExpired));
    let mut twin = chain().0;
    twin.pass(29_999);
    assert_eq!(decide(&mut twin), Ok(()), "the twin, a millisecond earlier");
}

#[test]
fn a_retry_needs_no_callee_and_a_new_invocation_does() {
    let (mut world, [_, _, leaf]) = chain();
    let (id, _) = begin(&mut world, "fetcher", leaf).unwrap();
    let fetcher = world.agent("fetcher");
    let without = |world: &mut World, id| {
        let signed = proof(world, "fetcher", leaf, id).sign(&fetcher.key);
        let (token, request) = (world.active(leaf), request());
        let presented = Presentation { proof: &signed, request: &request, body: b"" };
        let permit = token.permit(&presented, world.now).unwrap();
        let begin = Begin { permit: &permit, proof: &signed, callee: None };
        world.decide(|state, context| state.decide_begin(context, &fetcher.actor(), &begin))
    };
    assert_eq!(without(&mut world, id).map(|events| events.len()), Ok(0));
    let other = world.invocation_id();
    assert_eq!(without(&mut world, other), Err(Reason::CalleeUnavailable));
}

#[test]
fn a_retry_is_answered_when_its_budget_is_used_up_but_not_when_it_is_revoked() {
    let (mut world, [_, first, _]) = chain();
    let leaf = world.contract(first, "researcher", "mallory", rights(1, 3)).unwrap();
    let (id, signed) = begin(&mut world, "mallory", leaf).unwrap();
    let receipt = receipt(&world, &signed, 1).sign(&world.agent("files").key);
    end(&mut world, id, &End::Receipt(&receipt)).unwrap();
    assert_eq!(world.state.chain(&leaf).unwrap().state, contract::State::Fulfilled);
    let again = |world: &mut World| {
        let retry = proof(world, "mallory", leaf, id).sign(&world.agent("mallory").key);
        present(world, "mallory", leaf, &retry).map(|events| events.len())
    };
    assert_eq!(again(&mut world), Ok(0));
    revoke(&mut world, "planner", first, 2).unwrap();
    assert_eq!(again(&mut world), Err(Reason::Revoked));
}

#[test]
fn the_state_tells_what_was_revoked_and_when() {
    let (mut world, [_, first, leaf]) = chain();
    let before = world.state.tree().size().next_leaf();
    assert_eq!(world.state.revoked_since(LeafIndex::ZERO).count(), 0);
    revoke(&mut world, "planner", first, 2).unwrap();
    let told: Vec<_> = world.state.revoked_since(before).collect();
    let mut expected = vec![(before, first), (before, leaf)];
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(world.state.revoked_since(before.plus(1).unwrap()).count(), 0);
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
    world.stay("mallory");
    assert!(world.state.invocation(&id).is_none());
    assert_eq!(present(&mut world, "fetcher", leaf, &late), Err(Reason::InvocationIdStale));
    let timeless = "ffffffff-ffff-7000-8000-000000000000".parse().unwrap();
    let timeless = proof(&mut world, "fetcher", leaf, timeless).sign(&world.agent("fetcher").key);
    let refused = present(&mut world, "fetcher", leaf, &timeless);
    assert_eq!(refused, Err(Reason::InvocationIdStale), "nor one of no time at all");
}

#[test]
fn a_budget_that_is_used_up_ends_its_chain() {
    let (mut world, [_, first, leaf]) = chain();
    for _ in 0..2 {
        let (id, proof) = begin(&mut world, "fetcher", leaf).unwrap();
        let signed = receipt(&world, &proof, 1).sign(&world.agent("files").key);
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
    let good = receipt(&world, &proof, 1);
    let other_id = world.invocation_id();
    let other_callee = world.agent("mallory").id;
    let changed = [
        Receipt { domain: "other.example".parse().unwrap(), ..good.clone() },
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
        let opened = OpenedReceipt::open(signed, key.public()).unwrap();
        assert_eq!(end(&mut world, id, &End::Opened(&opened)), Err(Reason::CalleeFault), "{receipt:?}");
    }
    let mallory = world.agent("mallory").key;
    let forged = good.sign(&mallory);
    assert_eq!(end(&mut world, id, &End::Receipt(&forged)), Err(Reason::CalleeFault));
    // Whoever it was verified for, the decision asks whose it has to be.
    let forged = OpenedReceipt::open(forged, mallory.public()).unwrap();
    assert_eq!(end(&mut world, id, &End::Opened(&forged)), Err(Reason::CalleeFault));
    assert!(OpenedReceipt::open(good.sign(&mallory), key.public()).is_err());
    let opened = OpenedReceipt::open(good.sign(&key), key.public()).unwrap();
    let twin = world.judge(|state, context| state.decide_end(context, id, &End::Opened(&opened)));
    assert!(twin.is_ok(), "the twin");
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

/// Attack line 16: what was verified before a revocation is decided again after it.
#[test]
fn a_permit_from_before_a_revocation_is_worth_nothing_after_it() {
    let (mut world, [_, first, leaf]) = chain();
    let id = world.invocation_id();
    let signed = proof(&mut world, "fetcher", leaf, id).sign(&world.agent("fetcher").key);
    let (actor, callee, request) = (world.agent("fetcher").actor(), world.agent("files").id, request());
    let presented = Presentation { proof: &signed, request: &request, body: b"" };
    let permit = world.active(leaf).permit(&presented, world.now).unwrap();
    let use_it = |world: &mut World| {
        let begin = Begin { permit: &permit, proof: &signed, callee: Some(&callee) };
        world.decide(|state, context| state.decide_begin(context, &actor, &begin)).map(|events| events.len())
    };
    assert_eq!(use_it(&mut world.clone()), Ok(1), "the twin");
    revoke(&mut world, "planner", first, 2).unwrap();
    assert_eq!(use_it(&mut world), Err(Reason::Revoked));
}

/// Attack line 18: the hop of an offer verifies, but no ledger activated it.
#[test]
fn an_offers_hop_is_nothing_before_accept_or_after_withdraw() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(100, 4)).unwrap();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    let body = talk.last_offer.clone().unwrap();
    let offered = world.state.negotiation(&talk.id).unwrap().offer.clone().unwrap();
    let planner = world.agent("planner").key.public();
    let hop = append_hop(&world.token(grant), &body.hop_terms(), planner, offered.hop_signature);
    let token = hop.verify(&keys()).unwrap();
    // A thief of the activation key, or a broker that lies to a callee; the ledger knows better.
    let activation = Activation {
        domain: domain(),
        chain_id: token.chain_id(),
        activated_by: ActivatedBy::Contract,
        subject: Digest::from_bytes(body.hash().to_array()),
        leaf: world.state.tree().size().next_leaf(),
        origin: Origin::of(&domain()),
    };
    let active = ActiveToken::new(token.clone(), activation.clone()).unwrap();
    let present = |world: &mut World, active: &ActiveToken| {
        let (id, request) = (world.invocation_id(), request());
        let researcher = world.agent("researcher");
        let mut proof = proof(world, "researcher", grant, id);
        (proof.chain_id, proof.activation_leaf) = (token.chain_id(), active.activation().leaf);
        let signed = proof.sign(&researcher.key);
        let presented = Presentation { proof: &signed, request: &request, body: b"" };
        let permit = active.permit(&presented, world.now).unwrap();
        let callee = world.agent("files").id;
        let begin = Begin { permit: &permit, proof: &signed, callee: Some(&callee) };
        world.decide(|state, context| state.decide_begin(context, &researcher.actor(), &begin)).map(|_| ())
    };
    assert_eq!(present(&mut world, &active), Err(Reason::NotActivated), "before the accept");
    let mut withdrawn = world.clone();
    talk.plain(&mut withdrawn, "planner", MoveKind::Withdraw).unwrap();
    assert_eq!(present(&mut withdrawn, &active), Err(Reason::NotActivated), "after the withdrawal");
    talk.accept(&mut world).unwrap();
    let active = world.active(token.chain_id());
    assert_eq!(present(&mut world, &active), Ok(()), "the twin");
}

/// Attack line 18: one contract's hash in another hop, to another holder or with wider rights. The
/// activation of the real one does not fit, and the ledger has no other.
#[test]
fn a_contracts_activation_is_of_its_own_hop_alone() {
    let (world, [grant, first, _]) = chain();
    let contract = world.token(first).leaf().contract.unwrap();
    let planner = world.agent("planner").key;
    let hop = |name: &str, rights: Rights| {
        let agent = world.agent(name);
        let holder = Holder { instance: agent.id, key: agent.key.public() };
        let terms =
            HopTerms { holder, contract, rights, rebind: Rebind::Never, extensions: Extensions::none() };
        let signature = sign_hop(&world.token(grant), &terms, &planner);
        append_hop(&world.token(grant), &terms, planner.public(), signature).verify(&keys()).unwrap()
    };
    let activation = world.state.activation(first).unwrap();
    let activate = |token: Token| {
        ActiveToken::new(token, activation.clone()).map(|_| ()).map_err(|refusal| refusal.reason())
    };
    assert_eq!(activate(hop("researcher", rights(100, 4))), Ok(()), "the twin");
    assert_eq!(activate(hop("mallory", rights(100, 4))), Err(Reason::NotActivated));
    assert_eq!(activate(hop("researcher", rights(101, 4))), Err(Reason::NotActivated));
}

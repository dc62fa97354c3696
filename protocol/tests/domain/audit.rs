//! Audits: a ledger that a conforming broker wrote is clean, and each thing that no conforming broker
//! writes is found where it stands.

use std::sync::LazyLock;

use countersign_forge::{Talk, World, domain, domain_key, keys, principal, rights};
use countersign_protocol::{
    audit::{Audit, Report},
    capability::Amount,
    contract::{self, ChangeKind, ContractBody, Rebind, Side},
    digest::ChainId,
    domain::{
        ChainClosed, ContractFinalized, End, EndCause, Event, InvocationEnded, InvocationOutcome,
        KeysPublished, NegotiationEnded, Revoked, SessionCause, State,
    },
    extension::Extensions,
    identity::RenewStatement,
    ledger::{Checkpoint, Origin, SignedCheckpoint, TreeSize},
    negotiation::MoveKind,
    refusal::{Reason, Refusal},
    revocation::RevokeRequest,
    session,
    signed::{Signed, Statement},
    trust::KeyPurpose,
};

use proptest::{prelude::*, sample::Index};

use crate::{
    awards::{ask, award},
    changes::change,
    explain::ledger,
    invocation::{begin, end, present, proof, receipt, revoke},
    rebind::take,
    rotation::rotate,
    session::Sitting,
    streams::streamed,
};

/// alice → planner → researcher, with a contract that can be used.
fn contracted() -> (World, ChainId, ChainId) {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let leaf = world.contract(grant, "planner", "researcher", rights(2, 4)).unwrap();
    (world, grant, leaf)
}

fn audited(entries: &[Vec<u8>], checkpoint: &SignedCheckpoint) -> Report {
    let audit = entries.iter().fold(Audit::begin(keys()), |audit, entry| audit.entry(entry));
    audit.finish(checkpoint)
}

pub(crate) fn audit(world: &World) -> Report {
    audited(&ledger(world), &world.checkpoint())
}

/// What is found in a ledger to which events were added that were never decided: at their leaves, and
/// nowhere else.
fn found(world: &mut World, events: &[Event]) -> String {
    assert!(audit(world).is_clean(), "the twin");
    let leaf = world.entries.len() as u64;
    events.iter().for_each(|event| world.record(event));
    let report = audit(world);
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert!(finding.leaf.is_some_and(|at| at.get() >= leaf), "{finding}");
    finding.sentence.clone()
}

fn renew(world: &mut World, name: &str, generation: u32) -> Vec<Event> {
    let agent = world.agent(name);
    let renewal = RenewStatement {
        domain: domain(),
        instance: agent.id.clone(),
        spki: agent.spki,
        configuration: countersign_forge::configuration(),
        generation,
        issued: world.now,
        extensions: Extensions::none(),
    };
    let signed = renewal.sign(&agent.key);
    world.decide(|state, context| state.decide_renew(context, &agent.actor(), &signed)).unwrap()
}

fn receipted(world: &mut World, chain: ChainId) {
    let (id, proof) = begin(world, "researcher", chain).unwrap();
    let signed = receipt(world, &proof, 1).sign(&world.agent("files").key);
    end(world, id, &End::Receipt(&signed)).unwrap();
}

/// A ledger in which everything happens that can happen.
pub(crate) fn eventful() -> World {
    let (mut world, grant, leaf) = contracted();
    receipted(&mut world, leaf);
    world.pass(10);
    receipted(&mut world, leaf);
    assert_eq!(world.state.chain(&leaf).unwrap().state, contract::State::Fulfilled);
    let other = world.contract(grant, "planner", "fetcher", rights(5, 4)).unwrap();
    for how in [End::Cancelled, End::Unknown] {
        let (id, _) = begin(&mut world, "fetcher", other).unwrap();
        end(&mut world, id, &how).unwrap();
    }
    begin(&mut world, "fetcher", other).unwrap();
    streamed(&mut world, "fetcher", other);
    let mut sitting = Sitting::within(world, grant, "planner");
    sitting.ask().unwrap();
    sitting.tell(1).unwrap();
    sitting.pass_over();
    sitting.sign(session::Side::Caller).unwrap();
    sitting.sign(session::Side::Callee).unwrap();
    sitting.end(SessionCause::Closed).unwrap();
    let mut world = sitting.world;
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(9, 4)).unwrap();
    talk.offer(&mut world, grant, rights(3, 4)).unwrap();
    talk.counter(&mut world, rights(5, 4)).unwrap();
    talk.offer(&mut world, grant, rights(4, 4)).unwrap();
    talk.plain(&mut world, "researcher", MoveKind::Decline).unwrap();
    let place = talk.bare(&mut world, "planner", MoveKind::Reject);
    talk.offer(&mut world, grant, rights(5, 4)).unwrap();
    talk.send(&mut world, "planner", &place).unwrap();
    let left = Talk::new(&mut world, "planner", "researcher");
    left.request(&mut world, rights(1, 4)).unwrap();
    world.pass(600_000);
    world.decide(|state, context| state.decide_tick(context)).unwrap();
    renew(&mut world, "files", 1);
    world.pass(10);
    renew(&mut world, "files", 2);
    world.pass(10);
    renew(&mut world, "files", 1);
    ["planner", "researcher"].into_iter().for_each(|name| world.stay(name));
    let last = world.contract(grant, "planner", "researcher", rights(5, 4)).unwrap();
    revoke(&mut world, "planner", other, 1).unwrap();
    revoke(&mut world, "root", last, 1).unwrap();
    let award = award(&mut world);
    let asked = ["planner", "fetcher"].map(|whom| {
        let (talk, asked) = ask(&mut world, "researcher", whom, award);
        asked.unwrap();
        talk
    });
    let [mut first, _] = asked;
    first.offer(&mut world, grant, rights(1, 1)).unwrap();
    first.accept(&mut world).unwrap();
    let held_up = world.contract(grant, "planner", "researcher", rights(5, 4)).unwrap();
    for (by, side, kind) in [
        ("root", Side::Admin, ChangeKind::Suspend),
        ("planner", Side::Grantor, ChangeKind::Suspend),
        ("planner", Side::Grantor, ChangeKind::Resume),
    ] {
        change(&mut world, by, side, held_up, kind).unwrap();
    }
    for rebind in [Rebind::Domain, Rebind::GrantorConsent] {
        let name = if rebind == Rebind::Domain { "researcher2" } else { "researcher3" };
        let held = world.rebindable(grant, "planner", "researcher", (rights(5, 4), rebind)).unwrap();
        world.join(name);
        take(&mut world, name, held).unwrap();
    }
    let refusal = Refusal::new("CHN-030", Reason::Revoked, "");
    let actor = world.agent("mallory").actor();
    world.decide(|state, context| state.decide_denied(context, &actor, &refusal, None, None, 3)).unwrap();
    world.pass(3_600_000);
    world.decide(|state, context| state.decide_tick(context)).unwrap();
    rotate(&mut world, &[(KeyPurpose::Activation, 212)]);
    world
}

#[test]
fn a_conforming_ledger_is_clean() {
    let world = eventful();
    let report = audit(&world);
    assert_eq!(report.findings, []);
    assert_eq!(report.size, world.state.tree().size());
    assert_eq!(report.root, world.state.tree().root());
    assert_eq!(report.counts.values().sum::<u64>(), world.entries.len() as u64);
    let kinds = countersign_protocol::domain::EventKind::all().count();
    assert_eq!(report.counts.len(), kinds, "the test writes every kind of entry");
    assert_eq!(report.admins, [principal("root")].into());
    assert_eq!(report.open_invocations, 1);
}

#[test]
fn every_entry_counts_and_so_does_their_order() {
    let world = eventful();
    let (entries, checkpoint) = (ledger(&world), world.checkpoint());
    assert!(audited(&entries, &checkpoint).is_clean(), "the twin");
    for at in 0..entries.len() {
        let without = [&entries[..at], &entries[at + 1..]].concat();
        assert!(!audited(&without, &checkpoint).is_clean(), "without leaf {at}");
        let mut flipped = entries.clone();
        let middle = flipped[at].len() / 2;
        flipped[at][middle] ^= 1;
        assert!(!audited(&flipped, &checkpoint).is_clean(), "leaf {at} altered");
        let twice = [&entries[..=at], &entries[at..]].concat();
        assert!(!audited(&twice, &checkpoint).is_clean(), "leaf {at} twice");
        if at > 0 {
            let mut swapped = entries.clone();
            swapped.swap(at - 1, at);
            assert!(!audited(&swapped, &checkpoint).is_clean(), "leaf {at} moved");
        }
    }
    let unreadable = [&entries[..], &[b"not an entry".to_vec()]].concat();
    assert!(!audited(&unreadable, &checkpoint).is_clean());
}

#[test]
fn a_checkpoint_is_of_exactly_these_entries_and_the_logs_own() {
    let (world, ..) = contracted();
    let entries = ledger(&world);
    let (size, root) = (world.state.tree().size(), world.state.tree().root());
    let origin = Origin::of(&domain());
    let sign = |checkpoint: Checkpoint, seed| SignedCheckpoint::sign(&checkpoint, &domain_key(seed));
    let good = Checkpoint { origin, size, root };
    let longer = TreeSize::new(size.get() + 1).unwrap();
    let shorter = Checkpoint { size: TreeSize::new(1).unwrap(), ..good.clone() };
    let other = countersign_protocol::ledger::EMPTY_ROOT;
    assert!(audited(&entries, &sign(good.clone(), 203)).is_clean(), "the twin");
    for (checkpoint, seed) in [
        (good.clone(), 202),
        (Checkpoint { size: longer, ..good.clone() }, 203),
        (shorter, 203),
        (Checkpoint { root: other, ..good.clone() }, 203),
    ] {
        assert_eq!(audited(&entries, &sign(checkpoint.clone(), seed)).found, 1, "{checkpoint:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Attack line 36: whatever a hostile ledger holds, in whatever order and however often, reading it
    /// neither stops the auditor nor satisfies it.
    #[test]
    fn an_audit_survives_any_ledger(
        order in prop::collection::vec(any::<Index>(), 1..60),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        static WORLD: LazyLock<(Vec<Vec<u8>>, SignedCheckpoint)> = LazyLock::new(|| {
            let world = eventful();
            (ledger(&world), world.checkpoint())
        });
        let (entries, checkpoint) = &*WORLD;
        let mut shuffled: Vec<Vec<u8>> = order.iter().map(|index| index.get(entries).clone()).collect();
        shuffled.push(noise);
        prop_assert!(!audited(&shuffled, checkpoint).is_clean());
    }
}

/// An instance that is admitted a second time while its first life goes on: no count goes below zero.
#[test]
fn an_instance_that_is_admitted_twice_is_found_and_stops_nobody() {
    let (mut world, _, leaf) = contracted();
    let (id, _) = begin(&mut world, "researcher", leaf).unwrap();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(1, 4)).unwrap();
    let researcher = world.agent("researcher").id;
    let admitted = world.entries.iter().map(|entry| entry.event.clone()).find(|event| {
        matches!(event, Event::InstanceAdmitted(admitted) if admitted.statement.instance == researcher)
    });
    let sentence = found(&mut world, &[admitted.unwrap()]);
    assert!(sentence.contains("or nothing"), "{sentence}");
    end(&mut world, id, &End::Cancelled).unwrap();
    talk.plain(&mut world, "planner", MoveKind::Reject).unwrap();
    assert_eq!(audit(&world).found, 1, "and nothing else");
}

/// What `state`, which is not the ledger's newest, would have decided.
fn stale_use(world: &mut World, state: State, chain: ChainId) -> Event {
    let id = world.invocation_id();
    let signed = proof(world, "researcher", chain, id).sign(&world.agent("researcher").key);
    let newest = std::mem::replace(&mut world.state, state);
    let kept = world.entries.len();
    let events = present(world, "researcher", chain, &signed).unwrap();
    world.entries.truncate(kept);
    world.state = newest;
    let [Event::Intent(mut intent)] = <[Event; 1]>::try_from(events).unwrap() else { panic!() };
    (intent.seen_size, intent.seen_root) = (world.state.tree().size(), world.state.tree().root());
    intent.epoch = world.state.epoch();
    Event::Intent(intent)
}

#[test]
fn a_use_after_its_revocation_is_found() {
    let (mut world, grant, leaf) = contracted();
    let before = world.state.clone();
    revoke(&mut world, "alice", grant, 2).unwrap();
    let used = stale_use(&mut world, before, leaf);
    let sentence = found(&mut world, &[used]);
    assert!(sentence.contains("REVOKED"), "{sentence}");
}

#[test]
fn an_overspent_budget_is_found() {
    let (mut world, _, leaf) = contracted();
    let before = world.state.clone();
    begin(&mut world, "researcher", leaf).unwrap();
    // With the balance of before, as a broker that reads a stale pool.
    let mut stale = world.clone();
    let used = stale_use(&mut stale, before, leaf);
    let sentence = found(&mut stale, &[used]);
    assert!(sentence.contains("something else"), "{sentence}");
    // With a balance that is made up: nothing was available.
    begin(&mut world, "researcher", leaf).unwrap();
    let (_, _, fresh) = contracted();
    assert_eq!(fresh, leaf, "both worlds are the same");
    let mut used = stale_use(&mut world, contracted().0.state, leaf);
    if let Event::Intent(intent) = &mut used {
        let account = &world.state.chain(&leaf).unwrap().account;
        (intent.before, intent.previous) = (account.balance().clone(), account.last_leaf());
        intent.after = intent.before.clone();
        intent.after.open = intent.before.open.plus(intent.reserved).unwrap();
    }
    let sentence = found(&mut world, &[used]);
    assert!(sentence.contains("BUDGET_EXCEEDED"), "{sentence}");
}

#[test]
fn a_replayed_proof_and_a_second_settlement_are_found() {
    let (mut world, _, leaf) = contracted();
    let (id, _) = begin(&mut world, "researcher", leaf).unwrap();
    let first = world.entries.last().unwrap().event.clone();
    let mut again = world.clone();
    let sentence = found(&mut again, &[first]);
    assert!(sentence.contains("PROOF_REPLAYED"), "{sentence}");
    end(&mut world, id, &End::Cancelled).unwrap();
    let settled = world.entries.last().unwrap().event.clone();
    let sentence = found(&mut world, &[settled]);
    assert!(sentence.contains("or nothing"), "{sentence}");
}

#[test]
fn a_result_that_its_callee_did_not_sign_is_found() {
    let (mut world, _, leaf) = contracted();
    let (id, proof) = begin(&mut world, "researcher", leaf).unwrap();
    let good = receipt(&world, &proof, 1);
    let ended = |signed: Option<Signed>, outcome, settled| {
        let settled = Amount::new(settled).unwrap();
        Event::InvocationEnded(InvocationEnded {
            invocation_id: id,
            outcome,
            receipt: signed,
            settled,
            asked: None,
            told: None,
        })
    };
    let forged = good.sign(&world.agent("mallory").key);
    for event in [
        ended(Some(forged), InvocationOutcome::Receipted, 1),
        ended(None, InvocationOutcome::Receipted, 1),
        ended(None, InvocationOutcome::Unknown, 0),
        ended(None, InvocationOutcome::Cancelled, 1),
        ended(Some(good.sign(&world.agent("files").key)), InvocationOutcome::Receipted, 0),
    ] {
        found(&mut world.clone(), &[event]);
    }
    let good = good.sign(&world.agent("files").key);
    end(&mut world, id, &End::Receipt(&good)).unwrap();
    assert!(audit(&world).is_clean(), "the twin");
}

#[test]
fn a_contract_that_is_not_the_accepted_offer_is_found() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(9, 4)).unwrap();
    talk.offer(&mut world, grant, rights(9, 4)).unwrap();
    let mut accepted = world.clone();
    let events = talk.accept(&mut accepted).unwrap();
    let [Event::Moved(moved), Event::ContractFinalized(good)] = &events[..] else { panic!() };
    // Both parties collude with the broker: another contract, which both sign.
    let mut body: ContractBody = good.contract.peek_unverified().unwrap();
    body.rights = rights(8, 4);
    let (planner, researcher) = (world.agent("planner").key, world.agent("researcher").key);
    let mut signed = body.sign(&planner);
    signed.add_signature(&researcher);
    let other = ContractFinalized { contract: signed, ..good.clone() };
    let changed = [Event::Moved(moved.clone()), Event::ContractFinalized(other)];
    found(&mut world.clone(), &changed);
    // The contract without the accept, and the accept without the contract.
    found(&mut world.clone(), &[Event::ContractFinalized(good.clone())]);
    world.record(&Event::Moved(moved.clone()));
    assert_eq!(audit(&world).found, 1, "one commit");
    assert!(audit(&accepted).is_clean(), "the twin");
}

#[test]
fn what_nobody_signed_and_what_was_not_due_is_found() {
    let (mut world, _, leaf) = contracted();
    let first = world.entries[15].event.clone();
    let Event::GrantIssued(mut grant) = first else { panic!() };
    found(&mut world.clone(), &[Event::GrantIssued(grant.clone())]);
    grant.request = {
        let mut request: countersign_protocol::grant::GrantRequest = grant.request.peek_unverified().unwrap();
        request.grant_id = countersign_protocol::id::GrantId::new(world.now, &mut world.rng);
        request.sign(&world.agent("mallory").key)
    };
    let sentence = found(&mut world.clone(), &[Event::GrantIssued(grant)]);
    assert!(sentence.contains("SIGNATURE_INVALID"), "{sentence}");
    for state in [contract::State::Expired, contract::State::Fulfilled, contract::State::Revoked] {
        found(&mut world.clone(), &[Event::ChainClosed(ChainClosed { chain_id: leaf, state })]);
    }
    found(&mut world.clone(), &[Event::KeysPublished(KeysPublished { keys: keys() })]);
    let open = Talk::new(&mut world, "planner", "fetcher");
    open.request(&mut world, rights(1, 1)).unwrap();
    for cause in [EndCause::Awarded, EndCause::Deadline] {
        let ended = NegotiationEnded { negotiation_id: open.id, cause, evidence: None };
        found(&mut world.clone(), &[Event::NegotiationEnded(ended)]);
    }
    let early = world.now.plus(countersign_protocol::time::Lifetime::from_millis(3_600_000));
    world.now = early;
    let closed = ChainClosed { chain_id: leaf, state: contract::State::Expired };
    world.record(&Event::ChainClosed(closed));
    assert!(audit(&world).is_clean(), "the twin: its time has come");
}

/// The ledger does not say who is an admin: whoever acted as one is named.
#[test]
fn a_revocation_by_an_outsider_names_it_as_an_admin() {
    let (mut world, _, leaf) = contracted();
    let mallory = world.agent("mallory");
    let request = RevokeRequest {
        domain: domain(),
        sender: mallory.id.clone(),
        chain: Some(leaf),
        instance: None,
        chains: 1,
        request_id: world.request_id(),
        issued: world.now,
        extensions: Extensions::none(),
    };
    let forged = request.sign(&world.agent("planner").key);
    let sentence = found(&mut world.clone(), &[Event::Revoked(Revoked { request: forged })]);
    assert!(sentence.contains("SIGNATURE_INVALID"), "{sentence}");
    world.record(&Event::Revoked(Revoked { request: request.sign(&mallory.key) }));
    let report = audit(&world);
    assert_eq!((report.found, report.admins), (0, [principal("mallory")].into()));
}

#[test]
fn a_ledger_under_other_keys_is_another_ledger() {
    let (world, ..) = contracted();
    let public = |seed| domain_key(seed).public();
    let others =
        countersign_protocol::trust::KeySet::new(domain(), public(9), public(202), public(203), public(204));
    let audit = ledger(&world).iter().fold(Audit::begin(others.unwrap()), |audit, entry| audit.entry(entry));
    let report = audit.finish(&world.checkpoint());
    assert!(report.findings[0].sentence.contains("other keys"), "{:?}", report.findings);
    let empty = audited(&[], &world.checkpoint());
    assert_eq!(empty.found, 1, "nothing is not everything");
}

//! A fresh instance takes over what another one of its principal held: which, from whom, and what is left.

use countersign_forge::{Agent, Talk, World, attested, policy, principal, rights};
use countersign_protocol::{
    capability::{Amount, Window},
    contract::{ChangeKind, Rebind, RebindRequest, Side, State as Contract},
    digest::{ChainId, Digest, SpkiHash},
    domain::{End, Event, EventKind},
    extension::{Criticality, Extension, Extensions},
    id::InstanceUuid,
    identity::RenewStatement,
    ledger::LeafIndex,
    refusal::Reason,
    signed::{Signed, Statement},
    time::{Lifetime, Timestamp},
    token::ActiveToken,
    trust::KeyPurpose,
};

use crate::{
    changes::change,
    invocation::{begin, end, present, proof, receipt, revoke},
};

/// One change to an otherwise good statement.
pub(crate) type Change<T> = fn(&mut T);

/// alice → planner → researcher → fetcher, where researcher's link may be rebound; and a second copy of
/// researcher, which joined after all that.
pub(crate) fn restarted(rebind: Rebind) -> (World, [ChainId; 3]) {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let first = world.rebindable(grant, "planner", "researcher", (rights(100, 4), rebind)).unwrap();
    let second = world.contract(first, "researcher", "fetcher", rights(20, 3)).unwrap();
    world.join("researcher2");
    (world, [grant, first, second])
}

/// A copy asks for a chain, and counts right; what was recorded.
pub(crate) fn take(world: &mut World, by: &str, chain: ChainId) -> Result<Vec<Event>, Reason> {
    let request = world.stage().rebind_request(by, chain);
    ask(world, by, &request)
}

fn ask(world: &mut World, by: &str, request: &RebindRequest) -> Result<Vec<Event>, Reason> {
    let agent = world.agent(by);
    submit(world, &agent, &request.sign(&agent.key))
}

fn submit(world: &mut World, agent: &Agent, signed: &Signed) -> Result<Vec<Event>, Reason> {
    world.decide(|state, context| state.decide_rebind(context, &agent.actor(), signed))
}

/// The chain that was taken over.
pub(crate) fn taken(events: Result<Vec<Event>, Reason>) -> ChainId {
    match &events.unwrap()[..] {
        [Event::ChainRebound(event)] => event.chain_id,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn end_chain(world: &mut World, by: &str, chain: ChainId) -> Result<Vec<Event>, Reason> {
    let chains = world.state.live_subtree(chain).len() as u64;
    revoke(world, by, chain, chains)
}

pub(crate) fn state(world: &World, chain: ChainId) -> Contract {
    world.state.chain(&chain).unwrap().state
}

fn available(world: &World, chain: ChainId) -> u64 {
    world.state.chain(&chain).unwrap().account.available().get()
}

pub(crate) fn audited(world: &World) {
    let report = crate::audit::audit(world);
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[test]
fn a_fresh_instance_takes_over_what_its_principal_held() {
    let (mut world, [grant, first, second]) = restarted(Rebind::Domain);
    let contract = world.state.chain(&first).unwrap().contract.unwrap().0;
    let next = taken(take(&mut world, "researcher2", first));
    assert_eq!([first, second].map(|it| state(&world, it)), [Contract::Rebound, Contract::Revoked]);
    assert_eq!(world.state.contract(&contract), Some(next), "it is the same contract");
    let (old, new) = (world.state.chain(&first).unwrap(), world.state.chain(&next).unwrap());
    assert_eq!((new.parent, new.depth, &new.rights), (Some(grant), 1, &old.rights));
    assert_eq!(new.holder, world.agent("researcher2").id);
    assert!(begin(&mut world, "researcher2", next).is_ok());
    for (who, chain) in [("researcher", first), ("fetcher", second)] {
        let refused = begin(&mut world, who, chain).map(drop);
        assert!(matches!(refused, Err(Reason::ContractNotActive | Reason::Revoked)), "{who}: {refused:?}");
    }
    let beneath = world.contract(next, "researcher2", "fetcher", rights(5, 1)).unwrap();
    assert!(begin(&mut world, "fetcher", beneath).is_ok(), "it hands on what it holds");
    audited(&world);
}

/// Attack line 28: a restart is no fresh budget. What was spent stays spent, what is under way stays
/// reserved, and what was handed on and not used comes along.
#[test]
fn what_is_left_of_the_budget_moves_and_no_more() {
    let (mut world, [grant, first, second]) = restarted(Rebind::Domain);
    let (spent, proof) = begin(&mut world, "researcher", first).unwrap();
    let done = receipt(&world, &proof, 1).sign(&world.agent("files").key);
    end(&mut world, spent, &End::Receipt(&done)).unwrap();
    let (open, _) = begin(&mut world, "researcher", first).unwrap();
    let (beneath, _) = begin(&mut world, "fetcher", second).unwrap();
    assert_eq!((available(&world, grant), available(&world, first)), (400, 78));
    let next = taken(take(&mut world, "researcher2", first));
    assert_eq!((available(&world, grant), available(&world, next)), (400, 97));
    assert_eq!(world.state.chain(&next).unwrap().account.budget().ceiling, Amount::new(97).unwrap());
    // What was under way is the old link's: what it did not cost goes up, and not to the new one.
    end(&mut world, open, &End::Cancelled).unwrap();
    end(&mut world, beneath, &End::Unknown).unwrap();
    assert_eq!((available(&world, grant), available(&world, next)), (401, 97));
    let third = {
        world.join("researcher3");
        taken(take(&mut world, "researcher3", next))
    };
    assert_eq!((available(&world, grant), available(&world, third)), (401, 97), "however often");
    revoke(&mut world, "root", third, 1).unwrap();
    assert_eq!(available(&world, grant), 498, "one was spent by each of two, and all else is back");
    audited(&world);
}

/// A window is not given back by a restart either.
#[test]
fn what_was_used_in_a_window_counts_on() {
    let mut world = World::new();
    let window = Window { ceiling: Amount::new(1).unwrap(), length: Lifetime::from_millis(3_600_000) };
    let mut narrow = rights(100, 4);
    narrow.budget.window = Some(window);
    let grant = world.grant(rights(500, 5)).unwrap();
    let first = world.rebindable(grant, "planner", "researcher", (narrow, Rebind::Domain)).unwrap();
    begin(&mut world, "researcher", first).unwrap();
    world.join("researcher2");
    let next = taken(take(&mut world, "researcher2", first));
    let again = begin(&mut world, "researcher2", next).map(drop);
    assert_eq!(again, Err(Reason::BudgetWindowExceeded));
}

/// Attack lines 29, 32, 35: whatever is not a newer instance of the same principal and configuration.
#[test]
fn only_a_newer_instance_of_the_same_party_takes_over() {
    let cases: [(&str, Rebind, Reason); 5] = [
        ("mallory", Rebind::Domain, Reason::RebindNotAllowed),
        ("planner", Rebind::Domain, Reason::RebindNotAllowed),
        ("root", Rebind::Domain, Reason::RebindNotAllowed),
        ("researcher", Rebind::Domain, Reason::RebindNotAllowed),
        ("researcher2", Rebind::Never, Reason::RebindNotAllowed),
    ];
    for (who, rebind, reason) in cases {
        let (mut world, [_, first, _]) = restarted(rebind);
        assert_eq!(take(&mut world, who, first), Err(reason), "{who}");
        assert_eq!(state(&world, first), Contract::Active);
    }
    // The walk refuses what is never rebound, too; the decision does not come as far as to sign it.
    let (mut world, [_, first, _]) = restarted(Rebind::Never);
    let (agent, request) = (world.agent("researcher2"), world.stage().rebind_request("researcher2", first));
    let signed = request.sign(&agent.key);
    let refused = world.judge(|state, context| state.decide_rebind(context, &agent.actor(), &signed));
    assert_eq!(refused.map_err(|refusal| refusal.rule()), Err("CTR-043"));
    // Whoever is new enough, and is somebody else.
    let (mut world, [_, first, _]) = restarted(Rebind::GrantorConsent);
    world.join("mallory2");
    assert_eq!(take(&mut world, "mallory2", first), Err(Reason::RebindNotAllowed));
    // A copy that was there before its sibling got the right, and one that lost it to a newer one.
    let mut world = World::new();
    world.join("researcher2");
    let grant = world.grant(rights(500, 5)).unwrap();
    let terms = (rights(100, 4), Rebind::Domain);
    let first = world.rebindable(grant, "planner", "researcher", terms).unwrap();
    assert_eq!(take(&mut world, "researcher2", first), Err(Reason::RebindNotAllowed));
    world.join("researcher3");
    let next = taken(take(&mut world, "researcher3", first));
    assert_eq!(take(&mut world, "researcher", next), Err(Reason::RebindNotAllowed), "it is not taken back");
    assert_eq!(take(&mut world, "researcher3", next), Err(Reason::RebindNotAllowed), "nor from oneself");
    assert_eq!(take(&mut world, "planner", grant), Err(Reason::RebindNotAllowed), "a grant");
}

/// Attack line 32: the same principal with another model, prompt or tool set is another party.
#[test]
fn another_configuration_does_not_take_over() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    reconfigured(&mut world, "researcher3");
    assert_eq!(take(&mut world, "researcher3", first), Err(Reason::RebindNotAllowed));
    assert!(take(&mut world, "researcher2", first).is_ok(), "the twin");
}

/// A copy of researcher joins under that name, and runs something else.
pub(crate) fn reconfigured(world: &mut World, name: &'static str) {
    let secret = Digest::of(b"of the reconfigured");
    let (who, expires) = (principal("researcher"), world.now.plus(Lifetime::from_millis(60_000)));
    world.decide(|state, context| state.decide_join_token(context, None, secret, &who, expires)).unwrap();
    let spki = SpkiHash::from_bytes([77; 32]);
    let (agent, mut join) = world.stage().newcomer(&who, spki, secret);
    join.configuration = Digest::of(b"another prompt");
    let (join, seen) = (join.sign(&agent.key), attested(&agent, secret));
    world.decide(|state, context| state.decide_join(context, &join, &seen)).unwrap();
    world.agents.insert(name, agent);
}

/// One change to an otherwise good request.
#[test]
fn a_request_is_ones_own_and_about_what_is_there() {
    let cases: [(&str, Change<RebindRequest>, Reason); 7] = [
        ("of another domain", |it| it.domain = "evil.example".parse().unwrap(), Reason::WrongDomain),
        ("by another", |it| it.sender = principal("researcher").instance(uuid()), Reason::ChannelMismatch),
        ("of no chain", |it| it.chain = ChainId::from_bytes([1; 32]), Reason::NotFound),
        ("with less beneath", |it| it.chains = 1, Reason::PreviewStale),
        ("with more beneath", |it| it.chains = 3, Reason::PreviewStale),
        ("of yesterday", |it| it.issued = at(it.issued.as_millis() - 86_400_000), Reason::StatementStale),
        ("with more to it", |it| it.extensions = critical(), Reason::ExtensionUnknown),
    ];
    for (what, change, reason) in cases {
        let (mut world, [_, first, _]) = restarted(Rebind::Domain);
        let mut request = world.stage().rebind_request("researcher2", first);
        change(&mut request);
        assert_eq!(ask(&mut world, "researcher2", &request), Err(reason), "{what}");
    }
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    let request = world.stage().rebind_request("researcher2", first);
    let (agent, other) = (world.agent("researcher2"), world.agent("mallory"));
    let forged = request.sign(&other.key);
    assert_eq!(submit(&mut world, &agent, &forged), Err(Reason::SignatureInvalid));
    assert!(ask(&mut world, "researcher2", &request).is_ok(), "the twin");
    assert_eq!(ask(&mut world, "researcher2", &request), Ok(Vec::new()), "a retry is harmless");
    let other = RebindRequest { chains: 9, ..request };
    assert_eq!(ask(&mut world, "researcher2", &other), Err(Reason::IdAlreadyUsed));
}

#[test]
fn whoever_stopped_renewing_takes_nothing_over() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    world.pass(policy().svid_lifetime.as_millis());
    assert_eq!(take(&mut world, "researcher2", first), Err(Reason::CertificateExpired));
}

/// Attack line 29: what was ended or held up before does not come back by a rebind.
#[test]
fn only_what_is_in_force_is_taken_over() {
    type Ends = fn(&mut World, [ChainId; 3]);
    let ends: [(&str, Ends, Reason); 8] = [
        (
            "revoked",
            |world, [_, first, _]| drop(end_chain(world, "root", first).unwrap()),
            Reason::ContractNotActive,
        ),
        (
            "revoked above",
            |world, [grant, ..]| drop(end_chain(world, "root", grant).unwrap()),
            Reason::ContractNotActive,
        ),
        (
            "its holder revoked",
            |world, _| {
                let old = world.agent("researcher").id;
                let request =
                    world.stage().revocation("root", None, Some(old), 2).sign(&world.agent("root").key);
                let root = world.agent("root").actor();
                world.decide(|state, context| state.decide_revoke(context, &root, &request)).unwrap();
            },
            Reason::ContractNotActive,
        ),
        ("its holder forked", |world, _| fork(world, "researcher"), Reason::ContractNotActive),
        (
            "retired",
            |world, [_, first, _]| {
                assert_eq!(change(world, "researcher", Side::Holder, first, ChangeKind::Retire).unwrap(), 1);
            },
            Reason::ContractNotActive,
        ),
        (
            "suspended",
            |world, [_, first, _]| {
                assert_eq!(change(world, "planner", Side::Grantor, first, ChangeKind::Suspend).unwrap(), 1);
            },
            Reason::ContractSuspended,
        ),
        (
            "suspended above",
            |world, [grant, ..]| {
                assert_eq!(change(world, "root", Side::Admin, grant, ChangeKind::Suspend).unwrap(), 1);
            },
            Reason::ContractSuspended,
        ),
        (
            "past its end",
            |world, _| {
                for _ in 0..15 {
                    world.pass(240_000);
                    world.stay("researcher2");
                }
            },
            Reason::ContractNotActive,
        ),
    ];
    for (what, ended, reason) in ends {
        for rebind in [Rebind::Domain, Rebind::GrantorConsent] {
            let (mut world, chains) = restarted(rebind);
            ended(&mut world, chains);
            assert_eq!(take(&mut world, "researcher2", chains[1]), Err(reason), "{what}");
        }
    }
}

/// A second process with the instance's identity renews from a generation that is used up.
fn fork(world: &mut World, name: &str) {
    let agent = world.agent(name);
    let stale = world.stage().renewal(name);
    world.stay(name);
    world.pass(1);
    let other = RenewStatement { issued: world.now, ..stale };
    let signed = other.sign(&agent.key);
    let events = world.decide(|state, context| state.decide_renew(context, &agent.actor(), &signed)).unwrap();
    assert_eq!(events[0].kind(), EventKind::InstanceForked);
}

/// Attack line 21: two fresh instances want the same, and the ledger has one of them first.
#[test]
fn of_two_fresh_instances_the_first_in_the_ledger_holds_it() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    world.join("researcher3");
    let [second, third] =
        ["researcher2", "researcher3"].map(|by| (by, world.stage().rebind_request(by, first)));
    let next = taken(ask(&mut world, second.0, &second.1));
    assert_eq!(ask(&mut world, third.0, &third.1), Err(Reason::ContractNotActive));
    // It is no newer than the link that there is now; one that joins after all that is.
    assert_eq!(take(&mut world, "researcher3", next), Err(Reason::RebindNotAllowed));
    world.join("researcher4");
    let last = taken(take(&mut world, "researcher4", next));
    assert_eq!(
        [first, next, last].map(|it| state(&world, it)),
        [Contract::Rebound, Contract::Rebound, Contract::Active]
    );
    let sizes = [next, last].map(|it| world.state.chain(&it).unwrap().token.len());
    assert_eq!(sizes[0], sizes[1], "a token does not grow with each restart");
    audited(&world);
}

/// Attack line 21: a rebind races with a use, an offer and an acceptance.
#[test]
fn what_was_under_way_under_the_old_link_is_cut() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    let id = world.invocation_id();
    let late = proof(&mut world, "researcher", first, id).sign(&world.agent("researcher").key);
    let mut talk = Talk::new(&mut world, "researcher", "mallory");
    talk.request(&mut world, rights(10, 1)).unwrap();
    talk.offer(&mut world, first, rights(10, 1)).unwrap();
    let epoch = world.state.epoch();
    let next = taken(take(&mut world, "researcher2", first));
    assert!(world.state.epoch() > epoch, "what is under way is looked at again");
    assert_eq!(present(&mut world, "researcher", first, &late), Err(Reason::ContractNotActive));
    assert_eq!(talk.accept(&mut world), Err(Reason::ParentChanged));
    let revoked: Vec<ChainId> = world.state.revoked_since(LeafIndex::ZERO).map(|(_, id)| id).collect();
    assert!(revoked.contains(&first) && !revoked.contains(&next), "watchers hear of the old link");
}

/// The old holder's token and activation are worth nothing, nor is the new one's to it.
#[test]
fn neither_key_uses_the_others_chain() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    let old = world.active(first);
    let next = taken(take(&mut world, "researcher2", first));
    let token = world.token(next);
    assert!(ActiveToken::new(token, old.activation().clone()).is_err());
    for (caller, signer) in
        [("researcher", "researcher"), ("researcher2", "researcher"), ("researcher", "researcher2")]
    {
        let id = world.invocation_id();
        let signed = proof(&mut world, caller, next, id).sign(&world.agent(signer).key);
        assert_eq!(
            present(&mut world, caller, next, &signed),
            Err(Reason::ProofInvalid),
            "{caller}, {signer}"
        );
    }
}

/// A key that was rotated away rebinds nothing more; what it rebound stays.
#[test]
fn a_retired_rebind_key_rebinds_nothing_more() {
    let (mut world, [_, first, _]) = restarted(Rebind::Domain);
    let next = taken(take(&mut world, "researcher2", first));
    crate::rotation::rotate(&mut world, &[(KeyPurpose::Rebind, 214)]);
    assert!(begin(&mut world, "researcher2", next).is_ok());
    world.join("researcher3");
    // The world's broker still signs with the old one.
    let rebound = take(&mut world, "researcher3", next).map(|events| events.len());
    let last = world.state.contract(&world.state.chain(&first).unwrap().contract.unwrap().0).unwrap();
    let active = ActiveToken::new(world.token(last), world.activation(last));
    assert_eq!((rebound, active.map(drop).map_err(|it| it.rule())), (Ok(1), Err("CHN-064")));
    let report = crate::audit::audit(&world);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
}

pub(crate) fn uuid() -> InstanceUuid {
    InstanceUuid::first()
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::new(millis).unwrap()
}

pub(crate) fn critical() -> Extensions {
    let extension =
        Extension { id: "unknown".parse().unwrap(), criticality: Criticality::Critical, bytes: vec![1] };
    Extensions::new(vec![extension]).unwrap()
}

//! Callers that are not what they should be. Each has a twin that is let through.

use std::{
    future::{Future as _, poll_fn},
    sync::Arc,
    task::Poll,
};

use countersign_forge::{biscuit::Container, hop_terms};
use countersign_protocol::{
    capability::{Amount, Argument, Arguments, Value},
    digest::{ChainId, ContractHash, Digest},
    domain::{Entry, Event},
    ledger::LeafIndex,
    limits::{BODY_MAX_BYTES, DENIES_PER_MINUTE, PAYLOAD_MAX_BYTES, TOKEN_MAX_BYTES},
    payload::Payload,
    time::{Lifetime, Timestamp},
    token::{Holder, HopTerms, Via},
};
use countersign_store::Store as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::world::{Call, START_MS, World, domain_name, principal, reason, refused, rights, until};

/// Changes an honest call of fetcher's in one place, and sends it.
async fn altered(change: impl FnOnce(&World, &mut Call)) -> String {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    let mut call = world.call("fetcher", leaf);
    change(&world, &mut call);
    let outcome = world.send("fetcher", &call).await;
    assert!(asked.try_recv().is_err() || outcome.is_ok(), "what is refused is not forwarded");
    outcome.map_or_else(|status| reason(&status), |_| "done".into())
}

#[tokio::test]
async fn a_proof_is_for_one_request_and_no_other() {
    assert_eq!(altered(|_, _| ()).await, "done", "the twin");
    let invalid = "PROOF_INVALID";
    assert_eq!(altered(|_, call| call.body = b"other".to_vec()).await, invalid);
    let arguments = |_: &World, call: &mut Call| {
        let argument = Argument { name: "lines".parse().unwrap(), value: Value::Int(12) };
        call.arguments = Arguments::new(vec![argument]).unwrap().to_bytes();
    };
    assert_eq!(altered(arguments).await, invalid);
    let other = |change: fn(&mut Call)| move |_: &World, call: &mut Call| change(call);
    let leaf = |number| LeafIndex::new(number).unwrap();
    assert_eq!(altered(|_, call| call.proof.activation_leaf = leaf(0)).await, invalid);
    assert_eq!(altered(other(|call| call.proof.domain = "other.example".parse().unwrap())).await, invalid);
    assert_eq!(altered(other(|call| call.proof.via = Via::Direct)).await, invalid);
}

#[tokio::test]
async fn a_chain_allows_only_its_audience_action_and_resource() {
    assert_eq!(altered(|_, call| call.proof.callee = principal("mallory")).await, "AUDIENCE_MISMATCH");
    assert_eq!(altered(|_, call| call.proof.action = "write".parse().unwrap()).await, "CHECK_FAILED");
    let elsewhere = |_: &World, call: &mut Call| call.proof.resource = "file:/etc/passwd".parse().unwrap();
    assert_eq!(altered(elsewhere).await, "CHECK_FAILED");
    let inside = |_: &World, call: &mut Call| call.proof.resource = "file:/data/x".parse().unwrap();
    assert_eq!(altered(inside).await, "done", "the twin");
}

#[tokio::test]
async fn a_proof_has_its_time() {
    let expired = "PROOF_EXPIRED";
    let at = |millis| Timestamp::new(START_MS + millis).unwrap();
    assert_eq!(altered(move |world, _| world.pass(45_000)).await, expired);
    assert_eq!(altered(move |_, call| call.proof.issued = at(30_001)).await, expired, "from the future");
    assert_eq!(altered(move |_, call| call.proof.expires = at(60_001)).await, expired, "too long a life");
    assert_eq!(altered(move |world, _| world.pass(44_999)).await, "done", "the twin");
}

#[tokio::test]
async fn a_stolen_token_is_of_no_use_to_anyone_else() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut asked = world.willing("files", 4).await;
    let stolen = world.call("fetcher", leaf);
    // The whole call, over the thief's channel.
    assert_eq!(refused(world.send("mallory", &stolen).await), "PROOF_INVALID");
    // The token, with a proof of the thief's own.
    let mut own = world.call("mallory", leaf);
    assert_eq!(refused(world.send("mallory", &own).await), "PROOF_INVALID");
    own.proof.caller = world.agent("fetcher").id.clone();
    assert_eq!(refused(world.send("mallory", &own).await), "PROOF_INVALID");
    own.proof.channel = world.agent("fetcher").spki;
    assert_eq!(refused(world.send("fetcher", &own).await), "PROOF_INVALID", "signed by another");
    assert!(asked.try_recv().is_err());
    assert!(world.send("fetcher", &stolen).await.is_ok(), "the twin");
}

/// The gate compares the channel with the instance; the proof is bound to the channel as well.
#[tokio::test]
async fn a_proof_is_bound_to_the_channel() {
    let other = |world: &World, call: &mut Call| call.proof.channel = world.agent("mallory").spki;
    assert_eq!(altered(other).await, "PROOF_INVALID");
}

#[tokio::test]
async fn a_link_above_that_has_expired_ends_everything_beneath() {
    let world = World::new().await;
    let mut short = rights(100, 4);
    short.not_after = Timestamp::new(START_MS + 60_000).unwrap();
    let grant = world.grant(short.clone()).await;
    short.budget.ceiling = Amount::new(5).unwrap();
    short.delegations_left = 1;
    let leaf = world.contract(grant, "planner", "fetcher", short).await.unwrap();
    let _asked = world.willing("files", 4).await;
    world.pass(59_999);
    assert!(world.send("fetcher", &world.call("fetcher", leaf)).await.is_ok(), "the twin");
    world.pass(1);
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "OUTSIDE_VALIDITY");
}

#[tokio::test]
async fn a_clock_that_went_back_decides_nothing() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    world.pass(10);
    world.send("fetcher", &world.call("fetcher", leaf)).await.unwrap();
    let call = world.call("fetcher", leaf);
    world.clock.set(Timestamp::new(START_MS + 9).unwrap());
    assert_eq!(refused(world.send("fetcher", &call).await), "CLOCK_WENT_BACK");
}

/// Each sibling reserves what it was given; together they cannot pass their parent.
#[tokio::test]
async fn siblings_cannot_overspend_their_parent() {
    let world = World::new().await;
    let grant = world.grant(rights(10, 5)).await;
    let _asked = world.willing("files", 4).await;
    let first = world.contract(grant, "planner", "fetcher", rights(6, 4)).await.unwrap();
    let second = world.contract(grant, "planner", "researcher", rights(6, 4)).await;
    assert_eq!(second.unwrap_err().reason().name(), "BUDGET_EXCEEDED");
    let second = world.contract(grant, "planner", "researcher", rights(4, 4)).await.unwrap();
    assert_eq!(refused(world.send("planner", &world.call("planner", grant)).await), "BUDGET_EXCEEDED");
    assert!(world.send("fetcher", &world.call("fetcher", first)).await.is_ok());
    assert!(world.send("researcher", &world.call("researcher", second)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_at_the_same_time_cannot_overspend() {
    let (world, [_, first, _]) = World::with_chain().await;
    let leaf = world.contract(first, "researcher", "mallory", rights(3, 1)).await.unwrap();
    let mut callee = world.serve("files", 32).await;
    let sending: Vec<_> = (0..12).map(|_| world.sending("mallory", &world.call("mallory", leaf))).collect();
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(callee.next().await);
    }
    callee.hears_nothing().await;
    for asked in &asked {
        callee.done(asked, b"").await;
    }
    let mut done = 0;
    for sending in sending {
        match sending.await.unwrap() {
            Ok(_) => done += 1,
            Err(status) => assert!(["BUDGET_EXCEEDED", "CONTRACT_NOT_ACTIVE"].contains(&&*reason(&status))),
        }
    }
    assert_eq!(done, 3);
}

#[tokio::test]
async fn a_body_has_its_limit() {
    let sized = |size: usize| {
        move |_: &World, call: &mut Call| {
            call.body = vec![7; size];
            call.proof.arguments = Arguments::new(vec![]).unwrap().digest(&call.body);
        }
    };
    assert_eq!(altered(sized(BODY_MAX_BYTES + 1)).await, "LIMIT_EXCEEDED");
    assert_eq!(altered(sized(BODY_MAX_BYTES)).await, "done", "the twin");
}

#[tokio::test]
async fn bad_bytes_get_their_reasons() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let send = async |change: fn(&mut countersign_wire::v1::InvokeRequest)| {
        let mut message = world.call("fetcher", leaf).message();
        change(&mut message);
        refused(world.mediation.0.invoke(world.agent("fetcher").actor(), message, None, None).await)
    };
    assert_eq!(send(|message| message.proof.push(0)).await, "PAYLOAD_MALFORMED");
    assert_eq!(send(|message| message.proof.clear()).await, "PAYLOAD_MALFORMED");
    let another = world.revocation("fetcher", leaf, 1).to_bytes();
    let mut message = world.call("fetcher", leaf).message();
    message.proof = another;
    let sent = world.mediation.0.invoke(world.agent("fetcher").actor(), message, None, None).await;
    assert_eq!(refused(sent), "PAYLOAD_MALFORMED", "another statement of the holder's");
    assert_eq!(send(|message| message.arguments = vec![0x08]).await, "PAYLOAD_MALFORMED");
    assert_eq!(
        send(|message| message.arguments = vec![0x0a; PAYLOAD_MAX_BYTES + 1]).await,
        "PAYLOAD_MALFORMED"
    );
    assert_eq!(send(|message| message.token = vec![0x0a; TOKEN_MAX_BYTES + 1]).await, "TOKEN_MALFORMED");
    assert_eq!(send(|message| message.token.clear()).await, "TOKEN_MALFORMED");
    assert_eq!(send(|message| message.token.push(0)).await, "TOKEN_MALFORMED");
    assert_eq!(send(|message| *message.token.last_mut().unwrap() ^= 1).await, "TOKEN_UNTRUSTED");
    assert_eq!(send(|_| ()).await, "CALLEE_UNAVAILABLE", "the twin is allowed; nobody serves");
}

/// Attack line 18: the hop that was signed for an offer, before anyone has accepted it.
#[tokio::test]
async fn a_hop_that_was_not_activated_is_of_no_use() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let _asked = world.willing("files", 4).await;
    let mallory = world.agent("mallory");
    let holder = Holder { instance: mallory.id.clone(), key: mallory.key.public() };
    let terms = HopTerms {
        holder,
        contract: ContractHash::from_bytes([1; 32]),
        rights: rights(1, 1),
        ..hop_terms("mallory", 4)
    };
    let fetcher = &world.agent("fetcher").key;
    let chain = Container::read(&domain_name(), &world.token_bytes(leaf)).hop(&terms, fetcher);
    let mut call = world.call("mallory", leaf);
    call.token = chain.bytes();
    call.proof.chain_id = ChainId::from_bytes(chain.chain_ids().pop().unwrap());
    let status = world.send("mallory", &call).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_ACTIVATED");
    assert!(world.send("fetcher", &world.call("fetcher", leaf)).await.is_ok(), "the twin");
}

/// A stranger hears the same, whether the chain is in force, revoked or never was activated.
#[tokio::test]
async fn a_stranger_learns_nothing_of_a_chain() {
    let (world, [_, first, leaf]) = World::with_chain().await;
    let said = async || {
        let status = world.send("mallory", &world.call("mallory", leaf)).await.unwrap_err();
        (status.code(), status.message().to_owned(), status.details().to_vec())
    };
    let in_force = said().await;
    assert_eq!(in_force.0, Code::PermissionDenied);
    let revocation = world.revocation("planner", first, 2);
    let planner = world.agent("planner").actor();
    world.decide(|state, context| state.decide_revoke(context, &planner, &revocation)).await.unwrap();
    assert_eq!(said().await, in_force);
    // The holder is told.
    assert_eq!(refused(world.send("fetcher", &world.call("fetcher", leaf)).await), "REVOKED");
}

#[tokio::test]
async fn an_operator_sees_the_rule_and_a_party_the_cause() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let said = async |who: &str| {
        let status = world.send(who, &world.call(who, leaf)).await.unwrap_err();
        let rule = status.get_details_error_info().unwrap().metadata.get("rule").cloned();
        (status.message().contains("does not hold the chain"), rule)
    };
    assert_eq!(said("mallory").await, (false, None));
    assert_eq!(said("researcher").await, (true, None), "a party");
    assert_eq!(said("root").await, (true, Some("API-035".to_owned())), "an operator");
}

async fn denials(world: &World) -> Vec<countersign_protocol::domain::Denied> {
    let end = world.look(|state| state.tree().size().next_leaf());
    let (mut next, mut found) = (LeafIndex::ZERO, Vec::new());
    while next < end {
        let entries = world.store.read(&domain_name(), next..end, usize::MAX).await.unwrap();
        next = next.plus(entries.len() as u64).unwrap();
        for bytes in entries {
            if let Event::Denied(denied) = Entry::from_bytes(&bytes).unwrap().event {
                found.push(denied);
            }
        }
    }
    found
}

#[tokio::test]
async fn a_denial_is_recorded_and_a_fault_that_is_not_the_callers_is_not() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let call = world.call("fetcher", leaf);
    assert_eq!(refused(world.send("fetcher", &call).await), "CALLEE_UNAVAILABLE");
    assert_eq!(denials(&world).await.len(), 0);
    let stolen = world.call("mallory", leaf);
    refused(world.send("mallory", &stolen).await);
    let recorded = denials(&world).await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(recorded[0].caller, world.agent("mallory").id);
    assert_eq!((recorded[0].reason.as_str(), recorded[0].rule.as_str()), ("proof_invalid", "api-035"));
    assert_eq!(recorded[0].chain_id, Some(leaf));
    assert_eq!(recorded[0].invocation_id, Some(stolen.proof.invocation_id));
}

#[tokio::test]
async fn one_caller_cannot_fill_the_ledger_with_denials() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    world.clock.set(Timestamp::new(START_MS - START_MS % 60_000 + 60_000).unwrap());
    for _ in 0..DENIES_PER_MINUTE + 5 {
        refused(world.send("mallory", &world.call("mallory", leaf)).await);
    }
    assert_eq!(denials(&world).await.len(), DENIES_PER_MINUTE as usize);
    world.clock.advance(Lifetime::from_millis(60_000));
    refused(world.send("mallory", &world.call("mallory", leaf)).await);
    assert_eq!(denials(&world).await.last().map(|denied| denied.uncounted), Some(5));
}

/// Attack line 36: a caller that asks again and hangs up, over and over, leaves nothing behind.
#[tokio::test]
async fn a_retry_does_not_outlive_its_caller() {
    let (world, [_, _, leaf]) = World::with_chain().await;
    let mut callee = world.serve("files", 4).await;
    let call = world.call("fetcher", leaf);
    let first = world.sending("fetcher", &call);
    let asked = callee.next().await;
    let held = || Arc::strong_count(&world.mediation.0);
    let before = held();

    let hung_up: Vec<_> = (0..16).map(|_| world.sending("fetcher", &world.again(&call))).collect();
    let patient = world.sending("fetcher", &world.again(&call));
    callee.hears_nothing().await;
    assert!(held() > before + 16, "they wait for the first");
    hung_up.iter().for_each(|retry| retry.abort());
    // The patient one has its caller's hold on the world, and a task.
    until(|| held() <= before + 2).await;

    callee.done(&asked, b"content").await;
    let done = first.await.unwrap().unwrap();
    assert_eq!(patient.await.unwrap().unwrap(), done, "the twin");
}

/// Attack lines 8 and 16: a proof that was void by the time of the ledger's last entry is not used
/// because the clock was turned back before the callee took the invocation.
#[tokio::test]
async fn a_void_proof_is_not_forwarded_after_the_clock_went_back() {
    for recorded_after in [1_000, 46_000] {
        let (world, [_, _, leaf]) = World::with_chain().await;
        let mut callee = world.serve("files", 4).await;
        let _sending = world.sending("fetcher", &world.call("fetcher", leaf));
        until(|| world.mediation.0.queued() == 1).await;

        let before = world.now();
        world.pass(recorded_after);
        let expires = world.now().plus(Lifetime::from_millis(1_000));
        let (secret, planner) = (Digest::of(b"secret"), principal("planner"));
        let mut decided = Box::pin(
            world.decide(|state, context| state.decide_join_token(context, None, secret, &planner, expires)),
        );
        // Decided at its first turn, before anyone else sees what time it is.
        poll_fn(|cx| Poll::Ready(decided.as_mut().poll(cx).is_ready())).await;
        world.clock.set(before);
        let forwarded = callee.take_now().await.is_some();
        assert_eq!(forwarded, recorded_after == 1_000, "{recorded_after}");
    }
}

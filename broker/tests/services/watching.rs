//! Watching negotiations: nothing is missed, nobody waits for a slow watcher.

use std::collections::{BTreeMap, BTreeSet};

use countersign_broker::service::Feed;
use countersign_protocol::{negotiation::MoveKind, payload::Payload};
use countersign_wire::v1;
use rand::Rng as _;
use tokio_stream::StreamExt as _;
use tonic::Status;

use crate::{
    negotiating::{Talk, asked, get},
    world::*,
};

type Watch = Feed<v1::WatchNegotiationsResponse>;

async fn watch(world: &World, name: &str, from_leaf: u64) -> Result<Watch, Status> {
    let request = v1::WatchNegotiationsRequest { trust_domain: DOMAIN.into(), from_leaf };
    inner(world.negotiations.watch_negotiations(world.call(name, request)).await)
}

/// The next change, and where to resume after it.
async fn next_change(watch: &mut Watch) -> (v1::Negotiation, u64) {
    loop {
        let message = watch.next().await.unwrap().unwrap();
        if let Some(negotiation) = message.negotiation {
            return (negotiation, message.next_leaf);
        }
    }
}

/// Everything until the watcher is up to date.
async fn changes(watch: &mut Watch) -> (Vec<v1::Negotiation>, u64) {
    let mut seen = Vec::new();
    loop {
        let message = watch.next().await.unwrap().unwrap();
        match message.negotiation {
            Some(negotiation) => seen.push(negotiation),
            None => return (seen, message.next_leaf),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_of_each_change_as_it_comes() {
    let (mut world, mut talk, grant) = asked().await;
    let mut delegator = watch(&world, "planner", 0).await.unwrap();
    let mut delegatee = watch(&world, "researcher", world.size()).await.unwrap();
    let (asked, _) = next_change(&mut delegator).await;
    assert_eq!((asked.state.as_str(), asked.moves.len()), ("REQUESTED", 1));
    assert_eq!(Some(&asked), talk.known.as_ref(), "with the moves, as its parties see it");
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    assert_eq!(next_change(&mut delegatee).await.0, get(&world, "researcher", talk.id).await.unwrap());
    let accept = talk.accept(&mut world);
    talk.send(&world, "researcher", &accept).await.unwrap();
    for watch in [&mut delegator, &mut delegatee] {
        let mut last = next_change(watch).await;
        while last.0.state != "FINALIZED" {
            last = next_change(watch).await;
        }
        assert!(!last.0.chain_id.is_empty());
        assert_eq!(last.1, world.size());
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_resumes_without_gap_or_repetition() {
    let mut world = World::new().await;
    let mut opened = Vec::new();
    let mut heard = Vec::new();
    let mut next_leaf = 0;
    for round in 0..5 {
        // Nobody listens while these are opened.
        for _ in 0..=round {
            let mut talk = Talk::new(&mut world, "planner", "researcher");
            let request = talk.request(&mut world, rights(10, 1));
            talk.send(&world, "researcher", &request).await.unwrap();
            opened.push(talk.id.to_string());
        }
        let mut watch = watch(&world, "planner", next_leaf).await.unwrap();
        if round % 2 == 0 {
            // It breaks off after one message, and resumes where that one says.
            let (negotiation, next) = next_change(&mut watch).await;
            heard.push(negotiation.negotiation_id);
            next_leaf = next;
        } else {
            let (seen, next) = changes(&mut watch).await;
            heard.extend(seen.into_iter().map(|it| it.negotiation_id));
            next_leaf = next;
        }
    }
    let mut watch = watch(&world, "planner", next_leaf).await.unwrap();
    heard.extend(changes(&mut watch).await.0.into_iter().map(|it| it.negotiation_id));
    assert_eq!(heard, opened);
}

#[tokio::test(start_paused = true)]
async fn many_changes_are_told_in_order_and_once_each() {
    let mut world = World::new().await;
    let mut opened = Vec::new();
    for _ in 0..40 {
        let mut talk = Talk::new(&mut world, "planner", "researcher");
        let request = talk.request(&mut world, rights(10, 1));
        talk.send(&world, "researcher", &request).await.unwrap();
        opened.push(talk.id.to_string());
    }
    let mut watch = watch(&world, "planner2", 0).await.unwrap();
    let (seen, next) = changes(&mut watch).await;
    assert_eq!(seen.into_iter().map(|it| it.negotiation_id).collect::<Vec<_>>(), opened);
    assert_eq!(next, world.size());
}

/// Whatever happens in which order, and however often a watcher breaks off: what it was told last of
/// each negotiation is how that one stands.
#[tokio::test(start_paused = true)]
async fn a_watcher_knows_in_the_end_what_is_so() {
    let mut world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let mut talks: Vec<Talk> = (0..12).map(|_| Talk::new(&mut world, "planner", "researcher")).collect();
    let (mut told, mut next_leaf) = (BTreeMap::new(), 0);
    for step in 0..400 {
        let talk = world.rng.gen_range(0..talks.len());
        random_move(&mut world, &mut talks[talk], &grant).await;
        if step % 7 == 0 {
            let mut watch = watch(&world, "planner", next_leaf).await.unwrap();
            for _ in 0..world.rng.gen_range(1..4) {
                let message = watch.next().await.unwrap().unwrap();
                next_leaf = message.next_leaf;
                let Some(negotiation) = message.negotiation else { break };
                told.insert(negotiation.negotiation_id.clone(), negotiation);
            }
        }
    }
    let mut watch = watch(&world, "planner", next_leaf).await.unwrap();
    told.extend(changes(&mut watch).await.0.into_iter().map(|it| (it.negotiation_id.clone(), it)));
    let mut states = BTreeSet::new();
    for talk in &talks {
        let is_so = get(&world, "planner", talk.id).await.unwrap();
        assert_eq!(told.get(&talk.id.to_string()), Some(&is_so));
        states.insert(is_so.state);
    }
    assert!(states.len() > 1, "the moves led to different ends: {states:?}");
}

async fn random_move(world: &mut World, talk: &mut Talk, grant: &v1::ActiveChain) {
    let kinds =
        [MoveKind::Decline, MoveKind::Withdraw, MoveKind::Reject, MoveKind::Counter, MoveKind::Accept];
    let kind = kinds[world.rng.gen_range(0..kinds.len())];
    let state = talk.known.as_ref().map(|it| it.state.clone()).unwrap_or_default();
    let (sender, signed) = match (state.as_str(), kind) {
        ("", _) => ("researcher", talk.request(world, rights(10, 1))),
        ("REQUESTED", MoveKind::Reject) => ("planner", talk.plain(world, "planner", kind)),
        ("REQUESTED", _) => ("planner", talk.offer(world, grant, rights(10, 1))),
        ("OFFERED", MoveKind::Withdraw) => ("planner", talk.plain(world, "planner", kind)),
        ("OFFERED", MoveKind::Counter) => ("researcher", talk.counter(world, rights(9, 1))),
        ("OFFERED", MoveKind::Accept) => ("researcher", talk.accept(world)),
        ("OFFERED", _) => ("researcher", talk.plain(world, "researcher", kind)),
        _ => return,
    };
    // Rounds run out; that is a refusal like another.
    let _ = talk.send(world, sender, &signed).await;
}

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_of_its_own_negotiations_only() {
    let (mut world, mut talk, grant) = asked().await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    for (name, count) in [("planner", 1), ("researcher", 1), ("planner2", 0), ("mallory", 0), ("root", 0)] {
        let mut watch = watch(&world, name, 0).await.unwrap();
        assert_eq!(changes(&mut watch).await.0.len(), count, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_heartbeats() {
    let world = World::new().await;
    let mut watch = watch(&world, "planner", 0).await.unwrap();
    let mut last = tokio::time::Instant::now();
    for _ in 0..5 {
        let message = watch.next().await.unwrap().unwrap();
        assert_eq!((message.negotiation, message.next_leaf), (None, world.size()));
        assert!(last.elapsed() < std::time::Duration::from_secs(6));
        last = tokio::time::Instant::now();
    }
}

/// Attack line 36: one that does not listen is cut off, and nobody else notices.
#[tokio::test(start_paused = true)]
async fn a_slow_watcher_is_cut_off_and_no_other() {
    let mut world = World::new().await;
    let mut slow = watch(&world, "planner", 0).await.unwrap();
    let mut quick = watch(&world, "planner", 0).await.unwrap();
    let began = world.size();
    for _ in 0..30 {
        let mut talk = Talk::new(&mut world, "planner", "researcher");
        let request = talk.request(&mut world, rights(10, 1));
        talk.send(&world, "researcher", &request).await.unwrap();
        assert_eq!(next_change(&mut quick).await.0.negotiation_id, talk.id.to_string());
    }
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let (mut told, mut next_leaf) = (0, 0);
    let end = loop {
        match slow.next().await.unwrap() {
            Ok(message) => (told, next_leaf) = (told + 1, message.next_leaf),
            Err(status) => break status,
        }
    };
    assert!(told <= 3, "only so much waits for it: {told}");
    assert_eq!(reason(Err::<(), _>(end)), "OVERLOADED");
    assert!(slow.next().await.is_none());
    // It can resume, and the other one was never disturbed.
    let mut resumed = watch(&world, "planner", next_leaf).await.unwrap();
    let missed = changes(&mut resumed).await.0.len() as u64;
    assert_eq!(missed, world.size() - next_leaf.max(began));
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    let request = talk.request(&mut world, rights(10, 1));
    // Meanwhile heartbeats came; whatever waits is taken first.
    talk.send(&world, "researcher", &request).await.unwrap();
    drop(resumed);
}

#[tokio::test(start_paused = true)]
async fn an_instance_has_so_many_watches_and_no_more() {
    let world = World::new().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(watch(&world, "planner", 0).await.unwrap());
    }
    assert_eq!(reason(watch(&world, "planner", 0).await), "OVERLOADED");
    assert!(watch(&world, "researcher", 0).await.is_ok(), "another one is not affected");
    open.pop();
    assert!(watch(&world, "planner", 0).await.is_ok(), "one that ended makes room");
}

/// Attack line 29: a stream that was open before the revocation ends with it.
#[tokio::test(start_paused = true)]
async fn a_revoked_instance_hears_nothing_more() {
    let (mut world, mut talk, grant) = asked().await;
    let mut watch = watch(&world, "researcher", 0).await.unwrap();
    changes(&mut watch).await;
    world.revoke_instance("researcher").await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    let _ = talk.send(&world, "planner", &offer).await;
    let end = loop {
        match watch.next().await.unwrap() {
            Ok(message) => assert_eq!(message.negotiation, None),
            Err(status) => break status,
        }
    };
    assert_eq!(reason(Err::<(), _>(end)), "NOT_ADMITTED");
}

#[tokio::test(start_paused = true)]
async fn a_watch_cannot_begin_where_the_ledger_has_not_been() {
    let world = World::new().await;
    assert!(watch(&world, "planner", world.size()).await.is_ok(), "the twin");
    assert_eq!(reason(watch(&world, "planner", world.size() + 1).await), "NOT_FOUND");
    assert_eq!(reason(watch(&world, "planner", u64::MAX).await), "PAYLOAD_MALFORMED");
}

#[tokio::test(start_paused = true)]
async fn an_ended_negotiation_is_told_of() {
    let (mut world, mut talk, _) = asked().await;
    let mut delegator = watch(&world, "planner", world.size()).await.unwrap();
    changes(&mut delegator).await;
    let withdraw = talk.plain(&mut world, "researcher", MoveKind::Withdraw);
    talk.send(&world, "researcher", &withdraw).await.unwrap();
    assert_eq!(next_change(&mut delegator).await.0.state, "TERMINATED");
    let mut late = Talk::new(&mut world, "planner", "researcher");
    let request = late.request(&mut world, rights(10, 1));
    late.send(&world, "researcher", &request).await.unwrap();
    assert_eq!(next_change(&mut delegator).await.0.state, "REQUESTED");
    world.clock.advance(countersign_protocol::time::Lifetime::from_millis(600_000));
    world.tick().await;
    let ended = next_change(&mut delegator).await.0;
    assert_eq!((ended.negotiation_id, ended.state.as_str()), (late.id.to_string(), "TERMINATED"));
    assert_eq!(ended.moves[0].signed_move, request.to_bytes());
}

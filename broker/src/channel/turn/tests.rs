use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Barrier,
    task::{JoinSet, yield_now},
    time::sleep,
};

use super::*;

/// Who was worked on, in order.
type Order = Arc<Mutex<Vec<&'static str>>>;

/// Work in so many pieces.
async fn pieces(name: &'static str, count: usize, order: Order) {
    for _ in 0..count {
        order.lock().unwrap().push(name);
        yield_now().await;
    }
}

#[tokio::test]
async fn one_call_does_not_wait_for_the_thousand_of_another() {
    let order = Order::default();
    let (greedy, modest) = (Turn::default(), Turn::default());
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        tasks.spawn(greedy.clone().take(pieces("greedy", 10, Arc::clone(&order))));
    }
    tasks.spawn(modest.take(pieces("modest", 10, Arc::clone(&order))));
    tasks.join_all().await;
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 10_010, "everything was done");
    let last = order.iter().rposition(|name| *name == "modest").unwrap();
    assert!(last < 200, "the last of ten pieces was the {last}th");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_one_holder_one_thing_at_a_time_is_worked_on() {
    let (turn, running, most) =
        (Turn::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        tasks.spawn(turn.clone().take(async move {
            for _ in 0..100 {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::hint::black_box((0..200).sum::<u64>());
                running.fetch_sub(1, Ordering::SeqCst);
                yield_now().await;
            }
        }));
    }
    tasks.join_all().await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

/// What waits for something else has no turn: calls of one holder may wait for one another.
#[tokio::test]
async fn whoever_waits_lets_others_go_on() {
    let (turn, all) = (Turn::default(), Arc::new(Barrier::new(8)));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let all = Arc::clone(&all);
        tasks.spawn(turn.clone().take(async move { all.wait().await.is_leader() }));
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|leader| *leader).count(), 1);
}

#[tokio::test]
async fn whoever_gives_up_in_the_line_holds_up_nobody() {
    let turn = Turn::default();
    let slow = Arc::clone(&turn.0).acquire_owned().await.unwrap();
    let gone = tokio::spawn(turn.clone().take(async {}));
    let stays = tokio::spawn(turn.take(async { 7 }));
    sleep(Duration::from_millis(5)).await;
    gone.abort();
    drop(slow);
    assert_eq!(stays.await.unwrap(), 7);
}

/// Work that is over at once, such as a refusal, is one turn like any other.
#[tokio::test]
async fn calls_that_end_at_once_are_not_done_one_after_another() {
    let order = Order::default();
    let (greedy, modest) = (Turn::default(), Turn::default());
    let mut tasks = JoinSet::new();
    for _ in 0..1_000 {
        let order = Arc::clone(&order);
        tasks.spawn(greedy.clone().take(async move { order.lock().unwrap().push("greedy") }));
    }
    tasks.spawn(modest.take(pieces("modest", 10, Arc::clone(&order))));
    tasks.join_all().await;
    let order = order.lock().unwrap();
    let last = order.iter().rposition(|name| *name == "modest").unwrap();
    assert!(last < 100, "the last of ten pieces was the {last}th");
}

/// Whoever has long pieces of work has fewer turns.
#[tokio::test]
async fn what_is_shared_is_time() {
    async fn long_pieces(order: Order) {
        for _ in 0..50 {
            order.lock().unwrap().push("greedy");
            std::thread::sleep(USUAL * 20);
            yield_now().await;
        }
    }
    let order = Order::default();
    let (greedy, modest) = (Turn::default(), Turn::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(greedy.take(long_pieces(Arc::clone(&order))));
    tasks.spawn(modest.take(pieces("modest", 100, Arc::clone(&order))));
    tasks.join_all().await;
    let order = order.lock().unwrap();
    let last = order.iter().rposition(|name| *name == "modest").unwrap();
    let long = order[..last].iter().filter(|name| **name == "greedy").count();
    assert!(long <= 20, "{long} long pieces among 100 short ones");
}

#[test]
fn a_pause_is_as_long_as_the_work_and_no_longer_than_it_may_be() {
    assert_eq!([Duration::ZERO, USUAL, 2 * USUAL].map(rounds), [1, 1, 2]);
    assert_eq!([USUAL * ROUNDS_MAX, USUAL * (ROUNDS_MAX + 1), Duration::MAX].map(rounds), [ROUNDS_MAX; 3]);
}

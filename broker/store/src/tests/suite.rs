//! What every engine must do.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::{
    BATCH_MAX_BYTES, BATCH_MAX_ENTRIES, DOMAINS_MAX, ENTRY_MAX_BYTES, READ_MAX_BYTES, READ_MAX_ENTRIES,
};

macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $( #[tokio::test] async fn $name() { super::$name(crate::tests::Engine::memory().store.as_ref()).await } )*
        }
        mod embedded {
            $( #[tokio::test] async fn $name() {
                let engine = crate::tests::Engine::embedded(crate::Options::default());
                super::$name(engine.store.as_ref()).await
            } )*
        }
        mod embedded_with_tiny_segments {
            $( #[tokio::test] async fn $name() {
                let engine = crate::tests::Engine::embedded(crate::tests::TINY);
                super::$name(engine.store.as_ref()).await
            } )*
        }
        mod embedded_on_a_slow_disk {
            $( #[tokio::test] async fn $name() {
                let engine = crate::tests::Engine::on_a_slow_disk();
                super::$name(engine.store.as_ref()).await
            } )*
        }
    };
}

suite!(
    an_unknown_domain_has_an_empty_log,
    what_was_appended_is_read_back,
    the_head_is_that_of_the_cores_tree,
    an_append_elsewhere_conflicts_and_leaves_nothing,
    the_root_decides_and_not_the_size_alone,
    domains_do_not_see_one_another,
    one_of_many_appends_to_one_head_wins,
    appends_in_order_need_not_wait_for_one_another,
    a_lost_answer_is_found_in_the_log,
    a_range_is_read_as_it_is_asked_for,
    a_read_is_bounded_but_never_empty,
    a_read_is_bounded_in_bytes_whatever_is_asked_for,
    waiting_ends_with_the_append_that_passes_the_size,
    nothing_beyond_a_limit_is_written,
    the_largest_batch_is_accepted,
    domains_are_limited_in_number,
    a_checkpoint_of_a_head_is_kept,
    a_checkpoint_that_is_not_of_this_log_is_refused,
);

async fn an_unknown_domain_has_an_empty_log(store: &dyn Store) {
    assert_eq!(store.head(&domain()).await.unwrap(), Head::EMPTY);
    assert!(store.read(&domain(), index(0)..index(9), 1000).await.unwrap().is_empty());
    assert_eq!(store.checkpoint(&domain()).await.unwrap(), None);
}

async fn what_was_appended_is_read_back(store: &dyn Store) {
    fill(store, 0, &[1, 5, 2]).await;
    assert_eq!(all(store).await.unwrap(), entries(0, 8));
    assert_eq!(all(store).await.unwrap(), entries(0, 8), "again");
    let empty = vec![Bytes::new(), Bytes::from_static(b"x")];
    store.append(&domain(), head_at(8), empty.clone()).await.unwrap();
    assert_eq!(all(store).await.unwrap()[8..], empty, "an entry may be empty");
}

async fn the_head_is_that_of_the_cores_tree(store: &dyn Store) {
    assert_eq!(fill(store, 0, &[3]).await, head_at(3));
    assert_eq!(fill(store, 3, &[1, 1]).await, head_at(5));
    assert_eq!(store.head(&domain()).await.unwrap(), head_at(5));
}

async fn an_append_elsewhere_conflicts_and_leaves_nothing(store: &dyn Store) {
    fill(store, 0, &[2]).await;
    for stale in [Head::EMPTY, head_at(1), head_at(3)] {
        let result = store.append(&domain(), stale, entries(2, 3)).await;
        let Err(StoreError::Conflict { actual }) = result else { panic!("{result:?}") };
        assert_eq!(actual, head_at(2));
    }
    assert_eq!(all(store).await.unwrap(), entries(0, 2));
    assert_eq!(fill(store, 2, &[1]).await, head_at(3), "the twin");
}

async fn the_root_decides_and_not_the_size_alone(store: &dyn Store) {
    fill(store, 0, &[2]).await;
    let other = Head { root: head_at(1).root, ..head_at(2) };
    let result = store.append(&domain(), other, entries(2, 1)).await;
    assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
}

async fn domains_do_not_see_one_another(store: &dyn Store) {
    let other: TrustDomain = "dev.acme.example".parse().unwrap();
    fill(store, 0, &[2]).await;
    assert_eq!(store.head(&other).await.unwrap(), Head::EMPTY);
    store.append(&other, Head::EMPTY, entries(5, 1)).await.unwrap();
    assert_eq!(store.read(&other, index(0)..index(9), 1000).await.unwrap(), entries(5, 1));
    assert_eq!(all(store).await.unwrap(), entries(0, 2));
}

async fn one_of_many_appends_to_one_head_wins(store: &dyn Store) {
    let mut head = Head::EMPTY;
    for round in 0..10u64 {
        // Two entries each, so that half a batch would show.
        let batches: Vec<_> = (0..16u64).map(|i| entries(1000 * round + 10 * i, 2)).collect();
        let domain = domain();
        let calls: Vec<_> = batches.iter().map(|batch| store.append(&domain, head, batch.clone())).collect();
        let mut winners = Vec::new();
        for (call, batch) in calls.into_iter().zip(&batches) {
            match call.await {
                Ok(after) => winners.push((after, batch.clone())),
                Err(StoreError::Conflict { actual }) => assert_eq!(actual.size.get(), 2 * round + 2),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let (after, batch) = winners.remove(0);
        let range = head.size.next_leaf()..after.size.next_leaf();
        assert_eq!(store.read(&domain, range, 1000).await.unwrap(), batch);
        head = after;
    }
}

async fn appends_in_order_need_not_wait_for_one_another(store: &dyn Store) {
    let domain = domain();
    let calls: Vec<_> = (0..50).map(|i| store.append(&domain, head_at(i), entries(i, 1))).collect();
    // The last one first: each was queued by its call.
    for (i, call) in calls.into_iter().enumerate().rev() {
        assert_eq!(call.await.unwrap(), head_at(i as u64 + 1));
    }
    assert_eq!(all(store).await.unwrap(), entries(0, 50));
}

async fn a_lost_answer_is_found_in_the_log(store: &dyn Store) {
    drop(store.append(&domain(), Head::EMPTY, entries(0, 2)));
    let result = store.append(&domain(), Head::EMPTY, entries(0, 2)).await;
    let Err(StoreError::Conflict { actual }) = result else { panic!("{result:?}") };
    assert_eq!(actual, head_at(2));
    assert_eq!(all(store).await.unwrap(), entries(0, 2), "once");
}

async fn a_range_is_read_as_it_is_asked_for(store: &dyn Store) {
    fill(store, 0, &[3, 1, 4, 2]).await;
    for from in 0..11 {
        for to in 0..13u64 {
            let read = store.read(&domain(), index(from)..index(to), usize::MAX).await.unwrap();
            assert_eq!(read, entries(from, to.min(10).saturating_sub(from)), "{from}..{to}");
        }
    }
    let all_there_is = index(0)..index(i64::MAX as u64);
    assert_eq!(store.read(&domain(), all_there_is.clone(), usize::MAX).await.unwrap(), entries(0, 10));
    assert!(store.read(&domain(), all_there_is.end..all_there_is.end, 1).await.unwrap().is_empty());
}

async fn a_read_is_bounded_but_never_empty(store: &dyn Store) {
    fill(store, 0, &[4, 4]).await;
    let lengths: Vec<_> = entries(0, 8).iter().map(Bytes::len).collect();
    for max_bytes in 0..lengths.iter().sum::<usize>() + 2 {
        let read = store.read(&domain(), index(0)..index(8), max_bytes).await.unwrap();
        let fitting = (1..=8).rev().find(|n| lengths[..*n].iter().sum::<usize>() <= max_bytes);
        assert_eq!(read.len(), fitting.unwrap_or(1), "{max_bytes} bytes");
    }
    let mut head = head_at(8);
    for _ in 0..READ_MAX_ENTRIES / BATCH_MAX_ENTRIES {
        head = store.append(&domain(), head, vec![Bytes::new(); BATCH_MAX_ENTRIES]).await.unwrap();
    }
    assert_eq!(all(store).await.unwrap().len(), READ_MAX_ENTRIES);
}

async fn a_read_is_bounded_in_bytes_whatever_is_asked_for(store: &dyn Store) {
    let mut head = Head::EMPTY;
    for _ in 0..READ_MAX_BYTES / BATCH_MAX_BYTES {
        head = store.append(&domain(), head, batch_of(BATCH_MAX_BYTES)).await.unwrap();
    }
    store.append(&domain(), head, vec![Bytes::from_static(b"x")]).await.unwrap();
    let read = all(store).await.unwrap();
    assert_eq!(read.iter().map(Bytes::len).sum::<usize>(), READ_MAX_BYTES);
    assert_eq!(read.len() as u64, head.size.get(), "all but the last byte");
}

async fn waiting_ends_with_the_append_that_passes_the_size(store: &dyn Store) {
    let mut waiting = store.wait_past(&domain(), size(2));
    let early = timeout(Duration::from_millis(20), &mut waiting).await;
    assert!(early.is_err());
    fill(store, 0, &[1, 1]).await;
    let early = timeout(Duration::from_millis(20), &mut waiting).await;
    assert!(early.is_err(), "2 is not past 2");
    fill(store, 2, &[2]).await;
    assert_eq!(waiting.await.unwrap(), head_at(4));
    assert_eq!(store.wait_past(&domain(), size(3)).await.unwrap(), head_at(4), "at once");
}

/// Entries of so many bytes in all, as long as they may be.
fn batch_of(bytes: usize) -> Vec<Bytes> {
    let longest = std::iter::repeat_n(ENTRY_MAX_BYTES, bytes / ENTRY_MAX_BYTES);
    longest.chain([bytes % ENTRY_MAX_BYTES]).map(|length| Bytes::from(vec![7; length])).collect()
}

async fn nothing_beyond_a_limit_is_written(store: &dyn Store) {
    let of = |bytes: usize| Bytes::from(vec![7; bytes]);
    let too_many = vec![Bytes::new(); BATCH_MAX_ENTRIES + 1];
    let too_long = vec![of(1), of(ENTRY_MAX_BYTES + 1)];
    let too_much = batch_of(BATCH_MAX_BYTES + 1);
    for batch in [vec![], too_many, too_long, too_much] {
        let result = store.append(&domain(), Head::EMPTY, batch).await;
        assert!(matches!(result, Err(StoreError::Limit { .. })), "{result:?}");
    }
    assert_eq!(store.head(&domain()).await.unwrap(), Head::EMPTY);
}

async fn the_largest_batch_is_accepted(store: &dyn Store) {
    let largest = batch_of(BATCH_MAX_BYTES);
    assert_eq!(largest[0].len(), ENTRY_MAX_BYTES);
    let head = store.append(&domain(), Head::EMPTY, largest.clone()).await.unwrap();
    assert_eq!(all(store).await.unwrap(), largest);
    store.append(&domain(), head, vec![Bytes::new(); BATCH_MAX_ENTRIES]).await.unwrap();
}

async fn domains_are_limited_in_number(store: &dyn Store) {
    let numbered = |i: usize| -> TrustDomain { format!("d{i}.example").parse().unwrap() };
    for i in 0..DOMAINS_MAX {
        store.append(&numbered(i), Head::EMPTY, entries(0, 1)).await.unwrap();
    }
    let result = store.append(&numbered(DOMAINS_MAX), Head::EMPTY, entries(0, 1)).await;
    assert!(matches!(result, Err(StoreError::Limit { .. })), "{result:?}");
    let result = timeout(Duration::from_secs(5), store.wait_past(&numbered(DOMAINS_MAX), size(0))).await;
    assert!(matches!(result, Ok(Err(StoreError::Limit { .. }))), "{result:?}");
    assert_eq!(store.append(&numbered(0), head_at(1), entries(1, 1)).await.unwrap(), head_at(2), "the twin");
}

async fn a_checkpoint_of_a_head_is_kept(store: &dyn Store) {
    fill(store, 0, &[2, 3, 1]).await;
    for at in [2, 5, 5, 6] {
        store.put_checkpoint(&domain(), checkpoint(head_at(at))).await.unwrap();
        assert_eq!(store.checkpoint(&domain()).await.unwrap(), Some(checkpoint(head_at(at))));
    }
}

async fn a_checkpoint_that_is_not_of_this_log_is_refused(store: &dyn Store) {
    let put = |head| store.put_checkpoint(&domain(), checkpoint(head));
    assert!(put(head_at(1)).await.is_err(), "there is no log yet");
    fill(store, 0, &[2, 3, 1]).await;
    put(head_at(5)).await.unwrap();
    let other_root = |at| Head { root: head_at(1).root, ..head_at(at) };
    for (head, why) in [
        (head_at(2), "older"),
        (head_at(7), "ahead"),
        (other_root(5), "another root"),
        (other_root(6), "another root at the end"),
        (Head::EMPTY, "empty"),
    ] {
        let result = put(head).await;
        assert!(matches!(result, Err(StoreError::Checkpoint { .. })), "{why}: {result:?}");
    }
    assert_eq!(store.checkpoint(&domain()).await.unwrap(), Some(checkpoint(head_at(5))));
    fill(store, 6, &[2]).await;
    assert!(put(head_at(7)).await.is_err(), "no head was ever in the middle of a batch");
    put(head_at(8)).await.unwrap();
}

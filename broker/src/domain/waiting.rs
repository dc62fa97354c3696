//! Who waits for the disk: each until its own entries are there, and woken once.
//!
//! A flush that makes a few entries durable would otherwise wake everyone who waits for later ones.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::ledger::TreeSize;
use tokio::sync::oneshot;

/// Told whether the ledger has that size on the disk; dropped where nobody will know any more.
type Waiter = oneshot::Sender<()>;

/// The decisions and readings of which the ledger is not durable yet. Those that a queue of decisions can
/// hold, and the readers of as many calls as are let in.
#[derive(Debug)]
pub(super) struct Waiting(Mutex<Line>);

#[derive(Debug)]
struct Line {
    /// How far the disk is; `None` since a write failed.
    durable: Option<TreeSize>,
    waiters: BTreeMap<TreeSize, Vec<Waiter>>,
}

impl Waiting {
    pub(super) fn new(durable: TreeSize) -> Self {
        Self(Mutex::new(Line { durable: Some(durable), waiters: BTreeMap::new() }))
    }

    /// Completes once the ledger has that size on the disk; false where it will never be known.
    pub(super) async fn until(&self, size: TreeSize) -> bool {
        let reached = {
            let mut line = self.line();
            match line.durable {
                None => return false,
                Some(durable) if durable >= size => return true,
                Some(_) => {
                    let (waiter, reached) = oneshot::channel();
                    line.waiters.entry(size).or_default().push(waiter);
                    reached
                }
            }
        };
        reached.await.is_ok()
    }

    /// The disk is that far.
    pub(super) fn reach(&self, size: TreeSize) {
        let reached = {
            let mut line = self.line();
            if line.durable.is_none() {
                return;
            }
            line.durable = Some(size);
            let mut reached = Vec::new();
            while let Some(first) = line.waiters.first_entry().filter(|first| *first.key() <= size) {
                reached.extend(first.remove());
            }
            reached
        };
        for waiter in reached {
            // Whoever hung up does not wait any longer.
            let _ = waiter.send(());
        }
    }

    /// Nothing more becomes durable.
    pub(super) fn fail(&self) {
        let mut line = self.line();
        line.durable = None;
        line.waiters.clear();
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Each change under the lock is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Poll};

    use super::*;

    fn size(number: u64) -> TreeSize {
        TreeSize::new(number).unwrap()
    }

    /// Whether it is done, without waiting for it.
    async fn is_done(future: std::pin::Pin<&mut impl Future<Output = bool>>) -> Option<bool> {
        let mut future = future;
        std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn each_waits_until_its_own_size_is_reached() {
        let waiting = Waiting::new(size(2));
        assert!(waiting.until(size(2)).await, "it is there already");
        let (mut third, mut fifth) = (pin!(waiting.until(size(3))), pin!(waiting.until(size(5))));
        assert_eq!((is_done(third.as_mut()).await, is_done(fifth.as_mut()).await), (None, None));
        waiting.reach(size(4));
        assert_eq!((is_done(third.as_mut()).await, is_done(fifth.as_mut()).await), (Some(true), None));
        waiting.reach(size(5));
        assert_eq!(is_done(fifth.as_mut()).await, Some(true));
    }

    /// Nobody is told that something is durable of which nothing is known, then or later.
    #[tokio::test]
    async fn after_a_failure_nothing_is_durable() {
        let waiting = Waiting::new(size(2));
        let mut third = pin!(waiting.until(size(3)));
        assert_eq!(is_done(third.as_mut()).await, None);
        waiting.fail();
        assert_eq!(is_done(third.as_mut()).await, Some(false));
        waiting.reach(size(9));
        assert!(!waiting.until(size(1)).await && !waiting.until(size(9)).await);
    }
}

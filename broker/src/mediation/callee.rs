//! One stream on which a callee serves.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use countersign_protocol::{
    id::InvocationId,
    name::InstanceId,
    refusal::{Refusal, Viewer},
    time::Timestamp,
};
use countersign_wire::v1::{Answer, ServeResponse};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;

use super::pending::{Pending, unknown};
use crate::{
    channel::Seat,
    domain::Domain,
    limits::{CALLEE_WAITING_KIB, UNANSWERED_MAX},
    status::status,
};

/// A place among the invocations that a callee takes at once.
pub(super) type Place = OwnedSemaphorePermit;

/// Memory for one invocation's content, of the callee's share and of the whole.
#[derive(Debug)]
pub(super) struct Room {
    _share: OwnedSemaphorePermit,
    _whole: OwnedSemaphorePermit,
}

/// A live instance that takes invocations. Whoever has one for it leaves it in its own queue and
/// waits for nothing, so a callee that does not read, or does not answer, delays nobody else.
#[derive(Debug)]
pub(super) struct Callee {
    instance: InstanceId,
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    line: Mutex<Line>,
    over: watch::Sender<bool>,
    _seat: Seat,
}

#[derive(Debug, Default)]
struct Line {
    /// What the stream has not taken.
    waiting: VecDeque<Arc<Pending>>,
    /// What it has taken and not answered; no more than there are places.
    taken: BTreeMap<InvocationId, Arc<Pending>>,
    /// The stream, where it waits for something to take.
    waker: Option<Waker>,
    /// Why the stream ends.
    end: Option<Refusal>,
    /// Whether the stream has said so.
    told: bool,
}

impl Callee {
    pub(super) fn new(instance: InstanceId, capacity: u32, seat: Seat) -> Arc<Self> {
        let places = usize::try_from(capacity).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            instance,
            places: Arc::new(Semaphore::new(places)),
            room: Arc::new(Semaphore::new(CALLEE_WAITING_KIB)),
            line: Mutex::default(),
            over: watch::Sender::new(false),
            _seat: seat,
        })
    }

    pub(super) fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// How many more invocations it takes. What it left unanswered holds a place beyond its
    /// deadline, or a callee that hangs would be given more and more; but not for ever, or one that
    /// answers nothing to what it refuses would be given none.
    pub(super) fn free(&self, now: Timestamp) -> usize {
        if self.places.available_permits() == 0 {
            self.line().taken.retain(|_, pending| now < pending.deadline().plus(UNANSWERED_MAX));
        }
        self.places.available_permits()
    }

    /// Takes a place and so many kilobytes of its share and of `whole`; `None` where there are none.
    pub(super) fn reserve(&self, kib: u32, whole: OwnedSemaphorePermit) -> Option<(Place, Room)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let share = Arc::clone(&self.room).try_acquire_many_owned(kib).ok()?;
        Some((place, Room { _share: share, _whole: whole }))
    }

    /// Puts an invocation at the end of the queue.
    pub(super) fn push(&self, pending: Arc<Pending>) {
        let mut line = self.line();
        if line.end.is_some() {
            drop(line);
            return pending.give_up(gone());
        }
        line.waiting.push_back(pending);
        let waker = line.waker.take();
        drop(line);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Takes an invocation that will not be forwarded out of the queue.
    pub(super) fn forget(&self, id: InvocationId) {
        self.line().waiting.retain(|pending| pending.id() != id);
    }

    /// The next invocation that may be forwarded.
    pub(super) fn poll_forward(
        &self,
        cx: &mut Context<'_>,
        domain: &Domain,
    ) -> Poll<Option<Result<ServeResponse, Status>>> {
        loop {
            let next = {
                let mut line = self.line();
                if let Some(refusal) = &line.end {
                    let last = (!line.told).then(|| Err(status(refusal, Viewer::Party)));
                    line.told = true;
                    return Poll::Ready(last);
                }
                let Some(next) = line.waiting.pop_front() else {
                    line.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                };
                // It is known as taken before it can be answered.
                line.taken.insert(next.id(), Arc::clone(&next));
                next
            };
            match next.forward(domain) {
                Some(message) => return Poll::Ready(Some(Ok(message))),
                None => drop(self.line().taken.remove(&next.id())),
            }
        }
    }

    /// An answer to something that this callee was given; anything else concerns nobody.
    pub(super) fn answer(&self, answer: Answer) {
        let id = answer.invocation_id.parse().ok();
        let taken = id.and_then(|id| self.line().taken.remove(&id));
        match taken {
            Some(pending) => pending.answer(answer),
            None => tracing::debug!(callee = %self.instance, "an answer to nothing that was asked"),
        }
    }

    /// Ends the stream. What it has not taken is cancelled, what it has not answered is unknown.
    pub(super) fn end(&self, why: Refusal) {
        let (left, waker) = {
            let mut line = self.line();
            line.end.get_or_insert(why);
            let waiting = std::mem::take(&mut line.waiting);
            let taken = std::mem::take(&mut line.taken);
            (waiting.into_iter().chain(taken.into_values()).collect::<Vec<_>>(), line.waker.take())
        };
        left.iter().for_each(|pending| pending.give_up(gone()));
        self.over.send_replace(true);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Completes once the stream has ended.
    pub(super) async fn until_over(&self) {
        // The sender lives as long as `self`.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Each change under the lock is one step.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> Refusal {
    unknown("The callee's stream has ended.")
}

//! Turns: of all that one holder has under way, one thing at a time is worked on, and then others have
//! theirs.
//!
//! The runtime gives each task that is ready its time, so whoever has a thousand calls that cost a
//! signature each would have a thousand times the processor of one who has a single call. With turns,
//! each holder has one task in the runtime's queue, however many calls: the others wait in its own line.
//! A call has its turn while it is worked on, and not while it waits for the disk or for a callee. One
//! that took long is followed by a longer pause: what is shared is time, and not the number of turns.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
    time::{Duration, Instant},
};

use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    task::yield_now,
};

/// What is worked on in one turn, more or less: a signature. Whoever took longer stands back as often as it
/// took the time of others.
const USUAL: Duration = Duration::from_micros(50);

/// However long a single piece of work was held up, nobody stands back more often.
const ROUNDS_MAX: u32 = 40;

/// The turn of one holder. It is never closed.
#[derive(Clone, Debug)]
pub(crate) struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turn {
    /// Does the work, and each time that it can go on waits for the turn first.
    pub(crate) fn take<F: Future>(self, work: F) -> InTurn<F> {
        InTurn { turn: self, work: Box::pin(work), place: Place::Away, call: Arc::default() }
    }
}

/// Work that is done in turn.
pub(crate) struct InTurn<F> {
    turn: Turn,
    work: Pin<Box<F>>,
    place: Place,
    call: Arc<Call>,
}

/// Where it stands in the line of its holder.
enum Place {
    /// Nowhere.
    Away,
    /// Behind others.
    Waiting(Waiting),
    /// It was worked on, and stands back.
    Done(Pin<Box<dyn Future<Output = ()> + Send>>),
}

type Waiting = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// Tells what it waits for that it can go on, from what the line has to tell it.
#[derive(Debug)]
struct Call {
    can_go_on: AtomicBool,
    task: Mutex<Waker>,
}

impl Default for Call {
    fn default() -> Self {
        Self { can_go_on: AtomicBool::new(true), task: Mutex::new(Waker::noop().clone()) }
    }
}

impl Call {
    fn belongs_to(&self, task: &Waker) {
        // Wakers are put in and taken out in one step.
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(task);
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.can_go_on.store(true, Ordering::SeqCst);
        self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl<F: Future> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.call.belongs_to(cx.waker());
        if let Place::Done(standing_back) = &mut self.place {
            ready!(standing_back.as_mut().poll(cx));
            self.place = Place::Away;
        }
        if !self.call.can_go_on.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        let turn = ready!(self.poll_turn(cx));
        self.call.can_go_on.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.call));
        let begun = Instant::now();
        let outcome = self.work.as_mut().poll(&mut Context::from_waker(&waker));
        let Ok(turn) = turn else { return outcome };
        let mut standing_back = Box::pin(stand_back(turn, rounds(begun.elapsed())));
        if outcome.is_ready() {
            tokio::spawn(standing_back);
        } else if standing_back.as_mut().poll(cx).is_pending() {
            self.place = Place::Done(standing_back);
        }
        outcome
    }
}

/// How often others are seen to after work of that length.
fn rounds(worked: Duration) -> u32 {
    let usual = worked.as_micros() / USUAL.as_micros();
    u32::try_from(usual).unwrap_or(ROUNDS_MAX).clamp(1, ROUNDS_MAX)
}

/// Keeps the turn until everyone who is ready has been seen to that often, and gives it to the next in line.
async fn stand_back(turn: OwnedSemaphorePermit, rounds: u32) {
    for _ in 0..rounds {
        yield_now().await;
    }
    drop(turn);
}

impl<F> InTurn<F> {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<OwnedSemaphorePermit, AcquireError>> {
        let mut waiting = match std::mem::replace(&mut self.place, Place::Away) {
            Place::Waiting(waiting) => waiting,
            _ => match Arc::clone(&self.turn.0).try_acquire_owned() {
                Ok(turn) => return Poll::Ready(Ok(turn)),
                Err(_) => Box::pin(Arc::clone(&self.turn.0).acquire_owned()),
            },
        };
        let turn = waiting.as_mut().poll(cx);
        if turn.is_pending() {
            self.place = Place::Waiting(waiting);
        }
        turn
    }
}

#[cfg(test)]
mod tests;

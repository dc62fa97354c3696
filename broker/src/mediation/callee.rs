//! One stream on which a callee serves.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use countersign_protocol::{
    id::{InvocationId, SessionId},
    name::InstanceId,
    refusal::{Refusal, Viewer},
    time::Timestamp,
};
use countersign_wire::v1::{Answer, OfferedStream, ServeResponse, ServedSession, ServedStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;

use super::{
    pending::{Pending, unknown},
    session::{Parcel, Session},
    stream::Word,
};
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
    sessions: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    line: Mutex<Line>,
    over: watch::Sender<bool>,
    _seat: Seat,
}

/// How much a callee takes at once, as it says in its hello.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takes {
    pub(super) capacity: u32,
    pub(super) sessions: u32,
    pub(super) streams: u32,
}

/// Something that waits for the stream to take it.
#[derive(Debug)]
enum Item {
    Invocation(Arc<Pending>),
    Session(Arc<Session>, Box<Parcel>),
    /// There is something in that stream.
    Stream(Arc<Pending>),
    /// That stream has ended without an answer.
    Over(InvocationId),
}

#[derive(Debug, Default)]
struct Line {
    /// What the stream has not taken.
    waiting: VecDeque<Item>,
    /// What it has taken and not answered; no more than there are places.
    taken: BTreeMap<InvocationId, Arc<Pending>>,
    /// The sessions that it is in or has been offered; no more than it takes.
    sessions: BTreeMap<SessionId, Arc<Session>>,
    /// The stream, where it waits for something to take.
    waker: Option<Waker>,
    /// Why the stream ends.
    end: Option<Refusal>,
    /// Whether the stream has said so.
    told: bool,
}

impl Callee {
    pub(super) fn new(instance: InstanceId, takes: Takes, seat: Seat) -> Arc<Self> {
        let permits = |count: u32| usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            instance,
            places: Arc::new(Semaphore::new(permits(takes.capacity))),
            sessions: Arc::new(Semaphore::new(permits(takes.sessions))),
            streams: Arc::new(Semaphore::new(permits(takes.streams))),
            room: Arc::new(Semaphore::new(CALLEE_WAITING_KIB)),
            line: Mutex::default(),
            over: watch::Sender::new(false),
            _seat: seat,
        })
    }

    pub(super) fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// Takes back places of invocations that it left unanswered. They hold theirs beyond the deadline,
    /// or a callee that hangs would be given more and more; but not for ever, or one that answers
    /// nothing to what it refuses would be given none.
    pub(super) fn take_back_places(&self, now: Timestamp) {
        if self.free() == 0 {
            self.line().taken.retain(|_, pending| now < pending.deadline().plus(UNANSWERED_MAX));
        }
    }

    /// How many more invocations it takes.
    pub(super) fn free(&self) -> usize {
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
        line.waiting.push_back(Item::Invocation(pending));
        let waker = line.waker.take();
        drop(line);
        waker.into_iter().for_each(Waker::wake);
    }

    /// A place among its sessions; `None` where there is none.
    pub(super) fn session_place(&self) -> Option<Place> {
        Arc::clone(&self.sessions).try_acquire_owned().ok()
    }

    /// A place among its streams, and so many kilobytes for what one begins with.
    pub(super) fn reserve_stream(&self, kib: u32, whole: OwnedSemaphorePermit) -> Option<(Place, Room)> {
        let place = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        let share = Arc::clone(&self.room).try_acquire_many_owned(kib).ok()?;
        Some((place, Room { _share: share, _whole: whole }))
    }

    /// Tells it something in a stream that it was given, in turn with whatever else waits for it.
    pub(super) fn relay(&self, pending: &Arc<Pending>, word: Word) {
        if pending.push(word) {
            self.enqueue(Item::Stream(Arc::clone(pending)));
        }
    }

    /// Tells it that a stream has ended without its answer. Its place is free once it was told.
    pub(super) fn break_off(&self, id: InvocationId) {
        self.enqueue(Item::Over(id));
    }

    /// Where the stream has ended, everything in it was given up.
    fn enqueue(&self, item: Item) {
        let mut line = self.line();
        if line.end.is_none() {
            line.waiting.push_back(item);
        }
        let waker = line.waker.take();
        drop(line);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits for a place and so many kilobytes of its share and of `whole`, behind whoever waits already.
    pub(super) async fn wait_for(&self, kib: u32, whole: Arc<Semaphore>) -> Option<(Place, Room)> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let share = Arc::clone(&self.room).acquire_many_owned(kib).await.ok()?;
        let whole = whole.acquire_many_owned(kib).await.ok()?;
        Some((place, Room { _share: share, _whole: whole }))
    }

    /// Begins to hear what it says in that session.
    pub(super) fn join(&self, session: &Arc<Session>) {
        self.line().sessions.insert(session.id(), Arc::clone(session));
    }

    /// Tells it something in a session, after all that it was told before.
    pub(super) fn tell(&self, session: &Arc<Session>, parcel: Parcel) {
        let mut line = self.line();
        if line.end.is_some() {
            drop(line);
            return session.shut(gone());
        }
        line.waiting.push_back(Item::Session(Arc::clone(session), Box::new(parcel)));
        let waker = line.waker.take();
        drop(line);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Tells it that a session is over, and nothing else of that.
    pub(super) fn part(&self, session: &Arc<Session>) {
        let mut line = self.line();
        line.sessions.remove(&session.id());
        line.waiting.retain(|item| !matches!(item, Item::Session(other, _) if other.id() == session.id()));
        drop(line);
        self.tell(session, Parcel::over(session.id()));
    }

    /// Something that it says in a session; in one that it is not in, it concerns nobody.
    pub(super) fn say(&self, said: ServedSession) {
        let id = said.session_id.parse().ok();
        let session = id.and_then(|id| self.line().sessions.get(&id).cloned());
        match session {
            Some(session) => session.hear(said),
            None => tracing::debug!(callee = %self.instance, "a word in a session that is over"),
        }
    }

    /// Something that it says in a stream; in one that it does not have, it concerns nobody.
    pub(super) fn say_in_stream(&self, said: ServedStream) {
        let id = said.invocation_id.parse::<InvocationId>().ok();
        let taken = id.and_then(|id| self.line().taken.get(&id).cloned());
        match taken {
            Some(pending) => pending.hear(said),
            None => tracing::debug!(callee = %self.instance, "a word in a stream that is over"),
        }
    }

    /// Takes an invocation that will not be forwarded out of the queue.
    pub(super) fn forget(&self, id: InvocationId) {
        self.line().waiting.retain(
            |item| !matches!(item, Item::Invocation(other) | Item::Stream(other) if other.id() == id),
        );
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
                if let Item::Invocation(next) = &next {
                    line.taken.insert(next.id(), Arc::clone(next));
                }
                next
            };
            match next {
                Item::Invocation(next) => match next.forward(domain) {
                    Some(message) => return Poll::Ready(Some(Ok(message))),
                    None => drop(self.line().taken.remove(&next.id())),
                },
                Item::Stream(next) => {
                    let (message, more) = next.forward_more(domain);
                    if more {
                        // Behind whatever else waits: each stream gets its turn.
                        self.line().waiting.push_back(Item::Stream(next));
                    }
                    if let Some(message) = message {
                        return Poll::Ready(Some(Ok(message)));
                    }
                }
                Item::Over(id) => {
                    if self.line().taken.remove(&id).is_some() {
                        let stream =
                            OfferedStream { invocation_id: id.to_string(), over: true, ..Default::default() };
                        let message = ServeResponse { stream: Some(stream), ..Default::default() };
                        return Poll::Ready(Some(Ok(message)));
                    }
                }
                Item::Session(session, parcel) => {
                    if let Some(message) = session.forward(*parcel, domain) {
                        return Poll::Ready(Some(Ok(message)));
                    }
                }
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
        let (left, sessions, waker) = {
            let mut line = self.line();
            line.end.get_or_insert(why);
            let waiting = std::mem::take(&mut line.waiting).into_iter().filter_map(Item::invocation);
            let taken = std::mem::take(&mut line.taken);
            let left: Vec<_> = waiting.chain(taken.into_values()).collect();
            (left, std::mem::take(&mut line.sessions), line.waker.take())
        };
        left.iter().for_each(|pending| pending.give_up(gone()));
        sessions.values().for_each(|session| session.shut(gone()));
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

impl Item {
    fn invocation(self) -> Option<Arc<Pending>> {
        match self {
            Self::Invocation(pending) => Some(pending),
            Self::Session(..) | Self::Stream(_) | Self::Over(_) => None,
        }
    }
}

fn gone() -> Refusal {
    unknown("The callee's stream has ended.")
}

//! Feeds: streams that tell a watcher of changes for as long as it listens.
//!
//! A watcher costs a task and a few messages that wait for it, whatever it does. One that does not
//! take what it is told is cut off; it learns so, and resumes from where it was. Nobody waits for it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use countersign_protocol::{
    name::InstanceId,
    refusal::{Reason, Refusal},
    require, require_some,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tonic::Status;

use crate::{
    channel::{Holder, Seat, Seats},
    limits::{WATCH_BUFFER, WATCH_STALL_MAX, WATCHES_MAX, WATCHES_PER_INSTANCE},
};

/// The watchers of one service: so many in all, so many of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Watchers(Arc<Seats>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Seats::new(WATCHES_MAX, WATCHES_PER_INSTANCE))
    }
}

impl Watchers {
    /// Begins a feed and runs `watch` for it, until the watcher leaves or `watch` says why it ends.
    pub(crate) fn admit<T, F>(
        &self,
        watcher: &InstanceId,
        watch: impl FnOnce(Teller<T>) -> F,
    ) -> Result<Feed<T>, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = End> + Send + 'static,
    {
        let seat = self.0.take(Holder::Instance(watcher.clone()));
        let seat = require_some!("API-065", seat, Reason::Overloaded, "Too many watches are open.");
        let (teller, messages) = mpsc::channel(WATCH_BUFFER);
        let (why, end) = oneshot::channel();
        let watching = watch(Teller(teller.clone()));
        tokio::spawn(async move {
            let gone = teller.closed();
            tokio::select! {
                end = watching => if let End::Refused(status) = end {
                    // Nobody hears it if the watcher left.
                    let _ = why.send(status);
                },
                () = gone => {}
            }
        });
        Ok(Feed { messages, end: Some(end), _seat: seat })
    }
}

/// Why a feed ends.
#[derive(Debug)]
pub(crate) enum End {
    /// Nobody listens any more.
    Gone,
    /// The watcher is told this.
    Refused(Status),
}

/// Tells one watcher.
#[derive(Debug)]
pub(crate) struct Teller<T>(mpsc::Sender<T>);

impl<T> Teller<T> {
    /// Waits until the watcher has room for the message. Fails with a refusal once it had none for
    /// so long that it is cut off (API-066).
    pub(crate) async fn tell(&self, message: T) -> Result<(), Refusal> {
        let told = tokio::time::timeout(WATCH_STALL_MAX, self.0.send(message)).await;
        require!("API-066", told.is_ok(), Reason::Overloaded, "The watcher does not keep up.");
        // That a watcher has left is for the feed's task to notice.
        Ok(())
    }
}

/// The stream of one watcher.
pub struct Feed<T> {
    messages: mpsc::Receiver<T>,
    end: Option<oneshot::Receiver<Status>>,
    _seat: Seat,
}

impl<T> fmt::Debug for Feed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("waiting", &self.messages.len()).finish_non_exhaustive()
    }
}

impl<T> Stream for Feed<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let why = ready!(Pin::new(end).poll(cx));
        self.end = None;
        Poll::Ready(why.ok().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_protocol::refusal::Viewer;
    use tokio::time::sleep;
    use tokio_stream::StreamExt as _;

    use super::*;
    use crate::{mediation::tests::world::reason, status::status};

    /// What a watcher hears that listens after so long, of one message more than waits for it; and why
    /// it hears no more.
    async fn heard_after(pause: Duration) -> (usize, Option<String>) {
        let principal = "spiffe://acme.example/agent/planner";
        let watcher = format!("{principal}/i/01900000-0000-7000-8000-000000000001").parse().unwrap();
        let watch = |teller: Teller<usize>| async move {
            for number in 0..=WATCH_BUFFER {
                if let Err(refusal) = teller.tell(number).await {
                    return End::Refused(status(&refusal, Viewer::Party));
                }
            }
            End::Gone
        };
        let mut feed = Watchers::default().admit(&watcher, watch).unwrap();
        sleep(pause).await;
        let mut heard = 0;
        loop {
            match feed.next().await {
                Some(Ok(_)) => heard += 1,
                Some(Err(status)) => return (heard, Some(reason(&status))),
                None => return (heard, None),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_has_so_many_messages_waiting_and_for_so_long() {
        let tick = Duration::from_millis(5);
        assert_eq!(heard_after(WATCH_STALL_MAX - tick).await, (WATCH_BUFFER + 1, None));
        let late = (WATCH_BUFFER, Some("OVERLOADED".to_owned()));
        assert_eq!(heard_after(WATCH_STALL_MAX + tick).await, late);
    }
}

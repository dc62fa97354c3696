//! The other side's chunks on their way in: verified one by one.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use countersign_protocol::{limits::STREAM_WINDOW, payload::Payload, signed::Signed, stream::StreamReader};
use countersign_wire::v1;
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, StreamExt};

use crate::error::{About, Error, deceived};

/// The other side learns of what was taken once it is so many chunks: well before it has to wait.
const TELL_EVERY: u64 = STREAM_WINDOW / 4;

/// The chunks of the other side, in order. Each was verified: it is by the instance that it should be by,
/// and neither it nor any before it was dropped, altered or made up.
///
/// They end after the last one. Where the stream ends before that, the last item is an error: what came
/// until then is real, and not all of it.
#[derive(Debug)]
pub struct Chunks {
    came: mpsc::Receiver<Result<Vec<u8>, Error>>,
    taken: watch::Sender<u64>,
}

impl Chunks {
    /// The next one.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, Error>> {
        StreamExt::next(self).await
    }
}

impl Stream for Chunks {
    type Item = Result<Vec<u8>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.came.poll_recv(cx));
        if matches!(chunk, Some(Ok(_))) {
            self.taken.send_modify(|taken| *taken += 1);
        }
        Poll::Ready(chunk)
    }
}

/// Where chunks come in.
pub(crate) struct Inlet {
    reader: StreamReader,
    comes: Option<mpsc::Sender<Result<Vec<u8>, Error>>>,
    taken: watch::Receiver<u64>,
    told: u64,
}

/// Both ends of the other side's chunks.
pub(crate) fn chunks(reader: StreamReader) -> (Inlet, Chunks) {
    // A window of chunks, and how it ended.
    let (comes, came) = mpsc::channel(STREAM_WINDOW as usize + 1);
    let (taken, takes) = watch::channel(0);
    (Inlet { reader, comes: Some(comes), taken: takes, told: 0 }, Chunks { came, taken })
}

impl Inlet {
    pub(crate) fn reader(&self) -> &StreamReader {
        &self.reader
    }

    /// Verifies the next chunk and lets it in.
    pub(crate) fn take(&mut self, chunk: v1::StreamChunk) -> Result<(), Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Stream, why);
        let head = Signed::from_bytes(&chunk.head).map_err(|error| bad(&error))?;
        self.reader.take(&chunk.data, head).map_err(|refusal| bad(&refusal))?;
        if !chunk.data.is_empty()
            && let Some(comes) = &self.comes
            && let Err(mpsc::error::TrySendError::Full(_)) = comes.try_send(Ok(chunk.data))
        {
            return Err(bad(&"more chunks came than were taken"));
        }
        if self.reader.is_over() {
            // Whoever takes them hears that there are no more.
            self.comes = None;
        }
        Ok(())
    }

    /// Completes when the other side is to be told that so many chunks were taken; or with nothing, when
    /// nobody takes them any more though more may come.
    pub(crate) async fn until_due(&mut self) -> Option<u64> {
        loop {
            let taken = *self.taken.borrow_and_update();
            if taken >= self.told + TELL_EVERY {
                self.told = taken;
                return Some(taken);
            }
            if self.taken.changed().await.is_err() {
                if self.comes.is_some() {
                    return None;
                }
                // All of them came: what is not taken is not missed.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Ends them before the last one.
    pub(crate) fn fail(&mut self, error: &Error) {
        if let Some(comes) = self.comes.take() {
            // There is always room for this one.
            let _ = comes.try_send(Err(error.clone()));
        }
    }
}

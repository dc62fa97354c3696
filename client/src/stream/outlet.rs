//! One side's chunks on their way out: signed one by one, and no more than the other side takes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use countersign_protocol::{
    limits::{STREAM_CHUNK_MAX_BYTES, STREAM_WINDOW},
    payload::Payload,
    stream::{Part, StreamSum, StreamWindow, StreamWriter},
};
use countersign_wire::v1;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    agent::Agent,
    connection::unavailable,
    error::{About, Error, deceived},
};

/// Where what is said in a stream goes.
#[derive(Clone)]
pub(crate) enum Way {
    /// From its caller.
    Up(mpsc::Sender<v1::InvokeStreamRequest>),
    /// From its callee, which has one way for everything.
    Down(String, mpsc::Sender<v1::ServeRequest>),
}

impl Way {
    async fn chunk(&self, chunk: v1::StreamChunk) -> bool {
        self.say(Some(chunk), 0).await
    }

    /// Says how many chunks of the other side were taken in all.
    pub(crate) async fn taken(&self, taken: u64) -> bool {
        self.say(None, taken).await
    }

    /// False where the stream has ended.
    async fn say(&self, chunk: Option<v1::StreamChunk>, taken: u64) -> bool {
        match self {
            Self::Up(to) => {
                to.send(v1::InvokeStreamRequest { chunk, taken, ..Default::default() }).await.is_ok()
            }
            Self::Down(id, to) => {
                let stream = v1::ServedStream { invocation_id: id.clone(), chunk, taken };
                to.send(v1::ServeRequest { stream: Some(stream), ..Default::default() }).await.is_ok()
            }
        }
    }
}

/// How far the other side lets this one go on. Clones are of the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Credit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: Semaphore,
    sent: Mutex<Sent>,
}

#[derive(Debug, Default)]
struct Sent {
    window: StreamWindow,
    /// What was sent up to each chunk that the other side may still speak of, and whether it was the last.
    sums: BTreeMap<u64, (StreamSum, Part)>,
}

impl Credit {
    fn new() -> Self {
        let places = Semaphore::new(STREAM_WINDOW as usize);
        Self(Arc::new(Shared { places, sent: Mutex::default() }))
    }

    /// The other side has taken so many chunks in all.
    pub(crate) fn take(&self, taken: u64) -> Result<(), Error> {
        let mut sent = self.sent();
        let before = sent.window.taken();
        sent.window.take(taken).map_err(|refusal| deceived(About::Stream, refusal))?;
        sent.sums = sent.sums.split_off(&taken);
        // No more than a window.
        self.0.places.add_permits((taken - before) as usize);
        Ok(())
    }

    /// What was sent up to that chunk, where the other side may speak of it.
    pub(crate) fn sum_at(&self, count: u64) -> Option<(StreamSum, Part)> {
        self.sent().sums.get(&count).cloned()
    }

    /// Nothing more is sent.
    pub(crate) fn close(&self) {
        self.0.places.close();
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        // Each change under the lock is one step.
        self.0.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One side's chunks on their way out.
pub(crate) struct Outlet {
    agent: Agent,
    writer: StreamWriter,
    credit: Credit,
    way: Way,
}

impl Outlet {
    pub(crate) fn new(agent: Agent, writer: StreamWriter, way: Way) -> Self {
        Self { agent, writer, credit: Credit::new(), way }
    }

    pub(crate) fn credit(&self) -> Credit {
        self.credit.clone()
    }

    /// Everything so far.
    pub(crate) fn sum(&self) -> StreamSum {
        self.writer.sum().clone()
    }

    /// Sends a piece in as many chunks as it takes.
    pub(crate) async fn send(&mut self, piece: &[u8]) -> Result<(), Error> {
        for chunk in piece.chunks(STREAM_CHUNK_MAX_BYTES) {
            self.chunk(chunk, Part::Further).await?;
        }
        Ok(())
    }

    /// Sends one chunk, once the other side has room for it.
    pub(crate) async fn chunk(&mut self, chunk: &[u8], part: Part) -> Result<(), Error> {
        let over = || unavailable("send more", "the stream has ended");
        self.credit.0.places.acquire().await.map_err(|_| over())?.forget();
        let head = self.writer.next(chunk, part, self.agent.now());
        let head = self.agent.sign(&head).to_bytes();
        {
            let mut sent = self.credit.sent();
            // There was a place for it.
            let _ = sent.window.send();
            let sum = self.writer.sum().clone();
            sent.sums.insert(sum.count, (sum, part));
        }
        let told = self.way.chunk(v1::StreamChunk { data: chunk.to_vec(), head }).await;
        if told { Ok(()) } else { Err(over()) }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").field("writer", &self.writer).finish_non_exhaustive()
    }
}

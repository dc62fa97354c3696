//! Streams: invocations whose body and result come in chunks.

mod begin;
mod chunks;
mod hearing;
mod outlet;

use countersign_protocol::{
    id::InvocationId,
    ledger::LeafIndex,
    name::InstanceId,
    receipt::Receipt,
    signed::Signed,
    stream::{Part, StreamAccount},
};
use tokio::sync::{oneshot, watch};

pub use chunks::Chunks;
pub(crate) use chunks::{Inlet, chunks};
pub(crate) use outlet::{Credit, Outlet, Way};

use crate::{connection::unavailable, error::Error};

/// An invocation under way whose body is sent, and whose result is received, chunk by chunk.
///
/// Its parts may go to different tasks. It ends well once the [`upload`](Self::upload) is finished, all of
/// [`download`](Self::download) is taken, and [`end`](Self::end) gives the callee's receipt. Dropping the
/// upload before it is finished, or the download before its end, ends the stream: the callee may have done
/// something all the same, and [`Agent::explain`](crate::Agent::explain) tells what the ledger knows.
#[derive(Debug)]
pub struct InvokedStream {
    /// The invocation.
    pub invocation: InvocationId,
    /// The instance that has it.
    pub callee: InstanceId,
    /// The leaf that permitted it.
    pub intent: LeafIndex,
    /// The body, on its way out.
    pub upload: Upload,
    /// The result, on its way in.
    pub download: Chunks,
    /// What came of it.
    pub end: StreamEnd,
}

impl InvokedStream {
    /// Sends a whole body, and gives the whole result: for what is no longer than memory.
    pub async fn exchange(self, body: &[u8]) -> Result<(Vec<u8>, Streamed), Error> {
        let Self { mut upload, mut download, end, .. } = self;
        let send = async {
            upload.send(body).await?;
            upload.finish().await
        };
        let receive = async {
            let mut result = Vec::new();
            while let Some(chunk) = download.next().await {
                result.extend(chunk?);
            }
            Ok::<_, Error>(result)
        };
        let (sent, result) = tokio::join!(send, receive);
        // A callee may be done before it has everything; the receipt says how much it had.
        let streamed = end.verified().await?;
        sent.or_else(|error| if streamed.is_whole { Err(error) } else { Ok(()) })?;
        Ok((result?, streamed))
    }
}

/// The body of a stream, on its way out. Each chunk is signed for.
#[derive(Debug)]
pub struct Upload {
    outlet: Outlet,
    /// Gone once the body is finished: dropped before, it ends the stream.
    unfinished: Option<watch::Sender<()>>,
}

impl Upload {
    /// Sends the next piece, in as many chunks as it takes. Waits while the callee takes no more.
    ///
    /// Fails where the stream has ended, which its [`end`](InvokedStream::end) tells more of: a callee may
    /// be done before it has everything.
    pub async fn send(&mut self, piece: &[u8]) -> Result<(), Error> {
        let sent = self.outlet.send(piece).await;
        sent.inspect_err(|_| self.settle())
    }

    /// Says that nothing more comes.
    pub async fn finish(mut self) -> Result<(), Error> {
        let sent = self.outlet.chunk(&[], Part::Last).await;
        self.settle();
        sent
    }

    /// From here on dropping it ends nothing.
    fn settle(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            let _ = unfinished.send(());
        }
    }
}

/// What comes of a stream.
#[derive(Debug)]
pub struct StreamEnd(oneshot::Receiver<Result<Streamed, Error>>);

impl StreamEnd {
    /// Waits for the end. Nothing of the result is certain before: that it is whole, and what it cost, the
    /// receipt says. It comes once all chunks of the result were taken.
    pub async fn verified(self) -> Result<Streamed, Error> {
        self.0.await.unwrap_or_else(|_| Err(unavailable("go on with the stream", "it was dropped")))
    }
}

/// What came of a stream: the callee's verified word.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The invocation; [`Agent::explain`](crate::Agent::explain) takes it.
    pub invocation: InvocationId,
    /// How it ended, what it cost, and who did it.
    pub receipt: Receipt,
    /// The receipt as the callee signed it.
    pub signed_receipt: Signed,
    /// What the callee received and sent, which the receipt is for.
    pub account: StreamAccount,
    /// Whether the callee received the whole body, to its end.
    pub is_whole: bool,
    /// The leaf that permitted it.
    pub intent: LeafIndex,
    /// The leaf that ended it.
    pub result: LeafIndex,
}

//! Serving streams: every chunk is verified end to end, and each that is sent is signed for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_protocol::{
    capability::Amount,
    digest::Digest,
    limits::STREAM_WINDOW,
    payload::Payload,
    receipt::ActionOutcome,
    session::Side,
    stream::{Part, StreamAccount, StreamReader, StreamSum, StreamWriter},
};
use countersign_wire::v1;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::timeout,
};

use super::{
    Handler,
    answered::{Answered, Turn},
    desk::{Desk, answer},
    verify::{Verified, verify_stream},
};
use crate::{
    connection::unavailable,
    error::Error,
    limits::{ANSWER_MARGIN, SERVED_STREAMS_MAX},
    stream::{Credit, Inlet, Outlet, Way, chunks},
};

/// Words of one stream that wait for its task: a window of chunks, and as many that the caller takes.
const WORDS: usize = 2 * STREAM_WINDOW as usize + 2;

/// What came of a stream, besides what was sent in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Whether it was done.
    pub outcome: ActionOutcome,
    /// What it cost, in the unit of the chain's budget; at most its amount per call.
    pub cost: Amount,
}

/// The result of a stream, on its way out. Each chunk is signed for.
#[derive(Debug)]
pub struct Output(Arc<Mutex<Option<Outlet>>>);

impl Output {
    /// Sends the next piece, in as many chunks as it takes. Waits while the caller takes no more.
    pub async fn send(&mut self, piece: &[u8]) -> Result<(), Error> {
        match &mut *self.0.lock().await {
            Some(outlet) => outlet.send(piece).await,
            None => Err(unavailable("send more", "the stream has ended")),
        }
    }
}

/// Where words of the streams that this callee has go, by the stream that they came by.
#[derive(Default)]
pub(super) struct ServedStreams(BTreeMap<(u64, String), mpsc::Sender<v1::OfferedStream>>);

impl ServedStreams {
    /// Begins to hear words of a stream. None where there are as many streams as this callee takes.
    pub(super) fn begin(&mut self, stream: u64, id: &str) -> Option<mpsc::Receiver<v1::OfferedStream>> {
        self.0.retain(|_, words| !words.is_closed());
        if self.0.len() >= SERVED_STREAMS_MAX as usize {
            return None;
        }
        let (words, heard) = mpsc::channel(WORDS);
        self.0.insert((stream, id.to_owned()), words);
        Some(heard)
    }

    /// Hears a word of a stream. More than fit on their way end it.
    pub(super) fn hear(&mut self, stream: u64, said: v1::OfferedStream) {
        let place = (stream, said.invocation_id.clone());
        let over = said.over;
        let heard = self.0.get(&place).is_some_and(|words| words.try_send(said).is_ok());
        if over || !heard {
            self.0.remove(&place);
        }
    }

    /// Forgets the streams of a `Serve` stream that has ended.
    pub(super) fn close(&mut self, stream: u64) {
        self.0.retain(|(of, _), _| *of != stream);
    }
}

/// What goes to and fro beside the handler.
struct Pump {
    inlet: Inlet,
    credit: Credit,
    way: Way,
    heard: mpsc::Receiver<v1::OfferedStream>,
}

impl<H: Handler> Desk<H> {
    /// Verifies a stream's beginning, does it, and answers on the `Serve` stream that it came by.
    pub(super) async fn work_stream(
        self: Arc<Self>,
        message: v1::ServeResponse,
        heard: mpsc::Receiver<v1::OfferedStream>,
        answers: mpsc::Sender<v1::ServeRequest>,
    ) {
        let named = message.invocation_id.clone();
        let verified = match verify_stream(self.agent(), message) {
            Ok(verified) => verified,
            Err(error) => return self.rejected(&named, &error),
        };
        let id = verified.invocation.id;
        let turn = self.served().turn(id, verified.fingerprint);
        let answered = match turn {
            Turn::Begin => match self.stream(verified, heard, answers.clone()).await {
                Ok(answered) => answered,
                Err(error) => return self.rejected(&named, &error),
            },
            // What was sent in it is gone, and so is whoever received it.
            Turn::Again(_) | Turn::Ignore => return,
        };
        let _ = answers.send(answer(id, answered)).await;
    }

    async fn stream(
        &self,
        verified: Verified,
        heard: mpsc::Receiver<v1::OfferedStream>,
        answers: mpsc::Sender<v1::ServeRequest>,
    ) -> Result<Answered, Error> {
        let Verified { invocation, said, proof, .. } = verified;
        let (id, leaf) = (invocation.id, invocation.chain.token().leaf());
        let (chain, per_call) = (invocation.chain.token().chain_id(), leaf.rights.budget.per_call);
        let (inlet, input) = chunks(StreamReader::new(&said, &proof, Side::Caller, leaf.holder.key));
        let way = Way::Down(id.to_string(), answers);
        let writer = StreamWriter::new(&said, &proof, Side::Callee);
        let outlet = Outlet::new(self.agent().clone(), writer, way.clone());
        let mut pump = Pump { inlet, credit: outlet.credit(), way, heard };
        let output = Arc::new(Mutex::new(Some(outlet)));
        let left = Duration::from_millis(invocation.deadline.since(self.agent().now()).as_millis());
        let handler = Arc::clone(self.handler());
        // A task of its own, so that a panic ends nothing else. It ends with this one.
        let mut task = JoinSet::new();
        let told = Output(Arc::clone(&output));
        task.spawn(async move { handler.stream(invocation, input, told).await });
        let work = async {
            let done = timeout(left.saturating_sub(ANSWER_MARGIN.min(left / 4)), task.join_next()).await;
            task.abort_all();
            let done = match done {
                Ok(Some(Ok(done))) => done,
                _ => Done { outcome: ActionOutcome::Failed, cost: per_call },
            };
            Ok::<_, Error>((done, finish(&output).await?))
        };
        let (done, sent) = tokio::select! {
            done = work => done?,
            why = pump.run() => return Err(why),
        };
        let account = StreamAccount { received: pump.inlet.reader().sum().clone(), sent };
        let body = account.to_bytes();
        let receipt = self.receipt(id, chain, proof, Digest::of(&body), done, per_call);
        let answered = Answered { receipt: self.agent().sign(&receipt).to_bytes(), body };
        self.served().answered(id, answered.clone());
        Ok(answered)
    }
}

/// Ends what this side sends. Whoever still has the output can send no more.
async fn finish(output: &Mutex<Option<Outlet>>) -> Result<StreamSum, Error> {
    let outlet = output.lock().await.take();
    let mut outlet = outlet.ok_or_else(|| unavailable("end the stream", "it has ended"))?;
    outlet.chunk(&[], Part::Last).await?;
    Ok(outlet.sum())
}

impl Pump {
    /// Passes on what the caller says until that is over, and gives why.
    async fn run(&mut self) -> Error {
        let mut reads = true;
        loop {
            tokio::select! {
                said = self.heard.recv() => match said.map(|said| self.hear(said)) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return error,
                    None => return unavailable("go on with the stream", "it was broken off"),
                },
                taken = self.inlet.until_due(), if reads => match taken {
                    Some(taken) => drop(self.way.taken(taken).await),
                    // The handler reads no further; what more comes is counted all the same.
                    None => reads = false,
                },
            }
        }
    }

    fn hear(&mut self, said: v1::OfferedStream) -> Result<(), Error> {
        match said {
            v1::OfferedStream { over: true, .. } => {
                Err(unavailable("go on with the stream", "it was broken off"))
            }
            v1::OfferedStream { chunk: Some(chunk), .. } => self.inlet.take(chunk),
            v1::OfferedStream { taken, .. } => self.credit.take(taken),
        }
    }
}

//! From a chain that is held to a stream under it.

use std::time::Duration;

use countersign_protocol::{
    capability::Request,
    id::InvocationId,
    ledger::LeafIndex,
    limits::STREAM_WINDOW,
    name::InstanceId,
    payload::Payload,
    session::Side,
    signed::Signed,
    stream::{StreamReader, StreamWriter},
    token::{Proof, Via},
};
use countersign_wire::v1::{self, mediation_client::MediationClient};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{InvokedStream, Outlet, StreamEnd, Upload, Way, chunks, hearing::Hearing};
use crate::{
    agent::Agent,
    clock::entropy,
    connection::{error_of, unavailable},
    error::{About, Error, deceived},
    feed::opening,
    held::Held,
    invoke::{Expected, state},
    limits::{CALL_MAX, MESSAGE_MAX_BYTES},
};

/// Words to the broker that wait for the connection: what is sent, and what was taken.
const AHEAD: usize = 2 * STREAM_WINDOW as usize;

impl Agent {
    /// Has something done under a chain that this instance holds, with a body and a result that come in
    /// chunks: for what is too large for one message, and for callees that answer piece by piece. It is
    /// given up after `within`, which the broker cuts to a quarter of an hour.
    ///
    /// Nothing is repeated: what became of a stream that broke, [`Agent::explain`] tells.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use countersign::{Agent, Error, Held, InvokedStream, Streamed};
    /// use countersign_protocol::capability::Request;
    ///
    /// async fn ask(agent: &Agent, held: &Held, request: Request, question: &str) -> Result<Streamed, Error> {
    ///     let stream = agent.invoke_stream(held, request, Duration::from_secs(120)).await?;
    ///     let InvokedStream { mut upload, mut download, end, .. } = stream;
    ///     upload.send(question.as_bytes()).await?;
    ///     upload.finish().await?;
    ///     while let Some(piece) = download.next().await {
    ///         // Verified to be the callee's, in this place. Whether it is all of it, the end says.
    ///         print!("{}", String::from_utf8_lossy(&piece?));
    ///     }
    ///     end.verified().await
    /// }
    /// ```
    pub async fn invoke_stream(
        &self,
        held: &Held,
        request: Request,
        within: Duration,
    ) -> Result<InvokedStream, Error> {
        self.check_holds(held)?;
        self.check_standing()?;
        let id = InvocationId::new(self.now(), &mut entropy());
        let proof = self.holders_proof(held, id, request.clone(), &[], Via::Stream);
        let signed = self.sign(&proof);
        let (outgoing, mut inbound) = self.start_stream(held, &request, &signed, within).await?;
        let first = match timeout(CALL_MAX, inbound.message()).await {
            Ok(first) => first.map_err(|status| error_of("begin the stream", &status))?,
            Err(_) => return Err(unavailable("begin the stream", "no answer came in time")),
        };
        let first = first.ok_or_else(|| unavailable("begin the stream", "it ended at once"))?;
        self.begun(held, &proof, &signed, outgoing, inbound, first).await
    }

    async fn start_stream(
        &self,
        held: &Held,
        request: &Request,
        proof: &Signed,
        within: Duration,
    ) -> Result<(mpsc::Sender<v1::InvokeStreamRequest>, Streaming<v1::InvokeStreamResponse>), Error> {
        let (outgoing, said) = mpsc::channel(AHEAD);
        let first = v1::InvokeStreamRequest {
            trust_domain: self.domain().to_string(),
            token: held.token().as_bytes().to_vec(),
            proof: proof.to_bytes(),
            arguments: request.arguments.to_bytes(),
            ..Default::default()
        };
        // The queue is empty: there is room for it.
        let _ = outgoing.try_send(first);
        let client = MediationClient::new(self.inner.connection.channel());
        let mut client = client.max_decoding_message_size(MESSAGE_MAX_BYTES);
        let mut request = opening(ReceiverStream::new(said));
        request.set_timeout(within);
        let trace = self.inner.trace.as_ref().and_then(|trace| trace());
        trace.iter().for_each(|trace| state(trace, request.metadata_mut()));
        match timeout(CALL_MAX, client.invoke_stream(request)).await {
            Ok(Ok(stream)) => Ok((outgoing, stream.into_inner())),
            Ok(Err(status)) => Err(error_of("begin the stream", &status)),
            Err(_) => Err(unavailable("begin the stream", "no answer came in time")),
        }
    }

    /// Its callee is an instance of the one that was asked for; by its key everything is verified.
    async fn begun(
        &self,
        held: &Held,
        proof: &Proof,
        signed: &Signed,
        outgoing: mpsc::Sender<v1::InvokeStreamRequest>,
        inbound: Streaming<v1::InvokeStreamResponse>,
        first: v1::InvokeStreamResponse,
    ) -> Result<InvokedStream, Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Stream, why);
        let callee: InstanceId = first.callee.parse().map_err(|error| bad(&error))?;
        if *callee.principal() != proof.callee {
            return Err(bad(&"another callee has it"));
        }
        let intent = LeafIndex::new(first.intent_leaf).ok_or_else(|| bad(&"it names no leaf"))?;
        let key = self.known(&callee).await?.key;
        let digest = signed.digest();
        let writer = StreamWriter::new(proof, &digest, Side::Caller);
        let way = Way::Up(outgoing);
        let outlet = Outlet::new(self.clone(), writer, way.clone());
        let (inlet, download) = chunks(StreamReader::new(proof, &digest, Side::Callee, key));
        let (unfinished, finished) = watch::channel(());
        let (ends, end) = oneshot::channel();
        let expected = Expected {
            invocation: proof.invocation_id,
            chain: proof.chain_id,
            proofs: vec![digest],
            callee: proof.callee.clone(),
            per_call: held.rights().budget.per_call,
        };
        let (agent, credit) = (self.clone(), outlet.credit());
        let hearing = Hearing { agent, expected, digest, inlet, credit, way, callee: callee.clone(), intent };
        tokio::spawn(hearing.run(inbound, finished, ends));
        let upload = Upload { outlet, unfinished: Some(unfinished) };
        Ok(InvokedStream {
            invocation: proof.invocation_id,
            callee,
            intent,
            upload,
            download,
            end: StreamEnd(end),
        })
    }
}

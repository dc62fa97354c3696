//! What a stream's caller hears: the callee's chunks, what it has taken, and the receipt for all of it.

use countersign_protocol::{
    digest::Digest,
    ledger::LeafIndex,
    name::InstanceId,
    payload::Payload,
    session::Side,
    stream::{Part, StreamAccount, StreamSum},
};
use countersign_wire::v1;
use tokio::sync::{oneshot, watch};
use tonic::Streaming;

use super::{Credit, Inlet, Streamed, Way};
use crate::{
    agent::Agent,
    connection::{error_of, unavailable},
    error::{About, Error, deceived},
    invoke::{Answer, Expected},
};

/// The task that hears.
pub(super) struct Hearing {
    pub(super) agent: Agent,
    pub(super) expected: Expected,
    /// Of the proof.
    pub(super) digest: Digest,
    pub(super) inlet: Inlet,
    pub(super) credit: Credit,
    pub(super) way: Way,
    pub(super) callee: InstanceId,
    pub(super) intent: LeafIndex,
}

impl Hearing {
    /// Hears until the stream ends, and tells whoever waits how.
    pub(super) async fn run(
        mut self,
        inbound: Streaming<v1::InvokeStreamResponse>,
        finished: watch::Receiver<()>,
        ends: oneshot::Sender<Result<Streamed, Error>>,
    ) {
        let ended = self.until_end(inbound, finished).await;
        self.credit.close();
        if let Err(error) = &ended {
            self.inlet.fail(error);
        }
        let _ = ends.send(ended);
    }

    async fn until_end(
        &mut self,
        mut inbound: Streaming<v1::InvokeStreamResponse>,
        mut finished: watch::Receiver<()>,
    ) -> Result<Streamed, Error> {
        let dropped = || unavailable("go on with the stream", "it was dropped");
        let mut sends = true;
        loop {
            let taken = tokio::select! {
                biased;
                message = inbound.message() => {
                    let message = message.map_err(|status| error_of("go on with the stream", &status))?;
                    let broken = || deceived(About::Stream, "it ended without a receipt");
                    match self.hear(message.ok_or_else(broken)?)? {
                        Some(end) => return self.check(end).await,
                        None => continue,
                    }
                }
                taken = self.inlet.until_due() => match taken {
                    Some(taken) => taken,
                    None => return Err(dropped()),
                },
                // It changes once, when all is sent; dropped before, it is given up.
                done = finished.changed(), if sends => {
                    done.map_err(|_| dropped())?;
                    sends = false;
                    continue;
                }
            };
            if !self.way.taken(taken).await {
                return Err(unavailable("go on with the stream", "it has ended"));
            }
        }
    }

    fn hear(&mut self, message: v1::InvokeStreamResponse) -> Result<Option<v1::InvokeResponse>, Error> {
        match message {
            v1::InvokeStreamResponse { chunk: Some(chunk), .. } => self.inlet.take(chunk).map(|()| None),
            v1::InvokeStreamResponse { end: Some(end), .. } => Ok(Some(end)),
            v1::InvokeStreamResponse { taken, .. } => self.credit.take(taken).map(|()| None),
        }
    }

    /// The receipt is for exactly what went each way here.
    async fn check(&self, end: v1::InvokeResponse) -> Result<Streamed, Error> {
        let bad = |why: &dyn std::fmt::Display| deceived(About::Receipt, why);
        let Answer { invocation, receipt, signed_receipt, body, intent, result } =
            self.expected.check(&self.agent, end).await?;
        let account = StreamAccount::from_bytes(&body).map_err(|error| bad(&error))?;
        let (received, is_whole) = match account.received.count {
            0 => (Some(StreamSum::begin(Side::Caller, &self.digest)), false),
            count => {
                let sent = self.credit.sum_at(count);
                let last = sent.as_ref().is_some_and(|(_, part)| *part == Part::Last);
                (sent.map(|(sum, _)| sum), last)
            }
        };
        let fits = [
            (self.inlet.reader().is_over(), "came before the last chunk"),
            (account.sent == *self.inlet.reader().sum(), "is for another result"),
            (received.as_ref() == Some(&account.received), "is for another body"),
            (receipt.callee == self.callee, "is by another instance"),
            (intent == self.intent, "names another leaf than the stream began with"),
        ];
        if let Some((_, what)) = fits.iter().find(|(fits, _)| !fits) {
            return Err(bad(&format!("it {what}")));
        }
        Ok(Streamed { invocation, receipt, signed_receipt, account, is_whole, intent, result })
    }
}

//! A stream from the broker that goes on where it was: over a lost connection, over a silent one,
//! and onto the connection that a renewed certificate opened.

use tokio::{sync::watch, time::timeout};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Status, Streaming, transport::Channel};

use crate::{
    agent::Agent,
    connection::{Pauses, error_of},
    error::Error,
    limits::SILENCE_MAX,
};

/// A stream that is opened again whenever it ended.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    what: &'static str,
    stream: Option<Streaming<T>>,
    channels: watch::Receiver<Channel>,
    pauses: Pauses,
}

impl<T> Feed<T> {
    /// A feed that is not open yet; `what` completes "could not …".
    pub(crate) fn new(agent: &Agent, what: &'static str) -> Self {
        let channels = agent.inner.connection.channels();
        Self { what, stream: None, channels, pauses: Pauses::default() }
    }

    /// The next message, or `None` where the stream was silent, ended or has to be opened again:
    /// the next call does that. Fails where the broker refuses to open it.
    pub(crate) async fn next(
        &mut self,
        agent: &Agent,
        open: impl AsyncFnOnce(Channel) -> Result<tonic::Response<Streaming<T>>, tonic::Status>,
    ) -> Result<Option<T>, Error> {
        agent.check_standing()?;
        let Some(stream) = &mut self.stream else {
            let channel = self.channels.borrow_and_update().clone();
            match timeout(SILENCE_MAX, open(channel)).await {
                Ok(Ok(stream)) => self.stream = Some(stream.into_inner()),
                Ok(Err(status)) => self.pause(error_of(self.what, &status)).await?,
                Err(_) => {}
            }
            return Ok(None);
        };
        let heard = tokio::select! {
            heard = heard(stream) => heard,
            // A feed resumes without a gap, so it can simply be moved to the new connection.
            _ = self.channels.changed() => {
                self.stream = None;
                return Ok(None);
            }
        };
        match heard {
            Some(Ok(message)) => {
                self.pauses.reset();
                return Ok(Some(message));
            }
            Some(Err(status)) => {
                self.stream = None;
                self.pause(error_of(self.what, &status)).await?;
            }
            None => {
                self.stream = None;
                self.pauses.wait().await;
            }
        }
        Ok(None)
    }

    /// A lost connection is opened again for as long as it takes; a refusal is not overcome.
    async fn pause(&mut self, error: Error) -> Result<(), Error> {
        if !error.is_passing() {
            return Err(error);
        }
        self.pauses.wait().await;
        Ok(())
    }
}

/// What a stream says next; nothing where it has ended, or is silent for so long that it may have.
async fn heard<T>(stream: &mut (impl Stream<Item = Result<T, Status>> + Unpin)) -> Option<Result<T, Status>> {
    timeout(SILENCE_MAX, stream.next()).await.ok().flatten()
}

/// A message that opens a stream: it has no deadline.
pub(crate) fn opening<M>(message: M) -> Request<M> {
    Request::new(message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::mpsc, time::sleep};
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_silent_for_too_long_has_ended() {
        let said_after = async |pause: Duration| {
            let (say, said) = mpsc::channel(1);
            let mut stream = ReceiverStream::new(said);
            tokio::spawn(async move {
                sleep(pause).await;
                let _ = say.send(Ok(())).await;
            });
            heard(&mut stream).await
        };
        let tick = Duration::from_millis(5);
        assert!(matches!(said_after(SILENCE_MAX - tick).await, Some(Ok(()))));
        assert!(said_after(SILENCE_MAX + tick).await.is_none());
    }
}

//! A stream from the broker that goes on where it was: over a lost connection, over a silent one,
//! and onto the connection that a renewed certificate opened.

use tokio::{sync::watch, time::timeout};
use tonic::{Request, Streaming, transport::Channel};

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
            heard = timeout(SILENCE_MAX, stream.message()) => heard,
            // A feed resumes without a gap, so it can simply be moved to the new connection.
            _ = self.channels.changed() => {
                self.stream = None;
                return Ok(None);
            }
        };
        if let Ok(Ok(Some(message))) = heard {
            self.pauses.reset();
            return Ok(Some(message));
        }
        self.stream = None;
        match heard {
            Ok(Err(status)) => self.pause(error_of(self.what, &status)).await?,
            _ => self.pauses.wait().await,
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

/// A message that opens a stream: it has no deadline.
pub(crate) fn opening<M>(message: M) -> Request<M> {
    Request::new(message)
}

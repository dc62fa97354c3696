//! The connection to the broker: calls with deadlines that are repeated where that is safe, and a
//! new connection before the certificate of the old one ends.

use std::{error::Error as _, future::Future, time::Duration};

use tokio::{sync::watch, time::timeout};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint},
};

use crate::{
    channel::Connector,
    clock,
    error::{CallerFault, Error, Refused},
    limits::{
        BUSY_TRIES_MAX, CALL_MAX, CONNECT_MAX, KEEP_ALIVE, PAUSE_FIRST, PAUSE_MAX, SENTENCE_MAX, TRIES_MAX,
    },
};

use countersign_protocol::refusal::Reason;
use tonic_types::StatusExt as _;

/// The domain of every `google.rpc.ErrorInfo` of the specification.
const ERROR_DOMAIN: &str = "countersign.v1";

/// A connection to one address. It opens itself when it is used, and again when it broke.
#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: Endpoint,
    connector: Connector,
    current: watch::Sender<Channel>,
}

impl Connection {
    /// Nothing is opened yet. Must be called within a Tokio runtime.
    pub(crate) fn new(address: &str, connector: Connector) -> Result<Self, Error> {
        // The connector speaks TLS whatever the scheme; tonic would want to do that itself.
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| CallerFault::Local { why: format!("{address} is no address: {error}") })?
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let (current, _) = watch::channel(endpoint.connect_with_connector_lazy(connector.clone()));
        Ok(Self { endpoint, connector, current })
    }

    /// The connection that is current.
    pub(crate) fn channel(&self) -> Channel {
        self.current.borrow().clone()
    }

    /// The current connection, and each later one.
    pub(crate) fn channels(&self) -> watch::Receiver<Channel> {
        self.current.subscribe()
    }

    /// Opens a connection with the identity as it now is, and only then lets go of the one before,
    /// which stays open for as long as something on it is unfinished.
    pub(crate) async fn replace(&self) -> Result<(), Error> {
        let opened = self.endpoint.connect_with_connector(self.connector.clone()).await;
        let channel = opened.map_err(|error| unavailable("connect to the broker", &chain(&error)))?;
        self.current.send_replace(channel);
        Ok(())
    }

    /// Calls, and calls again with the same bytes while no answer comes: every request of the
    /// specification may be repeated.
    pub(crate) async fn call<M, T, F, O>(&self, what: &str, message: M, call: F) -> Result<T, Error>
    where
        M: Clone,
        F: Fn(Channel, Request<M>) -> O,
        O: Future<Output = Result<Response<T>, Status>>,
    {
        let mut pauses = Pauses::default();
        loop {
            let error = match once(what, CALL_MAX, message.clone(), |it| call(self.channel(), it)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            pauses.wait_or_give_up(error).await?;
        }
    }
}

/// One try of a call.
pub(crate) async fn once<M, T, O>(
    what: &str,
    longest: Duration,
    message: M,
    call: impl FnOnce(Request<M>) -> O,
) -> Result<T, Error>
where
    O: Future<Output = Result<Response<T>, Status>>,
{
    let mut request = Request::new(message);
    request.set_timeout(longest);
    match timeout(longest, call(request)).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(error_of(what, &status)),
        Err(_) => Err(unavailable(what, "no answer came in time")),
    }
}

/// Pauses between tries, each longer than the one before and none predictable.
#[derive(Debug, Default)]
pub(crate) struct Pauses(u32);

impl Pauses {
    /// Waits before another try, or gives the error back where another one cannot help or there
    /// were enough.
    pub(crate) async fn wait_or_give_up(&mut self, error: Error) -> Result<(), Error> {
        let tries = match &error {
            Error::Unavailable { .. } => TRIES_MAX,
            Error::Refused(refused) if is_busy(refused.reason) => BUSY_TRIES_MAX,
            _ => return Err(error),
        };
        if self.0 + 1 >= tries {
            return Err(error);
        }
        self.wait().await;
        Ok(())
    }

    /// Waits before another try, however many there were.
    pub(crate) async fn wait(&mut self) {
        let pause = PAUSE_FIRST.saturating_mul(1 << self.0.min(16)).min(PAUSE_MAX);
        self.0 = self.0.saturating_add(1);
        tokio::time::sleep(clock::jittered(pause)).await;
    }

    /// Begins again with short pauses: something worked.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }
}

/// Nothing was done, and soon it may be.
fn is_busy(reason: Reason) -> bool {
    matches!(reason, Reason::Overloaded | Reason::LedgerUnavailable | Reason::CalleeUnavailable)
}

/// The broker's no, if the status is one of the specification; else there is no answer.
pub(crate) fn error_of(what: &str, status: &Status) -> Error {
    let info = status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN);
    let known = info.and_then(|info| Some((Reason::from_name(&info.reason)?, info)));
    match known {
        Some((reason, info)) => Error::Refused(Refused {
            reason,
            message: sentence(status.message()),
            hint: reason.hint(),
            rule: info.metadata.get("rule").map(|rule| sentence(rule)),
        }),
        None => {
            let why = format!("{:?}: {}", status.code(), status.message());
            let cause = status.source().map(chain).unwrap_or_default();
            unavailable(what, &sentence(&if cause.is_empty() { why } else { format!("{why}: {cause}") }))
        }
    }
}

impl From<Status> for Error {
    /// What a status means that came over [`Agent::channel`](crate::Agent::channel).
    fn from(status: Status) -> Self {
        error_of("make the call", &status)
    }
}

pub(crate) fn unavailable(what: &str, why: &str) -> Error {
    Error::Unavailable { what: format!("Could not {what}: {why}") }
}

/// An error with all that led to it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Text of a peer, for people: bounded, and without characters that steer a terminal.
fn sentence(text: &str) -> String {
    text.chars().take(SENTENCE_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::limits::INVOKE_MAX;

    const TICK: Duration = Duration::from_millis(5);

    /// How often something is tried that fails each time.
    async fn tries(error: &Error) -> u32 {
        let (mut pauses, mut tries) = (Pauses::default(), 1);
        while pauses.wait_or_give_up(error.clone()).await.is_ok() {
            tries += 1;
        }
        tries
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_tried_so_often_and_no_more() {
        assert_eq!(tries(&unavailable("call", "nobody answers")).await, TRIES_MAX);
        let no = |reason: Reason| {
            Error::Refused(Refused { reason, message: String::new(), hint: reason.hint(), rule: None })
        };
        assert_eq!(tries(&no(Reason::Overloaded)).await, BUSY_TRIES_MAX);
        assert_eq!(tries(&no(Reason::NotAvailable)).await, 1, "asking again would not help");
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_from_the_first_to_the_longest() {
        let mut pauses = Pauses::default();
        let paused = async |pauses: &mut Pauses, most: Duration| {
            let began = Instant::now();
            pauses.wait().await;
            assert!((most / 2..=most + TICK).contains(&began.elapsed()), "{:?}", began.elapsed());
        };
        for tries in 0..20 {
            paused(&mut pauses, (PAUSE_FIRST * (1 << tries)).min(PAUSE_MAX)).await;
        }
        pauses.reset();
        paused(&mut pauses, PAUSE_FIRST).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_try_waits_so_long_for_its_answer() {
        for longest in [CALL_MAX, INVOKE_MAX] {
            let tried = async |takes: Duration| {
                once("call", longest, (), async |_| {
                    sleep(takes).await;
                    Ok(Response::new(()))
                })
                .await
            };
            assert!(tried(longest - TICK).await.is_ok());
            assert!(matches!(tried(longest + TICK).await, Err(Error::Unavailable { .. })));
        }
    }

    #[test]
    fn a_sentence_of_the_broker_is_cut_off() {
        let characters = |count: usize| sentence(&"é".repeat(count)).chars().count();
        assert_eq!([SENTENCE_MAX - 1, SENTENCE_MAX].map(characters), [SENTENCE_MAX - 1, SENTENCE_MAX]);
        assert_eq!([SENTENCE_MAX + 1, 10 * SENTENCE_MAX].map(characters), [SENTENCE_MAX; 2]);
    }
}

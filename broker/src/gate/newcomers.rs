//! The gate before the handlers for newcomers, of whom nothing is known but where they are: whoever is
//! let in by nobody is also worked on for no more than one at a time.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_protocol::refusal::Viewer;
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Answering, refused, taken};
use crate::{
    channel::{Holder, Seat, Seats, Stranger, source},
    drain::Drain,
};

/// Gives each source its turn.
#[derive(Clone, Debug)]
pub struct NewcomersLayer {
    calls: Arc<Seats>,
    drain: Option<Drain>,
}

impl NewcomersLayer {
    /// Of a broker that may drain.
    pub fn draining(self, drain: Drain) -> Self {
        Self { drain: Some(drain), ..self }
    }
}

impl Default for NewcomersLayer {
    fn default() -> Self {
        // The listener bounds connections, and their streams.
        Self { calls: Seats::new(usize::MAX, usize::MAX), drain: None }
    }
}

impl<S> Layer<S> for NewcomersLayer {
    type Service = Newcomers<S>;

    fn layer(&self, inner: S) -> Newcomers<S> {
        Newcomers { calls: Arc::clone(&self.calls), drain: self.drain.clone(), inner }
    }
}

/// A service behind the gate for newcomers.
#[derive(Clone, Debug)]
pub struct Newcomers<S> {
    calls: Arc<Seats>,
    drain: Option<Drain>,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Newcomers<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if let Err(refusal) = taken(self.drain.as_ref(), &request) {
            return refused(&refusal, Viewer::Stranger);
        }
        let stranger = request.extensions().get::<Stranger>();
        let seat = stranger.and_then(|it| self.calls.take(Holder::Source(source(it.remote.ip()))));
        let turn = seat.as_ref().map(Seat::turn).unwrap_or_default();
        let answer = self.inner.call(request);
        Box::pin(turn.take(async move {
            let _seat = seat;
            answer.await
        }))
    }
}

//! The gate before every handler: whoever is at the other end must be a live instance, at each call.
//!
//! The certificate was verified when the connection was opened; since then the instance may have
//! been revoked or locked. A handler finds the [`Actor`] in the extensions of its request, and can
//! find it there only because the gate put it there.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_protocol::{
    domain::Actor,
    refusal::{Reason, Refusal, Viewer},
    require, require_some,
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{channel::Peer, domain::Domain, status::status};

/// Puts the gate before the services of a listener of instances.
#[derive(Clone, Debug)]
pub struct GateLayer(Arc<Domain>);

impl GateLayer {
    /// The gate of that domain.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self(domain)
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { domain: Arc::clone(&self.0), inner }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Gate<S> {
    domain: Arc<Domain>,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        match admit(&self.domain, request.extensions().get::<Peer>()) {
            Ok(actor) => {
                request.extensions_mut().insert(actor);
                Box::pin(self.inner.call(request))
            }
            // Whether an instance is unknown, revoked or locked is nothing that a stranger is told.
            Err(refusal) => {
                let refused = status(&refusal, Viewer::Stranger).into_http();
                Box::pin(async { Ok(refused) })
            }
        }
    }
}

fn admit(domain: &Domain, peer: Option<&Peer>) -> Result<Actor, Refusal> {
    let peer = require_some!("API-003", peer, Reason::InstanceUnknown);
    let actor = Actor { instance: peer.instance.clone(), spki: peer.key.spki_hash() };
    domain.peek(|state, context| {
        require!("API-004", context.now < peer.not_after, Reason::CertificateExpired);
        state.admitted(&actor).map(drop)
    })?;
    Ok(actor)
}

/// Who calls. Fails only where a service was put up without a gate.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Actor, Status> {
    let missing = || status(&Refusal::new("API-003", Reason::InstanceUnknown, ""), Viewer::Stranger);
    request.extensions().get::<Actor>().cloned().ok_or_else(missing)
}

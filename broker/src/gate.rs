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

#[cfg(test)]
mod tests {
    use countersign_protocol::time::{Lifetime, Timestamp};
    use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

    use super::*;
    use crate::{
        channel::proof_of_possession,
        mediation::tests::world::{START_MS, World},
    };

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(START_MS + millis).unwrap()
    }

    /// Attack lines 16 and 33: what had expired by the time of the ledger's last entry stays so, though
    /// the clock was turned back since.
    #[tokio::test]
    async fn a_certificate_that_has_expired_is_not_valid_again_when_the_clock_goes_back() {
        let mut world = World::new().await;
        let tls = KeyPair::generate().unwrap();
        let signature = tls.sign(b"statement").unwrap();
        let key = proof_of_possession(&tls.subject_public_key_info(), b"statement", &signature).unwrap();
        world.join_with("planner2", "planner", key.spki_hash()).await;
        let instance = world.agent("planner2").id.clone();
        let remote = ([127, 0, 0, 1], 1).into();
        let peer = Peer { instance, key, not_after: at(5_000), remote };
        assert!(admit(&world.domain, Some(&peer)).is_ok(), "the twin");

        world.clock.advance(Lifetime::from_millis(6_000));
        world.join("planner3", "planner").await;
        world.clock.set(at(1_000));
        let refused = admit(&world.domain, Some(&peer)).unwrap_err();
        assert_eq!(refused.reason(), Reason::CertificateExpired);
        let later = Peer { not_after: at(6_001), ..peer };
        assert!(admit(&world.domain, Some(&later)).is_ok(), "the twin");
    }
}

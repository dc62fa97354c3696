//! The gate before every handler: whoever is at the other end must be a live instance, at each call.
//!
//! The certificate was verified when the connection was opened; since then the instance may have
//! been revoked or locked. A handler finds the [`Actor`] in the extensions of its request, and can
//! find it there only because the gate put it there. The gate also counts the calls of each instance
//! that are under way, and what they hold of the broker's memory, and gives each instance its turn.

mod held;
mod newcomers;

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

use crate::{
    channel::{Holder, Peer, Seats},
    domain::Domain,
    drain::Drain,
    limits::{CALLS_MAX, CALLS_PER_INSTANCE, HELD_MAX_BYTES, HELD_PER_INSTANCE_BYTES},
    status::status,
};
use held::Call;

pub use newcomers::{Newcomers, NewcomersLayer};

/// Puts the gate before the services of a listener of instances.
#[derive(Clone, Debug)]
pub struct GateLayer {
    domain: Arc<Domain>,
    calls: Arc<Seats>,
    bytes: Arc<Seats>,
    drain: Option<Drain>,
}

impl GateLayer {
    /// The gate of that domain.
    pub fn new(domain: Arc<Domain>) -> Self {
        let calls = Seats::new(CALLS_MAX, CALLS_PER_INSTANCE);
        Self { domain, calls, bytes: Seats::new(HELD_MAX_BYTES, HELD_PER_INSTANCE_BYTES), drain: None }
    }

    /// Of a broker that may drain.
    pub fn draining(self, drain: Drain) -> Self {
        Self { drain: Some(drain), ..self }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        let [calls, bytes] = [&self.calls, &self.bytes].map(Arc::clone);
        Gate { domain: Arc::clone(&self.domain), calls, bytes, drain: self.drain.clone(), inner }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Gate<S> {
    domain: Arc<Domain>,
    calls: Arc<Seats>,
    bytes: Arc<Seats>,
    drain: Option<Drain>,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Gate<S>
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

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        // Whether an instance is unknown, revoked or locked is nothing that a stranger is told.
        let actor = match admit(&self.domain, request.extensions().get::<Peer>()) {
            Ok(actor) => actor,
            Err(refusal) => return refused(&refusal, Viewer::Stranger),
        };
        if let Err(refusal) = taken(self.drain.as_ref(), &request) {
            return refused(&refusal, Viewer::Party);
        }
        let holder = Holder::Instance(actor.instance.clone());
        let Some(seat) = self.calls.take(holder.clone()) else {
            let refusal = Refusal::new("API-006", Reason::Overloaded, "Too many calls are under way.");
            return refused(&refusal, Viewer::Party);
        };
        let turn = seat.turn();
        let call = Call::new(seat, self.bytes.stand(holder));
        request.extensions_mut().insert(actor);
        let answer = self.inner.call(request.map(|body| call.receive(body)));
        Box::pin(turn.take(async move {
            let Ok(answer) = answer.await;
            let (parts, body) = answer.into_parts();
            Ok(match call.answer(body).await {
                Ok(body) => http::Response::from_parts(parts, body),
                Err(status) => status.into_http(),
            })
        }))
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

fn refused(refusal: &Refusal, viewer: Viewer) -> Answering {
    let refused = status(refusal, viewer).into_http();
    Box::pin(async { Ok(refused) })
}

/// Whether a broker that may drain takes the call.
fn taken(drain: Option<&Drain>, request: &http::Request<Body>) -> Result<(), Refusal> {
    drain.map_or(Ok(()), |drain| drain.check(request.uri().path()))
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
        mediation::tests::world::{START_MS, World, reason},
    };

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(START_MS + millis).unwrap()
    }

    /// A live instance's end of a connection.
    async fn joined(world: &mut World, name: &'static str, of: &str) -> Peer {
        let tls = KeyPair::generate().unwrap();
        let signature = tls.sign(b"statement").unwrap();
        let key = proof_of_possession(&tls.subject_public_key_info(), b"statement", &signature).unwrap();
        world.join_with(name, of, key.spki_hash()).await;
        let (instance, remote) = (world.agent(name).id.clone(), ([127, 0, 0, 1], 1).into());
        Peer { instance, key, not_after: at(5_000), remote }
    }

    /// Attack lines 16 and 33: what had expired by the time of the ledger's last entry stays so, though
    /// the clock was turned back since.
    #[tokio::test]
    async fn a_certificate_that_has_expired_is_not_valid_again_when_the_clock_goes_back() {
        let mut world = World::new().await;
        let peer = joined(&mut world, "planner2", "planner").await;
        assert!(admit(&world.domain, Some(&peer)).is_ok(), "the twin");

        world.clock.advance(Lifetime::from_millis(6_000));
        world.join("planner3", "planner").await;
        world.clock.set(at(1_000));
        let refused = admit(&world.domain, Some(&peer)).unwrap_err();
        assert_eq!(refused.reason(), Reason::CertificateExpired);
        let later = Peer { not_after: at(6_001), ..peer };
        assert!(admit(&world.domain, Some(&later)).is_ok(), "the twin");
    }

    /// What the broker answers to a call by that peer. The service behind the gate answers at once.
    async fn call<S>(gate: &mut Gate<S>, peer: &Peer) -> (Option<Status>, http::Response<Body>)
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
        S::Future: Send + 'static,
    {
        let mut request = http::Request::new(Body::empty());
        request.extensions_mut().insert(peer.clone());
        let answer = gate.call(request).await.unwrap();
        (Status::from_header_map(answer.headers()), answer)
    }

    /// Attack line 36: the calls of one instance that are not finished, an answer that it does not
    /// take included, are bounded, so that it cannot fill what all instances share.
    #[tokio::test]
    async fn one_instance_does_not_have_more_calls_under_way_than_it_may() {
        let mut world = World::new().await;
        let greedy = joined(&mut world, "planner2", "planner").await;
        let other = joined(&mut world, "files2", "files").await;
        let mut gate = GateLayer::new(Arc::clone(&world.domain)).layer(tower::service_fn(
            |_: http::Request<Body>| async { Ok(http::Response::new(Body::new("answer".to_owned()))) },
        ));
        let mut unfinished = Vec::new();
        for _ in 0..CALLS_PER_INSTANCE {
            let (refused, answer) = call(&mut gate, &greedy).await;
            assert!(refused.is_none());
            unfinished.push(answer);
        }
        let (refused, _) = call(&mut gate, &greedy).await;
        assert_eq!(refused.map(|status| reason(&status)), Some("OVERLOADED".to_owned()));
        assert!(call(&mut gate, &other).await.0.is_none(), "another one is not affected");
        unfinished.pop();
        assert!(call(&mut gate, &greedy).await.0.is_none(), "the twin: one that is finished makes room");
    }
}

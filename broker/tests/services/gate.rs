//! The gate before the services: each call is by a live instance, under a certificate that still is one.

use std::convert::Infallible;

use countersign_broker::{
    channel::{Peer, proof_of_possession},
    gate::GateLayer,
};
use countersign_protocol::time::Lifetime;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use tonic::{Code, Status, body::Body};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::world::World;

/// What a call gets that comes over the connection of `peer`; the service itself answers with nothing.
async fn through(world: &World, peer: Option<Peer>) -> Result<(), Code> {
    let service = service_fn(async |_| Ok::<_, Infallible>(http::Response::new(Body::empty())));
    let mut request = http::Request::new(Body::empty());
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    let gate = GateLayer::new(world.domain.clone()).layer(service);
    let Ok(response) = gate.oneshot(request).await;
    Status::from_header_map(response.headers()).map_or(Ok(()), |status| Err(status.code()))
}

/// Attack line 33: the connection ends with its certificate, but a call that is on its way by then, or
/// on a connection that does not end, is refused too.
#[tokio::test]
async fn a_call_comes_from_a_live_instance_while_its_certificate_lasts() {
    let (mut world, refused) = (World::new().await, Err(Code::Unauthenticated));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let spki = key.subject_public_key_info();
    let key = proof_of_possession(&spki, b"mine", &key.sign(b"mine").unwrap()).unwrap();
    world.join_over("guest", key.spki_hash()).await;
    let until = world.now().plus(Lifetime::from_millis(1));
    let instance = world.agent("guest").id;
    let peer = Peer { instance, key, not_after: until, remote: ([127, 0, 0, 1], 1).into() };
    assert_eq!(through(&world, Some(peer.clone())).await, Ok(()), "the twin");
    assert_eq!(through(&world, None).await, refused, "nobody was admitted on this connection");
    let mallory = Peer { instance: world.agent("mallory").id, ..peer.clone() };
    assert_eq!(through(&world, Some(mallory)).await, refused, "a name whose key is another");
    world.clock.advance(Lifetime::from_millis(1));
    assert_eq!(through(&world, Some(peer)).await, refused, "a certificate that is over");
}

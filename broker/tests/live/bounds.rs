//! How much a listener takes from one peer, and for how long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use countersign::channel::{Connector, Trust};
use countersign_broker::{
    Options,
    channel::TlsTime,
    clock::ManualClock,
    limits::{DRAIN_MAX, ENROLMENT_CONNECTION_LIFE, ENROLMENT_MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES},
};
use countersign_protocol::time::{Lifetime, Timestamp};
use countersign_wire::v1::{self, info_client::InfoClient, negotiations_client::NegotiationsClient};
use prost::Message as _;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::{Service as _, service_fn};

use crate::support::{DOMAIN, Newcomer, Setting, TestBroker, reason};

/// How a request ends whose message has so many bytes; the broker that reads it finds nothing in it.
async fn sent(channel: &Channel, bytes: usize) -> String {
    let of = |text: usize| v1::GetInfoRequest { trust_domain: "x".repeat(text) };
    // A tag and a length of two or three bytes stand before the text.
    let request = [3, 4].map(|before| of(bytes - before)).into_iter();
    let request = { request }.find(|request| request.encoded_len() == bytes).unwrap();
    reason(&InfoClient::new(channel.clone()).get_info(request).await.unwrap_err())
}

#[tokio::test]
async fn a_message_has_its_size() {
    let broker = TestBroker::start().await;
    let inside = broker.admin().await.channel().await;
    let outside = Newcomer::new(&broker.clock).enrolment(&broker.first).await;
    for (channel, most) in [(inside, MESSAGE_MAX_BYTES), (outside, ENROLMENT_MESSAGE_MAX_BYTES)] {
        assert_eq!(sent(&channel, most).await, "WRONG_DOMAIN", "the twin is read");
        let refused = sent(&channel, most + 1).await;
        assert!(refused.starts_with("OutOfRange"), "{refused}");
    }
}

#[tokio::test]
async fn a_strangers_connection_is_short() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let broker = TestBroker::with(Setting { clock: Some(clock.clone()), ..Setting::default() }).await;
    let time = Arc::new(TlsTime(Arc::clone(&broker.clock)));
    let connector = Connector::enrolment(Trust::fingerprint(broker.first.authority), time).unwrap();
    // Opens another connection where one has ended.
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let counting = service_fn(move |uri: Uri| {
        count.fetch_add(1, Ordering::SeqCst);
        { connector.clone() }.call(uri)
    });
    let endpoint = Endpoint::from_shared(format!("http://{}", broker.bound.enrolment)).unwrap();
    let mut client = InfoClient::new(endpoint.connect_with_connector(counting).await.unwrap());
    let mut ask = async || client.get_info(v1::GetInfoRequest { trust_domain: DOMAIN.into() }).await;

    // Its time begins with the handshake's end, which the broker sees after this side.
    ask().await.unwrap();
    clock.advance(Lifetime::from_millis(ENROLMENT_CONNECTION_LIFE.as_millis() - 1));
    ask().await.unwrap();
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    clock.advance(Lifetime::from_millis(1));
    // A call that is sent before the end is noticed goes down with the connection.
    let (first, second) = (ask().await, ask().await);
    assert!(first.is_ok() || second.is_ok(), "the twin: a new one is let in");
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

/// The brokers of tests drain for less than others do.
#[tokio::test]
async fn a_broker_that_stops_waits_for_what_is_under_way_and_not_for_ever() {
    assert_eq!(Options::until(async {}).drain, DRAIN_MAX);
    let mut broker = TestBroker::start().await;
    let drain = Duration::from_millis(200);
    let began = Instant::now();
    broker.stop().await;
    assert!(began.elapsed() < drain, "nothing was under way");
    broker.restart().await;
    let admin = broker.admin().await;
    let request = v1::WatchNegotiationsRequest { trust_domain: DOMAIN.into(), from_leaf: 0 };
    let watching = NegotiationsClient::new(admin.channel().await).watch_negotiations(request).await;
    let mut watch = watching.unwrap().into_inner();
    assert!(watch.message().await.is_ok());
    let began = Instant::now();
    broker.stop().await;
    assert!((drain..drain + Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
    while let Ok(Some(_)) = watch.message().await {}
}

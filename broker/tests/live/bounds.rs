//! How much a listener takes from one peer, and for how long.

use std::time::{Duration, Instant};

use countersign_broker::{
    Options,
    clock::ManualClock,
    limits::{DRAIN_MAX, ENROLMENT_CONNECTION_LIFE, ENROLMENT_MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES},
};
use countersign_protocol::time::{Lifetime, Timestamp};
use countersign_wire::v1::{self, info_client::InfoClient, negotiations_client::NegotiationsClient};
use tonic::{Code, transport::Channel};

use crate::support::{DOMAIN, Newcomer, Setting, TestBroker, reason};

/// How a request ends whose message has so many bytes; the broker that reads it finds nothing in it.
async fn sent(channel: &Channel, bytes: usize) -> Code {
    // A tag and a length stand before the text.
    let prefix = 1 + if bytes < 1 << 14 {
        2
    } else if bytes < 1 << 21 {
        3
    } else {
        4
    };
    let request = v1::GetInfoRequest { trust_domain: "x".repeat(bytes - prefix) };
    assert_eq!(prost_len(&request), bytes);
    InfoClient::new(channel.clone()).get_info(request).await.unwrap_err().code()
}

fn prost_len(message: &impl prost::Message) -> usize {
    message.encoded_len()
}

#[tokio::test]
async fn a_message_has_its_size() {
    let broker = TestBroker::start().await;
    let inside = broker.admin().await.channel().await;
    let outside = Newcomer::new(&broker.clock).enrolment(&broker.first).await;
    for (channel, most) in [(inside, MESSAGE_MAX_BYTES), (outside, ENROLMENT_MESSAGE_MAX_BYTES)] {
        assert_eq!(sent(&channel, most).await, Code::InvalidArgument, "the twin is read");
        assert_eq!(sent(&channel, most + 1).await, Code::OutOfRange);
    }
}

#[tokio::test]
async fn a_strangers_connection_is_short() {
    let clock = ManualClock::at(Timestamp::new(1_800_000_000_000).unwrap());
    let broker = TestBroker::with(Setting { clock: Some(clock.clone()), ..Setting::default() }).await;
    let newcomer = Newcomer::new(&broker.clock);
    let request = || v1::GetInfoRequest { trust_domain: DOMAIN.into() };
    let mut open = InfoClient::new(newcomer.enrolment(&broker.first).await);
    clock.advance(Lifetime::from_millis(ENROLMENT_CONNECTION_LIFE.as_millis() - 1));
    assert!(open.get_info(request()).await.is_ok());
    clock.advance(Lifetime::from_millis(1));
    let ended = open.get_info(request()).await.unwrap_err();
    assert!(tonic_types::StatusExt::get_details_error_info(&ended).is_none(), "{}", reason(&ended));
    let mut anew = InfoClient::new(newcomer.enrolment(&broker.first).await);
    assert!(anew.get_info(request()).await.is_ok(), "the twin");
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

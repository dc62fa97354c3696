//! A broker that takes nothing new, and stops when what is under way has ended, or at the deadline.

use std::time::Duration;

use countersign_broker::limits::DRAIN_ASKED_MAX;
use countersign_protocol::{refusal::Reason, signed::Statement as _, time::Lifetime};
use countersign_wire::v1::{self, operation_client::OperationClient};
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::support::{Agent, DOMAIN, Story, reason};

async fn drain(admin: &Agent, within: Duration, run: &[u8]) -> Result<v1::DrainResponse, Status> {
    let within_ms = within.as_millis() as u64;
    let request = v1::DrainRequest { trust_domain: DOMAIN.into(), within_ms, run: run.to_vec() };
    OperationClient::new(admin.channel().await).drain(request).await.map(|answer| answer.into_inner())
}

/// Waits until so many invocations are open, and asks with an end that changes nothing.
async fn until_open(admin: &Agent, open: u64) {
    while drain(admin, DRAIN_ASKED_MAX, b"").await.unwrap().invocations != open {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_under_way_ends_and_nothing_new_begins() {
    let mut story = Box::pin(Story::begin()).await;
    story.read("/data/eu/q3.csv").await.unwrap();
    let reading = async {
        let answer = story.read("/data/eu/slow").await;
        (answer, Instant::now())
    };
    let draining = async {
        // Its INTENT is durable by then, and nobody else invokes.
        sleep(Duration::from_millis(300)).await;
        until_open(&story.root, 1).await;
        let refused = story.read_once("/data/eu/q4.csv").await.unwrap_err();
        assert_eq!(refused.reason(), Some(Reason::BrokerDraining), "{refused}");
        assert!(refused.is_passing(), "it may be tried again later");
        let mut health = HealthClient::new(story.root.channel().await);
        let health = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(health.status(), ServingStatus::NotServing);
        story.alice.grants().await.unwrap();
        let granting = story.alice.grant(story.planner.instance(), story.contracted.rights().clone()).await;
        assert_eq!(granting.unwrap_err().reason(), Some(Reason::BrokerDraining));
        let renewal = story.root.renewal().sign(&story.root.key);
        story.root.send_renewal(&renewal).await.unwrap();
    };
    let ((answer, answered), ()) = tokio::join!(reading, draining);
    assert!(answer.is_ok(), "what had begun was done: {answer:?}");
    story.broker.ended().await;
    assert!(answered.elapsed() < Duration::from_secs(10), "long before the hour is over");
    story.broker.restart().await;
    story.read("/data/eu/q4.csv").await.unwrap();
}

/// The callee never answers, and its caller holds on.
#[tokio::test]
async fn it_stops_at_the_deadline_whoever_is_stuck() {
    let mut story = Box::pin(Story::begin()).await;
    story.read("/data/eu/q3.csv").await.unwrap();
    let began = {
        let stuck = story.read_once("/data/eu/stuck");
        let draining = async {
            sleep(Duration::from_millis(300)).await;
            until_open(&story.root, 1).await;
            let told = drain(&story.root, Duration::from_millis(600), b"").await.unwrap();
            assert!(told.invocations == 1 && told.left_ms <= 600, "{told:?}");
            Instant::now()
        };
        let (outcome, began) = tokio::join!(timeout(Duration::from_secs(20), stuck), draining);
        assert!(outcome.unwrap().is_err(), "nobody says that it was done");
        began
    };
    story.broker.ended().await;
    let took = began.elapsed();
    assert!(took > Duration::from_millis(400) && took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn it_drains_for_an_hour_at_most() {
    let story = Box::pin(Story::begin()).await;
    let refused = drain(&story.root, DRAIN_ASKED_MAX + Duration::from_millis(1), b"").await.unwrap_err();
    assert_eq!(reason(&refused), "LIMIT_EXCEEDED");
    let refused = drain(&story.root, DRAIN_ASKED_MAX, b"another run").await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_FOUND", "one that has taken its place goes on");
    story.read("/data/eu/q3.csv").await.unwrap();
    let told = drain(&story.root, DRAIN_ASKED_MAX, b"").await.unwrap();
    assert_eq!(Lifetime::from_millis(told.left_ms).as_millis().div_ceil(60_000), 60, "the twin");
    assert_eq!(told.run.len(), 16);
}

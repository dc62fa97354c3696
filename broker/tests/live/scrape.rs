//! What an operator's tools see: metrics, probes, and the health service.

use std::time::Duration;

use countersign_broker::limits::{METRICS_CONNECTION_LIFE, METRICS_CONNECTIONS_MAX};
use countersign_wire::v1::{self, ledger_client::LedgerClient, negotiations_client::NegotiationsClient};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::support::{DOMAIN, Setting, TestBroker};

async fn watched() -> TestBroker {
    let rules = "metrics_listen = \"127.0.0.1:0\"\n".into();
    TestBroker::with(Setting { rules, ..Setting::default() }).await
}

/// The status, and everything after it.
async fn get(broker: &TestBroker, path: &str) -> std::io::Result<(u16, String)> {
    let mut tcp = TcpStream::connect(broker.bound.metrics.unwrap()).await?;
    tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: broker\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    Ok((status, answer))
}

/// The value of the series whose line begins so.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test]
async fn metrics_tell_how_calls_end_and_how_the_ledger_is_written() {
    let broker = watched().await;
    let admin = broker.admin().await;
    let planner = broker.agent(&admin, "agent/planner").await;
    let request = v1::GetCheckpointRequest { trust_domain: DOMAIN.into() };
    LedgerClient::new(planner.channel().await).get_checkpoint(request).await.unwrap();
    let request = v1::GetCheckpointRequest { trust_domain: "other.example".into() };
    LedgerClient::new(planner.channel().await).get_checkpoint(request).await.unwrap_err();

    let (status, metrics) = get(&broker, "/metrics").await.unwrap();
    assert_eq!(status, 200);
    let of = "grpc_service=\"countersign.v1.Ledger\",grpc_method=\"GetCheckpoint\"";
    let seen = |series: &str| value(&metrics, series).unwrap_or_else(|| panic!("{series}\n{metrics}"));
    assert_eq!(seen(&format!("grpc_server_started_total{{{of}}}")), 2.0);
    assert_eq!(seen(&format!("grpc_server_handled_total{{{of},grpc_code=\"OK\"}}")), 1.0);
    assert_eq!(seen(&format!("grpc_server_handled_total{{{of},grpc_code=\"InvalidArgument\"}}")), 1.0);
    assert_eq!(seen(&format!("grpc_server_handling_seconds_count{{{of}}}")), 2.0);
    assert_eq!(seen(&format!("countersign_refusals_total{{{of},reason=\"WRONG_DOMAIN\"}}")), 1.0);
    let joined = "grpc_service=\"countersign.v1.Enrolment\",grpc_method=\"Join\"";
    assert_eq!(seen(&format!("grpc_server_handled_total{{{joined},grpc_code=\"OK\"}}")), 2.0);
    assert_eq!(seen("countersign_instances"), 2.0);
    assert_eq!(seen("countersign_ledger_writable"), 1.0);
    assert!(seen("countersign_ledger_entries") >= 4.0);
    assert!(seen("countersign_ledger_append_seconds_count") >= 3.0, "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "as OpenMetrics ends");
}

/// Ids are secrets of nobody, but a series for each would fill whatever stores them.
#[tokio::test]
async fn no_peer_can_make_a_series() {
    let broker = watched().await;
    let admin = broker.admin().await;
    broker.agent(&admin, "agent/planner").await;
    let mut unknown = tonic::client::Grpc::new(admin.channel().await);
    for path in ["/countersign.v1.Ledger/MadeUp", "/made.up.Service/Call"] {
        unknown.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        unknown.unary(tonic::Request::new(()), path, codec).await.unwrap_err();
    }
    let (_, metrics) = get(&broker, "/metrics").await.unwrap();
    assert!(!metrics.contains("MadeUp") && !metrics.contains("made.up"), "{metrics}");
    assert!(!metrics.contains("spiffe://") && !metrics.contains("planner"), "{metrics}");
    let other =
        "grpc_server_handled_total{grpc_service=\"other\",grpc_method=\"other\",grpc_code=\"Unimplemented\"}";
    assert_eq!(value(&metrics, other), Some(2.0), "{metrics}");
}

#[tokio::test]
async fn probes_and_the_health_service_say_that_it_serves_and_when_it_stops() {
    let mut broker = watched().await;
    let admin = broker.admin().await;
    let mut health = HealthClient::new(admin.channel().await);
    for service in ["", "countersign.v1.Mediation", "countersign.v1.Ledger"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = health.check(HealthCheckRequest { service: "made.up".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    assert_eq!(get(&broker, "/readyz").await.unwrap().0, 200);
    assert_eq!(get(&broker, "/livez").await.unwrap().0, 200);
    assert_eq!(get(&broker, "/").await.unwrap().0, 404);

    // Whoever watches negotiations keeps the broker waiting until its drain is over.
    let request = v1::WatchNegotiationsRequest { trust_domain: DOMAIN.into(), from_leaf: 0 };
    let _watch = NegotiationsClient::new(admin.channel().await).watch_negotiations(request).await.unwrap();
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let address = broker.bound.metrics.unwrap();
    let probe = tokio::spawn(async move {
        loop {
            let mut tcp = TcpStream::connect(address).await.ok()?;
            let _ = tcp.write_all(b"GET /readyz HTTP/1.1\r\nhost: broker\r\n\r\n").await;
            let mut answer = String::new();
            let _ = tcp.read_to_string(&mut answer).await;
            if answer.starts_with("HTTP/1.1 503") && answer.ends_with("stopping") {
                return Some(answer);
            }
        }
    });
    broker.stop().await;
    assert!(probe.await.unwrap().is_some(), "it said that it stops before it was gone");
    let last = watched.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn whoever_connects_to_the_metrics_and_is_silent_keeps_nobody_out_for_long() {
    let broker = watched().await;
    let began = Instant::now();
    let mut silent = Vec::new();
    for _ in 1..METRICS_CONNECTIONS_MAX {
        silent.push(TcpStream::connect(broker.bound.metrics.unwrap()).await.unwrap());
    }
    assert_eq!(get(&broker, "/livez").await.unwrap().0, 200, "the last seat");
    silent.push(TcpStream::connect(broker.bound.metrics.unwrap()).await.unwrap());
    while get(&broker, "/livez").await.is_ok_and(|(status, _)| status == 200) {
        assert!(began.elapsed() < METRICS_CONNECTION_LIFE, "all seats were taken, and one more was let in");
    }
    while get(&broker, "/livez").await.map_or(true, |(status, _)| status != 200) {
        assert!(began.elapsed() < 4 * METRICS_CONNECTION_LIFE, "they were never put out");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() >= METRICS_CONNECTION_LIFE / 2);
}

/// A dashboard over a name that is none stays empty, and an alert over one never fires.
#[tokio::test]
async fn dashboards_and_alerts_name_only_what_there_is() {
    let broker = watched().await;
    let admin = broker.admin().await;
    let request = v1::GetCheckpointRequest { trust_domain: "other.example".into() };
    LedgerClient::new(admin.channel().await).get_checkpoint(request).await.unwrap_err();
    let (_, metrics) = get(&broker, "/metrics").await.unwrap();
    let there: Vec<&str> = metrics.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    for file in [include_str!("../../packaging/alerts.yml"), include_str!("../../packaging/dashboard.json")] {
        let words = file.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: Vec<&str> = words
            .filter(|word| word.starts_with("countersign_") || word.starts_with("grpc_server_"))
            .collect();
        assert!(named.len() > 5);
        for name in named {
            assert!(there.contains(&name), "{name} is not among the metrics");
        }
    }
}

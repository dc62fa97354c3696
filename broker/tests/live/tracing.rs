//! Whose trace a call belongs to, and what a collector of spans is told of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use countersign_wire::v1::{self, ledger_client::LedgerClient};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use crate::streams::begin;
use crate::support::{DOMAIN, Story, TRACEPARENT, TRACESTATE};

/// A collector that keeps what it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// The line of the configuration that sends spans to it.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(self.clone());
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        format!("otlp_endpoint = \"http://{address}\"\n")
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.0.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans).cloned().collect()
    }

    /// All that was said, as it would be searched for what must not be in it.
    fn text(&self) -> String {
        format!("{:?}", self.0.lock().unwrap())
    }
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|it| it.key == name)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

/// What the callee found of the trace.
async fn found(story: &Story) -> String {
    let answer = story.read("/data/eu/trace").await.unwrap();
    String::from_utf8(answer.body).unwrap()
}

#[tokio::test]
async fn a_callers_trace_reaches_the_callee_as_it_is_where_nobody_collects() {
    let story = Box::pin(Story::begin()).await;
    let stated = format!("{TRACEPARENT} {TRACESTATE}");
    assert_eq!(found(&story).await, stated);
    let mut stream = begin(&story, "/data/eu/trace").await.unwrap();
    let first = timeout(Duration::from_secs(5), stream.download.next()).await.unwrap();
    assert_eq!(first.unwrap().unwrap(), stated.as_bytes(), "in a stream, too");
}

/// Attack line 36: a collector that is not there, or does not answer, delays no call.
#[tokio::test]
async fn a_collector_that_is_not_there_delays_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let mut story = Box::pin(Story::configured(&format!("otlp_endpoint = \"http://{address}\"\n"))).await;
    let began = tokio::time::Instant::now();
    found(&story).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let began = tokio::time::Instant::now();
    story.broker.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn each_call_has_a_span_in_its_callers_trace_and_the_callee_is_in_it() {
    let collector = Collector::default();
    let mut story = Box::pin(Story::configured(&collector.start().await)).await;
    let passed_on = found(&story).await;
    let request = v1::GetCheckpointRequest { trust_domain: "other.example".into() };
    LedgerClient::new(story.root.channel().await).get_checkpoint(request).await.unwrap_err();
    // Handed over when it stops, at the latest.
    story.broker.stop().await;
    sleep(Duration::from_millis(50)).await;
    let spans = collector.spans();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).cloned().collect::<Vec<Span>>();

    let invokes = named("countersign.v1.Mediation/Invoke");
    let [.., invoke] = &invokes[..] else { panic!("{spans:?}") };
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((digits(&invoke.trace_id).as_str(), digits(&invoke.parent_span_id).as_str()), (trace, parent));
    assert_eq!(passed_on, format!("00-{trace}-{}-01 {TRACESTATE}", digits(&invoke.span_id)));
    assert_eq!(invoke.kind(), SpanKind::Server);
    let rpc = ["rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code"];
    let told = rpc.map(|name| attribute(invoke, name).unwrap());
    assert_eq!(told, ["grpc", "countersign.v1.Mediation", "Invoke", "0"]);
    assert!(invoke.end_time_unix_nano > invoke.start_time_unix_nano);

    let refused = &named("countersign.v1.Ledger/GetCheckpoint");
    let refused = refused.iter().find(|span| attribute(span, "countersign.reason").is_some()).unwrap();
    assert_eq!(attribute(refused, "countersign.reason").unwrap(), "WRONG_DOMAIN");
    assert_eq!(attribute(refused, "rpc.grpc.status_code").unwrap(), "3");
    let status = refused.status.as_ref().map_or(StatusCode::Unset, |status| status.code());
    assert_eq!(status, StatusCode::Unset, "a caller's mistake is no error of the server");
    assert!(refused.parent_span_id.is_empty(), "who names no trace is in one of its own");
    assert!(!named("countersign.v1.Enrolment/Join").is_empty(), "newcomers' calls, too");
    for named in ["spiffe://", DOMAIN, "/data/eu"] {
        assert!(!collector.text().contains(named), "{named} is in a span");
    }
}

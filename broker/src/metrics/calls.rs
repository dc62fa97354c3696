//! How calls end, and how long they take. The names are those of the gRPC middlewares for Prometheus.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use countersign_protocol::trace_context::TraceContext;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use super::Buckets;
use crate::{
    methods::methods,
    status::refusal,
    traces::{CallSpan, Traces},
};

/// From 250 µs, which a call without a write takes, to 16 s: a call that is no stream takes no longer.
const SECONDS: Buckets = Buckets { first: 0.000_25, count: 17 };

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    grpc_service: Arc<str>,
    grpc_method: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    grpc_service: Arc<str>,
    grpc_method: Arc<str>,
    grpc_code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    grpc_service: Arc<str>,
    grpc_method: Arc<str>,
    reason: &'static str,
}

/// The calls of all listeners.
#[derive(Debug)]
pub(crate) struct Calls {
    methods: HashMap<String, Arc<Counted>>,
    /// Where a path is none that there is.
    other: Arc<Counted>,
    handled: Family<Handled, Counter>,
    refused: Family<Refused, Counter>,
}

/// One method.
#[derive(Debug)]
struct Counted {
    method: Method,
    started: Counter,
    seconds: Histogram,
}

impl Calls {
    pub(super) fn new(registry: &mut Registry) -> Arc<Self> {
        let started = Family::<Method, Counter>::default();
        let histogram: fn() -> Histogram = || SECONDS.histogram();
        let seconds = Family::<Method, Histogram, _>::new_with_constructor(histogram);
        let count = |service: &str, method: &str| {
            let method = Method { grpc_service: service.into(), grpc_method: method.into() };
            let (started, seconds) =
                (started.get_or_create_owned(&method), seconds.get_or_create_owned(&method));
            Arc::new(Counted { method, started, seconds })
        };
        let standard = STANDARD.map(|(service, method)| (service.to_owned(), method.to_owned()));
        let methods = methods().into_iter().chain(standard).map(|(service, method)| {
            let path = format!("/{service}/{method}");
            (path, count(&service, &method))
        });
        let this = Self {
            methods: methods.collect(),
            other: count("other", "other"),
            handled: Family::default(),
            refused: Family::default(),
        };
        registry.register("grpc_server_started", "Calls that began", started);
        registry.register("grpc_server_handled", "Calls that ended, by their status", this.handled.clone());
        let help = "From the beginning of a call to the last of its answer";
        registry.register_with_unit("grpc_server_handling", help, Unit::Seconds, seconds);
        let help = "Calls that were refused, by the reason, which is not always what the caller was told";
        registry.register("countersign_refusals", help, this.refused.clone());
        Arc::new(this)
    }

    fn of(&self, path: &str) -> Arc<Counted> {
        Arc::clone(self.methods.get(path).unwrap_or(&self.other))
    }

    fn ended(&self, counted: &Counted, code: Code, begun: Instant) {
        let Method { grpc_service, grpc_method } = counted.method.clone();
        counted.seconds.observe(begun.elapsed().as_secs_f64());
        self.handled.get_or_create(&Handled { grpc_service, grpc_method, grpc_code: name(code) }).inc();
    }

    fn refused(&self, counted: &Counted, status: &Status) {
        let Some(refusal) = refusal(status) else { return };
        let Method { grpc_service, grpc_method } = counted.method.clone();
        self.refused
            .get_or_create(&Refused { grpc_service, grpc_method, reason: refusal.reason().name() })
            .inc();
    }
}

/// The methods of the standard services beside the protocol's own.
const STANDARD: [(&str, &str); 3] = [
    ("grpc.health.v1.Health", "Check"),
    ("grpc.health.v1.Health", "Watch"),
    ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"),
];

/// Counts the calls that pass through it.
#[derive(Clone, Debug)]
pub(crate) struct CallsLayer {
    calls: Arc<Calls>,
    traces: Option<Traces>,
}

impl CallsLayer {
    pub(super) fn new(calls: Arc<Calls>) -> Self {
        Self { calls, traces: None }
    }

    /// Each call has a span, too, where there are traces.
    pub(crate) fn traced(self, traces: Option<Traces>) -> Self {
        Self { traces, ..self }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { calls: Arc::clone(&self.calls), traces: self.traces.clone(), inner }
    }
}

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub(crate) struct Counting<S> {
    calls: Arc<Calls>,
    traces: Option<Traces>,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Counting<S>
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
        let heard = trace_of(request.headers());
        let mut call = Call::begin(&self.calls, self.traces.as_ref(), request.uri().path(), heard.as_ref());
        let own = call.span.as_ref().and_then(CallSpan::context);
        // For a handler that calls on; whoever called may have sent one that a handler must not find.
        request.extensions_mut().remove::<TraceContext>();
        if let Some(trace) = own.or(heard) {
            request.extensions_mut().insert(trace);
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let Ok(answer) = answer.await;
            if let Some(status) = answer.extensions().get::<Status>() {
                call.calls.refused(&call.counted, status);
                let reason = refusal(status).map(|refusal| refusal.reason().name());
                call.span.as_mut().zip(reason).into_iter().for_each(|(span, reason)| span.refused(reason));
            }
            call.hears(answer.headers());
            Ok(answer.map(|body| Body::new(Answer { body, call })))
        })
    }
}

/// A call under way. However it ends, it ends once, when this is dropped.
#[derive(Debug)]
struct Call {
    calls: Arc<Calls>,
    counted: Arc<Counted>,
    begun: Instant,
    /// What the peer was told; nothing of a call that it gave up.
    told: Option<Code>,
    span: Option<CallSpan>,
}

impl Call {
    fn begin(calls: &Arc<Calls>, traces: Option<&Traces>, path: &str, heard: Option<&TraceContext>) -> Self {
        let counted = calls.of(path);
        counted.started.inc();
        let Method { grpc_service, grpc_method } = &counted.method;
        let span = traces.map(|traces| traces.begin(grpc_service, grpc_method, heard));
        Self { calls: Arc::clone(calls), counted, begun: Instant::now(), told: None, span }
    }

    /// Takes note of the status, which stands in the headers of an answer without a body and in the
    /// trailers of any other.
    fn hears(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes()));
        self.told = self.told.or(status);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = self.told.unwrap_or(Code::Cancelled);
        self.calls.ended(&self.counted, code, self.begun);
        self.span.take().into_iter().for_each(|span| span.end(code));
    }
}

/// The answer, as it passes.
struct Answer {
    body: Body,
    call: Call,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.hears(trailers);
                }
            }
            Some(Err(status)) => self.call.told = self.call.told.or(Some(status.code())),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the caller says of the trace that it belongs to, if that has the form.
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    TraceContext::read(text("traceparent")?, text("tracestate").unwrap_or_default())
}

/// As the gRPC middlewares write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

//! Spans of calls, sent to a collector where the operator named one. It is the one address that a broker
//! connects to, and no peer can change it.
//!
//! Names and attributes are those of OpenTelemetry for gRPC, from closed sets: no span names a principal, an
//! instance or anything that was asked for.

use std::{fmt, str::FromStr as _, time::Duration};

use countersign_protocol::trace_context::TraceContext;
use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
        TraceState, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span},
};
use tonic::Code;

use crate::{config::Collector, limits::SPANS_EXPORT_MAX};

/// What the spans come from.
const SERVICE: &str = "countersignd";

/// Where spans go.
#[derive(Clone)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// To that collector, in the background: whether it hears them changes nothing of a call. What it does not take
    /// in time is dropped.
    pub(crate) fn to(collector: &Collector) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder().with_tonic();
        let exporter = exporter.with_endpoint(collector.as_str()).with_timeout(SPANS_EXPORT_MAX).build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder_empty().with_service_name(SERVICE).with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            // A caller's flag does not choose whether the operator sees the call.
            .with_sampler(Sampler::AlwaysOn)
            .build();
        let tracer = provider.tracer(SERVICE);
        Ok(Self { provider, tracer })
    }

    /// A call begins, in the trace that its caller names or in one of its own.
    pub(crate) fn begin(&self, service: &str, method: &str, heard: Option<&TraceContext>) -> CallSpan {
        let attributes = [("rpc.system", "grpc"), ("rpc.service", service), ("rpc.method", method)];
        let attributes = attributes.map(|(name, value)| KeyValue::new(name, value.to_owned()));
        let span = self.tracer.span_builder(format!("{service}/{method}")).with_kind(SpanKind::Server);
        let parent = match heard.and_then(remote) {
            Some(remote) => Context::new().with_remote_span_context(remote),
            None => Context::new(),
        };
        CallSpan(self.tracer.build_with_context(span.with_attributes(attributes), &parent))
    }

    /// Sends what is left, for no longer than that.
    pub(crate) async fn finish(self, longest: Duration) {
        let finishing = move || self.provider.shutdown_with_timeout(longest);
        match tokio::task::spawn_blocking(finishing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::warn!(%error, "the last spans were not sent"),
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// The span of one call.
#[derive(Debug)]
pub(crate) struct CallSpan(Span);

impl CallSpan {
    /// What the call's own calls belong to.
    pub(crate) fn context(&self) -> Option<TraceContext> {
        let own = self.0.span_context();
        let (trace, span, flags) = (own.trace_id(), own.span_id(), own.trace_flags().to_u8());
        let traceparent = format!("00-{trace}-{span}-{flags:02x}");
        TraceContext::read(&traceparent, &own.trace_state().header())
    }

    /// The call was refused for that reason of the registry.
    pub(crate) fn refused(&mut self, reason: &'static str) {
        self.0.set_attribute(KeyValue::new("countersign.reason", reason));
    }

    /// The call has ended.
    pub(crate) fn end(mut self, code: Code) {
        self.0.set_attribute(KeyValue::new("rpc.grpc.status_code", i64::from(i32::from(code))));
        // What a server answers for; a caller's mistake is none of these.
        let ours = [
            Code::Unknown,
            Code::DeadlineExceeded,
            Code::Unimplemented,
            Code::Internal,
            Code::Unavailable,
            Code::DataLoss,
        ];
        if ours.contains(&code) {
            self.0.set_status(Status::error(code.description()));
        }
        self.0.end();
    }
}

fn remote(heard: &TraceContext) -> Option<SpanContext> {
    let (trace, span, flags) = heard.parts();
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    // What this library does not read is not passed on by it either.
    let state = TraceState::from_str(heard.tracestate()).unwrap_or_default();
    Some(SpanContext::new(trace, span, flags, true, state))
}

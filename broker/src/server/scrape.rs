//! The listener of operators: metrics and probes over plain HTTP, with nothing in them that names anyone.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::Options;
use crate::{
    drain::Drain,
    health::{Health, Standing},
    limits::{ACCEPT_PAUSE, METRICS_CONNECTION_LIFE, METRICS_CONNECTIONS_MAX},
    metrics::Metrics,
    traces::Traces,
};

/// What the text is, as scrapers negotiate it.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Health,
    pub(super) drain: Drain,
    pub(super) traces: Option<Traces>,
}

impl Shown {
    /// What a broker with those options shows. Nothing is counted yet.
    pub(super) fn of(options: &Options, traces: Option<Traces>) -> Self {
        let health = options.health.clone();
        Self { metrics: Metrics::new(), drain: Drain::new(health.clone()), health, traces }
    }
}

/// Answers until it is dropped. One request a connection, and only so many of them.
pub(super) async fn run(listener: TcpListener, shown: Shown) {
    let seats = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
    loop {
        let tcp = match listener.accept().await {
            Ok((tcp, _)) => tcp,
            Err(error) => {
                tracing::debug!(%error, "the metrics' listener pauses");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Whoever finds no seat is told so by a closed connection.
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let shown = shown.clone();
        tokio::spawn(async move {
            let _seat = seat;
            // Whether it was served or gave up, the connection is closed.
            let _ = timeout(METRICS_CONNECTION_LIFE, serve(tcp, shown)).await;
        });
    }
}

async fn serve(tcp: TcpStream, shown: Shown) -> hyper::Result<()> {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = shown.answer(&request);
        async { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(tcp), answer).await
}

impl Shown {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            // It answers, so it lives.
            "/livez" => text(StatusCode::OK, "live"),
            "/readyz" => self.ready(),
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz"),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let Ok(metrics) = self.metrics.text() else {
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written down");
        };
        let mut answer = Response::new(metrics.into());
        answer.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(OPENMETRICS));
        answer
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let standing = self.health.standing();
        let serves = standing == Standing::Serving;
        text(if serves { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, standing.text())
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Bytes::from_static(text.as_bytes()).into());
    *answer.status_mut() = status;
    answer
}

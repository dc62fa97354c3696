//! A running broker: two listeners, the services behind them, and an orderly end.

mod options;
mod room;
mod routes;
mod scrape;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use countersign_protocol::{id::InstanceUuid, refusal::Refusal, time::Lifetime};
use rand::rngs::OsRng;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{AbortHandle, JoinSet},
};
use tonic::transport::Server;

pub use options::{Bound, Listeners, Options, Shutdown};

use crate::{
    broker::{AssemblyError, Broker},
    channel::{AcceptLimits, Acceptor, BrokerIdentity, IdentityError, Serial},
    checkpoint::{CheckpointError, Checkpoints},
    clock::Clock,
    config::Config,
    domain::{Domain, Durable, WriteFailure},
    gate::{GateLayer, NewcomersLayer},
    health::{self, Standing},
    limits::{
        ENROLMENT_REQUEST_MAX, ENROLMENT_STREAMS_PER_CONNECTION, HEADERS_MAX_BYTES, KEEPALIVE_INTERVAL,
        KEEPALIVE_TIMEOUT, PENDING_RESETS_MAX, REOPEN_DRAIN, REQUEST_MAX, STOP_LAST_WORDS,
        STREAMS_PER_CONNECTION,
    },
    mediation::settle_unknown,
    snapshots, ticker,
    traces::Traces,
    trust::WrongKey,
};
use routes::Services;
use scrape::Shown;

/// Why a broker does not run, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// Its parts cannot be put together.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// An address cannot be listened on.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It has no address that newcomers could be told.
    #[error("no address can be put in a join token: set `advertise` and `advertise_enrolment`")]
    NoAddress,
    /// It has no certificate.
    #[error("the broker's certificate: {0}")]
    Identity(#[from] IdentityError),
    /// The TLS library refuses the settings.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The reflection service cannot read its descriptors.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The spans cannot be sent.
    #[error("otlp_endpoint: {0}")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The keys are not those that the domain published.
    #[error(transparent)]
    Key(#[from] WrongKey),
    /// The ledger's checkpoints cannot be continued.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What a crash left open cannot be ended.
    #[error("ending what was open when the broker stopped: {0}")]
    Unsettled(Refusal),
    /// A listener failed.
    #[error("serving: {0}")]
    Serve(#[from] tonic::transport::Error),
    /// A write to the ledger failed. What is on the disk is unknown until the next start reads it.
    #[error("the ledger was not written: {0}; start again to read what is there")]
    Ledger(WriteFailure),
}

/// Why a broker stopped serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It was told to.
    Told,
    /// The ledger was not written for lack of room, and now there is room.
    RoomAgain,
}

/// Runs a broker until it is told to stop, or cannot go on.
///
/// When the disk is full it refuses everything, and once there is room it reads the ledger again as a
/// start does: all that was decided since the last write is forgotten, and nobody had heard of it.
pub async fn run(config: Config, mut options: Options) -> Result<(), RunError> {
    // They outlive what serves on them: whoever connects in between waits.
    let mut listeners = options.listeners.take();
    let traces = config.otlp_endpoint.as_ref().map(Traces::to).transpose()?;
    let (shown, mut background) = (Shown::of(&options, traces.clone()), Background::default());
    let metrics = match config.metrics_listen {
        Some(address) => Some(show(address, &shown, &mut background).await?),
        None => None,
    };
    loop {
        shown.health.set(Standing::Starting);
        let appends = shown.metrics.appends();
        let (broker, released) = Broker::open(&config, Arc::clone(&options.clock), appends).await?;
        shown.metrics.watch(&broker.domain);
        let stopped = serve(&config, broker, &mut listeners, &shown, metrics, &mut options).await;
        // Whoever opens the same files next must find them free.
        if tokio::time::timeout(options.drain, released).await.is_err() {
            tracing::warn!("the ledger is still in use by calls that did not end");
        }
        match stopped? {
            Stopped::Told => break,
            Stopped::RoomAgain => tracing::warn!("there is room again; the ledger is read anew"),
        }
    }
    if let Some(traces) = traces {
        traces.finish(options.drain).await;
    }
    Ok(())
}

async fn serve(
    config: &Config,
    broker: Broker,
    listeners: &mut Option<Listeners>,
    shown: &Shown,
    metrics: Option<SocketAddr>,
    options: &mut Options,
) -> Result<Stopped, RunError> {
    let (clock, drain) = (Arc::clone(&options.clock), options.drain);
    let Listeners { api, enrolment } = listen(config, listeners).await?;
    let (api, enrolment) = (adopt(api)?, adopt(enrolment)?);
    let bound = Bound { api: address_of(&api)?, enrolment: address_of(&enrolment)?, metrics };
    let identity = identity(&broker, &*clock)?;
    let mut background = Background::default();
    background.spawn(keep_renewed(Arc::clone(&identity), &broker, Arc::clone(&clock)));
    background.spawn(ticker::run(Arc::clone(&broker.domain)));
    background.spawn(snapshots::run(Arc::clone(&broker.domain), config.snapshot_every));

    let (stop, stopped) = watch::channel(false);
    let (close, closed) = watch::channel(false);
    let settled = settle_unknown(&broker.domain).await.map_err(RunError::Unsettled)?;
    if settled > 0 {
        tracing::warn!(settled, "invocations were open when the broker stopped; their outcome is unknown");
    }
    let services = Services::new(config, &broker, bound, shown.drain.clone()).await?;
    background.spawn(health::run(shown.health.clone(), services.health, Arc::clone(&broker.domain)));
    background.spawn(health::beat(shown.health.clone(), Arc::clone(&broker.domain)));
    let limits = AcceptLimits::default();
    let api = Acceptor::mutual(
        api,
        &broker.authority,
        Arc::clone(&identity),
        Arc::clone(&clock),
        limits,
        closed.clone(),
    )?;
    let enrolment = Acceptor::enrolment(enrolment, identity, clock, limits, closed)?;
    let api = server(REQUEST_MAX, STREAMS_PER_CONNECTION)
        .layer(shown.metrics.layer().traced(shown.traces.clone()))
        .layer(GateLayer::new(Arc::clone(&broker.domain)).draining(shown.drain.clone()))
        .add_routes(services.for_instances)
        .serve_with_incoming_shutdown(api, told(stopped.clone()));
    let enrolment = server(ENROLMENT_REQUEST_MAX, ENROLMENT_STREAMS_PER_CONNECTION)
        .layer(shown.metrics.layer().traced(shown.traces.clone()))
        .layer(NewcomersLayer::default().draining(shown.drain.clone()))
        .add_routes(services.for_newcomers)
        .serve_with_incoming_shutdown(enrolment, told(stopped));
    let mut serving = Box::pin(async { tokio::try_join!(api, enrolment).map(drop) });

    tracing::info!(domain = %config.trust_domain, api = %bound.api, enrolment = %bound.enrolment, "serving");
    let drains = shown.drain.is_begun();
    shown.health.set(if drains { Standing::Draining } else { Standing::Serving });
    if let Some(ready) = options.ready.take() {
        // Whoever asked may have lost interest.
        let _ = ready.send(bound);
    }
    let outcome = tokio::select! {
        served = &mut serving => return Ok(served.map(|()| Stopped::Told)?),
        () = &mut options.shutdown => Ok(Stopped::Told),
        () = shown.drain.done(&broker.domain) => Ok(Stopped::Told),
        failed = cannot_go_on(config, &broker.domain) => failed,
    };
    let drain = if matches!(outcome, Ok(Stopped::RoomAgain)) { REOPEN_DRAIN } else { drain };
    tracing::info!("stopping");
    if matches!(outcome, Ok(Stopped::Told)) {
        shown.health.set(Standing::Stopping);
    }
    stop.send_replace(true);
    // What is under way may end by itself; streams and sessions are told, and have time to hear it.
    let patience = drain.saturating_sub(STOP_LAST_WORDS);
    let mut drained = tokio::time::timeout(patience, &mut serving).await;
    if drained.is_err() {
        services.mediation.stop();
        // `Serve` and the watches do not end by themselves, and a half-open connection never does.
        drained = tokio::time::timeout(drain - patience, &mut serving).await;
    }
    close.send_replace(true);
    background.0.shutdown().await;
    seal(&services.checkpoints, drain).await;
    // Without it, the next start takes longer.
    let _too_late = tokio::time::timeout(drain, snapshots::keep(&broker.domain)).await;
    tracing::info!(drained = drained.is_ok(), "stopped");
    outcome
}

/// Answers those who watch it, from before the ledger is read until the end.
async fn show(
    address: SocketAddr,
    shown: &Shown,
    background: &mut Background,
) -> Result<SocketAddr, RunError> {
    let listening = TcpListener::bind(address).await;
    let listener = listening.map_err(|source| RunError::Listen { address, source })?;
    let bound = address_of(&listener)?;
    background.spawn(scrape::run(listener, shown.clone()));
    Ok(bound)
}

/// Until a checkpoint covers it, a damaged end of the ledger looks like one that was never written.
async fn seal(checkpoints: &Checkpoints, longest: Duration) {
    match tokio::time::timeout(longest, checkpoints.newest()).await {
        Ok(Ok(_)) => {}
        Ok(Err(refusal)) => tracing::warn!(%refusal, "the ledger is left without a last checkpoint"),
        Err(_) => tracing::warn!("the ledger is left without a last checkpoint"),
    }
}

/// Tasks that end when the broker does.
#[derive(Debug, Default)]
struct Background(JoinSet<()>);

impl Background {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.0.spawn(task)
    }
}

fn server(longest: Duration, streams: u32) -> Server {
    Server::builder()
        .timeout(longest)
        .max_concurrent_streams(streams)
        .http2_max_header_list_size(HEADERS_MAX_BYTES)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that nobody is left to say so: the broker is going away.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Completes when the ledger can no longer be written.
async fn ledger_failed(domain: &Domain) -> WriteFailure {
    let mut durable = domain.durable();
    let failed = durable.wait_for(|durable| matches!(durable, Durable::Failed(_))).await;
    match failed.as_deref() {
        Ok(Durable::Failed(why)) => why.clone(),
        _ => WriteFailure::Other("its writer has stopped".into()),
    }
}

/// Completes when this domain can no longer serve: at once if only another process can go on, and
/// otherwise when there is room. Until then everything is refused.
pub(crate) async fn cannot_go_on(config: &Config, domain: &Domain) -> Result<Stopped, RunError> {
    match ledger_failed(domain).await {
        WriteFailure::NoRoom(_) => {
            room::until_room(config.ledger_dir()).await;
            Ok(Stopped::RoomAgain)
        }
        why @ WriteFailure::Other(_) => Err(RunError::Ledger(why)),
    }
}

fn identity(broker: &Broker, clock: &dyn Clock) -> Result<Arc<BrokerIdentity>, RunError> {
    let (now, lifetime) = (clock.now(), lifetime(broker));
    let (uuid, serial) = (InstanceUuid::new(now, &mut OsRng), Serial::draw(&mut OsRng));
    Ok(Arc::new(BrokerIdentity::issue(&broker.authority, uuid, now, lifetime, serial)?))
}

fn keep_renewed(
    identity: Arc<BrokerIdentity>,
    broker: &Broker,
    clock: Arc<dyn Clock>,
) -> impl Future<Output = ()> + Send + 'static {
    let (authority, lifetime) = (Arc::clone(&broker.authority), lifetime(broker));
    async move { identity.keep_renewed(&authority, &*clock, lifetime, OsRng).await }
}

/// The broker's certificates live as long as those of other services.
fn lifetime(broker: &Broker) -> Lifetime {
    broker.domain.policy().svid_lifetime
}

/// The sockets, which are bound the first time.
async fn listen(config: &Config, bound: &mut Option<Listeners>) -> Result<Listeners, RunError> {
    let listeners = match bound {
        Some(listeners) => listeners,
        None => bound.insert(Listeners {
            api: bind(config.listen).await?,
            enrolment: bind(config.enrolment_listen).await?,
        }),
    };
    listeners.try_clone().map_err(not_listening)
}

async fn bind(address: SocketAddr) -> Result<std::net::TcpListener, RunError> {
    let bound = TcpListener::bind(address).await.and_then(TcpListener::into_std);
    bound.map_err(|source| RunError::Listen { address, source })
}

fn adopt(listener: std::net::TcpListener) -> Result<TcpListener, RunError> {
    let adopted = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
    adopted.map_err(not_listening)
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, RunError> {
    listener.local_addr().map_err(not_listening)
}

fn not_listening(source: io::Error) -> RunError {
    RunError::Listen { address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), source }
}

#[cfg(test)]
mod tests;

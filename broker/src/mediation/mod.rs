//! Mediation: what a caller asks for goes through the broker to a callee, and its result back.
//!
//! A callee opens one stream and needs no listening port. Each invocation is checked by the core,
//! decided, forwarded, and ended by the callee's receipt. What this module relies on:
//!
//! - Nothing is forwarded before its INTENT is durable, and nothing is answered before its RESULT
//!   is. Once an INTENT is decided, its own task sees it to its end, whoever hangs up.
//! - An invocation is forwarded or cancelled under one lock, in which the newest state is looked at.
//!   So after a revocation nothing beneath it is forwarded, and its acknowledgement waits only for
//!   that lock.
//! - No invocation waits for another callee than its own, and none waits without a deadline.

mod asked;
mod callee;
mod callees;
mod chains;
mod course;
mod denials;
mod invoke;
mod open;
mod outcome;
mod pending;
mod results;
mod revocation;
mod serve;
mod session;
mod settle;
mod stream;

use std::{sync::Arc, time::Duration};

use countersign_protocol::{
    limits::{BODY_MAX_BYTES, PAYLOAD_MAX_BYTES, TOKEN_MAX_BYTES},
    trace_context::TraceContext,
};
use countersign_wire::v1::{
    InvokeRequest, InvokeResponse, InvokeStreamRequest, OpenSessionRequest, ServeRequest,
    mediation_server::{Mediation as Service, MediationServer},
};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use crate::{activation::Activator, domain::Domain, gate::caller};
use callees::Callees;
use chains::Chains;
use denials::Denials;
use open::Open;
use results::Results;
use session::Sessions;
use stream::Streams;

pub(crate) use denials::is_denial;
pub use outcome::RECEIPT_TRAILER;
pub use serve::Forwarding;
pub use session::Saying;
pub use settle::settle_unknown;
pub use stream::Relaying;

/// The service `Mediation`. Clones share one state.
#[derive(Clone, Debug)]
pub struct Mediation(Arc<Mediator>);

/// What all invocations of a domain share.
#[derive(Debug)]
pub(crate) struct Mediator {
    domain: Arc<Domain>,
    activator: Arc<Activator>,
    callees: Callees,
    chains: Chains,
    open: Open,
    results: Results,
    denials: Denials,
    sessions: Sessions,
    streams: Streams,
    /// How many revocations have been enforced.
    epoch: watch::Sender<u64>,
}

impl Mediation {
    /// Mediates for that domain. A task of its own enforces revocations, whoever decided them, until
    /// this is dropped.
    pub fn new(domain: Arc<Domain>, activator: Arc<Activator>) -> Self {
        let epoch = domain.peek(|state, _| state.epoch());
        let mediator = Arc::new(Mediator {
            domain,
            activator,
            callees: Callees::new(),
            chains: Chains::new(),
            open: Open::default(),
            results: Results::default(),
            denials: Denials::default(),
            sessions: Sessions::new(),
            streams: Streams::new(),
            epoch: watch::Sender::new(epoch),
        });
        tokio::spawn(Mediator::watch_epoch(Arc::downgrade(&mediator), mediator.domain.durable()));
        Self(mediator)
    }

    /// The service for a server, with its bounds on messages.
    pub fn server(&self) -> MediationServer<Self> {
        let largest = BODY_MAX_BYTES + 2 * PAYLOAD_MAX_BYTES + TOKEN_MAX_BYTES + 4_096;
        MediationServer::new(self.clone()).max_decoding_message_size(largest)
    }

    /// Ends every stream and every session that is under way: the broker stops. What was forwarded and not
    /// answered ends as unknown; invocations at once go on for as long as they are given.
    pub fn stop(&self) {
        self.0.open.all().iter().filter(|pending| pending.is_stream()).for_each(|pending| {
            pending.cut(pending::unknown("The broker stops."));
        });
        self.0.sessions.stop();
    }

    pub(crate) fn mediator(&self) -> &Arc<Mediator> {
        &self.0
    }
}

#[tonic::async_trait]
impl Service for Mediation {
    async fn invoke(&self, request: Request<InvokeRequest>) -> Result<Response<InvokeResponse>, Status> {
        let actor = caller(&request)?;
        let patience = grpc_timeout(request.metadata());
        let trace = request.extensions().get::<TraceContext>().cloned();
        self.0.invoke(actor, request.into_inner(), patience, trace).await.map(Response::new)
    }

    type InvokeStreamStream = Relaying;

    async fn invoke_stream(
        &self,
        request: Request<Streaming<InvokeStreamRequest>>,
    ) -> Result<Response<Relaying>, Status> {
        let actor = caller(&request)?;
        let patience = grpc_timeout(request.metadata());
        let trace = request.extensions().get::<TraceContext>().cloned();
        self.0.invoke_stream(actor, request.into_inner(), patience, trace).await.map(Response::new)
    }

    type OpenSessionStream = Saying;

    async fn open_session(
        &self,
        request: Request<Streaming<OpenSessionRequest>>,
    ) -> Result<Response<Saying>, Status> {
        let actor = caller(&request)?;
        self.0.open_session(actor, request.into_inner()).await.map(Response::new)
    }

    type ServeStream = Forwarding;

    async fn serve(&self, request: Request<Streaming<ServeRequest>>) -> Result<Response<Forwarding>, Status> {
        let actor = caller(&request)?;
        self.0.serve(actor, request.into_inner()).await.map(Response::new)
    }
}

/// How long the caller waits, as gRPC states it: up to eight digits and a unit.
fn grpc_timeout(metadata: &tonic::metadata::MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests;

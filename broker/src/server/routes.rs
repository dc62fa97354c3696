//! Which services stand behind which listener.

use std::sync::Arc;

use countersign_wire::{
    DESCRIPTOR_SET,
    v1::{
        activations_server::ActivationsServer, contracts_server::ContractsServer,
        enrolment_server::EnrolmentServer, grants_server::GrantsServer, graph_server::GraphServer,
        identity_server::IdentityServer, info_server::InfoServer, ledger_server::LedgerServer,
        negotiations_server::NegotiationsServer, operation_server::OperationServer,
        revocations_server::RevocationsServer,
    },
};
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use super::{Bound, RunError};
use crate::{
    activation::Activator,
    attestor::Attestors,
    broker::Broker,
    checkpoint::Checkpoints,
    config::Config,
    drain::Drain,
    health,
    join_tokens::JoinTokens,
    limits::{ENROLMENT_MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES},
    mediation::Mediation,
    service::{
        Activations, Contracts, Enrolment, Grants, Graph, Identity, Info, Issuer, Ledger, Negotiations,
        Operation, Policies, Revocations,
    },
};

/// The services of the two listeners.
pub(super) struct Services {
    /// Behind the gate.
    pub(super) for_instances: Routes,
    /// For those who have no certificate: what they need to get one.
    pub(super) for_newcomers: Routes,
    /// Says whether they are there.
    pub(super) health: HealthReporter,
    /// Signs what both promise of the ledger.
    pub(super) checkpoints: Arc<Checkpoints>,
    /// Ends what does not end by itself.
    pub(super) mediation: Mediation,
}

impl Services {
    pub(super) async fn new(
        config: &Config,
        broker: &Broker,
        bound: Bound,
        drain: Drain,
    ) -> Result<Self, RunError> {
        let issuer = Issuer::new(Arc::clone(&broker.domain), Arc::clone(&broker.authority));
        let join_tokens = JoinTokens {
            enrolment: config.enrolment_address(Some(bound.enrolment)).ok_or(RunError::NoAddress)?,
            broker: config.broker_address(Some(bound.api)).ok_or(RunError::NoAddress)?,
            authority: broker.authority.fingerprint(),
        };
        let for_newcomers = for_newcomers(broker, issuer.clone());
        let identity = Identity::new(Arc::clone(&broker.domain), issuer, join_tokens);
        let (health, for_instances) = about_the_broker(broker)?;
        let for_instances = for_instances
            .add_service(IdentityServer::new(identity).max_decoding_message_size(MESSAGE_MAX_BYTES));
        let operation = Operation::new(Arc::clone(&broker.domain), drain);
        let for_instances = for_instances
            .add_service(OperationServer::new(operation).max_decoding_message_size(MESSAGE_MAX_BYTES));
        let checkpoints = Checkpoints::open(Arc::clone(&broker.domain), broker.checkpoint.clone()).await?;
        let (for_instances, mediation) = of_the_domain(broker, &checkpoints, for_instances)?;
        Ok(Self { for_instances, for_newcomers, health, checkpoints, mediation })
    }
}

fn for_newcomers(broker: &Broker, issuer: Issuer) -> Routes {
    let enrolment = Enrolment::new(Arc::clone(&broker.domain), issuer, Attestors::join_tokens());
    let info = Info::new(Arc::clone(&broker.domain));
    let max = ENROLMENT_MESSAGE_MAX_BYTES;
    Routes::new(EnrolmentServer::new(enrolment).max_decoding_message_size(max))
        .add_service(InfoServer::new(info).max_decoding_message_size(max))
}

fn about_the_broker(broker: &Broker) -> Result<(HealthReporter, Routes), RunError> {
    let (reporter, health) = health::service();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
        .build_v1()?;
    let info = InfoServer::new(Info::new(Arc::clone(&broker.domain)));
    let routes = Routes::new(health)
        .add_service(reflection)
        .add_service(info.max_decoding_message_size(MESSAGE_MAX_BYTES));
    Ok((reporter, routes))
}

fn of_the_domain(
    broker: &Broker,
    checkpoints: &Arc<Checkpoints>,
    routes: Routes,
) -> Result<(Routes, Mediation), RunError> {
    let domain = || Arc::clone(&broker.domain);
    let (key, retired) = (broker.activation.clone(), broker.retired_activations.clone());
    let activator = Arc::new(Activator::new(&broker.domain, key, retired)?);
    let archive = broker.policies.clone();
    let policies: Policies = Arc::new(move |digest| archive.get(digest));
    let ledger = Ledger::new(domain(), Arc::clone(checkpoints), Arc::clone(&activator), policies);
    let grants = Grants::new(domain(), Arc::clone(&activator));
    let mediation = Mediation::new(domain(), Arc::clone(&activator));
    let revocations = Revocations::new(&mediation);
    let max = MESSAGE_MAX_BYTES;
    let routes = routes
        .add_service(GrantsServer::new(grants).max_decoding_message_size(max))
        .add_service(
            ActivationsServer::new(Activations::new(domain(), activator)).max_decoding_message_size(max),
        )
        .add_service(NegotiationsServer::new(Negotiations::new(domain())).max_decoding_message_size(max))
        .add_service(ContractsServer::new(Contracts::new(&mediation)).max_decoding_message_size(max))
        .add_service(GraphServer::new(Graph::new(domain())).max_decoding_message_size(max))
        .add_service(RevocationsServer::new(revocations).max_decoding_message_size(max))
        .add_service(mediation.server())
        .add_service(LedgerServer::new(ledger).max_decoding_message_size(max));
    Ok((routes, mediation))
}

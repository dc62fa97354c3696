//! Which services stand behind which listener.

use std::sync::Arc;

use countersign_wire::{
    DESCRIPTOR_SET,
    v1::{enrolment_server::EnrolmentServer, identity_server::IdentityServer, info_server::InfoServer},
};
use tonic::service::Routes;

use super::{Bound, RunError};
use crate::{
    attestor::Attestors,
    broker::Broker,
    config::Config,
    join_tokens::JoinTokens,
    limits::{ENROLMENT_MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES},
    service::{Enrolment, Identity, Info, Issuer},
};

/// The services of the two listeners.
pub(super) struct Services {
    /// Behind the gate.
    pub(super) for_instances: Routes,
    /// For those who have no certificate: what they need to get one.
    pub(super) for_newcomers: Routes,
}

impl Services {
    pub(super) fn new(config: &Config, broker: &Broker, bound: Bound) -> Result<Self, RunError> {
        let issuer = Issuer::new(Arc::clone(&broker.domain), Arc::clone(&broker.authority));
        let join_tokens = JoinTokens {
            enrolment: config.enrolment_address(Some(bound.enrolment)).ok_or(RunError::NoAddress)?,
            broker: config.broker_address(Some(bound.api)).ok_or(RunError::NoAddress)?,
            authority: broker.authority.fingerprint(),
        };
        let for_newcomers = for_newcomers(broker, issuer.clone());
        Ok(Self { for_instances: for_instances(broker, issuer, join_tokens)?, for_newcomers })
    }
}

fn for_newcomers(broker: &Broker, issuer: Issuer) -> Routes {
    let enrolment = Enrolment::new(Arc::clone(&broker.domain), issuer, Attestors::join_tokens());
    let info = Info::new(Arc::clone(&broker.domain));
    let max = ENROLMENT_MESSAGE_MAX_BYTES;
    Routes::new(EnrolmentServer::new(enrolment).max_decoding_message_size(max))
        .add_service(InfoServer::new(info).max_decoding_message_size(max))
}

fn for_instances(broker: &Broker, issuer: Issuer, join_tokens: JoinTokens) -> Result<Routes, RunError> {
    let domain = || Arc::clone(&broker.domain);
    let max = MESSAGE_MAX_BYTES;
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
        .build_v1()?;
    let identity = Identity::new(domain(), issuer, join_tokens);
    Ok(Routes::new(health)
        .add_service(reflection)
        .add_service(InfoServer::new(Info::new(domain())).max_decoding_message_size(max))
        .add_service(IdentityServer::new(identity).max_decoding_message_size(max)))
}

//! The TLS settings of the two listeners.

use std::{sync::Arc, time::Duration};

use rustls::{
    ConfigBuilder, Error, ServerConfig, WantsVerifier,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::UnixTime,
    server::{NoServerSessionStorage, ResolvesServerCert, VerifierBuilderError, WantsServerCert},
    time_provider::TimeProvider,
};

use super::{authority::Authority, identity::BrokerIdentity, verifier::ClientVerifier};
use crate::clock::Clock;

/// The one application protocol that is spoken: gRPC's.
pub(super) const ALPN: &[u8] = b"h2";

/// The broker's clock, as the TLS library asks for it.
#[derive(Clone, Debug)]
pub struct TlsTime(pub Arc<dyn Clock>);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.now().as_millis())))
    }
}

/// For the listener of the domain's instances: a client certificate is mandatory.
pub(super) fn mutual(
    authority: &Authority,
    identity: Arc<BrokerIdentity>,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(provider());
    let verifier = ClientVerifier::new(authority, Arc::clone(&provider)).map_err(unusable)?;
    let builder = builder(provider, clock)?.with_client_cert_verifier(Arc::new(verifier));
    Ok(finish(builder, identity))
}

/// For the listener on which newcomers ask for their first certificate: they have none to show.
pub(super) fn enrolment(identity: Arc<BrokerIdentity>, clock: Arc<dyn Clock>) -> Result<ServerConfig, Error> {
    let builder = builder(Arc::new(provider()), clock)?.with_no_client_auth();
    Ok(finish(builder, identity))
}

/// What is recorded today must not be readable once elliptic curves are broken, so the hybrid key
/// exchange comes first; the plain ones are for peers that do not have it.
fn provider() -> CryptoProvider {
    use aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
    CryptoProvider { kx_groups: vec![X25519MLKEM768, X25519, SECP256R1], ..aws_lc_rs::default_provider() }
}

fn builder(
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, Error> {
    ServerConfig::builder_with_details(provider, Arc::new(TlsTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
}

fn finish(
    builder: ConfigBuilder<ServerConfig, WantsServerCert>,
    identity: Arc<dyn ResolvesServerCert>,
) -> ServerConfig {
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session takes over the client's identity from an earlier one and verifies nothing:
    // it would let an expired certificate in. Nothing is stored, and no ticket is sent.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config
}

fn unusable(error: VerifierBuilderError) -> Error {
    Error::General(format!("the authority's certificate is no trust anchor: {error}"))
}

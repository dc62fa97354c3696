//! Opens connections to a broker, for tonic's `Endpoint::connect_with_connector`.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, ConfigBuilder, Error,
    client::{Resumption, WantsClientCert},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::ServerName,
    time_provider::TimeProvider,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::Service;

use super::{anchor::Trust, identity::Identity, verifier::BrokerVerifier};
use crate::limits::CONNECT_MAX;

/// The one application protocol that is spoken: gRPC's.
const ALPN: &[u8] = b"h2";

/// Opens connections to the brokers that a [`Trust`] names. The host and port of the URI say where
/// to go, and nothing about who is expected there; its scheme makes no difference.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    opened: Arc<AtomicU64>,
}

impl Connector {
    /// Connections as `identity`, with the certificate that is current when each is opened. `time`
    /// judges the broker's certificate.
    ///
    /// Fails only if the TLS library does not have what the settings ask for.
    pub fn mutual(identity: Arc<Identity>, trust: Trust, time: Arc<dyn TimeProvider>) -> Result<Self, Error> {
        Ok(Self::finish(builder(trust, time)?.with_client_cert_resolver(identity)))
    }

    /// Connections as nobody, to a broker's enrolment listener.
    ///
    /// Fails only if the TLS library does not have what the settings ask for.
    pub fn enrolment(trust: Trust, time: Arc<dyn TimeProvider>) -> Result<Self, Error> {
        Ok(Self::finish(builder(trust, time)?.with_no_client_auth()))
    }

    fn finish(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session verifies nothing anew.
        config.resumption = Resumption::disabled();
        Self { tls: TlsConnector::from(Arc::new(config)), opened: Arc::default() }
    }

    /// How many connections were opened so far.
    pub(crate) fn opened(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.opened)
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let invalid = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
        let host = uri.host().ok_or_else(|| invalid("the broker's address has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().ok_or_else(|| invalid("the broker's address has no port"))?;
        // The name only routes: who answers is judged by its certificate.
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;

        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let tls = self.tls.connect(name, tcp).await?;
        if tls.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the server does not speak HTTP/2"));
        }
        self.opened.fetch_add(1, Ordering::AcqRel);
        Ok(TokioIo::new(tls))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connect = self.clone().connect(uri);
        Box::pin(async move { timeout(CONNECT_MAX, connect).await.map_err(io::Error::from)? })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(..)")
    }
}

fn builder(
    trust: Trust,
    time: Arc<dyn TimeProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = Arc::new(provider());
    let verifier = Arc::new(BrokerVerifier::new(trust, Arc::clone(&provider)));
    Ok(ClientConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

/// What is recorded today must not be readable once elliptic curves are broken, so the hybrid key
/// exchange comes first; the plain ones are for peers that do not have it.
fn provider() -> CryptoProvider {
    use aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
    CryptoProvider { kx_groups: vec![X25519MLKEM768, X25519, SECP256R1], ..aws_lc_rs::default_provider() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::RootCertStore;
    use tokio::{
        net::TcpListener,
        time::{Instant, sleep},
    };

    use super::*;

    /// How long a connection is tried to a server that closes it after so long, and says nothing.
    async fn tried(silence: Duration) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (silent, _) = listener.accept().await.unwrap();
            sleep(silence).await;
            drop(silent);
        });
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let began = Instant::now();
        let failed = Connector::finish(config).call(uri).await;
        assert!(failed.is_err());
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_has_so_long_for_its_handshake() {
        let tick = Duration::from_millis(5);
        let (soon, late) = (CONNECT_MAX - 2 * tick, CONNECT_MAX + tick);
        assert!((soon..CONNECT_MAX).contains(&tried(soon).await), "the twin: the server ended it");
        assert!((CONNECT_MAX..late).contains(&tried(10 * CONNECT_MAX).await));
    }
}

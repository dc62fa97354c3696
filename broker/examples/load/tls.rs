//! Mutual TLS for the floor: the library, version and suites of the broker, with one authority for both ends.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, server::Connected};

/// Writes an authority and one certificate that it signed.
pub(crate) fn make(directory: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["floor.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    std::fs::write(directory.join("authority"), authority.der()).unwrap();
    std::fs::write(directory.join("leaf"), leaf.der()).unwrap();
    std::fs::write(directory.join("key"), key.serialize_der()).unwrap();
}

struct Material {
    roots: Arc<RootCertStore>,
    leaf: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn read(directory: &str) -> Material {
    let bytes = |name: &str| std::fs::read(Path::new(directory).join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(bytes("authority").into()).unwrap();
    let key = PrivateKeyDer::try_from(bytes("key")).unwrap();
    Material { roots: Arc::new(roots), leaf: vec![bytes("leaf").into()], key }
}

/// Connections that come in, as tonic serves them.
pub(crate) fn incoming(listener: TcpListener, directory: &str) -> ReceiverStream<io::Result<Incoming>> {
    let Material { roots, leaf, key } = read(directory);
    let verifier = WebPkiClientVerifier::builder(roots).build().unwrap();
    let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = config.with_client_cert_verifier(verifier).with_single_cert(leaf, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (acceptor, (ready, connections)) = (TlsAcceptor::from(Arc::new(config)), mpsc::channel(64));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            tokio::spawn(async move {
                tcp.set_nodelay(true).unwrap();
                if let Ok(tls) = acceptor.accept(tcp).await {
                    let _ = ready.send(Ok(Incoming(tls))).await;
                }
            });
        }
    });
    ReceiverStream::new(connections)
}

/// A connection to such a listener.
pub(crate) async fn connect(address: &str, directory: &str) -> Channel {
    let Material { roots, leaf, key } = read(directory);
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
    let mut config = config.with_root_certificates(roots).with_client_auth_cert(leaf, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (connector, address) = (TlsConnector::from(Arc::new(config)), address.to_owned());
    let open = tower::service_fn(move |_| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from("floor.example").unwrap();
            connector.connect(name, tcp).await.map(TokioIo::new)
        }
    });
    Endpoint::from_static("http://floor.example").connect_with_connector(open).await.unwrap()
}

pub(crate) struct Incoming(TlsStream<TcpStream>);

impl Connected for Incoming {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

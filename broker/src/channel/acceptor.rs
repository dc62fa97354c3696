//! The listeners: who comes in, and how many.

use std::{
    convert::Infallible,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use countersign_protocol::{
    name::{InstanceId, TrustDomain},
    time::Timestamp,
};
use rustls::{Error, ServerConfig, ServerConnection};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::Stream;

use super::{
    authority::Authority,
    certificate::{BadCertificate, Leaf},
    config::{self, ALPN},
    connection::{Connection, End},
    half_open::{HalfOpen, source},
    identity::BrokerIdentity,
    key::ProvenKey,
    seats::{Holder, Seat, Seats},
};
use crate::{
    clock::Clock,
    limits::{
        ACCEPT_PAUSE, CONNECTIONS_MAX, CONNECTIONS_PER_HOLDER, ENROLMENT_CONNECTION_LIFE, HALF_OPEN_MAX,
        HANDSHAKE_MAX,
    },
};

/// Who is at the other end of a connection: an instance whose certificate was verified when the
/// connection was opened, and is valid for as long as the connection works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The instance.
    pub instance: InstanceId,
    /// The key that it holds, as the handshake has shown: what its next certificate is for.
    pub key: ProvenKey,
    /// When its certificate, and with it the connection, ends.
    pub not_after: Timestamp,
    /// Where it is. For logs: an address is no identity.
    pub remote: SocketAddr,
}

/// Someone on the enrolment listener, of whom nothing is known but where they are. A handler that
/// asks for a [`Peer`] does not find one there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Where they are. For logs and quotas: an address is no identity.
    pub remote: SocketAddr,
}

/// How much a listener takes on.
#[derive(Clone, Copy, Debug)]
pub struct AcceptLimits {
    /// Handshakes under way.
    pub half_open: usize,
    /// The longest handshake.
    pub handshake: Duration,
    /// Connections.
    pub connections: usize,
    /// Connections of one instance, or of one source where instances are not known.
    pub per_holder: usize,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            half_open: HALF_OPEN_MAX,
            handshake: HANDSHAKE_MAX,
            connections: CONNECTIONS_MAX,
            per_holder: CONNECTIONS_PER_HOLDER,
        }
    }
}

/// A listener as the stream of connections that tonic's `serve_with_incoming_shutdown` takes. It
/// neither fails nor ends; dropping it closes the socket and abandons the handshakes under way.
/// Connections are served by tasks of their own: they end when `closed` says so, or its sender is gone.
///
/// Handshakes run beside one another in tasks of their own. They are not counted as connections:
/// those are for peers who are through.
pub struct Acceptor<I> {
    listener: TcpListener,
    door: Arc<Door<I>>,
    half_open: HalfOpen,
    handshakes: JoinSet<Option<Connection<I>>>,
    pause: Option<Pin<Box<Sleep>>>,
}

/// What one handshake needs.
struct Door<I> {
    tls: TlsAcceptor,
    admit: Admit<I>,
    clock: Arc<dyn Clock>,
    closed: watch::Receiver<bool>,
    seats: Arc<Seats>,
    /// Those who are not through yet, by where they are.
    handshakes: Arc<Seats>,
    longest: Duration,
}

/// Reads off a finished handshake who came, on whose account, and until when.
type Admit<I> = Box<dyn Fn(&ServerConnection, SocketAddr) -> Result<Admitted<I>, NotAdmitted> + Send + Sync>;

struct Admitted<I> {
    info: I,
    holder: Holder,
    until: Timestamp,
}

/// Why nothing came of a TCP connection. The peer sees it closed, or an alert.
#[derive(Debug, Error)]
enum NotAdmitted {
    #[error("the handshake took too long")]
    Slow,
    #[error("handshake: {0}")]
    Handshake(#[from] io::Error),
    #[error("the client did not agree on HTTP/2")]
    NoHttp2,
    #[error("the client has no certificate")]
    NoCertificate,
    #[error("certificate: {0}")]
    Certificate(#[from] BadCertificate),
    #[error("{0:?} has as many connections as it may, or all are taken")]
    NoSeat(Holder),
}

impl Acceptor<Peer> {
    /// The listener of a domain's instances: whoever has no valid certificate of `authority` does
    /// not get in.
    ///
    /// Fails only if the authority's certificate is of no use to the TLS library.
    pub fn mutual(
        listener: TcpListener,
        authority: &Authority,
        identity: Arc<BrokerIdentity>,
        clock: Arc<dyn Clock>,
        limits: AcceptLimits,
        closed: watch::Receiver<bool>,
    ) -> Result<Self, Error> {
        let config = config::mutual(authority, identity, Arc::clone(&clock))?;
        let domain = authority.domain().clone();
        let admit: Admit<Peer> = Box::new(move |tls, remote| admit_peer(&domain, tls, remote));
        Ok(Self::new(listener, config, admit, clock, limits, closed))
    }
}

impl Acceptor<Stranger> {
    /// The listener for those who come for their first certificate. Connections on it are short.
    ///
    /// Fails only if the TLS library does not have what the settings ask for.
    pub fn enrolment(
        listener: TcpListener,
        identity: Arc<BrokerIdentity>,
        clock: Arc<dyn Clock>,
        limits: AcceptLimits,
        closed: watch::Receiver<bool>,
    ) -> Result<Self, Error> {
        let config = config::enrolment(identity, Arc::clone(&clock))?;
        let time = Arc::clone(&clock);
        let admit: Admit<Stranger> = Box::new(move |_, remote| {
            let until = time.now().plus(ENROLMENT_CONNECTION_LIFE);
            Ok(Admitted { info: Stranger { remote }, holder: Holder::Source(source(remote.ip())), until })
        });
        Ok(Self::new(listener, config, admit, clock, limits, closed))
    }
}

fn admit_peer(
    domain: &TrustDomain,
    tls: &ServerConnection,
    remote: SocketAddr,
) -> Result<Admitted<Peer>, NotAdmitted> {
    let certificate = tls.peer_certificates().and_then(<[_]>::first).ok_or(NotAdmitted::NoCertificate)?;
    // The verifier has accepted this very certificate; here it is read.
    let Leaf { instance, spki_der, validity } = Leaf::parse(certificate, domain)?;
    let key = ProvenKey::by_handshake(&spki_der).map_err(BadCertificate::from)?;
    let until = validity.not_after;
    let holder = Holder::Instance(instance.clone());
    Ok(Admitted { info: Peer { instance, key, not_after: until, remote }, holder, until })
}

impl<I: Send + 'static> Acceptor<I> {
    fn new(
        listener: TcpListener,
        config: ServerConfig,
        admit: Admit<I>,
        clock: Arc<dyn Clock>,
        limits: AcceptLimits,
        closed: watch::Receiver<bool>,
    ) -> Self {
        let door = Door {
            tls: TlsAcceptor::from(Arc::new(config)),
            admit,
            clock,
            closed,
            seats: Seats::new(limits.connections, limits.per_holder),
            handshakes: Seats::new(usize::MAX, usize::MAX),
            longest: limits.handshake,
        };
        let half_open = HalfOpen::new(limits.half_open);
        Self { listener, door: Arc::new(door), half_open, handshakes: JoinSet::new(), pause: None }
    }

    /// The next connection that came through its handshake.
    fn poll_through(&mut self, cx: &mut Context<'_>) -> Poll<Connection<I>> {
        while let Poll::Ready(Some(ended)) = self.handshakes.poll_join_next_with_id(cx) {
            match ended {
                Ok((id, connection)) => {
                    self.half_open.leave(id);
                    if let Some(connection) = connection {
                        return Poll::Ready(connection);
                    }
                }
                Err(abandoned) => self.half_open.leave(abandoned.id()),
            }
        }
        Poll::Pending
    }

    /// Begins a handshake with the next TCP connection.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        match ready!(self.listener.poll_accept(cx)) {
            Ok((tcp, remote)) => {
                let door = Arc::clone(&self.door);
                let handshake = self.handshakes.spawn(async move { door.enter(tcp, remote).await });
                self.half_open.enter(source(remote.ip()), handshake);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accepting connections pauses");
                self.pause = Some(Box::pin(sleep(ACCEPT_PAUSE)));
            }
        }
        Poll::Ready(())
    }
}

impl<I: Send + 'static> Stream for Acceptor<I> {
    type Item = Result<Connection<I>, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Poll::Ready(connection) = self.poll_through(cx) {
                return Poll::Ready(Some(Ok(connection)));
            }
            // Each handshake that begins has to be polled for, so that its end wakes us.
            ready!(self.poll_begin(cx));
        }
    }
}

impl<I> fmt::Debug for Acceptor<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl<I> Door<I> {
    async fn enter(&self, tcp: TcpStream, remote: SocketAddr) -> Option<Connection<I>> {
        match self.admit(tcp, remote).await {
            Ok(connection) => Some(connection),
            Err(reason) => {
                tracing::debug!(%remote, %reason, "a connection was not let in");
                None
            }
        }
    }

    async fn admit(&self, tcp: TcpStream, remote: SocketAddr) -> Result<Connection<I>, NotAdmitted> {
        // Calls are small and wait for one another: coalescing packets only delays them.
        tcp.set_nodelay(true)?;
        let tls =
            timeout(self.longest, self.handshake(tcp, remote)).await.map_err(|_| NotAdmitted::Slow)??;
        let (_, session) = tls.get_ref();
        // A client that names no protocol at all is not refused by the handshake itself.
        if session.alpn_protocol() != Some(ALPN) {
            return Err(NotAdmitted::NoHttp2);
        }
        let Admitted { info, holder, until } = (self.admit)(session, remote)?;
        let seat = self.seats.take(holder.clone()).ok_or(NotAdmitted::NoSeat(holder))?;
        Ok(Connection::new(tls, info, End::at(until, Arc::clone(&self.clock), self.closed.clone()), seat))
    }
}

impl<I> Door<I> {
    /// The handshake, once the peer has said something: until then it costs a socket. A source that has
    /// many under way has one of them worked on at a time.
    async fn handshake(&self, tcp: TcpStream, remote: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        tcp.readable().await?;
        let seat = self.handshakes.take(Holder::Source(source(remote.ip())));
        let turn = seat.as_ref().map(Seat::turn).unwrap_or_default();
        turn.take(self.tls.accept(tcp)).await
    }
}

/// Whether the peer of one connection went away before it was accepted, which says nothing of the
/// next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

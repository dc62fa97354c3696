//! Real sockets: connections that end with the certificate that opened them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use countersign_protocol::domain::Actor;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::{authority::peer, now};

/// One connection, and who is at its other end.
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    actor: Option<Actor>,
    end: Pin<Box<Sleep>>,
}

impl Line {
    fn over(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

use std::future::Future as _;

impl Connected for Line {
    type ConnectInfo = Option<Actor>;

    fn connect_info(&self) -> Option<Actor> {
        self.actor.clone()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(over) = self.over(cx) {
            return Poll::Ready(over);
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Listens; gives the address and the connections.
pub(crate) async fn listen(config: Arc<ServerConfig>) -> (String, ReceiverStream<io::Result<Line>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (lines, incoming) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, lines) = (TlsAcceptor::from(Arc::clone(&config)), lines.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(tcp).await else { return };
                let peer = stream.get_ref().1.peer_certificates().map(|chain| peer(&chain[0]));
                let left = peer.as_ref().map_or(3_600_000, |(_, ends)| ends.since(now()).as_millis());
                let end = Box::pin(tokio::time::sleep(Duration::from_millis(left)));
                let _ = lines.send(Ok(Line { stream, actor: peer.map(|(actor, _)| actor), end })).await;
            });
        }
    });
    (address, ReceiverStream::new(incoming))
}

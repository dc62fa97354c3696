//! An open connection: it knows its peer, and ends when the peer's certificate does.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_protocol::time::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::seats::Seat;
use crate::clock::{Clock, Wait};

/// A connection whose handshake is done. Handlers find `I`, which says who is at its other end, in
/// the extensions of each request.
///
/// From the moment at which it ends, reading and writing fail: the streams on it are reset, and
/// whatever their handlers still send goes nowhere.
pub struct Connection<I> {
    tls: TlsStream<TcpStream>,
    info: I,
    end: End,
    _seat: Seat,
}

impl<I> Connection<I> {
    pub(super) fn new(tls: TlsStream<TcpStream>, info: I, end: End, seat: Seat) -> Self {
        Self { tls, info, end, _seat: seat }
    }
}

impl<I: fmt::Debug> fmt::Debug for Connection<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("info", &self.info)
            .field("end", &self.end.at)
            .finish_non_exhaustive()
    }
}

impl<I: Clone + Send + Sync + 'static> Connected for Connection<I> {
    type ConnectInfo = I;

    fn connect_info(&self) -> I {
        self.info.clone()
    }
}

/// When a connection ends.
pub(super) struct End {
    at: Timestamp,
    clock: Arc<dyn Clock>,
    /// Wakes a connection on which nothing happens. `None` once it has.
    wait: Option<Wait>,
}

impl End {
    /// At that time, or when `closed` says so.
    pub(super) fn at(at: Timestamp, clock: Arc<dyn Clock>, mut closed: watch::Receiver<bool>) -> Self {
        let due = clock.wait_until(at);
        let wait: Wait = Box::pin(async move {
            tokio::select! {
                () = due => {}
                // An error means that nobody is left to say so.
                _ = closed.wait_for(|closed| *closed) => {}
            }
        });
        Self { at, clock, wait: Some(wait) }
    }

    /// Fails once the end has come. The clock decides, at every use: a timer may be late.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(wait) = &mut self.wait
            && wait.as_mut().poll(cx).is_ready()
        {
            self.wait = None;
        }
        if self.wait.is_none() || self.clock.now() >= self.at {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection's time is over"));
        }
        Ok(())
    }
}

impl<I: Unpin> AsyncRead for Connection<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.end.check(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, buffer)
    }
}

impl<I: Unpin> AsyncWrite for Connection<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.end.check(cx)?;
        Pin::new(&mut self.tls).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.end.check(cx)?;
        Pin::new(&mut self.tls).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end.check(cx)?;
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A peer that does not read could hold the closing open for ever.
        self.end.check(cx)?;
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

//! What one call holds of the broker's memory: its request until it is answered, and its answer until
//! the caller has taken it.
//!
//! A request is two mebibytes at most and so is an answer, but an instance has many calls, and need
//! not read. So bytes are counted where they arise, for each instance and for all. Who holds too much
//! is told so; nobody else is.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use countersign_protocol::refusal::{Reason, Refusal, Viewer};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use crate::{
    channel::Seat,
    limits::{HELD_UNCOUNTED_BYTES, MESSAGE_MAX_BYTES},
    status::status,
};

/// A call under way, until the last of its answer was taken or given up.
#[derive(Clone, Debug)]
pub(super) struct Call(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    _seat: Seat,
    /// As wide as the request is long.
    request: Mutex<Seat>,
}

impl Call {
    /// A call in that seat, whose bytes are counted from `bytes` on.
    pub(super) fn new(seat: Seat, bytes: Seat) -> Self {
        Self(Arc::new(Parts { _seat: seat, request: Mutex::new(bytes) }))
    }

    /// The request, counted as it comes in.
    pub(super) fn receive(&self, body: Body) -> Body {
        Body::new(Receiving { body, received: 0, call: self.clone() })
    }

    /// The answer, counted as it goes out. What the handler has ready is counted at once: a caller
    /// that does not read has it held, too.
    pub(super) async fn answer(self, mut body: Body) -> Result<Body, Status> {
        if body.is_end_stream() {
            return Ok(body);
        }
        let first = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
        let first = match first {
            Poll::Ready(Some(frame)) => Some(self.sending(frame?)?),
            Poll::Ready(None) => return Ok(Body::empty()),
            Poll::Pending => None,
        };
        Ok(Body::new(Sending { first, body, over: false, call: self }))
    }

    /// Counts a request that has grown to so many bytes. One that is a stream of messages counts as
    /// no more than the largest: they are taken one after another.
    fn received(&self, length: usize) -> Result<(), Status> {
        let held = length.min(MESSAGE_MAX_BYTES).saturating_sub(HELD_UNCOUNTED_BYTES);
        // Seats are taken and left in one step each.
        let mut seat = self.0.request.lock().unwrap_or_else(PoisonError::into_inner);
        let more = held.saturating_sub(seat.width());
        if seat.grow(more) { Ok(()) } else { Err(too_much()) }
    }

    /// Counts a piece of the answer until it is sent.
    fn sending(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Status> {
        let data = match frame.into_data() {
            Ok(data) if data.len() > HELD_UNCOUNTED_BYTES => data,
            Ok(data) => return Ok(Frame::data(data)),
            Err(trailers) => return Ok(trailers),
        };
        let mut seat = self.0.request.lock().unwrap_or_else(PoisonError::into_inner).beside();
        if !seat.grow(data.len()) {
            return Err(too_much());
        }
        Ok(Frame::data(Bytes::from_owner(Held { data, _seat: seat })))
    }
}

fn too_much() -> Status {
    let refusal = Refusal::new(
        "API-007",
        Reason::Overloaded,
        "Its calls that are under way hold too many bytes, or those of all instances do.",
    );
    status(&refusal, Viewer::Party)
}

/// A piece of an answer that was not sent yet.
struct Held {
    data: Bytes,
    _seat: Seat,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// A request on its way in.
struct Receiving {
    body: Body,
    received: usize,
    call: Call,
}

impl http_body::Body for Receiving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.received = self.received.saturating_add(data.len());
            if let Err(refused) = self.call.received(self.received) {
                return Poll::Ready(Some(Err(refused)));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer on its way out.
struct Sending {
    first: Option<Frame<Bytes>>,
    body: Body,
    /// Whether it was ended in the middle.
    over: bool,
    call: Call,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.over {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()?;
        Poll::Ready(match frame.map(|frame| self.call.sending(frame)) {
            Some(Err(refused)) => {
                self.over = true;
                Some(trailers(&refused).map(Frame::trailers))
            }
            frame => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && (self.over || self.body.is_end_stream())
    }
}

/// A status as the end of an answer that has begun.
fn trailers(status: &Status) -> Result<HeaderMap, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(trailers)
}

#[cfg(test)]
mod tests;

//! What one connection has of the server: each bound from both sides, by a peer that writes its own frames.

use std::convert::Infallible;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::{Instant, sleep},
};
use tokio_stream::StreamExt as _;
use tonic::body::Body;
use tower::service_fn;

use super::*;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// Of settings and pings.
const ACK: u8 = 1;
/// Of headers: nothing follows, not even more headers.
const WHOLE: u8 = 1 | 4;

/// Error codes of HTTP/2.
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// The first byte of headers that begin with `:status 204`, which is what the service answers, and nobody else.
const ANSWERED: u8 = 0x89;

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The error code in it, which stands behind the last stream where all of them end.
    fn error(&self) -> u32 {
        let before = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(*self.payload[before..].first_chunk().unwrap())
    }

    fn is_answer(&self) -> bool {
        self.payload.first() == Some(&ANSWERED)
    }
}

/// The other end of a connection. It answers pings while it waits for something else.
struct Peer(DuplexStream);

impl Peer {
    /// A peer of a server whose every answer takes so long.
    async fn of(server: Server, answer: Duration) -> Self {
        let (ours, theirs) = duplex(1 << 20);
        let service = service_fn(move |_: http::Request<Body>| async move {
            sleep(answer).await;
            let mut answer = http::Response::new(Body::empty());
            *answer.status_mut() = http::StatusCode::NO_CONTENT;
            Ok::<_, Infallible>(answer)
        });
        let incoming = tokio_stream::once(Ok::<_, Infallible>(theirs)).chain(tokio_stream::pending());
        tokio::spawn({ server }.serve_with_incoming(service, incoming));
        let mut peer = Self(ours);
        peer.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        peer.send(frame(SETTINGS, 0, 0, &[])).await;
        peer.heard(SETTINGS).await.unwrap();
        peer.send(frame(SETTINGS, ACK, 0, &[])).await;
        peer
    }

    async fn send(&mut self, frames: Vec<u8>) {
        self.0.write_all(&frames).await.unwrap();
    }

    /// The next frame; none once the connection has ended.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [l2, l1, l0, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l2, l1, l0]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of that kind.
    async fn heard(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let next = self.next().await?;
            if next.kind == kind {
                return Some(next);
            }
            if next.kind == PING && next.flags != ACK {
                self.send(frame(PING, ACK, 0, &next.payload)).await;
            }
        }
    }

    /// The next question whether it is there, which comes when it must.
    async fn next_ping(&mut self, tick: Duration) -> Option<Frame> {
        let began = Instant::now();
        let asked = self.heard(PING).await;
        let waited = began.elapsed();
        assert!((KEEPALIVE_INTERVAL - tick..=KEEPALIVE_INTERVAL + tick).contains(&waited), "{waited:?}");
        asked
    }

    /// Everything that the server says to what it was sent so far.
    async fn all_said(&mut self) -> Vec<Frame> {
        self.send(frame(PING, 0, 0, &[7; 8])).await;
        let mut said = Vec::new();
        while let Some(next) = self.next().await.filter(|next| next.kind != PING) {
            said.push(next);
        }
        said
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The number of the so-manieth stream that a client opens.
fn stream(number: usize) -> u32 {
    2 * number as u32 + 1
}

/// A header that is not indexed, as HPACK writes one.
fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        let mut rest = text.len();
        if rest < 127 {
            bytes.push(rest as u8);
        } else {
            bytes.push(127);
            rest -= 127;
            while rest >= 128 {
                bytes.push(rest as u8 | 128);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// A request whose headers have so many bytes, as HTTP/2 counts them.
fn request(stream: u32, bytes: usize) -> Vec<u8> {
    let fixed = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("fill", "")];
    let least: usize = fixed.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
    let fill = "x".repeat(bytes - least);
    let block = fixed.map(|(name, value)| header(name, if name == "fill" { &fill } else { value })).concat();
    frame(HEADERS, WHOLE, stream, &block)
}

fn any_request(number: usize) -> Vec<u8> {
    request(stream(number), 400)
}

#[tokio::test]
async fn the_headers_of_a_request_have_a_size() {
    let mut peer = Peer::of(server(REQUEST_MAX, 10), Duration::ZERO).await;
    for (number, beyond) in [(0, 0), (1, 1), (2, 0)] {
        peer.send(request(stream(number), HEADERS_MAX_BYTES as usize - 1 + beyond)).await;
        let answer = peer.heard(HEADERS).await.unwrap();
        assert_eq!(answer.stream, stream(number));
        assert_eq!(answer.is_answer(), beyond == 0, "{number}: {answer:?}");
    }
}

#[tokio::test]
async fn a_connection_has_so_many_streams_and_no_more() {
    let of_instances = (server(REQUEST_MAX, STREAMS_PER_CONNECTION), STREAMS_PER_CONNECTION);
    let of_strangers =
        (server(ENROLMENT_REQUEST_MAX, ENROLMENT_STREAMS_PER_CONNECTION), ENROLMENT_STREAMS_PER_CONNECTION);
    for (server, most) in [of_instances, of_strangers] {
        let mut peer = Peer::of(server, Duration::MAX).await;
        peer.send((0..most as usize).flat_map(any_request).collect()).await;
        let refused = peer.all_said().await.into_iter().find(|frame| frame.kind == RST_STREAM);
        assert!(refused.is_none(), "{refused:?}");
        peer.send(any_request(most as usize)).await;
        let said = peer.all_said().await;
        let refused = said.iter().find(|frame| frame.kind == RST_STREAM).expect("one is too many");
        assert_eq!((refused.stream, refused.error()), (stream(most as usize), REFUSED_STREAM));
        // Whoever gives one up can open another.
        peer.send(frame(RST_STREAM, 0, stream(0), &8_u32.to_be_bytes())).await;
        peer.send(any_request(most as usize + 1)).await;
        assert!(!peer.all_said().await.iter().any(|frame| frame.kind == RST_STREAM), "the twin");
    }
}

/// Attack line 36: opening and resetting streams is free for a peer.
#[tokio::test]
async fn a_peer_resets_so_many_streams_before_they_are_taken_up() {
    for (resets, calm) in [(PENDING_RESETS_MAX, true), (PENDING_RESETS_MAX + 1, false)] {
        let mut peer = Peer::of(server(REQUEST_MAX, STREAMS_PER_CONNECTION), Duration::ZERO).await;
        let cancel = |number| frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes());
        // In one piece, so that none is taken up before the last is there.
        peer.send((0..resets).flat_map(|number| [any_request(number), cancel(number)].concat()).collect())
            .await;
        let goodbye = peer.all_said().await.into_iter().find(|frame| frame.kind == GOAWAY);
        assert_eq!(goodbye.is_none(), calm, "{resets}: {goodbye:?}");
        if let Some(goodbye) = goodbye {
            assert_eq!(goodbye.error(), ENHANCE_YOUR_CALM);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_silent_is_asked_and_given_up() {
    let mut peer = Peer::of(server(REQUEST_MAX, 10), Duration::ZERO).await;
    let tick = Duration::from_millis(5);
    for silence in [Duration::ZERO, KEEPALIVE_TIMEOUT - tick] {
        let asked = peer.next_ping(tick).await.unwrap();
        sleep(silence).await;
        peer.send(frame(PING, ACK, 0, &asked.payload)).await;
    }
    peer.next_ping(tick).await.unwrap();
    let began = Instant::now();
    while peer.next().await.is_some() {}
    let waited = began.elapsed();
    assert!((KEEPALIVE_TIMEOUT - tick..=KEEPALIVE_TIMEOUT + tick).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_so_long_and_no_longer() {
    let tick = Duration::from_millis(5);
    for longest in [REQUEST_MAX, ENROLMENT_REQUEST_MAX] {
        for (takes, heard_after) in [(longest - tick, longest - tick), (10 * longest, longest)] {
            let mut peer = Peer::of(server(longest, 10), takes).await;
            let began = Instant::now();
            peer.send(any_request(0)).await;
            let answer = peer.heard(HEADERS).await.unwrap();
            let waited = began.elapsed();
            assert!((heard_after..heard_after + tick).contains(&waited), "{waited:?}");
            assert_eq!(answer.is_answer(), takes < longest, "{answer:?}");
        }
    }
}

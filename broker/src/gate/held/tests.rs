use std::convert::Infallible;

use countersign_protocol::{id::InstanceUuid, name::PrincipalId, time::Timestamp};
use http_body_util::{BodyExt as _, StreamBody};
use rand::{SeedableRng as _, rngs::StdRng};

use super::*;
use crate::{
    channel::{Holder, Seats},
    mediation::tests::world::reason,
};

const MANY: usize = 16;

/// Room for so many bytes beyond those that are not counted.
struct Room(Arc<Seats>, Arc<Seats>);

impl Room {
    fn of(bytes: usize) -> Self {
        Self(Seats::new(MANY, MANY), Seats::new(2 * bytes, bytes))
    }

    fn call(&self, seed: u64) -> Call {
        let agent: PrincipalId = "spiffe://acme.example/agent/planner".parse().unwrap();
        let now = Timestamp::new(1_800_000_000_000).unwrap();
        let holder =
            || Holder::Instance(agent.instance(InstanceUuid::new(now, &mut StdRng::seed_from_u64(seed))));
        Call::new(self.0.take(holder()).unwrap(), self.1.stand(holder()))
    }
}

/// A message in pieces.
fn pieces(count: usize, length: usize) -> Body {
    let frames = (0..count).map(move |_| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![7; length]))));
    Body::new(StreamBody::new(tokio_stream::iter(frames)))
}

async fn refused(body: Body) -> Option<String> {
    body.collect().await.err().map(|status| reason(&status))
}

#[tokio::test]
async fn requests_are_held_until_their_calls_end_whatever_their_pieces() {
    for length in [1, 100, 1_000] {
        let room = Room::of(2_000);
        let most = HELD_UNCOUNTED_BYTES + 2_000;
        let first = room.call(1);
        let exactly = pieces(most / length, length);
        assert_eq!(refused(first.receive(exactly)).await, None, "the twin");
        let second = room.call(1);
        let small = second.receive(pieces(1, HELD_UNCOUNTED_BYTES));
        assert_eq!(refused(small).await, None, "small ones are not counted");
        let beyond = second.receive(pieces(1, HELD_UNCOUNTED_BYTES + 2_000));
        assert_eq!(refused(beyond).await.as_deref(), Some("OVERLOADED"));
        let other = room.call(2).receive(pieces(1, most));
        assert_eq!(refused(other).await, None, "another instance is not affected");
        drop(first);
        let after = room.call(1).receive(pieces(1, most));
        assert_eq!(refused(after).await, None, "a call that has ended holds nothing");
    }
}

#[tokio::test]
async fn a_stream_of_messages_counts_as_its_largest() {
    let room = Room::of(MESSAGE_MAX_BYTES);
    let stream = room.call(1);
    let endless = stream.receive(pieces(8, MESSAGE_MAX_BYTES / 2));
    assert_eq!(refused(endless).await, None);
}

#[tokio::test]
async fn an_answer_is_held_until_it_is_sent() {
    let room = Room::of(10_000);
    let unread = room.call(1).answer(pieces(1, 10_000)).await.unwrap();
    let beyond = room.call(1).answer(pieces(1, 5_000)).await.err();
    assert_eq!(beyond.map(|status| reason(&status)).as_deref(), Some("OVERLOADED"));
    assert!(room.call(2).answer(pieces(1, 5_000)).await.is_ok(), "another instance is not affected");
    assert!(room.call(1).answer(pieces(1, HELD_UNCOUNTED_BYTES)).await.is_ok(), "small ones are not counted");

    let read = unread.collect().await.unwrap().to_bytes();
    assert_eq!(read.len(), 10_000, "what was held is what was sent");
    assert!(room.call(1).answer(pieces(1, 10_000)).await.is_err(), "sent, but not let go");
    drop(read);
    assert!(room.call(1).answer(pieces(1, 10_000)).await.is_ok(), "the twin");
}

/// An answer that has begun says why it ends.
#[tokio::test]
async fn an_answer_that_grows_too_large_ends_with_its_reason() {
    let room = Room::of(10_000);
    let mut long = room.call(1).answer(pieces(3, 4_500)).await.unwrap();
    let mut taken = Vec::new();
    let end = loop {
        match long.frame().await.unwrap().unwrap().into_data() {
            Ok(data) => taken.push(data),
            Err(trailers) => break trailers.into_trailers().unwrap(),
        }
    };
    assert_eq!(taken.len(), 2);
    let status = Status::from_header_map(&end).unwrap();
    assert_eq!(reason(&status), "OVERLOADED");
    assert!(long.is_end_stream() && long.frame().await.is_none());
}

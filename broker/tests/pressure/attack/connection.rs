//! Strangers: connections and handshakes, from an address of their own.

use std::{net::SocketAddr, time::Duration};

use countersign::{Agent, Options};
use countersign_protocol::{
    digest::Digest,
    join_token::{JoinSecret, JoinToken},
};
use rand::rngs::OsRng;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use super::{Deed, Tally, deed};
use crate::arena::Arena;

/// Connections that are open, as far as the broker lets them be.
const CONNECTIONS: usize = 10_000;

/// Handshakes at a time.
const HANDSHAKES: usize = 64;

/// How long one whose connection was closed rests before it comes back.
const PAUSE: Duration = Duration::from_secs(5);

/// Between two bytes of a slow handshake.
const DRIP: Duration = Duration::from_millis(50);

/// A TLS record that announces a ClientHello of 512 bytes, and its first two.
const HALF_A_HELLO: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// They come and say nothing.
pub(super) async fn silent(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let [instances, _] = addresses(arena).await;
    let one = |tally: Tally| async move {
        loop {
            if let Some(mut stream) = connect(instances).await {
                tally.add("connected");
                // Until the broker has had enough.
                let _ = stream.read(&mut [0]).await;
            }
            sleep(PAUSE).await;
        }
    };
    (0..CONNECTIONS).map(|_| deed(one(tally.clone()))).collect()
}

/// They begin a handshake and go on a byte at a time, on both listeners.
pub(super) async fn half_handshakes(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let one = |address: SocketAddr, tally: Tally| async move {
        loop {
            if let Some(mut stream) = connect(address).await {
                tally.add("began a handshake");
                let mut open = stream.write_all(&HALF_A_HELLO).await.is_ok();
                while open {
                    sleep(DRIP).await;
                    open = stream.write_all(&[0]).await.is_ok();
                }
            }
            sleep(DRIP).await;
        }
    };
    let addresses = addresses(arena).await;
    let each = |number: usize| addresses.get(number % 2).copied();
    (0..1_000).filter_map(each).map(|address| deed(one(address, tally.clone()))).collect()
}

/// They do everything right, with a secret that they made up.
pub(super) async fn false_newcomers(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let token = arena.invite("agent/mallory").await;
    let one = |token: JoinToken, tally: Tally| async move {
        loop {
            let token = JoinToken { secret: JoinSecret::generate(&mut OsRng), ..token.clone() };
            tally.add("asked");
            let joined = Box::pin(Agent::join(&token, Options::new(Digest::of(b"mallory")))).await;
            match joined {
                Ok(_) => panic!("it joined with a secret that nobody gave it"),
                Err(error) => {
                    tally.add(&error.reason().map_or("no answer".into(), |reason| format!("{reason:?}")))
                }
            }
        }
    };
    (0..HANDSHAKES).map(|_| deed(one(token.clone(), tally.clone()))).collect()
}

async fn addresses(arena: &Arena) -> [SocketAddr; 2] {
    let token = arena.invite("agent/mallory").await;
    [token.broker, token.enrolment].map(|address| address.as_str().parse().unwrap())
}

/// From an address that is nobody else's.
async fn connect(address: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(([127, 0, 0, 66], 0).into()).ok()?;
    socket.connect(address).await.ok()
}

//! A callee that takes all it is given and does not do it, with a caller that keeps it busy.

use countersign::Agent;
use countersign_wire::v1::{self, mediation_client::MediationClient};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{Deed, Tally, caller::Caller, deed};
use crate::{
    arena::{ALL, Arena},
    daemon::DOMAIN,
};

/// Invocations that it says it takes at once: as many as it may.
const CAPACITY: u32 = 1_024;

/// Large ones, so that their content weighs; small ones, so that they are many.
const LARGE: usize = 1 << 20;
const SMALL: usize = 16;

/// A callee's stream.
struct Serving {
    /// Ends the stream when it is gone.
    _hello: mpsc::Sender<v1::ServeRequest>,
    stream: Streaming<v1::ServeResponse>,
}

impl Serving {
    async fn open(agent: &Agent) -> Self {
        let (hello, said) = mpsc::channel(1);
        let first =
            v1::ServeRequest { trust_domain: DOMAIN.into(), capacity: CAPACITY, ..Default::default() };
        hello.send(first).await.unwrap();
        let mut client = MediationClient::new(agent.channel()).max_decoding_message_size(4 * LARGE);
        let stream = client.serve(ReceiverStream::new(said)).await.unwrap().into_inner();
        Self { _hello: hello, stream }
    }
}

/// It opens its stream and never reads from it.
pub(super) async fn silent(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let sink = arena.enter("service/sink").await;
    let unread = Serving::open(&sink).await;
    let keep: Deed = Box::pin(async move {
        let _unread = unread;
        std::future::pending::<()>().await;
    });
    calls(arena, tally, 256, LARGE).await.into_iter().chain([keep]).collect()
}

/// It reads and answers nothing.
pub(super) async fn idle(arena: &Arena, tally: &Tally) -> Vec<Deed> {
    let sink = arena.enter("service/sink").await;
    let mut serving = Serving::open(&sink).await;
    let count = tally.clone();
    let keep: Deed = Box::pin(async move {
        while let Ok(Some(_)) = serving.stream.message().await {
            count.add("taken and left lying");
        }
    });
    calls(arena, tally, 1_200, SMALL).await.into_iter().chain([keep]).collect()
}

async fn calls(arena: &Arena, tally: &Tally, many: usize, length: usize) -> Vec<Deed> {
    let caller = Caller::enter(arena, ALL).await;
    let one = move |caller: Caller, tally: Tally| async move {
        loop {
            tally.add("asked");
            let request = caller.request(caller.id(), Vec::new(), vec![7; length]);
            tally.outcome(caller.client().invoke(request).await);
        }
    };
    (0..many).map(|_| deed(one(caller.clone(), tally.clone()))).collect()
}

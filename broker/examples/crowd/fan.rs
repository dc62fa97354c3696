//! The floor: a service of the same library, messages and TLS that tells whoever watches, and nothing else.

use std::{pin::Pin, sync::Arc, time::Duration};

use countersign_wire::v1::{
    PreviewRevocationRequest, PreviewRevocationResponse, RevokeRequest, RevokeResponse,
    WatchRevocationsRequest, WatchRevocationsResponse,
    revocations_client::RevocationsClient,
    revocations_server::{Revocations, RevocationsServer},
};
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};
use tokio_stream::{Stream, StreamExt as _, wrappers::BroadcastStream};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    process::{Process, commands, say},
    tls,
    told::{Count, Told},
};

struct Fan(broadcast::Sender<()>);

#[tonic::async_trait]
impl Revocations for Fan {
    /// An empty call.
    async fn preview_revocation(
        &self,
        _: Request<PreviewRevocationRequest>,
    ) -> Result<Response<PreviewRevocationResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn revoke(&self, _: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        let _ = self.0.send(());
        Ok(Response::new(Default::default()))
    }

    type WatchRevocationsStream =
        Pin<Box<dyn Stream<Item = Result<WatchRevocationsResponse, Status>> + Send>>;

    async fn watch_revocations(
        &self,
        _: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        // As long as what the broker says of one chain.
        let message =
            |_| Ok(WatchRevocationsResponse { revoked: vec![vec![7; 32]], epoch: 9, ..Default::default() });
        Ok(Response::new(Box::pin(BroadcastStream::new(self.0.subscribe()).map(message))))
    }
}

pub(crate) async fn serve(tls_directory: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    say(&listener.local_addr().unwrap().to_string());
    let service = RevocationsServer::new(Fan(broadcast::channel(16).0));
    let incoming = tls::incoming(listener, tls_directory);
    let serving = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
    let mut commands = commands();
    tokio::select! {
        served = serving => served.unwrap(),
        _ = commands.next_line() => {}
    }
}

/// Starts one, and connects to it.
pub(crate) async fn start(tls_directory: &str) -> (Process, String, RevocationsClient<Channel>) {
    let mut fan = Process::start(&["fan".to_owned(), tls_directory.to_owned()]);
    let address = fan.line().await;
    let client = RevocationsClient::new(tls::connect(&address, tls_directory).await);
    (fan, address, client)
}

pub(crate) async fn measure(tls_directory: &str, crowd: usize, rounds: usize) -> Vec<Duration> {
    let (fan, address, mut client) = start(tls_directory).await;
    let (count, mut listening) = (Arc::<Count>::default(), JoinSet::new());
    for _ in 0..crowd {
        let mut client = RevocationsClient::new(tls::connect(&address, tls_directory).await);
        let mut feed =
            client.watch_revocations(WatchRevocationsRequest::default()).await.unwrap().into_inner();
        let count = Arc::clone(&count);
        listening.spawn(async move {
            while let Some(Ok(_)) = feed.next().await {
                count.add();
            }
        });
    }
    let told = Told::new(count, listening);
    let mut all = Vec::new();
    for _ in 0..=rounds {
        let revoke = async { drop(client.revoke(RevokeRequest::default()).await.unwrap()) };
        all.push(told.last_after(crowd, revoke).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(told);
    fan.end().await;
    all
}

//! Revocations, and who is told of them.

use countersign_protocol::{
    contract, domain::Chain, name::InstanceId, payload::Payload, revocation::RevokeRequest, signed::Signed,
};
use countersign_wire::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    Lie, Services, Shared,
    delegation::{chain_id, concerns, link},
    malformed,
};

#[tonic::async_trait]
impl v1::revocations_server::Revocations for Services {
    type WatchRevocationsStream = ReceiverStream<Result<v1::WatchRevocationsResponse, Status>>;

    async fn preview_revocation(
        &self,
        request: Request<v1::PreviewRevocationRequest>,
    ) -> Result<Response<v1::PreviewRevocationResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let id = chain_id(&request.into_inner().chain_id)?;
        let state = broker.state();
        let links: Vec<_> =
            state.live_subtree(id).into_iter().map(|id| link(id, state.chain(&id).unwrap())).collect();
        let chains = links.len() as u64;
        Ok(Response::new(v1::PreviewRevocationResponse { links, chains, next_page_token: String::new() }))
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let signed = Signed::from_bytes(&request.into_inner().revoke_request).map_err(malformed)?;
        let _: RevokeRequest = signed.peek_unverified().map_err(malformed)?;
        broker.decide(|state, context| state.decide_revoke(context, &actor, &signed))?;
        let (leaf, epoch) = {
            let state = broker.state();
            (state.tree().size().get() - 1, state.epoch())
        };
        broker.reply(v1::RevokeResponse { leaf, epoch })
    }

    /// Tells of all chains that are revoked, once for each change of the ledger.
    async fn watch_revocations(
        &self,
        request: Request<v1::WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        let (broker, actor) = self.of(&request)?;
        let (messages, stream) = mpsc::channel(16);
        let (mut size, weak) = (broker.size.subscribe(), self.0.clone());
        let mut told = broker.state().epoch();
        drop(broker);
        tokio::spawn(async move {
            loop {
                let Some(broker) = weak.upgrade() else { return };
                let message = broker.revocations(&actor.instance, &mut told);
                drop(broker);
                if messages.send(Ok(message)).await.is_err() || size.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Shared {
    fn revocations(&self, instance: &InstanceId, told: &mut u64) -> v1::WatchRevocationsResponse {
        let state = self.state();
        let revoked = |chain: &Chain| chain.state == contract::State::Revoked;
        let chains = state.contracts().map(|(_, id)| (*id, state.chain(id).unwrap()));
        let gone = chains.filter(|(_, chain)| revoked(chain) && concerns(chain, instance));
        let news = state.epoch() > *told;
        *told = state.epoch();
        let epoch = if self.lying(Lie::RevocationsRolledBack) { 0 } else { state.epoch() };
        v1::WatchRevocationsResponse {
            revoked: gone.filter(|_| news).map(|(id, _)| id.as_bytes().to_vec()).collect(),
            epoch,
            next_leaf: state.tree().size().get(),
            server_time_ms: super::now().as_millis(),
        }
    }
}

//! Negotiations, and who is told of them.

use countersign_protocol::{
    domain::State, id::NegotiationId, name::InstanceId, negotiation::Move, payload::Payload, signed::Signed,
};
use countersign_wire::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    Lie, Services, Shared,
    delegation::{absent, other},
    malformed,
};

impl Shared {
    fn negotiation(&self, state: &State, id: NegotiationId) -> Result<v1::Negotiation, Status> {
        let talk = state.negotiation(&id).ok_or_else(absent)?;
        let entries = self.entries.lock().unwrap();
        let mut moves: Vec<_> = talk
            .moves
            .iter()
            .map(|made| v1::OrderedMove {
                leaf: made.leaf.get(),
                signed_move: super::mediation::signed_move(&entries[made.leaf.get() as usize]),
            })
            .collect();
        if self.lying(Lie::MoveDropped) {
            moves.pop();
        }
        if self.lying(Lie::MoveAltered) {
            let altered = &mut moves.last_mut().unwrap().signed_move;
            let middle = altered.len() / 2;
            altered[middle] ^= 1;
        }
        let mut told = v1::Negotiation {
            negotiation_id: id.to_string(),
            state: talk.state.name().into(),
            delegatee: talk.delegatee.to_string(),
            delegator: talk.delegator.to_string(),
            delegator_instance: talk.delegator_instance.as_ref().map(ToString::to_string).unwrap_or_default(),
            round: talk.round,
            max_rounds: talk.max_rounds,
            deadline_ms: talk.deadline.as_millis(),
            transcript: talk.transcript.as_bytes().to_vec(),
            moves,
            ended: talk.ended.map(|cause| format!("{cause:?}").to_uppercase()).unwrap_or_default(),
            chain_id: talk.outcome.map(|chain| chain.as_bytes().to_vec()).unwrap_or_default(),
        };
        if self.lying(Lie::StateInvented) {
            told.state = "OFFERED".into();
        }
        if self.lying(Lie::ChainInvented) && !told.chain_id.is_empty() {
            let outcome = talk.outcome.unwrap();
            told.chain_id = other(state, outcome).as_bytes().to_vec();
        }
        Ok(told)
    }
}

#[tonic::async_trait]
impl v1::negotiations_server::Negotiations for Services {
    type WatchNegotiationsStream = ReceiverStream<Result<v1::WatchNegotiationsResponse, Status>>;

    async fn submit_move(
        &self,
        request: Request<v1::SubmitMoveRequest>,
    ) -> Result<Response<v1::SubmitMoveResponse>, Status> {
        let (broker, actor) = self.of(&request)?;
        let signed = Signed::from_bytes(&request.into_inner().signed_move).map_err(malformed)?;
        broker.decide(|state, context| state.decide_move(context, &actor, &signed))?;
        let made: Move = signed.peek_unverified().map_err(malformed)?;
        let negotiation = broker.negotiation(&broker.state(), made.negotiation_id)?;
        broker.reply(v1::SubmitMoveResponse { negotiation: Some(negotiation) })
    }

    async fn get_negotiation(
        &self,
        request: Request<v1::GetNegotiationRequest>,
    ) -> Result<Response<v1::GetNegotiationResponse>, Status> {
        let (broker, _) = self.of(&request)?;
        let id = request.into_inner().negotiation_id.parse().map_err(malformed)?;
        let negotiation = Some(broker.negotiation(&broker.state(), id)?);
        Ok(Response::new(v1::GetNegotiationResponse { negotiation }))
    }

    async fn list_negotiations(
        &self,
        _: Request<v1::ListNegotiationsRequest>,
    ) -> Result<Response<v1::ListNegotiationsResponse>, Status> {
        Err(Status::unimplemented("the SDK watches"))
    }

    async fn watch_negotiations(
        &self,
        request: Request<v1::WatchNegotiationsRequest>,
    ) -> Result<Response<Self::WatchNegotiationsStream>, Status> {
        let (broker, actor) = self.of(&request)?;
        let mut from = request.into_inner().from_leaf;
        let (messages, stream) = mpsc::channel(16);
        let mut size = broker.size.subscribe();
        let weak = self.0.clone();
        drop(broker);
        tokio::spawn(async move {
            loop {
                let Some(broker) = weak.upgrade() else { return };
                let (changed, next) = changed(&broker.state(), &actor.instance, from);
                from = next;
                let mut told: Vec<_> = changed
                    .into_iter()
                    .filter_map(|id| broker.negotiation(&broker.state(), id).ok())
                    .map(Some)
                    .collect();
                told.push(None);
                drop(broker);
                for negotiation in told {
                    let message = v1::WatchNegotiationsResponse { negotiation, next_leaf: from };
                    if messages.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                if size.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// The negotiations of that instance that changed from a leaf on, and the leaf after them.
fn changed(state: &State, instance: &InstanceId, from: u64) -> (Vec<NegotiationId>, u64) {
    let concerns = state.negotiations().filter(|(_, talk)| {
        talk.delegatee == *instance
            || talk
                .delegator_instance
                .as_ref()
                .map_or(talk.delegator == *instance.principal(), |it| it == instance)
    });
    let changed = concerns.filter(|(_, talk)| talk.moves.iter().any(|made| made.leaf.get() >= from));
    (changed.map(|(id, _)| *id).collect(), state.tree().size().get())
}

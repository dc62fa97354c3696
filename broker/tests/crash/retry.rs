//! Asking again for what was answered before, and for what has ended.

use countersign_broker::mediation::RECEIPT_TRAILER;
use countersign_protocol::{
    digest::Digest,
    extension::Extensions,
    id::InvocationId,
    payload::Payload as _,
    refusal::Reason,
    signed::Signed,
    time::Lifetime,
    token::{Nonce, Proof, Via},
};
use countersign_wire::v1::{InvokeRequest, mediation_client::MediationClient};
use rand::rngs::OsRng;
use tokio::time::{Duration, sleep};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::told::Use;

/// How often a call is made whose answer does not come.
const TRIES: u32 = 50;

impl Use {
    /// Asks again under the same id, with a fresh proof: gives the digest of the receipt.
    pub(crate) async fn again(&self, id: InvocationId) -> Result<Digest, Reason> {
        for _ in 0..TRIES {
            let channel = self.by.channel();
            let status = match MediationClient::new(channel).invoke(self.request(id)).await {
                Ok(answer) => return Ok(digest(&answer.into_inner().receipt)),
                Err(status) => status,
            };
            match reason(&status) {
                Some(Reason::ResultNotRetained) => {
                    let receipt = status.metadata().get_bin(RECEIPT_TRAILER).unwrap();
                    return Ok(digest(&receipt.to_bytes().unwrap()));
                }
                Some(reason) => return Err(reason),
                None => assert!(status.code() != Code::Internal, "{status}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?} gets no answer", self.by);
    }

    fn request(&self, id: InvocationId) -> InvokeRequest {
        let Self { by, held, call } = self;
        let now = by.now();
        let proof = Proof {
            domain: by.domain().clone(),
            invocation_id: id,
            chain_id: held.chain_id(),
            activation_leaf: held.active().activation().leaf,
            caller: by.instance().clone(),
            callee: call.callee.clone(),
            action: call.action.clone(),
            resource: call.resource.clone(),
            arguments: call.arguments.digest(&call.body),
            nonce: Nonce::new(&mut OsRng),
            issued: now,
            expires: now.plus(Lifetime::from_millis(30_000)),
            via: Via::Broker,
            channel: by.channel_key(),
            extensions: Extensions::none(),
        };
        InvokeRequest {
            trust_domain: by.domain().to_string(),
            token: held.token().as_bytes().to_vec(),
            proof: by.sign(&proof).to_bytes(),
            arguments: call.arguments.to_bytes(),
            body: call.body.clone(),
        }
    }
}

fn reason(status: &Status) -> Option<Reason> {
    Reason::from_name(&status.get_details_error_info()?.reason)
}

fn digest(receipt: &[u8]) -> Digest {
    Signed::from_bytes(receipt).unwrap().digest()
}

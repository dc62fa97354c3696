//! What a caller asks for, read from the wire.

use countersign_protocol::{
    capability::{Arguments, Request},
    digest::ChainId,
    id::InvocationId,
    limits::BODY_MAX_BYTES,
    payload::{Malformed, Payload},
    refusal::{Reason, Refusal},
    require,
    signed::{NotOpened, Signed},
    token::{Proof, UnverifiedToken},
    trace_context::TraceContext,
};
use countersign_wire::v1::InvokeRequest;

/// A request that has the right form, and of which nothing is verified.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) token: UnverifiedToken,
    pub(super) proof: Signed,
    /// The id that the proof claims.
    pub(super) id: InvocationId,
    /// The chain that the proof claims.
    pub(super) chain: ChainId,
    /// What the proof claims is to be done, with the arguments that go with it.
    pub(super) request: Request,
    pub(super) arguments: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// The trace that the call belongs to, as whoever called says.
    pub(super) trace: Option<TraceContext>,
}

impl Asked {
    /// Reads each part, which the core measures before it reads any of it; the body it never reads.
    pub(super) fn read(message: InvokeRequest) -> Result<Self, Refusal> {
        let size = message.body.len();
        require!("LIM-010", size <= BODY_MAX_BYTES, Reason::LimitExceeded, "The body has {size} bytes.");
        let proof = Signed::from_bytes(&message.proof).map_err(malformed)?;
        let claimed: Proof = proof.peek_unverified().map_err(not_a_proof)?;
        let request = Request {
            callee: claimed.callee,
            action: claimed.action,
            resource: claimed.resource,
            arguments: Arguments::from_bytes(&message.arguments).map_err(malformed)?,
        };
        Ok(Self {
            token: UnverifiedToken::from_bytes(message.token),
            proof,
            id: claimed.invocation_id,
            chain: claimed.chain_id,
            request,
            arguments: message.arguments,
            body: message.body,
            trace: None,
        })
    }

    /// The room that it takes until it is forwarded.
    pub(super) fn kib(&self) -> u32 {
        let bytes =
            self.token.as_bytes().len() + self.proof.payload.len() + self.arguments.len() + self.body.len();
        // Each part was measured: the sum is far below the maximum.
        u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
    }
}

fn malformed(error: Malformed) -> Refusal {
    Refusal::new("CONV-010", Reason::PayloadMalformed, format!("{error}."))
}

fn not_a_proof(error: NotOpened) -> Refusal {
    Refusal::new("CONV-010", Reason::PayloadMalformed, format!("The proof: {error}."))
}

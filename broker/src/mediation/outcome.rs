//! How an invocation ended, and what its caller is told of it.

use bytes::Bytes;
use countersign_protocol::{
    domain::{Invocation, InvocationOutcome},
    ledger::LeafIndex,
    payload::Payload,
    refusal::{Reason, Refusal, Viewer},
    signed::Signed,
};
use countersign_wire::v1::InvokeResponse;
use tonic::{Status, metadata::MetadataValue};

use super::pending::{cancelled, unknown};
use crate::status::status;

/// The trailer in which a caller whose result is not kept any longer gets the receipt.
pub const RECEIPT_TRAILER: &str = "countersign-receipt-bin";

/// An end as the state remembers it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    outcome: InvocationOutcome,
    receipt: Option<Signed>,
    intent: LeafIndex,
    result: LeafIndex,
}

impl Ended {
    /// `None` while the invocation is open.
    pub(super) fn of(invocation: &Invocation) -> Option<Self> {
        let (outcome, receipt) = invocation.outcome.clone()?;
        Some(Self { outcome, receipt, intent: invocation.intent, result: invocation.ended? })
    }

    /// An answer, where there is a receipt.
    pub(super) fn into_done(self, body: Option<Bytes>) -> Result<Done, Refusal> {
        match (self.outcome, self.receipt) {
            (InvocationOutcome::Receipted, Some(receipt)) => {
                Ok(Done { receipt, body, intent: self.intent, result: self.result })
            }
            (InvocationOutcome::Cancelled, _) => Err(cancelled("")),
            (InvocationOutcome::Receipted | InvocationOutcome::Unknown, _) => Err(unknown("")),
            // Its id is derived from a session's: it has another fingerprint than any proof.
            (InvocationOutcome::InSession, _) => Err(unknown("It was a request of a session.")),
        }
    }
}

/// A completed invocation.
#[derive(Debug)]
pub(super) struct Done {
    receipt: Signed,
    /// The result's body, if it is still here.
    body: Option<Bytes>,
    intent: LeafIndex,
    result: LeafIndex,
}

impl Done {
    /// What a retry of a stream is told: its chunks are not kept.
    pub(super) fn without_body(self, viewer: Viewer) -> Status {
        let gone = Self { body: None, ..self }.reply(viewer);
        gone.err().unwrap_or_else(|| Status::internal(""))
    }

    /// The answer with its body.
    pub(super) fn end(self) -> InvokeResponse {
        InvokeResponse {
            receipt: self.receipt.to_bytes(),
            body: self.body.unwrap_or_default().into(),
            intent_leaf: self.intent.get(),
            result_leaf: self.result.get(),
        }
    }

    /// The answer; or, without the body, a refusal with the receipt in a trailer.
    pub(super) fn reply(self, viewer: Viewer) -> Result<InvokeResponse, Status> {
        let receipt = self.receipt.to_bytes();
        match self.body {
            Some(body) => Ok(InvokeResponse {
                receipt,
                body: body.into(),
                intent_leaf: self.intent.get(),
                result_leaf: self.result.get(),
            }),
            None => {
                let detail = format!("Its result is leaf {}.", self.result);
                let refusal = Refusal::new("API-045", Reason::ResultNotRetained, detail);
                let mut status = status(&refusal, viewer);
                status.metadata_mut().insert_bin(RECEIPT_TRAILER, MetadataValue::from_bytes(&receipt));
                Err(status)
            }
        }
    }
}

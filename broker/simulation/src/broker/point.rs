//! Where the power can go.

use countersign_protocol::domain::{Event, InvocationOutcome};

use crate::plan::counted;

counted! {
    /// A commit point: something has just happened, and what follows from it has not.
    Point {
        /// A decision was made and is not on the disk.
        DecidedUnwritten,
        /// An INTENT was.
        IntentUnwritten,
        /// A receipt arrived, and its RESULT is not on the disk.
        ReceiptUnwritten,
        /// A contract was concluded, and is not on the disk.
        ContractUnwritten,
        /// A revocation was.
        RevocationUnwritten,
        /// What was decided is on the disk, and the broker does not know it.
        WrittenUnknown,
        /// It knows, and has not told anyone.
        DurableUnanswered,
        /// An INTENT is durable, and nothing was forwarded.
        IntentUnforwarded,
        /// The callee may have it, and has not answered.
        ForwardedUnanswered,
        /// A RESULT is durable, and nobody was told.
        ResultUnanswered,
        /// A contract is durable, and its activation was not sent.
        ContractUntold,
        /// A revocation is durable, and not acknowledged.
        RevocationUnacknowledged,
        /// A checkpoint was signed, and is not kept.
        CheckpointUnkept,
        /// It is kept, and nobody has seen it.
        CheckpointUnreleased,
        /// The broker starts again, and settles what was open.
        Settling,
    }
}

impl Point {
    /// The point at which events are decided and not yet written.
    pub(super) fn before<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let points = events.map(|event| match event {
            Event::Revoked(_) | Event::Changed(_) | Event::ChainRebound(_) => Self::RevocationUnwritten,
            Event::ContractFinalized(_) => Self::ContractUnwritten,
            Event::InvocationEnded(end) if end.outcome == InvocationOutcome::Receipted => {
                Self::ReceiptUnwritten
            }
            Event::Intent(_) => Self::IntentUnwritten,
            _ => Self::DecidedUnwritten,
        });
        points.max_by_key(|point| *point as usize).unwrap_or(Self::DecidedUnwritten)
    }
}

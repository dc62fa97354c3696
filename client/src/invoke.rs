//! Using a chain.

use countersign_protocol::{
    capability::{Arguments, ResourceName},
    id::InvocationId,
    ledger::LeafIndex,
    name::{PrincipalId, Word},
    receipt::Receipt,
    signed::Signed,
};

use crate::{agent::Agent, error::Error, held::Held};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Call {
    /// By whom.
    pub callee: PrincipalId,
    /// What.
    pub action: Word,
    /// To what.
    pub resource: ResourceName,
    /// With which typed arguments.
    pub arguments: Arguments,
    /// An opaque body that goes with them. It is forwarded and never logged.
    pub body: Vec<u8>,
}

/// What came of it: the callee's verified word.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The invocation; [`Agent::explain`] takes it.
    pub invocation: InvocationId,
    /// How it ended, what it cost, and who did it.
    pub receipt: Receipt,
    /// The receipt as the callee signed it.
    pub signed_receipt: Signed,
    /// The result; its digest is in the receipt.
    pub body: Vec<u8>,
    /// The leaf that permitted it.
    pub intent: LeafIndex,
    /// The leaf that ended it.
    pub result: LeafIndex,
}

impl Agent {
    /// Has something done under a chain that this instance holds.
    ///
    /// A lost reply is asked for again under the same invocation id, so nothing is done twice.
    pub async fn invoke(&self, held: &Held, call: Call) -> Result<Answer, Error> {
        let _ = (held, call);
        unimplemented!()
    }
}

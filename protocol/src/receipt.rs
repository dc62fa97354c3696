//! The callee's word on what it did.

use crate::{
    capability::Amount,
    code_enum,
    digest::{ChainId, Digest},
    extension::Extensions,
    id::InvocationId,
    name::{InstanceId, TrustDomain},
    payload,
    signed::Statement,
    time::Timestamp,
};

code_enum! {
    /// How an action ended, as the callee tells it.
    pub enum ActionOutcome {
        /// It was done.
        Done = 1,
        /// It was tried, and failed; it may have cost something all the same.
        Failed = 2,
    }
}

payload! {
    /// Signed by the callee's instance key before the broker sees the result.
    pub struct Receipt {
        /// The chain's home.
        1 => pub domain: TrustDomain,
        /// The invocation.
        2 => pub invocation_id: InvocationId,
        /// The chain that was used.
        3 => pub chain_id: ChainId,
        /// Digest of the holder's proof that the callee verified.
        4 => pub proof: Digest,
        /// Who did it.
        5 => pub callee: InstanceId,
        /// How it ended.
        6 => pub outcome: ActionOutcome,
        /// SHA-256 of the result's body.
        7 => pub result: Digest,
        /// What it cost, in the unit of the leaf's budget; at most its amount per call.
        8 => pub cost: Amount,
        /// When.
        9 => pub finished: Timestamp,
        /// Growth.
        10 => pub extensions: Extensions,
    }
}

impl Statement for Receipt {
    const TYPE: &'static str = "application/vnd.countersign.receipt.v1";
}

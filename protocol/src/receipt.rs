//! The callee's word on what it did.

use crate::{
    capability::Amount,
    code_enum,
    digest::{ChainId, Digest},
    extension::Extensions,
    id::InvocationId,
    key::PublicKey,
    name::{InstanceId, TrustDomain},
    payload,
    signed::{NotOpened, Signed, Statement},
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

/// A receipt whose signature was verified apart from the decision that it ends up in. Decisions are made
/// one after another, and a verification takes longer than all the rest of one.
#[derive(Clone, Debug)]
pub struct OpenedReceipt {
    signed: Signed,
    receipt: Receipt,
    by: PublicKey,
}

impl OpenedReceipt {
    /// Verifies that it is signed by exactly that key. Whether it should be is the decision's question.
    pub fn open(signed: Signed, key: PublicKey) -> Result<Self, NotOpened> {
        Ok(Self { receipt: signed.open(&[key])?, signed, by: key })
    }

    /// The receipt as it was signed.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// What it says, if it is by that key.
    pub(crate) fn by(&self, key: PublicKey) -> Result<&Receipt, NotOpened> {
        if self.by == key { Ok(&self.receipt) } else { Err(NotOpened::Signers) }
    }
}

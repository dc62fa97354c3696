//! What one side of a contract, or an admin, signs to hold it up or to end it.

use crate::{
    code_enum,
    digest::{ChainId, Digest},
    extension::Extensions,
    id::{InvocationId, RequestId},
    name::{InstanceId, TrustDomain},
    payload,
    signed::Statement,
    time::Timestamp,
};

code_enum! {
    /// What becomes of a contract.
    pub enum ChangeKind {
        /// Nothing is used under it until its suspension is taken back.
        Suspend = 1,
        /// A suspension is taken back.
        Resume = 2,
        /// The holder gives it back.
        Retire = 3,
        /// It ends, and one side says that the other broke it.
        Breach = 4,
    }
}

code_enum! {
    /// As whom somebody changes a contract.
    pub enum Side {
        /// The one who handed the right on: the grantor; of a grant, its originator.
        Grantor = 1,
        /// The one who has it.
        Holder = 2,
        /// An admin of the trust domain.
        Admin = 3,
    }
}

payload! {
    /// A change of one link of a chain, grant or contract.
    pub struct ChangeRequest {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// Who asks,
        2 => pub sender: InstanceId,
        /// and as whom.
        3 => pub side: Side,
        /// The chain that ends with the link.
        4 => pub chain: ChainId,
        /// What becomes of it.
        5 => pub kind: ChangeKind,
        /// Of a breach: the invocation that shows it, or
        6 => pub invocation: Option<InvocationId>,
        /// the digest of whatever else does.
        7 => pub evidence: Option<Digest>,
        /// How many chains that have not ended the sender expects at the link and beneath it; another
        /// number is refused.
        8 => pub chains: u64,
        /// Makes a retry harmless.
        9 => pub request_id: RequestId,
        /// When it was signed.
        10 => pub issued: Timestamp,
        /// Growth.
        11 => pub extensions: Extensions,
    }
    valid_if ChangeRequest::is_for_its_side;
}

impl ChangeRequest {
    /// Each change is for certain sides, and a breach alone has evidence, of one kind.
    fn is_for_its_side(&self) -> bool {
        let (invocation, evidence) = (self.invocation.is_some(), self.evidence.is_some());
        match self.kind {
            ChangeKind::Suspend | ChangeKind::Resume => self.side != Side::Holder && !invocation && !evidence,
            ChangeKind::Retire => self.side == Side::Holder && !invocation && !evidence,
            ChangeKind::Breach => self.side != Side::Admin && invocation != evidence,
        }
    }
}

impl Statement for ChangeRequest {
    const TYPE: &'static str = "application/vnd.countersign.change-request.v1";
}

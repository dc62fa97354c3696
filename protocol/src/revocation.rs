//! Revocation: how a chain or an instance ends before its time.

use crate::{
    digest::ChainId,
    extension::Extensions,
    id::RequestId,
    name::{InstanceId, TrustDomain},
    payload,
    signed::Statement,
    time::Timestamp,
};

payload! {
    /// What somebody signs to have something revoked: a chain with all beneath it, or an instance
    /// with all that it holds.
    pub struct RevokeRequest {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// Who asks.
        2 => pub sender: InstanceId,
        /// The chain, or
        3 => pub chain: Option<ChainId>,
        /// the instance.
        4 => pub instance: Option<InstanceId>,
        /// How many live chains the sender expects to end; another number is refused.
        5 => pub chains: u64,
        /// Makes a retry harmless.
        6 => pub request_id: RequestId,
        /// When it was signed.
        7 => pub issued: Timestamp,
        /// Growth.
        8 => pub extensions: Extensions,
    }
    valid_if RevokeRequest::names_one_target;
}

impl RevokeRequest {
    fn names_one_target(&self) -> bool {
        self.chain.is_some() != self.instance.is_some()
    }
}

impl Statement for RevokeRequest {
    const TYPE: &'static str = "application/vnd.countersign.revoke-request.v1";
}

//! What is signed so that a fresh instance of a holder takes a chain over.

use crate::{
    digest::{ChainId, Digest},
    extension::Extensions,
    id::RequestId,
    name::{InstanceId, TrustDomain},
    payload,
    signed::Statement,
    time::Timestamp,
    token::Holder,
};

payload! {
    /// A fresh instance asks for a chain that another instance of its principal holds.
    pub struct RebindRequest {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// Who asks; its instance key signs this.
        2 => pub sender: InstanceId,
        /// The chain.
        3 => pub chain: ChainId,
        /// How many chains that have not ended the sender expects at the link and beneath it; another
        /// number is refused.
        4 => pub chains: u64,
        /// Makes a retry harmless.
        5 => pub request_id: RequestId,
        /// When it was signed.
        6 => pub issued: Timestamp,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

impl Statement for RebindRequest {
    const TYPE: &'static str = "application/vnd.countersign.rebind-request.v1";
}

payload! {
    /// The grantor lets that instance take its chain over: this one, from that one, and no other.
    pub struct RebindConsent {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// The grantor; its instance key signs this.
        2 => pub sender: InstanceId,
        /// Names the chain up to the hop that the grantor signed.
        3 => pub hop: ChainId,
        /// Who holds it until then.
        4 => pub from: InstanceId,
        /// Who holds it from there on.
        5 => pub holder: Holder,
        /// Digest of the evidence by which that instance was attested.
        6 => pub evidence: Digest,
        /// Makes a retry harmless.
        7 => pub request_id: RequestId,
        /// When it was signed.
        8 => pub issued: Timestamp,
        /// Growth.
        9 => pub extensions: Extensions,
    }
}

impl Statement for RebindConsent {
    const TYPE: &'static str = "application/vnd.countersign.rebind-consent.v1";
}

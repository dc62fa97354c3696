//! Grants: how a chain begins.

use crate::{
    capability::Rights,
    extension::Extensions,
    id::GrantId,
    name::{InstanceId, TrustDomain},
    payload,
    signed::Statement,
    time::Timestamp,
};

payload! {
    /// What an originator signs to have a grant issued.
    pub struct GrantRequest {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// The grant, named by the originator so that a retry is harmless.
        2 => pub grant_id: GrantId,
        /// Who asks, and answers for it.
        3 => pub originator: InstanceId,
        /// The first holder.
        4 => pub holder: InstanceId,
        /// What it may do.
        5 => pub rights: Rights,
        /// When it was signed.
        6 => pub issued: Timestamp,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

impl Statement for GrantRequest {
    const TYPE: &'static str = "application/vnd.countersign.grant-request.v1";
}

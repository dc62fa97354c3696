//! How an instance says who it is: joining a trust domain, and staying in it.

use crate::{
    digest::{Digest, SpkiHash},
    extension::Extensions,
    key::PublicKey,
    name::{InstanceId, TrustDomain, Word},
    payload,
    signed::Statement,
    time::Timestamp,
};

payload! {
    /// What a process claims when it joins, signed with the instance key that it just made. There is
    /// no certificate request: the domain builds the certificate from nothing but the key.
    pub struct JoinStatement {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// The instance that it wants to be.
        2 => pub instance: InstanceId,
        /// Its Ed25519 key.
        3 => pub key: PublicKey,
        /// Its TLS key.
        4 => pub spki: SpkiHash,
        /// Digest of its model, prompt, tools: whatever configures it.
        5 => pub configuration: Digest,
        /// Digest of the evidence that goes with the statement; for a join token, of its secret.
        6 => pub evidence: Digest,
        /// When it was signed.
        7 => pub issued: Timestamp,
        /// Growth.
        8 => pub extensions: Extensions,
    }
}

impl Statement for JoinStatement {
    const TYPE: &'static str = "application/vnd.countersign.join.v1";
}

payload! {
    /// What an instance says to stay, signed with its instance key.
    pub struct RenewStatement {
        /// The trust domain.
        1 => pub domain: TrustDomain,
        /// The instance.
        2 => pub instance: InstanceId,
        /// Its TLS key, unchanged.
        3 => pub spki: SpkiHash,
        /// What configures it, unchanged.
        4 => pub configuration: Digest,
        /// The generation that it holds. Two processes with one identity cannot both hold the
        /// newest one for long: that is how a copy is found.
        5 => pub generation: u32,
        /// When it was signed.
        6 => pub issued: Timestamp,
        /// Growth.
        7 => pub extensions: Extensions,
    }
}

impl Statement for RenewStatement {
    const TYPE: &'static str = "application/vnd.countersign.renew.v1";
}

payload! {
    /// The domain's own record of an instance: tokens bind the instance key, channels bind the TLS
    /// key, and this links them.
    pub struct InstanceStatement {
        /// The instance.
        1 => pub instance: InstanceId,
        /// Its Ed25519 key.
        2 => pub key: PublicKey,
        /// Its TLS key.
        3 => pub spki: SpkiHash,
        /// What configures it.
        4 => pub configuration: Digest,
        /// How it was attested.
        5 => pub attestor: Word,
        /// Digest of the evidence.
        6 => pub evidence: Digest,
        /// Counts its certificates, from one.
        7 => pub generation: u32,
        /// When its certificate expires.
        8 => pub expires: Timestamp,
    }
}
